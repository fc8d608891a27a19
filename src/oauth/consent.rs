//! From a person's answer to a code: what they may be asked, and what their answer grants.
//!
//! What is granted is what was asked for, ticked, and may be granted by policy at the moment of the answer; the
//! form is believed in nothing else. None ticked grants nothing.
//!
//! INVARIANT: a code is made only here, for a person who is signed in.
//! SPEC: oauth §5.2, §5.3; design §2 "Ceilings"; OA-79, T-070, AS-36, AS-37.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    authorize::AuthorizationRequest,
    client::Client,
    code::Code,
    error::{ErrorCode, OAuthError, Why},
    issuer::{Issuer, down, signed},
};
use crate::{
    chance,
    config::GrantType,
    id::Id,
    name::{GroupId, ScopeName, UserId},
    principal::Principal,
    secret::Secret,
    store::{self, Approve, NewGrant, Once, Opened},
};

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// The groups that they are in.
    pub groups: BTreeSet<GroupId>,
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The URL that the token would be good at.
    pub resource: String,
    /// The scopes, sorted.
    pub scopes: Vec<Offered>,
    /// Whether the grant renews itself.
    pub refreshes: bool,
}

/// A scope that a person is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The scope.
    pub scope: ScopeName,
    /// Whether it is ticked to begin with: it was asked for, by the client or as the baseline.
    pub ticked: bool,
}

/// A person's answer, as the page has it.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The scopes that the form says are ticked.
    pub ticked: &'a [&'a str],
    /// The page that was used: a second use gives nothing (OA-92).
    pub once: Once,
    /// Whether the same need not be asked again.
    pub remember: bool,
}

/// What a person's answer made.
#[derive(Debug)]
pub struct Approved {
    /// Where the browser is sent, the code in it.
    pub location: Secret<String>,
    /// The grant's name, for the audit trail.
    pub grant: Id,
    /// What was granted, sorted.
    pub scopes: Vec<ScopeName>,
    /// Where it is good.
    pub resource: String,
}

/// What a person is asked for a request.
///
/// # Errors
/// `invalid_scope`, when nothing of what is asked for may be granted; `invalid_target`, when there is no such
/// endpoint. Both are told to the client.
pub fn offer(
    issuer: &Issuer<'_>,
    client: &Client,
    request: &AuthorizationRequest,
    person: &SignedIn,
) -> Result<Offer, OAuthError> {
    let resource = issuer.resource(&request.endpoint())?.to_string();
    let principal = Principal::User(person.user.clone());
    let (wanted, ticked) = match &request.asked.scopes {
        Some(asked) => (asked, true),
        None if !issuer.baseline.is_empty() => (issuer.baseline, true),
        None => (issuer.engine.bundle().scopes(), false),
    };
    let scopes = issuer.grantable(&principal, &client.id, &person.groups, wanted);
    if scopes.is_empty() {
        let what = "nothing of what is asked for may be granted to this person through this client";
        return Err(OAuthError::new(ErrorCode::InvalidScope, Why::NothingGrantable, what));
    }
    let refreshes = client.may(GrantType::RefreshToken) || request.asked.offline;
    let scopes = scopes.into_iter().map(|scope| Offered { scope, ticked }).collect();
    Ok(Offer { resource, scopes, refreshes })
}

/// Makes the code that a person's answer grants. `opened` says what scopes open now, to be told apart from what
/// joins them later. Nothing where the page was used before: that is told on a page of ours.
///
/// # Errors
/// As [`offer`]; `access_denied`, when nothing is ticked; otherwise when the code cannot be kept. All are told
/// to the client.
pub async fn approve(
    issuer: &Issuer<'_>,
    client: &Client,
    request: &AuthorizationRequest,
    person: &SignedIn,
    answer: Answer<'_>,
    opened: impl FnOnce(&[ScopeName]) -> Opened,
    now: Timestamp,
) -> Result<Option<Approved>, OAuthError> {
    let Answer { ticked, once, remember } = answer;
    let Offer { resource, scopes, refreshes } = offer(issuer, client, request, person)?;
    let is_ticked = |scope: &ScopeName| ticked.contains(&scope.as_str());
    let offered = scopes.into_iter().map(|offered| offered.scope);
    let scopes: Vec<ScopeName> = offered.filter(is_ticked).take(super::scope::MOST).collect();
    if scopes.is_empty() {
        return Err(denied("the person granted none of the scopes"));
    }
    let (secret, random) = (chance::bytes(), chance::bytes());
    let (Ok(secret), Ok(random)) = (secret, random) else { return Err(OAuthError::internal()) };
    let (code, mac) = Code::mint(issuer.keys, secret);
    let redirect_uri = request.target.as_str().to_owned();
    let approve = Approve {
        once,
        grant: NewGrant {
            id: Id::new(now, random),
            user: person.user.clone(),
            client: client.id.clone(),
            resource: resource.clone(),
            scopes: scopes.clone(),
            opened: opened(&scopes),
            remembered: remember.then(|| redirect_uri.clone()),
        },
        code: mac,
        redirect_uri,
        redirect_sent: request.named_target,
        challenge: request.challenge.as_str().to_owned(),
        renewable: refreshes,
        expires_at: now.saturating_add(signed(issuer.settings.lifetimes.code)).unwrap_or(now),
        now,
    };
    issuer.directory.used(client, issuer.store, now).await?;
    Ok(match issuer.store.approve(approve).await.map_err(down)? {
        store::Approved::Done { grant } => {
            let location = Secret::new(request.success(issuer.url, code.expose()));
            Some(Approved { location, grant, scopes, resource })
        }
        store::Approved::Again => None,
    })
}

impl SignedIn {
    /// What a client is told when this person says no.
    #[must_use]
    pub fn refusal(&self) -> OAuthError {
        denied("the person denied the request")
    }
}

fn denied(what: &str) -> OAuthError {
    OAuthError::new(ErrorCode::AccessDenied, Why::ConsentDenied, what)
}
