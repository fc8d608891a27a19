//! `encryption:`: the master key, or rather where it is kept.

use schemars::JsonSchema;
use serde::Deserialize;

use super::secret::{SecretRef, SecretSection};
use crate::{
    config::{
        document::{TextOr, Written},
        findings,
        resolve::Resolver,
    },
    diagnostic::{Placed, Safety},
};

/// The master key's whereabouts.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// Where the key or passphrase is kept; nothing means the places of design §8.
    pub key: Option<Placed<SecretRef>>,
}

/// Where the master key is kept, and what it is used with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptionSection {
    /// Where the key or passphrase is kept: `{env: NAME}` or `{file: PATH}`, never the key itself.
    #[schemars(with = "Option<SecretSection>")]
    key: Option<Written<TextOr<SecretSection>>>,
    /// The cipher. There is one: `aes-256-gcm`.
    #[schemars(extend("const" = "aes-256-gcm"))]
    algorithm: Option<Written<String>>,
}

impl Encryption {
    pub(crate) fn resolve(section: Option<Written<EncryptionSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Some(section) = section else { return Some(Self { key: None }) };
        let EncryptionSection { key, algorithm } = section.value?;
        if let Some(algorithm) = algorithm.and_then(Written::placed) {
            check_algorithm(&algorithm, cx);
        }
        let Some(key) = key else { return Some(Self { key: None }) };
        let place = key.place;
        match key.value? {
            TextOr::Map(secret) => {
                Some(Self { key: Some(Placed::new(secret.resolve(&place, "encryption.key", cx)?, place)) })
            }
            TextOr::Text(_) => {
                let finding = findings::PLAINTEXT_SECRET.at(&place, "`encryption.key` is written out");
                let help = "write `{env: NAME}` or `{file: PATH}` in its place (on the command line `env:NAME` or `file:PATH`), and replace the key: it has been seen";
                let finding = finding.label("a key stands here").help(help);
                let title = "read it from the environment variable `PORTCULLIS_ENCRYPTION_KEY`";
                cx.find(finding.fix(Safety::Unsafe, title, &place, "{env: PORTCULLIS_ENCRYPTION_KEY}"));
                None
            }
        }
    }
}

fn check_algorithm(algorithm: &Placed<String>, cx: &mut Resolver<'_>) {
    match algorithm.value.as_str() {
        "aes-256-gcm" => {}
        "xchacha20-poly1305" => {
            let finding = findings::UNKNOWN_FIELD.at(&algorithm.place, "`xchacha20-poly1305` is not supported yet");
            cx.find(finding.help("write `aes-256-gcm`, or remove the key"));
        }
        _ => {
            let message = format!("`{}` is no cipher of ours", cx.shown("algorithm", algorithm));
            cx.find(findings::WRONG_TYPE.at(&algorithm.place, message).help("write `aes-256-gcm`, or remove the key"));
        }
    }
}
