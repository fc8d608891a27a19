//! Clients that the operator wrote down, under `oauth.clients`.
//!
//! Their secrets are read once and kept as a digest in memory; the store never has them.

use super::{Client, KnownBy, known::shown_name};
use crate::{config::ConfiguredClient, guessable::guessable, name::ClientId, oauth::key::OAuthKeys, secret::Secret};

/// The shortest secret that is taken.
const SHORTEST: usize = 16;

/// Why a client's secret is not taken. Says nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Too short.
    #[error("has fewer than 16 characters; make one with `openssl rand -base64 32`")]
    Short,
    /// One that lists and patterns find.
    #[error("can be guessed; make one with `openssl rand -base64 32`")]
    Guessable,
}

/// A client as the operator wrote it down, with its secret as it was read.
///
/// # Errors
/// When the secret is weak.
pub fn configured(
    id: &ClientId,
    written: &ConfiguredClient,
    secret: Option<&Secret<String>>,
    keys: &OAuthKeys,
) -> Result<Client, BadSecret> {
    let digest = |secret: &Secret<String>| {
        let text = secret.expose();
        if text.chars().count() < SHORTEST {
            Err(BadSecret::Short)
        } else if guessable(text) {
            Err(BadSecret::Guessable)
        } else {
            Ok(keys.digest(text))
        }
    };
    Ok(Client {
        id: id.clone(),
        name: shown_name(&written.name).unwrap_or_else(|| id.to_string()),
        known_by: KnownBy::Configuration,
        redirect_uris: written.redirect_uris.clone(),
        grant_types: written.grant_types.clone(),
        auth: written.auth,
        secret: secret.map(digest).transpose()?,
        expires_at: None,
    })
}
