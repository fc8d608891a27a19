//! What tokens are given for, one file a grant type.
//!
//! To add one: a file, a variant of `GrantType`, and its arm here; metadata lists it by itself.

mod authorization_code;
mod client_credentials;
mod refresh_token;

use jiff::Timestamp;

use super::{
    access_token::{AccessToken, Issue, Resource},
    client::Client,
    error::{ErrorCode, OAuthError, Why},
    form::Form,
    issuer::{Issuer, signed},
    refresh_token::RefreshToken,
    token::Issued,
};
use crate::{
    chance,
    config::GrantType,
    endpoint::Endpoint,
    name::{GroupId, ScopeName, UserId},
    principal::Principal,
    store::{FreshToken, NewToken, TokenRow},
};

/// A request for tokens, of a client that is who it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Redeem<'a> {
    pub(super) issuer: &'a Issuer<'a>,
    pub(super) form: &'a Form,
    pub(super) client: &'a Client,
    pub(super) now: Timestamp,
}

/// Gives tokens, or says why not.
pub(super) async fn redeem(grant: GrantType, ask: &Redeem<'_>) -> Result<Issued, OAuthError> {
    match grant {
        GrantType::AuthorizationCode => authorization_code::redeem(ask).await,
        GrantType::ClientCredentials => client_credentials::redeem(ask).await,
        GrantType::RefreshToken => refresh_token::redeem(ask).await,
    }
}

fn refused(why: Why, what: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, why, what)
}

impl Redeem<'_> {
    /// What a person may still be granted of `scopes`, through this client: as one of the groups that they are in now,
    /// and of those that they were in at their consent.
    async fn grantable(
        &self,
        user: &UserId,
        then: impl IntoIterator<Item = GroupId>,
        scopes: &[ScopeName],
    ) -> Result<Vec<ScopeName>, OAuthError> {
        let Some(mut groups) = self.issuer.groups(user).await? else {
            return Err(refused(Why::PersonGone, "the person who granted this may not sign in any more"));
        };
        groups.extend(then);
        let scopes = self.issuer.grantable(&Principal::User(user.clone()), &self.client.id, &groups, scopes);
        if scopes.is_empty() {
            return Err(refused(Why::NothingGrantable, "nothing of what was granted may be granted any more"));
        }
        Ok(scopes)
    }

    /// The endpoint of a resource that was granted, if there still is one.
    fn granted(&self, resource: &str) -> Result<Endpoint, OAuthError> {
        let gone = || refused(Why::Resource, "what was granted is for an endpoint that is not here any more");
        let endpoint = resource.strip_prefix(self.issuer.url).and_then(|path| path.parse().ok()).ok_or_else(gone)?;
        self.issuer.resource(&endpoint).map(|_| endpoint).map_err(|_| gone())
    }

    /// The resource that a request names, in the words of what was granted; what is none of ours as it is.
    fn named(&self) -> Result<Option<String>, OAuthError> {
        let Some(resource) = self.form.get("resource")? else { return Ok(None) };
        Ok(Some(match self.issuer.endpoint(Some(resource)) {
            Ok(endpoint) => Resource::of(self.issuer.url, &endpoint).to_string(),
            Err(_) => resource.to_owned(),
        }))
    }

    /// An access token that is not kept yet.
    fn mint(
        &self,
        principal: Principal,
        scopes: Vec<ScopeName>,
        resource: Resource,
    ) -> Result<(AccessToken, NewToken), OAuthError> {
        let (secret, id) = (chance::bytes(), chance::bytes());
        let (Ok(secret), Ok(id)) = (secret, id) else { return Err(OAuthError::internal()) };
        let life = signed(self.issuer.settings.lifetimes.access_token);
        let issue = Issue { principal, client: None, scopes, resource, life };
        Ok(self.issuer.tokens.mint(issue, self.now, secret, id))
    }

    /// An access token whose row the store fills in from what it comes of.
    fn fresh(&self) -> Result<(AccessToken, FreshToken), OAuthError> {
        let resource = Resource::all(self.issuer.url);
        let (access, NewToken { mac, row }) = self.mint(Principal::Anonymous, Vec::new(), resource)?;
        Ok((access, FreshToken { mac, id: row.id, expires_at: row.expires_at }))
    }

    /// What is given, now that it is kept.
    fn issued(&self, access: AccessToken, row: TokenRow, refresh: Option<RefreshToken>, by: GrantType) -> Issued {
        let TokenRow { id, principal, client, scopes, resource, family, expires_at, .. } = row;
        let expires_in = expires_at.duration_since(self.now).as_secs();
        Issued { access, refresh, expires_in, scopes, resource, principal, client, token: id, family, by }
    }
}
