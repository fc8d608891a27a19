//! `/oauth/authorize`: what a client asks a person for.
//!
//! A request is read whole before anything is done with it. Then whoever is at the browser decides: at once where
//! somebody is signed in, else once they are. Nothing of a request is kept here: it waits, sealed, in the browser.
//!
//! INVARIANT: nothing is written to the store for somebody who is not signed in, and nothing is sent anywhere but
//! to a redirect URI that the client registered; to one that anybody could have registered, not without a person.
//! SPEC: OAuth 2.1 §4.1; RFC 9700 §4.11; OA-01…OA-25; oauth §4, §5.2.

use std::sync::Arc;

use poem::{Endpoint, Request, Response, http::Method};

use super::{
    browser::Browser,
    consent,
    errand::{Errand, nothing_here},
    method_not_allowed, page, pending, respond,
};
use crate::{
    gateway::Gateway,
    oauth::{self, AuthorizationRequest, ErrorCode, Form, Issuer, OAuthError, Proof, Refused, Why, client::Client},
};

/// The endpoint.
#[derive(Debug, Clone)]
pub(super) struct Authorize(pub(super) Arc<Gateway>);

impl Endpoint for Authorize {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let posted = match *request.method() {
            Method::GET => false,
            Method::POST => true,
            _ => return Ok(method_not_allowed("GET, POST")),
        };
        let errand = Errand::of(&self.0, &request);
        let Some(issuer) = errand.issuer() else { return Ok(nothing_here()) };
        let form = if posted { sent(&errand, &mut request).await } else { asked(&errand) };
        let answered = match form {
            Ok(form) => answer(&errand, &issuer, &form).await,
            Err(error) => Err(Refused::Page(error)),
        };
        Ok(answered.unwrap_or_else(|refused| self::refused(&errand, refused)))
    }
}

/// The parameters of a URL.
fn asked(errand: &Errand) -> Result<Form, OAuthError> {
    Form::read(errand.query.as_deref().unwrap_or_default().as_bytes())
}

/// The parameters of a body.
async fn sent(errand: &Errand, request: &mut Request) -> Result<Form, OAuthError> {
    let bad = |what| Err(OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what));
    if errand.query.as_ref().is_some_and(|query| !query.is_empty()) {
        return bad("the parameters of a POST belong into its body");
    }
    if !errand.sends("application/x-www-form-urlencoded") {
        return bad("the body must be application/x-www-form-urlencoded");
    }
    Form::read(&errand.body(request).await?)
}

async fn answer(errand: &Errand, issuer: &Issuer<'_>, form: &Form) -> Result<Response, Refused> {
    let now = errand.now();
    let (client, request) = oauth::authorize(issuer, form, now).await?;
    let browser = Browser::of(&errand.headers, issuer, now).await.map_err(Refused::Page)?;
    if let Err(over) = errand.charge(Some(&client.id), browser.signed_in().map(|session| &session.person.user)) {
        return Ok(*over);
    }
    let mut response = turn(errand, issuer, &browser, &client, request).await?;
    browser.keep(&mut response);
    Ok(response)
}

/// Asks who is at the browser, or, where that is known and enough, what they decide.
pub(super) async fn turn(
    errand: &Errand,
    issuer: &Issuer<'_>,
    browser: &Browser,
    client: &Client,
    request: AuthorizationRequest,
) -> Result<Response, Refused> {
    let now = errand.now();
    let first = match browser.signed_in() {
        None => page::path::LOGIN,
        Some(session) => match oauth::proof(issuer, client, session).await.map_err(Refused::Page)? {
            Proof::Enough | Proof::Link(_) => {
                return consent::ask(errand, issuer, browser, session, client, request).await;
            }
            Proof::Spent => page::path::FRESH,
        },
    };
    let mut response = respond::see_other(first);
    pending::keep(&mut response, issuer, browser, request, now).map_err(Refused::Page)?;
    Ok(response)
}

/// What is answered to a request that goes no further, once it is written down.
pub(super) fn refused(errand: &Errand, refused: Refused) -> Response {
    match refused {
        Refused::Page(error) => errand.refused_page(None, &error, None),
        Refused::Client { client, location, error, at_once } => match errand.charge(Some(&client), None) {
            Err(over) => *over,
            Ok(()) if at_once => errand.refused_there(&location, &error),
            Ok(()) => errand.refused_page(None, &error, page::Back::new(&location)),
        },
    }
}
