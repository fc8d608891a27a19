//! `/oauth/consent`: the page on which a person decides, and their decision.
//!
//! Of the form, three things are believed: which scopes are ticked, the choice, and the sealed request, which opens
//! in this browser and for this sign-in alone. What may be granted is asked anew when the decision comes.
//!
//! INVARIANT: a page is used once, be it for yes or for no.
//! SPEC: oauth §5.2…§5.4; OA-16, OA-79, OA-91, OA-92; SM-12, T-063…T-070; AS-36, AS-37.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{Method, StatusCode, header},
};

use super::{
    authorize::{refused, turn},
    browser::Browser,
    errand::{Errand, nothing_here},
    method_not_allowed,
    offered::{self, Offered},
    page::{self, Destination, Frame, Shown, field},
    pending, respond,
};
use crate::{
    gateway::Gateway,
    name::ScopeName,
    oauth::{
        self, Answer, Approved, AuthorizationRequest, Decided, ErrorCode, Form, Handle, Holder, Issuer, LONGEST_WAIT,
        OAuthError, Proof, Refused, Session, Why, client::Client,
    },
    store::{GrantRow, Opened},
};

/// The endpoint.
#[derive(Debug, Clone)]
pub(super) struct Consent(pub(super) Arc<Gateway>);

/// The browser at the other end and who is signed in there.
#[derive(Debug, Clone, Copy)]
struct At<'a> {
    errand: &'a Errand,
    issuer: &'a Issuer<'a>,
    browser: &'a Browser,
    session: &'a Session,
}

impl Endpoint for Consent {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let method = request.method().clone();
        if method != Method::GET && method != Method::POST {
            return Ok(method_not_allowed("GET, POST"));
        }
        let errand = Errand::of(&self.0, &request);
        let Some(issuer) = errand.issuer() else { return Ok(nothing_here()) };
        let browser = match Browser::of(&errand.headers, &issuer, errand.now()).await {
            Ok(browser) => browser,
            Err(error) => return Ok(errand.refused_page(None, &error, None)),
        };
        let answered = if method == Method::GET {
            resume(&errand, &issuer, &browser).await
        } else {
            decide(&errand, &issuer, &browser, &mut request).await
        };
        let mut response = answered.unwrap_or_else(|refused| self::refused(&errand, refused));
        browser.keep(&mut response);
        Ok(response)
    }
}

/// Goes on with what the browser came for.
async fn resume(errand: &Errand, issuer: &Issuer<'_>, browser: &Browser) -> Result<Response, Refused> {
    let now = errand.now();
    let handle = pending::open(&errand.headers, issuer, browser, now).map_err(Refused::Page)?;
    let client = handle.request.client(issuer, now).await.map_err(Refused::Page)?;
    if let Err(over) = errand.charge(Some(&client.id), browser.signed_in().map(|session| &session.person.user)) {
        return Ok(*over);
    }
    let mut response = turn(errand, issuer, browser, &client, handle.request).await?;
    let sent = response.header(header::LOCATION).is_some_and(|location| !location.starts_with('/'));
    if sent {
        pending::forget(&mut response, issuer);
    }
    Ok(response)
}

/// Asks who is signed in about a request, unless the same was approved before and need not be asked again.
pub(super) async fn ask(
    errand: &Errand,
    issuer: &Issuer<'_>,
    browser: &Browser,
    session: &Session,
    client: &Client,
    request: AuthorizationRequest,
) -> Result<Response, Refused> {
    let at = At { errand, issuer, browser, session };
    let offer = oauth::offer(issuer, client, &request, &session.person).await;
    let offer = offer.map_err(|error| at.tell(client, &request, error))?;
    let scopes = || offer.scopes.iter().map(|offered| &offered.scope);
    let opens = Offered::of(errand, session, client, &request, scopes().cloned()).await.map_err(Refused::Page)?;
    if let Some((standing, ticked)) = offer.remembered(client, &request)
        && opens.is_within(&standing.opened, scopes())
    {
        return at.remember(client, &request, standing, &ticked).await;
    }
    at.show(client, request, &offer, &opens).map_err(Refused::Page)
}

/// Takes a decision.
async fn decide(
    errand: &Errand,
    issuer: &Issuer<'_>,
    browser: &Browser,
    request: &mut Request,
) -> Result<Response, Refused> {
    let form = form(errand, request).await.map_err(Refused::Page)?;
    let csrf = form.get(field::CSRF).map_err(|repeated| Refused::Page(repeated.into()))?;
    let session = browser.signed_in().filter(|_| browser.takes(csrf)).ok_or_else(|| {
        let what = "this form does not come from a page that this browser was shown, or the sign-in is over";
        Refused::Page(OAuthError::new(ErrorCode::AccessDenied, Why::ConsentForm, what))
    })?;
    let at = At { errand, issuer, browser, session };
    let now = errand.now();
    let handle = form.need(field::HANDLE).map_err(Refused::Page)?;
    let handle = issuer.unseal(handle, at.holder(&browser.id()), now).map_err(Refused::Page)?;
    let client = handle.request.client(issuer, now).await.map_err(Refused::Page)?;
    if let Err(over) = errand.charge(Some(&client.id), Some(&session.person.user)) {
        return Ok(*over);
    }
    let (mut response, decided) = match form.need(field::DECISION).map_err(Refused::Page)? {
        field::ALLOW => {
            let ticked: Vec<&str> = form.all(field::SCOPE).collect();
            at.allow(&client, &handle, &ticked).await?
        }
        field::DENY => (at.deny(&client, &handle).await?, true),
        _ => {
            let what = "the decision must be allow or deny";
            return Err(Refused::Page(OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what)));
        }
    };
    // What waits besides, in another tab, waits on.
    let waiting = pending::open(&errand.headers, issuer, browser, now);
    if decided && waiting.is_ok_and(|waiting| waiting.request == handle.request) {
        pending::forget(&mut response, issuer);
    }
    Ok(response)
}

/// The form of the page.
async fn form(errand: &Errand, request: &mut Request) -> Result<Form, OAuthError> {
    if !errand.sends("application/x-www-form-urlencoded") {
        let what = "the body must be application/x-www-form-urlencoded";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what));
    }
    Form::read(&errand.body(request).await?)
}

impl<'a> At<'a> {
    fn holder<'h>(self, browser: &'h [u8; 16]) -> Holder<'h>
    where
        'a: 'h,
    {
        Holder { browser, session: Some(self.session) }
    }

    fn frame(self) -> Frame<'a> {
        Frame::new(&self.errand.revision.snapshot, Some((&self.session.person.user, self.browser.csrf())))
    }

    /// The page on which they decide.
    fn show(
        self,
        client: &Client,
        request: AuthorizationRequest,
        offer: &oauth::Offer,
        opens: &Offered,
    ) -> Result<Response, OAuthError> {
        let Self { errand, issuer, browser, .. } = self;
        let Some(destination) = Destination::of(request.target.as_str()) else { return Err(OAuthError::internal()) };
        let scopes = || offer.scopes.iter().map(|offered| &offered.scope);
        let shown = oauth::Page { scopes: scopes().cloned().collect(), opens: opens.digest(scopes()) };
        let beyond = |scope: &&ScopeName| !scopes().any(|offered| offered == *scope);
        let beyond = request.asked.scopes.iter().flatten().filter(beyond).cloned().collect();
        let now = errand.now();
        let until = now.saturating_add(LONGEST_WAIT).unwrap_or(now);
        let handle = issuer.seal(request, self.holder(&browser.id()), until, shown)?;
        let consent = page::Consent {
            csrf: browser.csrf(),
            handle: &handle,
            client: pending::shown(client),
            destination,
            resource: Shown::uri(&offer.resource),
            offers: opens.view(errand, offer),
            beyond,
            lifetime: offered::lifetime(errand, client, offer),
            drift: issuer.settings.scope_drift,
        };
        Ok(page::consent(&self.frame(), &consent).answer(StatusCode::OK))
    }

    /// The page once more, with what it opens by now.
    async fn show_again(self, client: &Client, request: &AuthorizationRequest) -> Result<Response, Refused> {
        let Self { errand, issuer, session, .. } = self;
        let offer = oauth::offer(issuer, client, request, &session.person).await;
        let offer = offer.map_err(|error| self.tell(client, request, error))?;
        let scopes = offer.scopes.iter().map(|offered| offered.scope.clone());
        let opens = Offered::of(errand, session, client, request, scopes).await.map_err(Refused::Page)?;
        self.show(client, request.clone(), &offer, &opens).map_err(Refused::Page)
    }

    /// How a client is told of a refusal.
    fn tell(self, client: &Client, request: &AuthorizationRequest, error: OAuthError) -> Refused {
        let location = request.refusal(self.issuer.url, &error);
        Refused::Client { client: client.id.clone(), location, error, at_once: client.is_trusted() }
    }

    /// Makes the code; whether it is made, or the person has to look once more or to prove who they are first.
    async fn allow(self, client: &Client, handle: &Handle, ticked: &[&str]) -> Result<(Response, bool), Refused> {
        let Self { errand, issuer, session, .. } = self;
        let request = &handle.request;
        let proof = match oauth::proof(issuer, client, session).await.map_err(Refused::Page)? {
            Proof::Enough => None,
            Proof::Link(once) => Some(once),
            Proof::Spent => return Ok((self.again(request)?, false)),
        };
        let shown = &handle.shown;
        let opens = Offered::of(errand, session, client, request, shown.scopes.iter().cloned()).await;
        let opens = opens.map_err(Refused::Page)?;
        if opens.digest(&shown.scopes) != shown.opens {
            // It would open other things than the person saw: they are shown the page as it is by now.
            return Ok((self.show_again(client, request).await?, false));
        }
        let ticked: Vec<&str> = shown.scopes.iter().map(ScopeName::as_str).filter(|it| ticked.contains(it)).collect();
        let opened = |scopes: &[ScopeName]| opens.opened(scopes);
        let remember = client.is_proven(&request.target);
        let answer = Answer { ticked: &ticked, once: handle.once(), proof, remember };
        let decided = oauth::approve(issuer, client, request, &session.person, answer, opened, errand.now()).await;
        match decided.map_err(|error| self.tell(client, request, error))? {
            Decided::Approved(approved) => Ok((self.give("consent-given", client, approved)?, true)),
            Decided::Used => Err(Refused::Page(oauth::used())),
            Decided::Stale => Ok((self.again(request)?, false)),
        }
    }

    /// Makes a code without asking again, of what was approved before and opens no more than it did.
    async fn remember(
        self,
        client: &Client,
        request: &AuthorizationRequest,
        standing: &GrantRow,
        ticked: &[&str],
    ) -> Result<Response, Refused> {
        let Self { errand, issuer, session, .. } = self;
        let now = errand.now();
        let once = issuer.unshown(now).map_err(Refused::Page)?;
        let answer = Answer { ticked, once, proof: None, remember: true };
        // What it was approved to open stays as it is: nobody was shown a page.
        let opened = |scopes: &[ScopeName]| -> Opened {
            let kept = scopes.iter().filter_map(|scope| standing.opened.get_key_value(scope));
            kept.map(|(scope, opened)| (scope.clone(), opened.clone())).collect()
        };
        let decided = oauth::approve(issuer, client, request, &session.person, answer, opened, now).await;
        match decided.map_err(|error| self.tell(client, request, error))? {
            Decided::Approved(approved) => self.give("consent-remembered", client, approved),
            Decided::Used | Decided::Stale => Err(Refused::Page(OAuthError::internal())),
        }
    }

    /// Sends the code to the client, once it is written down that it was given.
    fn give(self, what: &'static str, client: &Client, approved: Approved) -> Result<Response, Refused> {
        let Approved { location, grant, scopes, resource } = approved;
        let scopes = scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mut facts = self.facts(client, resource);
        facts.extend([("scopes", scopes), ("grant", grant.to_string())]);
        self.errand.note(what, &facts).map_err(Refused::Page)?;
        Ok(respond::see_other(location.expose()))
    }

    /// Tells the client that the person said no.
    async fn deny(self, client: &Client, handle: &Handle) -> Result<Response, Refused> {
        let Self { errand, issuer, session, .. } = self;
        let request = &handle.request;
        let first = issuer.use_up(handle, errand.now()).await.map_err(Refused::Page)?;
        if !first {
            return Err(Refused::Page(oauth::used()));
        }
        let mut facts = self.facts(client, format!("{}{}", issuer.url, request.endpoint()));
        let asked = request.asked.scopes.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        facts.push(("scopes", asked));
        errand.note("consent-denied", &facts).map_err(Refused::Page)?;
        let location = request.refusal(issuer.url, &session.person.refusal());
        if client.is_trusted() {
            return Ok(respond::see_other(&location));
        }
        let done = page::Done::Denied { client: pending::shown(client), back: page::Back::new(&location) };
        Ok(page::done(&self.frame(), &done).answer(StatusCode::OK))
    }

    /// Has the person prove anew who they are, and then decide.
    fn again(self, request: &AuthorizationRequest) -> Result<Response, Refused> {
        let mut response = respond::see_other(page::path::FRESH);
        let (issuer, now) = (self.issuer, self.errand.now());
        pending::keep(&mut response, issuer, self.browser, request.clone(), now).map_err(Refused::Page)?;
        Ok(response)
    }

    /// Who decided about whom.
    fn facts(self, client: &Client, resource: String) -> Vec<(&'static str, String)> {
        let Session { id, person, way, .. } = self.session;
        vec![
            ("principal", format!("user {}", person.user)),
            ("client", client.id.to_string()),
            ("resource", resource),
            ("sign_in", id.to_string()),
            ("login", way.as_str().to_owned()),
        ]
    }
}
