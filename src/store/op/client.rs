//! Clients that are not in the configuration: registered, or read from their documents.

use jiff::Timestamp;

use super::revoke;
use crate::{
    name::ClientId,
    store::{
        Cause, ClientKind, ClientRow, Reach, Store, StoreError,
        rows::{Op, Read, Rows},
    },
};

/// How many of those that are over make room for a new one at once.
const ROOM: u32 = 100;

/// What came of keeping a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It is kept.
    Done,
    /// There are as many as there may be; nothing was kept.
    Full,
}

impl Store {
    /// Keeps a client, in place of one with the same id. Of its kind there are never more than
    /// `most`; those whose time is over make room.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn keep_client(&self, client: ClientRow, most: u64, now: Timestamp) -> Result<Registered, StoreError> {
        self.write(KeepClient { client, most, now }).await
    }

    /// The client with this id. A registered one whose time is over is not there any more; what was
    /// read of a published one is given, however old.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn client(&self, id: &ClientId, now: Timestamp) -> Result<Option<ClientRow>, StoreError> {
        self.read(FindClient { id: id.clone(), now }).await
    }

    /// Notes that a registered client was used, and that it is kept until then.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn use_client(&self, id: &ClientId, until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        self.write(UseClient { id: id.clone(), until, now }).await
    }

    /// Forgets a client and revokes all that it has. Says whether it was there.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn remove_client(&self, id: &ClientId, now: Timestamp) -> Result<bool, StoreError> {
        self.write(RemoveClient { id: id.clone(), now }).await
    }

    /// Every client that is kept, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_clients(&self) -> Result<Vec<ClientRow>, StoreError> {
        self.read(ListClients).await
    }
}

struct KeepClient {
    client: ClientRow,
    most: u64,
    now: Timestamp,
}

impl Op for KeepClient {
    type Answer = Registered;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Registered> {
        let Self { client, most, now } = self;
        let known = rows.client(&client.id).await?;
        if known.is_none() && rows.count_clients(client.kind).await? >= *most {
            rows.remove_expired_clients(client.kind, *now, ROOM).await?;
            if rows.count_clients(client.kind).await? >= *most {
                return Ok(Registered::Full);
            }
        }
        rows.put_client(client).await?;
        Ok(Registered::Done)
    }
}

struct FindClient {
    id: ClientId,
    now: Timestamp,
}

impl Op for FindClient {
    type Answer = Option<ClientRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        let found = rows.client(&self.id).await?;
        Ok(found.filter(|client| client.kind == ClientKind::Published || self.now < client.expires_at))
    }
}

struct UseClient {
    id: ClientId,
    until: Timestamp,
    now: Timestamp,
}

impl Op for UseClient {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        match rows.client(&self.id).await? {
            Some(mut client) if client.kind == ClientKind::Registered && self.now < client.expires_at => {
                client.used_at = Some(self.now);
                client.expires_at = client.expires_at.max(self.until);
                rows.put_client(&client).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

struct RemoveClient {
    id: ClientId,
    now: Timestamp,
}

impl Op for RemoveClient {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        let removed = rows.remove_client(&self.id).await?;
        revoke::all(rows, &Reach::Client(self.id.clone()), Cause::ClientRemoved, self.now).await?;
        Ok(removed)
    }
}

struct ListClients;

impl Op for ListClients {
    type Answer = Vec<ClientRow>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.clients().await
    }
}
