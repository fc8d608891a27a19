//! From a person's answer to a code: what they may be asked, and what their answer grants.
//!
//! What is granted is what was asked for, ticked, and may be granted by policy at the moment of the answer; the
//! form is believed in nothing else. None ticked grants nothing.
//!
//! INVARIANT: a code is made only here, for a person who is signed in.
//! SPEC: oauth §5.2, §5.3; design §2 "Ceilings"; OA-79, T-070, AS-36, AS-37.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    authorize::AuthorizationRequest,
    client::Client,
    code::Code,
    error::{ErrorCode, OAuthError, Why},
    handle::Handle,
    issuer::{Issuer, down, signed},
    signin::Session,
};
use crate::{
    chance,
    config::{GrantType, Login},
    id::Id,
    name::{GroupId, ScopeName, UserId},
    principal::Principal,
    secret::Secret,
    store::{self, Approve, GrantRow, NewGrant, Once, Opened, Reach},
};

/// How long it is known that a link was used up: longer than a sign-in by it lasts.
const LINK_MARK: SignedDuration = SignedDuration::from_hours(24);

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
    /// What the person approved for this client here before, and has not taken back.
    pub standing: Option<GrantRow>,
}

/// A scope that a person is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The scope.
    pub scope: ScopeName,
    /// Whether it is ticked to begin with: it was asked for, by the client or as the baseline, or stands.
    pub ticked: bool,
    /// Whether it is added to what the person approved for this client here before.
    pub new: bool,
}

/// A person's answer, as the page has it.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The scopes that the form says are ticked.
    pub ticked: &'a [&'a str],
    /// The page that was used: a second use gives nothing (OA-92).
    pub once: Once,
    /// The proof that is used up by it, where it needs one of its own.
    pub proof: Option<Once>,
    /// Whether the same need not be asked again.
    pub remember: bool,
}

/// What came of a person's answer.
#[derive(Debug)]
pub enum Decided {
    /// A code.
    Approved(Approved),
    /// Nothing: the page was used before. That is told on a page of ours.
    Used,
    /// Nothing: the person has to prove anew who they are.
    Stale,
}

/// Whether who is signed in may approve as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// They may.
    Enough,
    /// They may once: by the link that they signed in by, which is used up then.
    Link(Once),
    /// The link is used up: it takes another.
    Spent,
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
pub async fn offer(
    issuer: &Issuer<'_>,
    client: &Client,
    request: &AuthorizationRequest,
    person: &SignedIn,
) -> Result<Offer, OAuthError> {
    let resource = issuer.resource(&request.endpoint())?.to_string();
    let principal = Principal::User(person.user.clone());
    let standing = issuer.store.grant_of(&person.user, &client.id, &resource).await.map_err(down)?;
    let held: BTreeSet<&ScopeName> = standing.iter().flat_map(|grant| &grant.scopes).collect();
    let (wanted, ticked) = match &request.asked.scopes {
        Some(asked) => (asked, true),
        None if !issuer.baseline.is_empty() => (issuer.baseline, true),
        None => (issuer.engine.bundle().scopes(), false),
    };
    // Who asks for more than it has keeps what it has: one answer is about both.
    let more = ticked && wanted.iter().any(|scope| !held.contains(scope));
    let kept = held.iter().copied().filter(|_| more);
    let scopes = issuer.grantable(&principal, &client.id, &person.groups, wanted.iter().chain(kept));
    if scopes.is_empty() {
        let what = "nothing of what is asked for may be granted to this person through this client";
        return Err(OAuthError::new(ErrorCode::InvalidScope, Why::NothingGrantable, what));
    }
    let refreshes = client.may(GrantType::RefreshToken) || request.asked.offline;
    let new = |scope: &ScopeName| !held.is_empty() && !held.contains(scope);
    let scopes = scopes.into_iter().map(|scope| Offered { new: new(&scope), scope, ticked }).collect();
    Ok(Offer { resource, scopes, refreshes, standing })
}

impl Offer {
    /// What may be granted without asking again: what the request asks for by name or baseline, if the person let
    /// it be remembered, of this client at this place, and approved all of it. Whether it opens more than it did is
    /// for who knows what it opens.
    #[must_use]
    pub fn remembered(&self, client: &Client, request: &AuthorizationRequest) -> Option<(&GrantRow, Vec<&str>)> {
        let standing = self.standing.as_ref()?;
        let place = standing.remembered.as_deref() == Some(request.target.as_str());
        let known = self.scopes.iter().all(|offered| offered.ticked && standing.scopes.contains(&offered.scope));
        let all = request.asked.scopes.as_ref().is_none_or(|asked| asked.len() == self.scopes.len());
        let good = place && known && all && client.is_proven(&request.target);
        good.then(|| (standing, self.scopes.iter().map(|offered| offered.scope.as_str()).collect()))
    }
}

/// Whether somebody who is signed in may approve a client as they are. Without TLS whatever runs on this machine
/// may see what browsers send: there an owner's link is good for one client that is new (oauth §5.1).
///
/// # Errors
/// When the store cannot be read.
pub async fn proof(issuer: &Issuer<'_>, client: &Client, session: &Session) -> Result<Proof, OAuthError> {
    if issuer.tls() || session.way != Login::Owner {
        return Ok(Proof::Enough);
    }
    let grants = issuer.store.list_grants(Reach::User(session.person.user.clone())).await.map_err(down)?;
    if grants.iter().any(|grant| grant.client == client.id) {
        return Ok(Proof::Enough);
    }
    if grants.iter().any(|grant| grant.approved_at >= session.opened_at) {
        return Ok(Proof::Spent);
    }
    let until = session.opened_at.saturating_add(LINK_MARK).unwrap_or(Timestamp::MAX);
    Ok(Proof::Link(Once { name: "link-proof", id: session.mac.to_vec(), until }))
}

/// Makes the code that a person's answer grants. `opened` says what scopes open now, to be told apart from what
/// joins them later.
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
) -> Result<Decided, OAuthError> {
    let Answer { ticked, once, proof, remember } = answer;
    let Offer { resource, scopes, refreshes, standing: _ } = offer(issuer, client, request, person).await?;
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
        proof,
        grant: NewGrant {
            id: Id::new(now, random),
            user: person.user.clone(),
            client: client.id.clone(),
            resource: resource.clone(),
            scopes: scopes.clone(),
            opened: opened(&scopes),
            groups: person.groups.clone(),
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
            Decided::Approved(Approved { location, grant, scopes, resource })
        }
        store::Approved::Again => Decided::Used,
        store::Approved::Stale => Decided::Stale,
    })
}

impl Issuer<'_> {
    /// Marks a page as used: whether this was the first use.
    ///
    /// # Errors
    /// When nothing is marked.
    pub async fn use_up(&self, handle: &Handle, now: Timestamp) -> Result<bool, OAuthError> {
        self.store.consume_once(handle.once(), now).await.map_err(down)
    }
}

impl Issuer<'_> {
    /// The mark of an approval for which no page is shown.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn unshown(&self, now: Timestamp) -> Result<Once, OAuthError> {
        let id: [u8; 16] = chance::bytes().map_err(|_| OAuthError::internal())?;
        Ok(Once { name: "consent", id: id.to_vec(), until: now })
    }
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
