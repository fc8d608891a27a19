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
    /// What new records are sealed with.
    pub algorithm: Algorithm,
}

/// A cipher for what is kept and must be read back. Records of either are read, whichever is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// AES-256-GCM.
    #[default]
    Aes256Gcm,
    /// XChaCha20-Poly1305.
    XChaCha20Poly1305,
}

/// Where the master key is kept, and what it is used with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptionSection {
    /// Where the key or passphrase is kept: `{env: NAME}` or `{file: PATH}`, never the key itself.
    #[schemars(with = "Option<SecretSection>")]
    key: Option<Written<TextOr<SecretSection>>>,
    /// The cipher for what is written from now on: `aes-256-gcm` (the default) or
    /// `xchacha20-poly1305`. Both are read.
    #[schemars(extend("enum" = ["aes-256-gcm", "xchacha20-poly1305"]))]
    algorithm: Option<Written<String>>,
}

impl Encryption {
    pub(crate) fn resolve(section: Option<Written<EncryptionSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Some(section) = section else { return Some(Self { key: None, algorithm: Algorithm::default() }) };
        let EncryptionSection { key, algorithm } = section.value?;
        let algorithm = match algorithm.and_then(Written::placed) {
            Some(written) => read_algorithm(&written, cx),
            None => Some(Algorithm::default()),
        };
        let Some(key) = key else { return Some(Self { key: None, algorithm: algorithm? }) };
        let place = key.place;
        match key.value? {
            TextOr::Map(secret) => {
                let key = Placed::new(secret.resolve(&place, "encryption.key", cx)?, place);
                Some(Self { key: Some(key), algorithm: algorithm? })
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

fn read_algorithm(algorithm: &Placed<String>, cx: &mut Resolver<'_>) -> Option<Algorithm> {
    match algorithm.value.as_str() {
        "aes-256-gcm" => Some(Algorithm::Aes256Gcm),
        "xchacha20-poly1305" => Some(Algorithm::XChaCha20Poly1305),
        _ => {
            let message = format!("`{}` is no cipher of ours", cx.shown("algorithm", algorithm));
            let help = "write `aes-256-gcm` or `xchacha20-poly1305`, or remove the key";
            cx.find(findings::WRONG_TYPE.at(&algorithm.place, message).help(help));
            None
        }
    }
}
