//! `/login`: signing in and out.
//!
//! An owner is told to make a link, whose page has a button: opening it does nothing, since browsers and chats open
//! links by themselves. Users say name and password. Where somebody had come to decide about a client, they go on to
//! that (`/oauth/consent`); else to a page that says that they are signed in. Nothing in a URL or form says where to
//! go on to.
//!
//! SPEC: oauth §5.1, §5.2; OA-16, OA-100, OA-103, OA-106; T-157, T-214, T-225.

use std::{sync::Arc, time::Duration};

use poem::{
    Endpoint, Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};

use super::{
    browser,
    errand::Errand,
    method_not_allowed,
    page::{self, Failed, Shown, field, path},
    pending::{self, Waiting},
    visit::{Turned, Visit},
};
use crate::{
    config::Login as Way,
    gateway::Gateway,
    oauth::{self, Form, NotSignedIn, OpenedSession, owner, users::Trying},
    policy::Because,
};

/// The cookie that says which page of ours somebody had come for.
const CAME_FOR: &str = "portcullis-for";
/// Its one word.
const GRANTS: &str = "grants";
/// How long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);

/// A page about signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `/login`
    SignIn,
    /// `/login/fresh`
    Fresh,
    /// `/login/link`
    Link,
    /// `/login/out`
    Out,
}

/// A page about signing in.
#[derive(Debug, Clone)]
pub(super) struct Login {
    gateway: Arc<Gateway>,
    place: Place,
}

impl Login {
    pub(super) const fn new(gateway: Arc<Gateway>, place: Place) -> Self {
        Self { gateway, place }
    }
}

impl Endpoint for Login {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let post = match (self.place, request.method()) {
            (_, &Method::GET) => false,
            (Place::SignIn | Place::Link | Place::Out, &Method::POST) => true,
            (Place::Fresh, _) => return Ok(method_not_allowed("GET")),
            (Place::SignIn | Place::Link | Place::Out, _) => return Ok(method_not_allowed("GET, POST")),
        };
        let errand = Errand::of(&self.gateway, &request);
        let visit = match Visit::of(&errand).await {
            Ok(visit) => visit,
            Err(refused) => return Ok(refused),
        };
        let made = if post { self.post(visit, &mut request).await } else { self.get(visit).await };
        Ok(errand.held_up(made).await.unwrap_or_else(|refused| refused))
    }
}

impl Login {
    /// Shows a page. A refusal is an error, so that it takes a while.
    async fn get(&self, visit: Visit<'_>) -> Result<Response, Response> {
        match self.place {
            Place::SignIn if visit.browser.signed_in().is_some() => Ok(go_on(visit, None)),
            Place::SignIn => Ok(ask(visit, false).await),
            Place::Fresh => {
                let needed = visit.issuer.login() == Way::Owner && visit.browser.signed_in().is_some();
                Ok(if needed { ask(visit, true).await } else { visit.go_to(path::LOGIN) })
            }
            Place::Out if visit.browser.signed_in().is_some() => Ok(visit.go_to(path::LOGIN)),
            Place::Out => {
                let page = page::done(&visit.frame(), &page::Done::SignedOut);
                Ok(visit.show(page))
            }
            Place::Link => {
                let parameters = match visit.parameters() {
                    Ok(parameters) => parameters,
                    Err(turned) => return Err(visit.turn(&turned)),
                };
                let Ok(Some(link)) = parameters.get(field::LINK) else { return Ok(visit.go_to(path::LOGIN)) };
                if let Err(refused) = visit.issuer.look_at_link(link, visit.now) {
                    return Err(no_link(visit, &refused));
                }
                let link = crate::secret::Secret::new(link.to_owned());
                let (client, waiting) = asking(&visit, None).await;
                let waiting = waiting.as_ref().map(|waiting| &waiting.sealed);
                let about = page::Link { csrf: visit.browser.csrf(), link: &link, client, waiting };
                let page = page::link(&visit.frame(), &about);
                Ok(visit.show(page))
            }
        }
    }

    /// Takes a form.
    async fn post(&self, visit: Visit<'_>, request: &mut Request) -> Result<Response, Response> {
        let form = match visit.sent(request).await {
            Ok(form) => form,
            Err(turned) => return Err(visit.turn(&turned)),
        };
        match visit.gave(&form) {
            Ok(true) => {}
            // Somebody has signed in on another page since: this one goes on with what it was shown for.
            Ok(false) if self.place == Place::SignIn && visit.browser.signed_in().is_some() => {
                return Ok(go_on(visit, Some(&form)));
            }
            Ok(false) if self.place == Place::SignIn && visit.issuer.login() == Way::Users => {
                let Turned { word, .. } = Turned::forged();
                return Err(asked_again(visit, (word, Because::ValidationFailed), None, &form, Failed::Expired).await);
            }
            Ok(false) => return Err(visit.turn(&Turned::forged())),
            Err(turned) => return Err(visit.turn(&turned)),
        }
        match self.place {
            Place::SignIn => by_password(visit, &form).await,
            Place::Link => by_link(visit, &form).await,
            Place::Fresh | Place::Out => out(visit).await,
        }
    }
}

/// How somebody may sign in here. `fresh`: who is signed in already is to prove it anew.
async fn ask(visit: Visit<'_>, fresh: bool) -> Response {
    let page = match visit.issuer.login() {
        Way::Owner => {
            let about =
                page::Owner { client: asking(&visit, None).await.0, fresh, good_for: owner::GOOD_FOR.unsigned_abs() };
            page::owner(&visit.frame(), &about)
        }
        Way::Users => {
            let (client, waiting) = asking(&visit, None).await;
            let (csrf, waiting) = (visit.browser.csrf(), waiting.as_ref().map(|waiting| &waiting.sealed));
            page::password(&visit.frame(), &page::Password { csrf, client, waiting, name: None, failed: None })
        }
    };
    visit.show(page)
}

/// Asks for name and password again, once that it was refused is written down.
async fn asked_again(
    visit: Visit<'_>,
    (word, because): (&str, Because),
    name: Option<&str>,
    form: &Form,
    failed: Failed,
) -> Response {
    let response = password_again(&visit, name, form, failed).await;
    visit.refuse(word, because, response)
}

async fn password_again(visit: &Visit<'_>, name: Option<&str>, form: &Form, failed: Failed) -> Response {
    let (client, waiting) = asking(visit, Some(form)).await;
    let about = page::Password {
        csrf: visit.browser.csrf(),
        client,
        waiting: waiting.as_ref().map(|waiting| &waiting.sealed),
        name: name.map(Shown::name),
        failed: Some(failed),
    };
    let status = match failed {
        Failed::Wrong | Failed::Expired => StatusCode::FORBIDDEN,
        Failed::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
    };
    let mut response = page::password(&visit.frame(), &about).answer(status);
    if let Failed::TooMany { wait } = failed {
        let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

async fn by_password(visit: Visit<'_>, form: &Form) -> Result<Response, Response> {
    if visit.issuer.login() != Way::Users {
        return Err(visit.turn(&Turned {
            word: "login-way",
            status: StatusCode::NOT_FOUND,
            title: "Nobody signs in by a password here",
            message: "This gateway has one owner, who signs in by a link.".to_owned(),
            help: "The owner makes one with `portcullis login`.",
        }));
    }
    let (name, password) = match (form.get(field::NAME), form.get(field::PASSWORD)) {
        (Ok(name), Ok(password)) => (name.unwrap_or_default(), password.unwrap_or_default()),
        (Err(repeated), _) | (_, Err(repeated)) => {
            return Err(visit.turn(&oauth::OAuthError::from(repeated).into()));
        }
    };
    let trying = Trying { name, password, address: visit.errand.peer.address };
    let passwords = &visit.office.passwords;
    let made = visit.issuer.sign_in_by_password(passwords, trying, visit.browser.held(), visit.now).await;
    let refused = match made {
        Ok(opened) => return Ok(signed_in(visit, opened, form)),
        Err(refused) => refused,
    };
    if !matches!(refused, NotSignedIn::Busy | NotSignedIn::Fault(_)) {
        visit.errand.failed();
    }
    Err(match &refused {
        NotSignedIn::TooMany { until } => {
            let wait = until.duration_since(visit.now).unsigned_abs();
            let kind = (refused.as_str(), Because::RateLimited);
            asked_again(visit, kind, Some(name), form, Failed::TooMany { wait }).await
        }
        NotSignedIn::Busy => visit.turn(&Turned {
            word: refused.as_str(),
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "Too many people are signing in",
            message: "Too many passwords are being compared just now; yours was not looked at.".to_owned(),
            help: "Try again in a few seconds.",
        }),
        NotSignedIn::Fault(error) => visit.turn(&error.clone().into()),
        NotSignedIn::AccountDisabled(user) | NotSignedIn::PasswordWrong(user) => {
            let facts = [
                ("user", user.to_string()),
                ("way", Way::Users.as_str().to_owned()),
                ("why", refused.as_str().to_owned()),
            ];
            match visit.note("sign-in-failed", &facts) {
                Ok(()) => {
                    let response = password_again(&visit, Some(name), form, Failed::Wrong).await;
                    visit.kept(response)
                }
                Err(turned) => visit.turn(&turned),
            }
        }
        NotSignedIn::AccountUnknown | NotSignedIn::LinkUnknown | NotSignedIn::LinkExpired | NotSignedIn::LinkUsed => {
            let kind = (refused.as_str(), Because::Unauthenticated);
            asked_again(visit, kind, Some(name), form, Failed::Wrong).await
        }
    })
}

async fn by_link(visit: Visit<'_>, form: &Form) -> Result<Response, Response> {
    let link = match form.get(field::LINK) {
        Ok(link) => link.unwrap_or_default(),
        Err(repeated) => return Err(visit.turn(&oauth::OAuthError::from(repeated).into())),
    };
    match visit.issuer.sign_in_by_link(link, visit.browser.held(), visit.now).await {
        Ok(opened) => Ok(signed_in(visit, opened, form)),
        Err(NotSignedIn::Fault(error)) => Err(visit.turn(&error.into())),
        Err(refused) => Err(no_link(visit, &refused)),
    }
}

/// A link that opens nothing.
fn no_link(visit: Visit<'_>, refused: &NotSignedIn) -> Response {
    visit.errand.failed();
    let (title, message) = match refused {
        NotSignedIn::LinkExpired => ("This link is over", "The link was made more than a minute ago."),
        NotSignedIn::LinkUsed => ("This link was used", "The link has signed somebody in already, and does so once."),
        _ => ("This link is none of ours", "This gateway has made no such link."),
    };
    visit.turn(&Turned {
        word: refused.as_str(),
        status: StatusCode::FORBIDDEN,
        title,
        message: message.to_owned(),
        help: "Nobody was signed in. `portcullis login` makes a new link.",
    })
}

/// Somebody is signed in: written down, then told.
fn signed_in(mut visit: Visit<'_>, opened: OpenedSession, form: &Form) -> Response {
    let session = &opened.session;
    let facts = [
        ("user", session.person.user.to_string()),
        ("way", session.way.as_str().to_owned()),
        ("sign_in", session.id.to_string()),
    ];
    if let Err(turned) = visit.note("signed-in", &facts) {
        // The browser is not told what it would hold, so that the sign-in is nobody's and ends by itself.
        return visit.turn(&turned);
    }
    visit.browser.opened(opened, &visit.issuer);
    go_on(visit, Some(form))
}

/// Where somebody who is signed in goes on to. A form is answered by the way to a page, never by one (OA-16).
fn go_on(mut visit: Visit<'_>, form: Option<&Form>) -> Response {
    let tls = visit.issuer.tls();
    if let Some(waiting) = pending::waiting(form, &visit.errand.headers, &visit.issuer, &visit.browser, visit.now) {
        let mut response = visit.go_to(path::CONSENT);
        waiting.keep(&mut response, tls);
        return response;
    }
    if browser::read(&visit.errand.headers, CAME_FOR, tls) == Some(GRANTS) {
        visit.browser.set(browser::cookie(CAME_FOR, "", Some(Duration::ZERO), tls));
        return visit.go_to(path::GRANTS);
    }
    if form.is_some() {
        return visit.go_to(path::LOGIN);
    }
    let page = page::done(&visit.frame(), &page::Done::SignedIn);
    visit.show(page)
}

/// Has somebody sign in who came for their grants.
pub(super) fn first(mut visit: Visit<'_>) -> Response {
    visit.browser.set(browser::cookie(CAME_FOR, GRANTS, Some(REMEMBERED), visit.issuer.tls()));
    visit.go_to(path::LOGIN)
}

/// What a page is shown for, and who asks for it.
async fn asking(visit: &Visit<'_>, form: Option<&Form>) -> (Option<page::Client>, Option<Waiting>) {
    let Visit { errand, issuer, browser, now, .. } = visit;
    let waiting = pending::waiting(form, &errand.headers, issuer, browser, *now);
    let client = match &waiting {
        Some(waiting) => waiting.client(issuer, *now).await,
        None => None,
    };
    (client, waiting)
}

async fn out(mut visit: Visit<'_>) -> Result<Response, Response> {
    if let Some(session) = visit.browser.signed_in().cloned() {
        let facts = [("user", session.person.user.to_string()), ("sign_in", session.id.to_string())];
        let done = match visit.issuer.sign_out(&session).await {
            Ok(_) => visit.note("signed-out", &facts),
            Err(error) => Err(error.into()),
        };
        if let Err(turned) = done {
            return Err(visit.turn(&turned));
        }
    }
    if let Err(error) = visit.browser.closed(&visit.issuer) {
        return Err(visit.turn(&error.into()));
    }
    Ok(visit.go_to(path::SIGN_OUT))
}
