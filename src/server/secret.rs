//! Where secrets are read: variables and files that the configuration only names.

use std::path::Path;

use crate::{config::Config, config::SecretRef, seal::KeySource, secret::Secret};

/// The longest secret file.
const LONGEST: u64 = 64 * 1024;

/// Reads a secret, or says in words without it what is wrong.
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment beside the command line")]
pub(crate) fn read(kept: &SecretRef) -> Result<Secret<String>, String> {
    match kept {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(Secret::new(value)),
            Ok(_) => Err(format!("the variable `{name}` is empty")),
            Err(_) => Err(format!("the variable `{name}` is not set")),
        },
        SecretRef::File(path) => file(path),
    }
}

#[expect(clippy::disallowed_methods, reason = "a secret's file is no configuration: it is read here and shown nowhere")]
fn file(path: &Path) -> Result<Secret<String>, String> {
    let fail = |problem: &dyn std::fmt::Display| format!("the file `{}`: {problem}", path.display());
    let size = std::fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > LONGEST {
        return Err(fail(&"is larger than 64 KiB, which no secret is"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(fail(&"is empty")) } else { Ok(Secret::new(text.to_owned())) }
}

/// Where the master key may come from.
///
/// # Errors
/// When `encryption.key` names a secret that cannot be read.
#[expect(clippy::disallowed_methods, reason = "design §8 names this variable")]
pub(crate) fn key(config: &Config) -> Result<KeySource, String> {
    let configured = config
        .encryption
        .key
        .as_ref()
        .map(|key| read(&key.value))
        .transpose()
        .map_err(|problem| format!("`encryption.key`: {problem}"))?;
    let environment = std::env::var("PORTCULLIS_ENCRYPTION_KEY").ok().filter(|key| !key.is_empty()).map(Secret::new);
    Ok(KeySource { configured, environment })
}
