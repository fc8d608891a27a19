//! Asking a person: a page in their browser, and what they come back with.
//!
//! INVARIANT: who declined is not asked again, and nobody twice within a minute.
//! SPEC: OAuth 2.1 §4.1; RFC 8252 §6, §7.3; RFC 7591; CL-18, CL-20.

use std::{collections::BTreeSet, io::Write as _, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    SignIn, SignInError,
    discover::{Found, discover},
    exchange,
    keep::{Client, Kept, Locked},
    landing::{Expected, Landing},
};
use crate::{
    bridge::{challenge::Challenge, token::Bearer},
    clock::{Clock as _, SystemClock},
    secret::Secret,
};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long after a sign-in that failed the next may begin.
const PAUSE: Duration = Duration::from_secs(60);

/// What came of asking so far.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) failed: Option<(Instant, Arc<SignInError>)>,
    /// What was asked for and not granted.
    pub(super) withheld: BTreeSet<String>,
    /// A client that registered and was not seen to be known: it is not used twice.
    pub(super) doubtful: Option<String>,
}

impl SignIn {
    /// Asks a person, unless that was tried just now.
    pub(super) async fn ask(
        &self,
        locked: &Locked<'_>,
        asked: &mut Asked,
        kept: Option<&Kept>,
        challenge: &Challenge,
        scopes: BTreeSet<String>,
    ) -> Result<Option<Arc<Bearer>>, SignInError> {
        if let Some((when, error)) = &asked.failed
            && (error.is_final() || when.elapsed() < PAUSE)
        {
            return Err(if error.is_final() { (**error).clone() } else { SignInError::JustNow(error.clone()) });
        }
        // Nobody is asked yet, so where this fails the next may try at once.
        let found = discover(&self.web, &self.endpoint, challenge).await?;
        let known = kept.filter(|kept| asked.doubtful.as_ref() != Some(&kept.client.id));
        let client = self.client(&found, known).await?;
        let id = client.id.clone();
        let result = self.person(&found, client, challenge, scopes).await;
        // A browser that never came back may have been shown that the client is unknown.
        asked.doubtful = matches!(result, Err(SignInError::NobodyCame)).then_some(id);
        match result {
            Ok(kept) => {
                asked.failed = None;
                self.take(locked, kept).map(Some)
            }
            Err(error) => {
                asked.failed = Some((Instant::now(), Arc::new(error.clone())));
                Err(error)
            }
        }
    }

    /// Who we are to this issuer: who we were told to be, who we were before, or somebody new.
    async fn client(&self, found: &Found, known: Option<&Kept>) -> Result<Client, SignInError> {
        match (&self.client, known) {
            (Some(client), _) => Ok(client.clone()),
            (None, Some(Kept { client, issuer, .. })) if *issuer == found.server.issuer && client.registered => {
                Ok(client.clone())
            }
            (None, Some(_) | None) => exchange::register(&self.web, &found.server).await,
        }
    }

    /// Sends a person to the authorization endpoint, and redeems what the browser comes back with.
    async fn person(
        &self,
        found: &Found,
        client: Client,
        challenge: &Challenge,
        mut scopes: BTreeSet<String>,
    ) -> Result<Kept, SignInError> {
        let landing = Landing::open().await.map_err(|error| SignInError::Landing(Arc::new(error)))?;
        scopes.extend(if challenge.scopes.is_empty() { found.scopes.clone() } else { challenge.scopes.clone() });
        if found.server.offers_offline {
            scopes.insert("offline_access".into());
        }
        let question = exchange::question(found, &client, &landing.uri(), &scopes)?;
        self.show(&question.url);
        let expected = Expected {
            state: Secret::new(question.state.expose().clone()),
            issuer: found.server.issuer.clone(),
            names_itself: found.server.names_itself,
        };
        let code = tokio::time::timeout(PATIENCE, landing.answer(expected)).await;
        let code = code.unwrap_or(Err(SignInError::NobodyCame))?;
        exchange::redeem(&self.web, found, client, question, &code, SystemClock.now()).await
    }

    /// Shows a page: on stderr, since stdout is the protocol's, and in the browser.
    fn show(&self, url: &str) {
        let text = format!("To sign in to {}, open this page:\n  {url}\n", self.endpoint.shown());
        // Whoever closed stderr wants no talk.
        drop(std::io::stderr().lock().write_all(text.as_bytes()));
        if let Err(error) = self.browser.open(url) {
            tracing::info!("no browser could be opened: {error}");
        }
    }
}
