//! What flags and variables say instead of the file: a small document of its own, laid over it.
//!
//! What is said so is read, checked and recorded like what is written; its place is the flag or the
//! variable. A flag wins over its variable.
//!
//! INVARIANT: a key itself is never in the document. The variable that holds one is named, as
//! `{env: NAME}`; on the command line every process of the machine would see it, so it is refused there.
//! To add one: a variant, and its arm in `path`, `flag` and `variable`.

use std::{path::Path, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::{
    document::{Node, Value, entry},
    source::Sources,
};
use crate::diagnostic::Place;

/// A value that can be said instead of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overridable {
    /// `listen.address`
    Listen,
    /// `listen.public_url`
    PublicUrl,
    /// `encryption.key`
    TokenEncryptionKey,
    /// `cors.origins`, separated by commas
    CorsOrigins,
    /// `headers.hsts`
    EnableHsts,
}

/// A value that is said instead of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    what: Overridable,
    by: &'static str,
    value: String,
}

impl Overridable {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Listen, Self::PublicUrl, Self::TokenEncryptionKey, Self::CorsOrigins, Self::EnableHsts];

    const fn path(self) -> [&'static str; 2] {
        match self {
            Self::Listen => ["listen", "address"],
            Self::PublicUrl => ["listen", "public_url"],
            Self::TokenEncryptionKey => ["encryption", "key"],
            Self::CorsOrigins => ["cors", "origins"],
            Self::EnableHsts => ["headers", "hsts"],
        }
    }

    const fn flag(self) -> &'static str {
        match self {
            Self::Listen => "--listen",
            Self::PublicUrl => "--public-url",
            Self::TokenEncryptionKey => "--token-encryption-key",
            Self::CorsOrigins => "--cors-origins",
            Self::EnableHsts => "--enable-hsts",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Listen => "PORTCULLIS_LISTEN",
            Self::PublicUrl => "PORTCULLIS_PUBLIC_URL",
            Self::TokenEncryptionKey => "PORTCULLIS_TOKEN_ENCRYPTION_KEY",
            Self::CorsOrigins => "PORTCULLIS_CORS_ORIGINS",
            Self::EnableHsts => "PORTCULLIS_ENABLE_HSTS",
        }
    }
}

impl Override {
    /// What a flag says, else what its variable says, else nothing. An empty variable says nothing.
    #[must_use]
    pub fn of(what: Overridable, flag: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        if let Some(value) = flag {
            return Some(Self { what, by: what.flag(), value: value.to_owned() });
        }
        let value = env(what.variable()).filter(|value| !value.is_empty())?;
        // The value is the key: what is laid over the file says where it is.
        let value = match what {
            Overridable::TokenEncryptionKey => format!("env:{}", what.variable()),
            Overridable::Listen | Overridable::PublicUrl | Overridable::CorsOrigins | Overridable::EnableHsts => value,
        };
        Some(Self { what, by: what.variable(), value })
    }

    /// Whether it is said of the headers, which may be a plain list.
    pub(super) fn is_of_headers(&self) -> bool {
        self.what == Overridable::EnableHsts
    }

    /// The flag or variable that says it.
    pub(super) const fn by(&self) -> &'static str {
        self.by
    }

    /// What it says, as a document of its own; its text is kept in `sources`.
    pub(super) fn tree(&self, sources: &mut Sources) -> Node {
        let Self { what, by, value } = self;
        let file: Arc<str> = (*by).into();
        let place = Place { file: file.clone(), line: 1, column: 1, start: 0, end: value.len() };
        sources.keep(file, value.as_str().into());
        let text = |text: String| node(&place, Value::Text(text));
        let said = match (what, value.split_once(':')) {
            (Overridable::TokenEncryptionKey, Some(("env", name))) => {
                node(&place, Value::Map(vec![entry("env", &place, text(name.to_owned()))]))
            }
            (Overridable::TokenEncryptionKey, Some(("file", path))) => {
                // Relative to where the command is given, not to the file.
                let path = std::path::absolute(path).unwrap_or_else(|_| Path::new(path).to_owned());
                let path = path.to_string_lossy().into_owned();
                node(&place, Value::Map(vec![entry("file", &place, text(path))]))
            }
            (Overridable::TokenEncryptionKey, _) => {
                sources.hide(vec![place.clone()]);
                text(value.clone())
            }
            (Overridable::CorsOrigins, _) => node(&place, Value::List(listed(value, &place))),
            (Overridable::EnableHsts, _) => match value.as_str() {
                "true" => node(&place, Value::Bool(true)),
                "false" => node(&place, Value::Bool(false)),
                _ => text(value.clone()),
            },
            (Overridable::Listen | Overridable::PublicUrl, _) => text(value.clone()),
        };
        let [section, key] = what.path();
        let section = entry(section, &place, node(&place, Value::Map(vec![entry(key, &place, said)])));
        node(&place, Value::Map(vec![section]))
    }
}

/// The values between commas, each with its place. Of nothing at all, none.
fn listed(value: &str, place: &Place) -> Vec<Node> {
    let mut at = 0;
    let mut items = Vec::new();
    for part in value.split(',').filter(|_| !value.trim().is_empty()) {
        let text = part.trim();
        let start = at + (part.len() - part.trim_start().len());
        let column = value.get(..start).map_or(0, |before| before.chars().count());
        let column = u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1);
        let place = Place { column, start, end: start + text.len(), ..place.clone() };
        items.push(node(&place, Value::Text(text.to_owned())));
        at += part.len() + 1;
    }
    items
}

/// A plain list of own headers, as the map that says more: what is said of the preset leaves them there.
pub(super) fn opened(root: &mut Node) {
    let Value::Map(entries) = &mut root.value else { return };
    let Some(headers) = entries.iter_mut().find(|entry| entry.key == "headers") else { return };
    if matches!(headers.value.value, Value::List(_)) {
        let place = headers.value.place.clone();
        let list = std::mem::replace(&mut headers.value, node(&place, Value::Null));
        headers.value = node(&place, Value::Map(vec![entry("rules", &place, list)]));
    }
}

fn node(place: &Place, value: Value) -> Node {
    Node { place: place.clone(), value, from_env: false, other: None }
}

/// The digest of a configuration over which something is said.
pub(super) fn digest(digest: String, overrides: &[Override]) -> String {
    if overrides.is_empty() {
        return digest;
    }
    let mut whole = Sha256::new();
    let said = overrides.iter().flat_map(|said| [said.what.path().concat(), said.value.clone()]);
    for part in ["portcullis.override.v1".to_owned(), digest].into_iter().chain(said) {
        whole.update((part.len() as u64).to_be_bytes());
        whole.update(part);
    }
    whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
