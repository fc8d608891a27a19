//! Which client an id means: one of the configuration, of a document, or one that registered itself.
//!
//! The three cannot be confused: ids of documents hold `://`, ids of registration begin with `pc_c_`, and those
//! of the configuration do neither (`config` holds that).
//!
//! INVARIANT: where a client calls us itself nothing is fetched; a document is only got where a person waits.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{
    Client, KnownBy, USED_LIFE,
    document::{self, DocumentUrl},
    fetch::Fetcher,
};
use crate::{
    config::{Documents, Trust},
    name::ClientId,
    oauth::{
        error::{ErrorCode, OAuthError, Why},
        issuer::down,
    },
    store::Store,
};

/// Every way to a client.
#[derive(Debug)]
pub struct Directory {
    configured: BTreeMap<ClientId, Client>,
    documents: Documents,
    private_schemes: bool,
    fetcher: Arc<Fetcher>,
}

impl Directory {
    /// The clients of a configuration, and the ways to others. The fetcher outlives the configuration.
    #[must_use]
    pub fn new(
        configured: impl IntoIterator<Item = Client>,
        documents: Documents,
        private_schemes: bool,
        fetcher: Arc<Fetcher>,
    ) -> Self {
        let configured = configured.into_iter().map(|client| (client.id.clone(), client)).collect();
        Self { configured, documents, private_schemes, fetcher }
    }

    /// Whether documents of clients are read at all.
    #[must_use]
    pub fn reads_documents(&self) -> bool {
        self.documents.trust != Trust::Off
    }

    /// The client of an id, its document fetched where it has one: for the authorization endpoint.
    ///
    /// # Errors
    /// `invalid_client` where its document makes no client; otherwise when the store cannot be read.
    pub async fn find(&self, id: &ClientId, store: &Store, now: Timestamp) -> Result<Option<Client>, OAuthError> {
        if !DocumentUrl::is_meant(id) {
            return self.known(id, store, now).await;
        }
        let Some(url) = self.document(id)? else { return Ok(None) };
        match self.fetcher.client(&url, &self.documents, self.private_schemes, now).await {
            Ok(client) => Ok(Some(Client::clone(&client))),
            Err(error) => Err(OAuthError::new(ErrorCode::InvalidClient, Why::ClientDocument, error.to_string())),
        }
    }

    /// The client of an id as far as it is known without asking anybody: for what clients call themselves.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn known(&self, id: &ClientId, store: &Store, now: Timestamp) -> Result<Option<Client>, OAuthError> {
        if let Some(client) = self.configured.get(id) {
            return Ok(Some(client.clone()));
        }
        if DocumentUrl::is_meant(id) {
            return Ok(self.document(id).ok().flatten().map(|url| document::unread(&url)));
        }
        if !id.as_str().starts_with("pc_c_") {
            return Ok(None);
        }
        let row = store.client(id, now).await.map_err(down)?;
        Ok(row.and_then(|row| Client::from_row(row, self.private_schemes)))
    }

    /// Lets a client that registered itself live on, now that a person approved it. It is not asked for more
    /// than once a day.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn used(&self, client: &Client, store: &Store, now: Timestamp) -> Result<(), OAuthError> {
        let until = now.saturating_add(USED_LIFE).unwrap_or(now);
        let day = jiff::SignedDuration::from_hours(24);
        let due = client.expires_at.is_some_and(|end| until.duration_since(end) > day);
        if client.known_by != KnownBy::Itself || !due {
            return Ok(());
        }
        store.use_client(&client.id, until, now).await.map_err(down).map(drop)
    }

    /// The URL that an id is; nothing where documents of its host are not read.
    fn document(&self, id: &ClientId) -> Result<Option<DocumentUrl>, OAuthError> {
        let trusted = |host: &String| match &self.documents.trust {
            Trust::Off => false,
            Trust::Any => true,
            Trust::Hosts(hosts) => hosts.contains(host),
        };
        if !self.reads_documents() {
            return Ok(None);
        }
        let url = DocumentUrl::read(id, &self.documents.inside)
            .map_err(|error| OAuthError::new(ErrorCode::InvalidClient, Why::ClientDocument, error.to_string()))?;
        Ok(Some(url).filter(|url| trusted(&url.host)))
    }
}
