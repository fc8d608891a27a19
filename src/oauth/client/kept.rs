//! A client that registered itself, as the store keeps it.
//!
//! What is read back is checked like what was sent: a row that somebody else wrote is no client.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Client, KnownBy};
use crate::{
    config::{AuthMethod, GrantType, RedirectUri},
    oauth::key::SecretDigest,
    store::{ClientKind, ClientRow, Opaque},
};

/// What is kept as metadata.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    auth: String,
}

impl Client {
    /// As the store keeps it; nothing where it cannot be written.
    pub(crate) fn to_row(&self, now: Timestamp) -> Option<ClientRow> {
        let metadata = Metadata {
            name: self.name.clone(),
            redirect_uris: self.redirect_uris.iter().map(ToString::to_string).collect(),
            grant_types: self.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect(),
            auth: self.auth.as_str().to_owned(),
        };
        Some(ClientRow {
            id: self.id.clone(),
            kind: ClientKind::Registered,
            metadata: serde_json::to_string(&metadata).ok()?,
            secret: self.secret.map(|secret| Opaque::new(secret.as_bytes().to_vec())),
            created_at: now,
            used_at: None,
            expires_at: self.expires_at?,
        })
    }

    /// From what the store kept; nothing where that is no client that registered itself.
    pub(crate) fn from_row(row: ClientRow, private_schemes: bool) -> Option<Self> {
        let ClientRow { id, kind, metadata, secret, created_at: _, used_at: _, expires_at } = row;
        let Metadata { name, redirect_uris, grant_types, auth } = serde_json::from_str(&metadata).ok()?;
        let secret = match secret {
            Some(secret) => Some(SecretDigest::from_bytes(secret.expose().as_slice().try_into().ok()?)),
            None => None,
        };
        let client = Self {
            id,
            name,
            known_by: KnownBy::Itself,
            redirect_uris: redirect_uris
                .iter()
                .map(|uri| RedirectUri::parse(uri, private_schemes).ok())
                .collect::<Option<_>>()?,
            grant_types: grant_types.iter().map(|word| GrantType::read(word)).collect::<Option<_>>()?,
            auth: AuthMethod::read(&auth)?,
            secret,
            expires_at: Some(expires_at),
        };
        (kind == ClientKind::Registered && client.secret.is_some() == client.is_confidential()).then_some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oauth::{client::public, key::OAuthKeys},
        seal::Keys,
        secret::Secret,
    };

    #[test]
    fn a_client_comes_back_as_it_was_kept_and_a_row_that_is_none_does_not() {
        let keys = OAuthKeys::of(&Keys::from_master(&Secret::new([5; 32])));
        let client = Client {
            auth: AuthMethod::SecretPost,
            secret: Some(keys.digest("right")),
            known_by: KnownBy::Itself,
            expires_at: Some(Timestamp::from_second(9).unwrap()),
            ..public("pc_c_1", &["http://127.0.0.1/cb"])
        };
        let row = client.to_row(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(format!("{:?}", Client::from_row(row.clone(), false).unwrap()), format!("{client:?}"));
        for bad in [
            ClientRow { kind: ClientKind::Published, ..row.clone() },
            ClientRow { secret: None, ..row.clone() },
            ClientRow { secret: Some(Opaque::new(vec![1])), ..row.clone() },
            ClientRow { metadata: row.metadata.replace("http:", "javascript:"), ..row.clone() },
            ClientRow { metadata: row.metadata.replace("authorization_code", "password"), ..row.clone() },
            ClientRow { metadata: "{}".into(), ..row },
        ] {
            assert!(Client::from_row(bad.clone(), true).is_none(), "{bad:?}");
        }
    }
}
