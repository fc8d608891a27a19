//! Where a secret is kept: `{env: NAME}` or `{file: PATH}`, and texts that may be one.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        document::{TextOr, Written, is_variable},
        findings,
        resolve::Resolver,
        secrecy,
    },
    diagnostic::{Place, Placed},
};

/// A text that is written in the file, or a secret that the file only names.
#[derive(Debug, Clone)]
pub enum Text {
    /// As written.
    Plain(String),
    /// Kept elsewhere.
    Secret(SecretRef),
}

/// Where a secret is kept. Reading it is `server/secret`'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `{env: NAME}`
    Env(String),
    /// `{file: PATH}`; relative paths are the configuration file's.
    File(PathBuf),
}

/// Where a secret is kept: exactly one of `env` and `file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct SecretSection {
    /// The environment variable that holds it.
    env: Option<Written<String>>,
    /// The file that holds it, relative to this file.
    file: Option<Written<String>>,
}

impl SecretSection {
    /// Where the secret is kept; `what` is what the secret is for, for messages.
    pub(super) fn resolve(self, place: &Place, what: &str, cx: &mut Resolver<'_>) -> Option<SecretRef> {
        let Self { env, file } = self;
        match (env, file) {
            (Some(name), None) => {
                let name = name.placed()?;
                if secrecy::is_marked(&name.value) {
                    let message = format!("`{what}` holds a secret where the name of a variable belongs");
                    let help = "put the secret into a variable and write the variable's name; replace the secret: it has been seen";
                    cx.find(findings::PLAINTEXT_SECRET.at(&name.place, message).help(help));
                    return None;
                }
                if !is_variable(&name.value) {
                    let message = format!("`{}` is no variable name", cx.shown(what, &name));
                    let help = "`env` takes the name of a variable, never a secret itself: letters, digits and `_`";
                    cx.find(findings::INVALID_IDENTIFIER.at(&name.place, message).help(help));
                    return None;
                }
                Some(SecretRef::Env(name.value))
            }
            (None, Some(file)) => Some(SecretRef::File(cx.file("file", file.placed()?)?)),
            _ => {
                let finding =
                    findings::WRONG_TYPE.at(place, format!("`{what}` must hold exactly one of `env` and `file`"));
                cx.find(finding.help("write `{env: NAME}` or `{file: PATH}`"));
                None
            }
        }
    }
}

/// A text or a secret's whereabouts, fit for a header field or a variable.
pub(super) fn text(written: Written<TextOr<SecretSection>>, name: &str, cx: &mut Resolver<'_>) -> Option<Placed<Text>> {
    let Written { place, value } = written;
    let text = match value? {
        TextOr::Map(secret) => Text::Secret(secret.resolve(&place, name, cx)?),
        TextOr::Text(plain) if plain.chars().any(|c| c.is_control() && c != '\t') => {
            let message = format!("the value of `{}` holds a line break or control character", name.escape_debug());
            cx.find(findings::WRONG_TYPE.at(&place, message).help("write it in one line"));
            return None;
        }
        TextOr::Text(plain) => Text::Plain(plain),
    };
    Some(Placed::new(text, place))
}
