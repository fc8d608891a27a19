//! `/grants`: what a person has allowed, and taking it back.
//!
//! Nothing is taken back by opening a page. Another's grant is like one that there is not.
//!
//! SPEC: oauth §5.4; OA-82, OA-86, T-225.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use poem::{Endpoint, Request, Response, http::Method};

use super::{
    browser,
    errand::Errand,
    login, method_not_allowed,
    page::{self, Destination, Shown, field, path},
    pending,
    visit::{Turned, Visit},
};
use crate::{
    config::{GrantType, ScopeDrift},
    gateway::Gateway,
    id::Id,
    name::{ScopeName, ServerName},
    oauth::{self, Form, OAuthError, Session, client::Client},
    store::{Cause, GrantRow, Reach, StoreError},
};

/// The cookie that says how many grants were just taken back.
const REVOKED: &str = "portcullis-revoked";
/// How long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A page about grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `/grants`
    List,
    /// `/grants/revoke`
    Revoke,
}

/// A page about grants.
#[derive(Debug, Clone)]
pub(super) struct Grants {
    gateway: Arc<Gateway>,
    place: Place,
}

impl Grants {
    pub(super) const fn new(gateway: Arc<Gateway>, place: Place) -> Self {
        Self { gateway, place }
    }
}

impl Endpoint for Grants {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        match (self.place, request.method()) {
            (Place::List, &Method::GET) | (Place::Revoke, &Method::POST) => {}
            (Place::List, _) => return Ok(method_not_allowed("GET")),
            (Place::Revoke, _) => return Ok(method_not_allowed("POST")),
        }
        let errand = Errand::of(&self.gateway, &request);
        let visit = match Visit::of(&errand).await {
            Ok(visit) => visit,
            Err(refused) => return Ok(refused),
        };
        let made = match self.place {
            Place::List => list(visit).await,
            Place::Revoke => revoke(visit, &mut request).await,
        };
        Ok(errand.held_up(made).await.unwrap_or_else(|refused| refused))
    }
}

async fn list(mut visit: Visit<'_>) -> Result<Response, Response> {
    let Some(session) = visit.browser.signed_in().cloned() else { return Ok(login::first(visit)) };
    let grants = match shown(&visit, &session).await {
        Ok(grants) => grants,
        Err(turned) => return Err(visit.turn(&turned)),
    };
    let tls = visit.issuer.tls();
    let revoked = browser::read(&visit.errand.headers, REVOKED, tls).and_then(|count| count.parse().ok());
    if revoked.is_some() {
        visit.browser.set(browser::cookie(REVOKED, "", Some(Duration::ZERO), tls));
    }
    let page = page::grants(&visit.frame(), &page::Grants { csrf: visit.browser.csrf(), grants, revoked });
    Ok(visit.show(page))
}

async fn revoke(mut visit: Visit<'_>, request: &mut Request) -> Result<Response, Response> {
    let form = match visit.form(request).await {
        Ok(form) => form,
        Err(turned) => return Err(visit.turn(&turned)),
    };
    let Some(session) = visit.browser.signed_in().cloned() else { return Ok(login::first(visit)) };
    let revoked = match take_back(&visit, &session, &form).await {
        Ok(revoked) => revoked,
        Err(turned) => return Err(visit.turn(&turned)),
    };
    let tls = visit.issuer.tls();
    visit.browser.set(browser::cookie(REVOKED, &revoked.to_string(), Some(REMEMBERED), tls));
    Ok(visit.go_to(path::GRANTS))
}

/// Takes one grant back, or all; how many.
async fn take_back(visit: &Visit<'_>, session: &Session, form: &Form) -> Result<usize, Turned> {
    let (all, one) = (form.get(field::ALL), form.get(field::GRANT));
    let (all, one) = (all.map_err(OAuthError::from)?, one.map_err(OAuthError::from)?);
    let store = visit.issuer.store;
    let meant: Vec<GrantRow> = match (all, one) {
        (Some("yes"), None) => store.list_grants(Reach::User(session.person.user.clone())).await.map_err(down)?,
        (None, Some(id)) => match id.parse::<Id>() {
            Ok(id) => store.grant(id).await.map_err(down)?.into_iter().collect(),
            Err(_) => Vec::new(),
        },
        _ => {
            let what = "the form names no grant, or one and all of them";
            return Err(OAuthError::new(oauth::ErrorCode::InvalidRequest, oauth::Why::ParameterBad, what).into());
        }
    };
    let mut revoked = 0;
    for grant in meant.iter().filter(|grant| grant.user == session.person.user && grant.revoked_at.is_none()) {
        let reach = Reach::Grant(grant.id);
        let touched = store.revoke(reach.clone(), Cause::Asked, visit.now).await.map_err(down)?;
        if touched == crate::store::Touched::default() {
            continue;
        }
        if let Some(bearer) = &visit.errand.gateway.parts().bearer {
            bearer.forget(reach);
        }
        let facts =
            [("user", grant.user.to_string()), ("client", grant.client.to_string()), ("grant", grant.id.to_string())];
        visit.note("revocation-asked", &facts)?;
        revoked += 1;
    }
    Ok(revoked)
}

/// The grants of a person, as the page has them.
async fn shown(visit: &Visit<'_>, session: &Session) -> Result<Vec<page::Grant>, Turned> {
    let issuer = &visit.issuer;
    let rows = issuer.store.list_grants(Reach::User(session.person.user.clone())).await.map_err(down)?;
    let mut grants = Vec::with_capacity(rows.len());
    for row in rows {
        let client = issuer.directory.known(&row.client, issuer.store, visit.now).await?;
        grants.push(one(visit, row, client.as_ref()));
    }
    Ok(grants)
}

fn one(visit: &Visit<'_>, row: GrantRow, client: Option<&Client>) -> page::Grant {
    let joined = joined(visit, &row);
    let GrantRow {
        id,
        user: _,
        client: client_id,
        resource,
        scopes,
        opened: _,
        groups: _,
        remembered,
        created_at: _,
        approved_at,
        used_at,
        revoked_at: _,
    } = row;
    let redirect = client.and_then(|client| client.redirect_uris.first()).map(|uri| uri.as_str().to_owned());
    let lifetimes = &visit.issuer.settings.lifetimes;
    let refreshes = client.is_none_or(|client| client.may(GrantType::RefreshToken));
    let longest = client.map_or(lifetimes.refresh_absolute, |client| client.longest(lifetimes));
    let lasts = if refreshes { longest } else { lifetimes.code + lifetimes.access_token };
    let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::ZERO);
    let tags = &visit.errand.revision.snapshot.config.tags;
    let described = |scope: ScopeName| {
        let tag = tags.get(&scope.tag());
        let description = tag.map(|tag| Shown::line(&tag.description));
        (scope, description, tag.is_some_and(|tag| tag.sensitive))
    };
    page::Grant {
        id: id.to_string(),
        client: match client {
            Some(client) => pending::shown(client),
            // One that is gone has left its id.
            None => page::Client { name: Shown::name(client_id.as_str()), known_by: page::KnownBy::Itself },
        },
        destination: remembered.or(redirect).and_then(|uri| Destination::of(&uri)),
        resource: Shown::uri(&resource),
        scopes: scopes.into_iter().map(described).collect(),
        joined,
        given: approved_at,
        used: used_at,
        ends: approved_at.saturating_add(lasts).unwrap_or(approved_at),
    }
}

/// The servers that joined a tag of a grant since the person consented, where they stay closed for it.
fn joined(visit: &Visit<'_>, grant: &GrantRow) -> Vec<ServerName> {
    let config = &visit.errand.revision.snapshot.config;
    if visit.issuer.settings.scope_drift != ScopeDrift::Reconsent {
        return Vec::new();
    }
    let known = |scope: &ScopeName, server: &ServerName| {
        grant.opened.get(scope).is_some_and(|opened| opened.iter().any(|one| one.server == *server))
    };
    let servers = config.servers.iter().filter(|(name, server)| {
        let tagged = |scope: &&ScopeName| server.tags.iter().any(|tag| tag.value == scope.tag());
        let mut by = grant.scopes.iter().filter(tagged).peekable();
        by.peek().is_some() && by.all(|scope| !known(scope, name))
    });
    servers.map(|(name, _)| name.clone()).collect()
}

fn down(error: StoreError) -> Turned {
    tracing::error!(%error, "the store cannot be used");
    OAuthError::store_down().into()
}
