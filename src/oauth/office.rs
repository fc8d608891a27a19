//! The authorization server as a process has it: its keys and store, and what each revision adds.
//!
//! An [`Office`] lives as long as the process; a [`Roll`] is of one revision, and so are the clients and the
//! door in it. Together with a snapshot they make the [`Issuer`] that a request is answered by.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    access_token::TokenKeys,
    client::{Directory, Door, Fetcher, Guesses, configured},
    issuer::Issuer,
    key::OAuthKeys,
    signin::{owner, users::Passwords},
};
use crate::{
    config::{Config, SecretRef},
    seal::Keys,
    secret::Secret,
    snapshot::Snapshot,
    store::Store,
};

/// What outlives a revision.
#[derive(Debug)]
pub(crate) struct Office {
    keys: OAuthKeys,
    tokens: TokenKeys,
    /// What is kept of passwords.
    pub(crate) passwords: Passwords,
    store: Arc<Store>,
    fetcher: Arc<Fetcher>,
    /// Wrong secrets of clients.
    pub(crate) guesses: Guesses,
}

/// What a revision says of clients.
#[derive(Debug)]
pub(crate) struct Roll {
    directory: Directory,
    /// The registration endpoint.
    pub(crate) door: Door,
}

impl Office {
    pub(crate) fn new(keys: &Keys, store: Arc<Store>, fetcher: Fetcher) -> Self {
        Self {
            keys: OAuthKeys::of(keys),
            tokens: TokenKeys::of(keys),
            passwords: Passwords::of(keys),
            store,
            fetcher: Arc::new(fetcher),
            guesses: Guesses::default(),
        }
    }

    /// The clients of a configuration; secrets are read by `read`.
    ///
    /// # Errors
    /// Every secret that cannot be read or is weak, in words without it.
    pub(crate) fn roll(
        &self,
        config: &Config,
        read: &dyn Fn(&SecretRef) -> Result<Secret<String>, String>,
    ) -> Result<Roll, Vec<String>> {
        let authorization = &config.oauth.authorization;
        let (mut clients, mut problems) = (Vec::new(), Vec::new());
        for (id, written) in &authorization.clients {
            let secret = written.secret.as_ref().map(|secret| read(&secret.value)).transpose();
            let made = secret.and_then(|secret| {
                configured(id, written, secret.as_ref(), &self.keys).map_err(|weak| format!("the secret {weak}"))
            });
            match made {
                Ok(client) => clients.push(client),
                Err(problem) => problems.push(format!("`oauth.clients.{id}`: {problem}")),
            }
        }
        let token = authorization.registration.as_ref().and_then(|registration| registration.token.as_ref());
        let token = match token.map(|token| read(&token.value)).transpose() {
            Ok(token) => token.map(|token| self.keys.digest(token.expose())),
            Err(problem) => {
                problems.push(format!("`oauth.registration.token`: {problem}"));
                None
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let loopback = config.listen.address.value.ip().to_canonical().is_loopback();
        let (documents, private) = (authorization.documents.clone(), authorization.private_schemes);
        let directory = Directory::new(clients, documents, private, Arc::clone(&self.fetcher));
        Ok(Roll { directory, door: Door { loopback, token } })
    }

    /// The authorization server of a revision.
    pub(crate) fn issuer<'a>(&'a self, snapshot: &'a Snapshot, roll: &'a Roll) -> Issuer<'a> {
        Issuer {
            url: &snapshot.public_url,
            engine: &snapshot.engine,
            baseline: &snapshot.baseline,
            settings: &snapshot.config.oauth.authorization,
            directory: &roll.directory,
            keys: &self.keys,
            tokens: &self.tokens,
            store: &self.store,
        }
    }

    /// A link that signs the owner in, once and within a minute.
    pub(crate) fn link(&self, public_url: &str, now: Timestamp, random: [u8; 16]) -> Secret<String> {
        owner::link(&self.keys, public_url, now, random)
    }

    /// The name that the audit trail has for an access token.
    pub(crate) fn audit_name(&self, token: crate::id::Id) -> String {
        self.tokens.audit_name(token)
    }
}
