//! Getting metadata documents: through the one guarded way out, small, soon, and not more often than needed.
//!
//! Only 200 with JSON counts; a redirect is not followed. What was good is kept as long as its headers let it,
//! within a minute and a day; what was not good is never kept. Of many who want one document at once, one fetches.
//!
//! INVARIANT: nothing but the URL leaves us, and nothing of why a fetch failed tells what lies behind an address.
//! SPEC: the client-id-metadata-document draft §4; RFC 9111 §5.2; OA-113, OA-116; AS-21…AS-23; T-107…T-113.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use tokio::sync::{Mutex, Semaphore};

use super::{
    Client,
    document::{self, BadDocument, DocumentUrl},
};
use crate::{
    config::Documents,
    egress::{self, Content, Egress, EgressError, Options, Reach, Resolve},
};

/// How long getting a document may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that are got at once.
const AT_ONCE: usize = 16;
/// The most documents that are kept.
const KEPT: u64 = 1000;
const SHORTEST: i64 = 60;
const LONGEST: i64 = 24 * 60 * 60;

/// Why there is no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It could not be got. Which way it failed is for the log.
    #[error("the client's metadata document cannot be fetched")]
    Unavailable,
    /// It answered something else than 200 with JSON of at most 5 KiB.
    #[error("the client's metadata document must be answered with 200, application/json and at most 5 KiB")]
    Answer,
    /// What it says makes no client.
    #[error(transparent)]
    Document(#[from] BadDocument),
}

/// What a site answered.
#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    content: Content,
    cache_control: String,
    body: Bytes,
}

type Getting = Pin<Box<dyn Future<Output = Result<Answer, EgressError>> + Send>>;
type Get = dyn Fn(Uri, Reach) -> Getting + Send + Sync;

/// Gets metadata documents, and keeps the good ones for a while.
pub struct Fetcher {
    get: Arc<Get>,
    slots: Cache<String, Arc<Slot>>,
    places: Semaphore,
}

/// One document.
#[derive(Debug, Default)]
struct Slot {
    /// Counts what was got, so that who waited knows that it need not.
    round: AtomicU64,
    last: Mutex<Option<Last>>,
}

#[derive(Debug, Clone)]
struct Last {
    outcome: Result<Arc<Client>, FetchError>,
    until: Option<Timestamp>,
}

impl Fetcher {
    /// One that resolves names by `resolve`.
    #[must_use]
    pub fn new(resolve: Resolve) -> Self {
        Self::by(move |uri, reach| {
            let resolve = resolve.clone();
            Box::pin(guarded(uri, reach, resolve))
        })
    }

    fn by(get: impl Fn(Uri, Reach) -> Getting + Send + Sync + 'static) -> Self {
        Self { get: Arc::new(get), slots: Cache::new(KEPT), places: Semaphore::new(AT_ONCE) }
    }

    /// The client that a document describes, as it is now or was a while ago.
    ///
    /// # Errors
    /// When there is none.
    pub async fn client(
        &self,
        url: &DocumentUrl,
        documents: &Documents,
        private_schemes: bool,
        now: Timestamp,
    ) -> Result<Arc<Client>, FetchError> {
        let slot = self.slots.get_with(url.id.to_string(), Arc::default);
        let seen = slot.round.load(Ordering::Acquire);
        let mut last = slot.last.lock().await;
        if let Some(last) = last.as_ref() {
            let fresh = last.until.is_some_and(|until| now < until);
            let shared = slot.round.load(Ordering::Acquire) != seen;
            if fresh || shared {
                return last.outcome.clone();
            }
        }
        let got = self.fetch(url, documents, private_schemes).await;
        let (outcome, life) = match got {
            Ok((client, life)) => (Ok(Arc::new(client)), life),
            Err(error) => (Err(error), None),
        };
        let until = life.and_then(|life| now.saturating_add(life).ok());
        *last = Some(Last { outcome: outcome.clone(), until });
        slot.round.fetch_add(1, Ordering::AcqRel);
        outcome
    }

    async fn fetch(
        &self,
        url: &DocumentUrl,
        documents: &Documents,
        private_schemes: bool,
    ) -> Result<(Client, Option<SignedDuration>), FetchError> {
        let Ok(_place) = self.places.try_acquire() else { return Err(FetchError::Unavailable) };
        let uri: Uri = url.id.as_str().parse().map_err(|_| FetchError::Document(BadDocument::Url))?;
        let reach = if documents.inside.contains(&url.host) { inside(&uri) } else { Reach::Public };
        let answer = match tokio::time::timeout(PATIENCE, (self.get)(uri, reach)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(EgressError::TooLarge)) => return Err(FetchError::Answer),
            Ok(Err(error)) => {
                tracing::info!(client = url.id.as_str(), %error, "a client's metadata document cannot be fetched");
                return Err(FetchError::Unavailable);
            }
            Err(_) => {
                tracing::info!(client = url.id.as_str(), "a client's metadata document took too long");
                return Err(FetchError::Unavailable);
            }
        };
        if answer.status != StatusCode::OK || answer.content != Content::Json {
            return Err(FetchError::Answer);
        }
        let client = document::read(url, &answer.body, private_schemes)?;
        Ok((client, life(&answer.cache_control)))
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

/// What the operator lets be reached of what lies inside.
fn inside(uri: &Uri) -> Reach {
    match Reach::of_configured(uri) {
        Reach::Public => Reach::Private,
        known @ (Reach::Loopback | Reach::Address(_) | Reach::Private) => known,
    }
}

/// One request through the guarded way out.
async fn guarded(uri: Uri, reach: Reach, resolve: Resolve) -> Result<Answer, EgressError> {
    let options = Options { connect_timeout: PATIENCE, idle: Duration::from_secs(1) };
    let egress = Egress::with_resolver(&uri, reach, &options, resolve)?;
    let request = Request::get(uri)
        .header(header::ACCEPT, "application/json")
        .body(Full::default())
        .map_err(|_| EgressError::Url)?;
    let answer = egress.send(request).await?;
    let (head, body) = answer.into_parts();
    let values = head.headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let cache_control = values.collect::<Vec<_>>().join(",");
    let content = Content::of(&head.headers);
    // What will not be read is not waited for.
    let wanted = head.status == StatusCode::OK && content == Content::Json;
    let body = if wanted { egress::read(body, document::LONGEST).await? } else { Bytes::new() };
    Ok(Answer { status: head.status, content, cache_control, body })
}

/// How long a document may be kept; nothing where its site says that it may not.
fn life(cache_control: &str) -> Option<SignedDuration> {
    let mut seconds = SHORTEST;
    for directive in cache_control.split(',').map(|directive| directive.trim().to_ascii_lowercase()) {
        let (name, value) = directive.split_once('=').unwrap_or((&directive, ""));
        match name {
            "no-store" | "no-cache" | "private" => return None,
            "max-age" => seconds = value.trim_matches('"').parse().unwrap_or(SHORTEST),
            _ => {}
        }
    }
    Some(SignedDuration::from_secs(seconds.clamp(SHORTEST, LONGEST)))
}

#[cfg(test)]
mod tests;
