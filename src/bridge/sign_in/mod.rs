//! The token that a person gives the bridge: kept, renewed before it ends, and asked for where there is none.
//!
//! One sign-in at a time, and whoever waits for a token waits for that one. It goes on in a task of its own: a
//! client that takes its request back does not take the page from under the person who reads it. Between bridges
//! the lock of the file does the same.
//!
//! INVARIANT: a person is asked only for a request of the client's.
//! SPEC: MCP authorization; OAuth 2.1 §4.3; AZ-15, AZ-18, CL-18.

mod browser;
mod discover;
mod error;
mod exchange;
mod keep;
mod landing;
mod person;
mod web;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as Turn, oneshot};

pub(crate) use browser::Browser;
pub(crate) use error::SignInError;

use super::{Endpoint, challenge::Challenge, token::Bearer};
use crate::{
    clock::{Clock as _, SystemClock},
    tasks::Tasks,
};
use exchange::NotRenewed;
use keep::{Client, Keep, Kept, Locked};
use person::Asked;
use web::Web;

/// How people are asked, and where tokens are kept.
#[derive(Debug)]
pub(crate) struct Manner<'m> {
    /// The client id that whoever runs the server gave us.
    pub(crate) client: Option<String>,
    /// What shows the page.
    pub(crate) browser: Browser,
    /// The system's directory for data of ours.
    pub(crate) data: Option<&'m Path>,
}

/// The tokens for one URL.
#[derive(Debug)]
pub(crate) struct SignIn {
    endpoint: Arc<Endpoint>,
    web: Web,
    client: Option<Client>,
    browser: Browser,
    keep: Keep,
    held: Mutex<Option<Held>>,
    turn: Turn<Asked>,
}

/// What came of ending what was granted.
#[derive(Debug)]
pub(crate) enum Ended {
    /// There was nothing.
    Nothing,
    /// It is ended here and at the server.
    Whole,
    /// It is deleted here; the server could not be told.
    Here(SignInError),
}

/// A token in use.
#[derive(Debug, Clone)]
struct Held {
    bearer: Arc<Bearer>,
    kept: Arc<Kept>,
}

/// What is wanted.
#[derive(Debug)]
enum Want {
    /// Another token than this one, which was refused or is about to end.
    Another(Option<Arc<Bearer>>, Challenge, Ask),
    /// A token with these scopes besides, which this one lacks.
    Wider(Arc<Bearer>, Challenge, BTreeSet<String>),
}

/// Whether a person may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Somebody waits for it.
    Person,
    /// Nobody does.
    Nobody,
}

impl SignIn {
    /// What was kept is used; whether it is good is found out with the first request.
    pub(crate) fn new(endpoint: Arc<Endpoint>, manner: Manner<'_>) -> Arc<Self> {
        let Manner { client, browser, data } = manner;
        let keep = Keep::of(data, endpoint.shown());
        let held = match keep.peek() {
            Ok(kept) => kept.and_then(|kept| Held::of(kept).ok()),
            Err(error) => {
                tracing::warn!("the kept tokens are not used: {error}");
                None
            }
        };
        Arc::new(Self {
            web: Web::of(endpoint.place.clone(), endpoint.reach.clone()),
            endpoint,
            client: client.map(|id| Client { id, registered: false }),
            browser,
            keep,
            held: Mutex::new(held),
            turn: Turn::default(),
        })
    }

    /// The token in use, renewed where it is about to end. One that cannot be renewed may still be good.
    pub(super) async fn current(self: &Arc<Self>, tasks: &Tasks) -> Option<Arc<Bearer>> {
        let held = self.held()?;
        let due = held.kept.renew_at.is_some_and(|at| at <= SystemClock.now());
        if !due || held.kept.refresh.is_none() {
            return Some(held.bearer);
        }
        let want = Want::Another(Some(held.bearer.clone()), Challenge::default(), Ask::Nobody);
        match self.get(want, tasks).await {
            Ok(renewed) => renewed.or(Some(held.bearer)),
            Err(error) => {
                tracing::debug!(%error, "the token is not renewed before its end");
                Some(held.bearer)
            }
        }
    }

    /// Another token than the one that was refused.
    pub(super) async fn another(
        self: &Arc<Self>,
        refused: Option<&Arc<Bearer>>,
        challenge: Challenge,
        ask: Ask,
        tasks: &Tasks,
    ) -> Result<Option<Arc<Bearer>>, SignInError> {
        self.get(Want::Another(refused.cloned(), challenge, ask), tasks).await
    }

    /// A token that has the scopes of a challenge, too; nothing where they were not granted.
    pub(super) async fn wider(
        self: &Arc<Self>,
        refused: &Arc<Bearer>,
        challenge: Challenge,
        tasks: &Tasks,
    ) -> Result<Option<Arc<Bearer>>, SignInError> {
        let scopes = challenge.scopes.iter().cloned().collect();
        self.get(Want::Wider(refused.clone(), challenge, scopes), tasks).await
    }

    /// Ends what was granted, here and at the server.
    pub(crate) async fn end(&self) -> Result<Ended, SignInError> {
        let locked = self.keep.lock().await?;
        let kept = locked.read();
        if !locked.remove()? {
            return Ok(Ended::Nothing);
        }
        Ok(match kept {
            Ok(Some(kept)) => match exchange::revoke(&self.web, &kept).await {
                Ok(()) => Ended::Whole,
                Err(why) => Ended::Here(why),
            },
            Ok(None) => Ended::Nothing,
            Err(why) => Ended::Here(why.into()),
        })
    }

    /// Does it in a task of its own, and waits.
    async fn get(self: &Arc<Self>, want: Want, tasks: &Tasks) -> Result<Option<Arc<Bearer>>, SignInError> {
        let (tell, told) = oneshot::channel();
        let this = self.clone();
        tasks.spawn("sign-in", async move {
            let got = this.work(want).await;
            // Whoever asked may have gone; the next one finds it.
            drop(tell.send(got));
        });
        told.await.unwrap_or(Err(SignInError::Gone("the bridge is being stopped")))
    }

    async fn work(&self, want: Want) -> Result<Option<Arc<Bearer>>, SignInError> {
        let mut asked = self.turn.lock().await;
        if let Some(held) = self.held() {
            if want.is_met_by(&held) {
                return Ok(Some(held.bearer));
            }
            if want.is_hopeless(&held, &asked.withheld) {
                return Ok(None);
            }
        }
        let locked = self.keep.lock().await?;
        // Another bridge may have it by now.
        let held = locked.read()?.map(Held::of).transpose()?;
        if let Some(held) = held.as_ref().filter(|held| want.is_met_by(held)) {
            return Ok(Some(self.hold(held.clone())));
        }
        let kept = held.map(|held| held.kept);
        match want {
            Want::Another(_, challenge, ask) => self.another_of(&locked, &mut asked, kept, &challenge, ask).await,
            Want::Wider(_, challenge, scopes) => self.wider_of(&locked, &mut asked, kept, &challenge, scopes).await,
        }
    }

    /// By the refresh token, or by a person.
    async fn another_of(
        &self,
        locked: &Locked<'_>,
        asked: &mut Asked,
        kept: Option<Arc<Kept>>,
        challenge: &Challenge,
        ask: Ask,
    ) -> Result<Option<Arc<Bearer>>, SignInError> {
        if let Some(kept) = &kept {
            match exchange::renew(&self.web, kept, SystemClock.now()).await {
                Ok(renewed) => return self.take(locked, renewed).map(Some),
                Err(NotRenewed::Failed(error)) => return Err(error),
                Err(NotRenewed::Lost) => tracing::debug!("there is no refresh token that is good"),
                Err(NotRenewed::Unknown) => asked.doubtful = Some(kept.client.id.clone()),
            }
        }
        match ask {
            Ask::Person => self.ask(locked, asked, kept.as_deref(), challenge, BTreeSet::new()).await,
            Ask::Nobody => Err(SignInError::NotNow),
        }
    }

    /// By a person, who is asked for all that there was and what is wanted besides.
    async fn wider_of(
        &self,
        locked: &Locked<'_>,
        asked: &mut Asked,
        kept: Option<Arc<Kept>>,
        challenge: &Challenge,
        wanted: BTreeSet<String>,
    ) -> Result<Option<Arc<Bearer>>, SignInError> {
        let all = kept.iter().flat_map(|kept| &kept.scopes).chain(&wanted).cloned().collect();
        let got = self.ask(locked, asked, kept.as_deref(), challenge, all).await;
        match &got {
            Ok(_) if self.held().is_some_and(|held| wanted.is_subset(&held.kept.scopes)) => got,
            Ok(_) => {
                asked.withheld.extend(wanted);
                Ok(None)
            }
            Err(SignInError::Declined) => {
                // What there is goes on; only this is not asked for again.
                asked.failed = None;
                asked.withheld.extend(wanted);
                Ok(None)
            }
            Err(_) => got,
        }
    }

    /// Keeps new tokens, and uses them.
    fn take(&self, locked: &Locked<'_>, kept: Kept) -> Result<Arc<Bearer>, SignInError> {
        if let Err(error) = locked.write(&kept) {
            tracing::warn!("the new tokens are used but not kept: {error}");
        }
        Ok(self.hold(Held::of(kept)?))
    }

    fn hold(&self, held: Held) -> Arc<Bearer> {
        let bearer = held.bearer.clone();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        bearer
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Held {
    fn of(kept: Kept) -> Result<Self, SignInError> {
        let bearer = Bearer::of(kept.access.expose()).ok_or(SignInError::Gone("what is kept is no token"))?;
        Ok(Self { bearer: Arc::new(bearer), kept: Arc::new(kept) })
    }
}

impl Want {
    /// Whether a token will do.
    fn is_met_by(&self, held: &Held) -> bool {
        match self {
            Self::Another(refused, ..) => refused.as_ref().is_none_or(|refused| **refused != *held.bearer),
            Self::Wider(refused, _, scopes) => **refused != *held.bearer && scopes.is_subset(&held.kept.scopes),
        }
    }

    /// Whether a person has said no to this already, or yes to no avail.
    fn is_hopeless(&self, held: &Held, withheld: &BTreeSet<String>) -> bool {
        match self {
            Self::Another(..) => false,
            Self::Wider(_, _, scopes) => scopes.is_subset(&held.kept.scopes) || !scopes.is_disjoint(withheld),
        }
    }
}
