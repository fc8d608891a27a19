//! From a 401 to the endpoints of the authorization server: two documents, and what they must say.
//!
//! INVARIANT: a server is believed only under the identifier by which it was looked for, and only if it takes
//! PKCE with S256.
//! SPEC: RFC 9728 §3, §5; RFC 8414 §3; MCP authorization, "Authorization Server Discovery"; AZ-02…AZ-04, AS-02…AS-04, AS-08, CL-18.

use http::{Request, StatusCode, header::ACCEPT};
use serde::Deserialize;

use super::{error::SignInError, web::Web};
use crate::{
    bridge::{
        Endpoint,
        challenge::{Challenge, cleaned},
    },
    config::url::Url,
};

const RESOURCE: &str = "resource metadata";
const SERVER: &str = "authorization server's metadata";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// What tokens are to be good at.
    pub(super) resource: String,
    /// The scopes that are enough to begin with, if it says so.
    pub(super) scopes: Vec<String>,
    /// Where they are had.
    pub(super) server: Server,
}

/// An authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) issuer: String,
    pub(super) authorization: String,
    pub(super) token: String,
    pub(super) registration: Option<String>,
    pub(super) revocation: Option<String>,
    /// Whether every answer in the browser names the issuer.
    pub(super) names_itself: bool,
    /// Whether `offline_access` is what a refresh token is asked for by.
    pub(super) offers_offline: bool,
}

#[derive(Debug, Deserialize)]
struct ResourceDocument {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ServerDocument {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    response_types_supported: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Finds the authorization server of a gateway that wants a token.
pub(super) async fn discover(web: &Web, endpoint: &Endpoint, challenge: &Challenge) -> Result<Found, SignInError> {
    let places = match &challenge.metadata {
        Some(named) => vec![named.clone()],
        None => well_known(&endpoint.place, "oauth-protected-resource", &[]),
    };
    let (url, document) = first::<ResourceDocument>(web, RESOURCE, &places).await?;
    let wrong = |wrong: String| SignInError::Document { what: RESOURCE, url: cleaned(&url), wrong };
    if !covers(&document.resource, &endpoint.place) {
        return Err(wrong(format!("is about another resource, `{}`", cleaned(&document.resource))));
    }
    let issuer = document.authorization_servers.first();
    let issuer = issuer.ok_or_else(|| wrong("names no authorization server".into()))?;
    let server = server(web, issuer).await?;
    Ok(Found { resource: document.resource, scopes: document.scopes_supported, server })
}

async fn server(web: &Web, issuer: &str) -> Result<Server, SignInError> {
    let at = web.check("authorization server", issuer)?;
    let mut places = well_known(&at, "oauth-authorization-server", &["openid-configuration"]);
    places.retain(|place| place.starts_with(&at.origin()));
    let (url, document) = first::<ServerDocument>(web, SERVER, &places).await?;
    let wrong = |wrong: String| SignInError::Document { what: SERVER, url: cleaned(&url), wrong };
    let ServerDocument {
        issuer: named,
        authorization_endpoint,
        token_endpoint,
        registration_endpoint,
        revocation_endpoint,
        code_challenge_methods_supported: challenges,
        response_types_supported: responses,
        scopes_supported: scopes,
        authorization_response_iss_parameter_supported: names_itself,
    } = document;
    if named != issuer {
        return Err(wrong(format!("is that of another one, `{}`, not of `{}`", cleaned(&named), cleaned(issuer))));
    }
    let Some(authorization) = authorization_endpoint.filter(|_| responses.iter().any(|kind| kind == "code")) else {
        return Err(SignInError::NoSignIn(cleaned(issuer)));
    };
    if !challenges.iter().any(|method| method == "S256") {
        return Err(wrong("does not say that it takes PKCE with S256, without which nobody signs in safely".into()));
    }
    let token = token_endpoint.ok_or_else(|| wrong("names no token endpoint".into()))?;
    web.check("authorization endpoint", &authorization)?;
    web.check("token endpoint", &token)?;
    for (what, url) in
        [("registration endpoint", &registration_endpoint), ("revocation endpoint", &revocation_endpoint)]
    {
        url.as_ref().map(|url| web.check(what, url)).transpose()?;
    }
    Ok(Server {
        issuer: named,
        authorization,
        token,
        registration: registration_endpoint,
        revocation: revocation_endpoint,
        names_itself,
        offers_offline: scopes.iter().any(|scope| scope == "offline_access"),
    })
}

/// The places of a document, in the order in which they are looked at. `inserted` goes between host and path, and
/// alone behind the host; each of `others` between host and path, and behind the path.
fn well_known(url: &Url, inserted: &str, others: &[&str]) -> Vec<String> {
    let origin = url.origin();
    let path = url.rest.split('?').next().unwrap_or_default().trim_end_matches('/');
    let mut places = vec![format!("{origin}/.well-known/{inserted}{path}")];
    for other in others {
        places.push(format!("{origin}/.well-known/{other}{path}"));
        places.push(format!("{origin}{path}/.well-known/{other}"));
    }
    if others.is_empty() {
        places.push(format!("{origin}/.well-known/{inserted}"));
    }
    places.dedup();
    places
}

/// The first of the documents that is there.
async fn first<T: for<'d> Deserialize<'d>>(
    web: &Web,
    what: &'static str,
    places: &[String],
) -> Result<(String, T), SignInError> {
    let mut status = StatusCode::NOT_FOUND;
    for place in places {
        web.check(what, place)?;
        let wrong = |wrong: String| SignInError::Document { what, url: cleaned(place), wrong };
        let request = Request::get(place).header(ACCEPT, "application/json").body(Vec::new());
        let request = request.map_err(|_| wrong("has no URL that could be asked".into()))?;
        let unreachable = |why| SignInError::Unreachable { what, url: cleaned(place), why };
        let answer = web.send(request).await.map_err(unreachable)?;
        status = answer.status();
        if status == StatusCode::OK {
            let document = serde_json::from_slice(answer.body());
            let document = document.map_err(|error| wrong(format!("is no such document: {error}")))?;
            return Ok((place.clone(), document));
        }
        if !status.is_client_error() {
            return Err(wrong(format!("is answered with HTTP status {}", status.as_u16())));
        }
    }
    let url = places.first().map(|place| cleaned(place)).unwrap_or_default();
    Err(SignInError::Document { what, url, wrong: format!("is not there (HTTP status {})", status.as_u16()) })
}

/// Whether a token for `resource` may be used at `endpoint`: the same origin, and the same path or one above it.
fn covers(resource: &str, endpoint: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let path = |url: &Url| url.rest.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
    let (above, below) = (path(&resource), path(endpoint));
    let inside = below.strip_prefix(&above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    resource.origin() == endpoint.origin() && inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn az03_as02_documents_are_looked_for_where_the_specification_says() {
        let of = |text: &str| well_known(&url(text), "oauth-protected-resource", &[]);
        assert_eq!(
            of("https://gate.example/mcp/files?tags=a"),
            [
                "https://gate.example/.well-known/oauth-protected-resource/mcp/files",
                "https://gate.example/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(of("https://gate.example/"), ["https://gate.example/.well-known/oauth-protected-resource"]);
        let of = |text: &str| well_known(&url(text), "oauth-authorization-server", &["openid-configuration"]);
        assert_eq!(
            of("https://id.example/tenant"),
            [
                "https://id.example/.well-known/oauth-authorization-server/tenant",
                "https://id.example/.well-known/openid-configuration/tenant",
                "https://id.example/tenant/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            of("https://id.example"),
            [
                "https://id.example/.well-known/oauth-authorization-server",
                "https://id.example/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn az04_a_token_is_used_only_at_the_resource_that_it_is_for() {
        let endpoint = url("https://gate.example/mcp/files?tags=a");
        for good in ["https://gate.example/mcp/files", "https://GATE.example:443/mcp", "https://gate.example/"] {
            assert!(covers(good, &endpoint), "{good}");
        }
        for bad in [
            "https://gate.example/mcp/file",
            "https://gate.example/mcp/files/x",
            "https://evil.example/mcp/files",
            "http://gate.example/mcp/files",
            "https://gate.example:8443/mcp/files",
            "gate",
        ] {
            assert!(!covers(bad, &endpoint), "{bad}");
        }
    }
}
