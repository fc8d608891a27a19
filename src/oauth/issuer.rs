//! The authorization server as one revision has it, and a call of a client itself: read, and authenticated.
//!
//! SPEC: OAuth 2.1 §2.4, §3.2; OA-37, T-088.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    access_token::{Resource, ResourceError, TokenKeys},
    client::{Client, Directory, Presented, authenticate, refused},
    error::{ErrorCode, OAuthError, Why},
    form::Form,
    key::OAuthKeys,
};
use crate::{
    config::{Authorization, Login},
    endpoint::Endpoint,
    name::{ClientId, GroupId, ScopeName, UserId},
    policy::Engine,
    principal::Principal,
    store::{Store, StoreError},
};

/// The authorization server as one revision has it.
#[derive(Debug)]
pub struct Issuer<'a> {
    /// The issuer: the public URL, without a slash at its end.
    pub url: &'a str,
    /// What decides who may be granted what.
    pub engine: &'a Engine,
    /// What a request that names no scopes asks for (`oauth.baseline`); may be empty.
    pub baseline: &'a BTreeSet<ScopeName>,
    /// What `oauth:` says.
    pub settings: &'a Authorization,
    /// The clients.
    pub directory: &'a Directory,
    /// Keys of codes, refresh tokens and secrets.
    pub keys: &'a OAuthKeys,
    /// Keys of access tokens.
    pub tokens: &'a TokenKeys,
    /// What must outlive a request.
    pub store: &'a Store,
}

/// Who signs in where one person does.
pub const OWNER: &str = "local/owner";

/// Every parameter of the endpoints that clients call themselves. One that is repeated makes a request no request,
/// also where this grant does not need it (RFC 6749 §3.2).
const PARAMETERS: [&str; 13] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "resource",
    "scope",
    "token",
    "token_type_hint",
];

/// A call of a client itself: to the token, revocation or introspection endpoint. The method is POST.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The query of its URL.
    pub query: Option<&'a str>,
    /// Its `Content-Type`, where it has exactly one.
    pub content_type: Option<&'a [u8]>,
    /// Its `Authorization` headers.
    pub authorization: &'a [&'a [u8]],
    /// Its body.
    pub body: &'a [u8],
    /// Whether it is for clients alone that prove who they are, so that one who says nothing of itself has failed to.
    pub proven: bool,
}

/// A call whose client is who it says.
#[derive(Debug)]
pub struct Admitted {
    /// Who calls.
    pub client: Client,
    pub(super) form: Form,
}

impl Issuer<'_> {
    /// Reads a call and makes sure who the client is.
    ///
    /// # Errors
    /// `invalid_request` or `invalid_client`; otherwise when the store cannot be read.
    pub async fn admit(&self, call: &Call<'_>, now: Timestamp) -> Result<Admitted, OAuthError> {
        let bad = |what| Err(OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what));
        if call.query.is_some_and(|query| !query.is_empty()) {
            return bad("parameters belong into the body, never into the URL");
        }
        let essence = call.content_type.and_then(|value| value.split(|byte| *byte == b';').next()).unwrap_or_default();
        if !essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return bad("the body must be application/x-www-form-urlencoded");
        }
        let form = Form::read(call.body)?;
        form.once(&PARAMETERS)?;
        let presented = Presented::read(call.authorization, &form).map_err(|error| match error.why() {
            Why::ParameterMissing if call.proven => refused(Why::AuthMethod),
            _ => error,
        })?;
        let found = self.directory.known(&presented.id, self.store, now).await?;
        let client = authenticate(&presented, found.as_ref(), self.keys)?.clone();
        Ok(Admitted { client, form })
    }

    /// The groups of a person as they are known here, if they may still sign in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn groups(&self, user: &UserId) -> Result<Option<BTreeSet<GroupId>>, OAuthError> {
        let may = match self.login() {
            Login::Owner => user.as_str() == OWNER,
            Login::Users => {
                let account = self.store.account(user).await.map_err(down)?;
                account.is_some_and(|account| account.disabled_at.is_none())
            }
        };
        Ok(may.then(BTreeSet::new))
    }

    /// Which of `scopes` may be granted, as policies have it now. Who is a client alone has no groups.
    pub(super) fn grantable<'s>(
        &self,
        principal: &Principal,
        client: &ClientId,
        groups: &BTreeSet<GroupId>,
        scopes: impl IntoIterator<Item = &'s ScopeName>,
    ) -> Vec<ScopeName> {
        let through = match principal {
            Principal::User(_) => Some(client),
            Principal::Client(_) | Principal::Anonymous => None,
        };
        let may = |scope: &&ScopeName| self.engine.may_grant(principal, through, groups, scope).is_allow();
        let kept: BTreeSet<_> = scopes.into_iter().filter(may).cloned().collect();
        kept.into_iter().collect()
    }

    /// The endpoint that a `resource` names, of whatever name; all servers where there is none.
    ///
    /// # Errors
    /// `invalid_target`
    pub(super) fn endpoint(&self, resource: Option<&str>) -> Result<Endpoint, OAuthError> {
        let Some(resource) = resource else { return Ok(Endpoint::All) };
        let read = Resource::read(resource, self.url, |_| true).map_err(|error| self.foreign(&error))?;
        let path = read.as_str().strip_prefix(self.url).unwrap_or_default();
        path.parse().map_err(|_| self.foreign(&ResourceError::Foreign { written: String::new(), all: String::new() }))
    }

    /// The resource of an endpoint, if there is such a server or view.
    ///
    /// # Errors
    /// `invalid_target`
    pub(super) fn resource(&self, endpoint: &Endpoint) -> Result<Resource, OAuthError> {
        let bundle = self.engine.bundle();
        let known = match endpoint {
            Endpoint::All => true,
            Endpoint::One(server) => bundle.servers().contains(server),
            Endpoint::View(view) => bundle.view(view).is_some(),
        };
        if known { Ok(Resource::of(self.url, endpoint)) } else { Err(target("there is no such endpoint")) }
    }

    fn foreign(&self, _: &ResourceError) -> OAuthError {
        let url = self.url;
        target(&format!("resource must be {url}/mcp, {url}/mcp/SERVER or {url}/mcp/@VIEW"))
    }
}

fn target(what: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidTarget, Why::Resource, what)
}

/// A fault of the store, as clients are told of it.
pub(super) fn down(error: StoreError) -> OAuthError {
    tracing::error!(%error, "the store cannot be used");
    OAuthError::store_down()
}

/// A duration of the configuration, as instants take it.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::ZERO)
}
