//! What the metadata documents say: exactly what is on, and nothing of the catalogue.
//!
//! Every URL derives from the configured public URL, never from a request (T-096). Scopes that are named are the
//! baseline: a client asks for all that is listed where nobody tells it better.
//!
//! SPEC: RFC 8414 §2; RFC 9728 §2; RFC 9207 §3; AZ-01…AZ-08, AS-02…AS-08, AS-18, AS-27; OA-14, OA-22.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{issuer::Issuer, scope};
use crate::{
    config::{AuthMethod, Authorization, GrantType, Login, Redirects},
    endpoint::Endpoint,
    name::ScopeName,
};

/// The document at `/.well-known/oauth-authorization-server`, and at the OpenID alias.
#[must_use]
pub fn authorization_server(issuer: &Issuer<'_>, loopback: bool) -> Value {
    let url = issuer.url;
    let at = |path: &str| format!("{url}/oauth/{path}");
    let all = AuthMethod::ALL.map(AuthMethod::as_str);
    let secret: Vec<&str> =
        AuthMethod::ALL.into_iter().filter(|method| *method != AuthMethod::None).map(AuthMethod::as_str).collect();
    let scopes: Vec<&str> = issuer.baseline.iter().map(ScopeName::as_str).chain([scope::OFFLINE]).collect();
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "revocation_endpoint": at("revoke"),
        "introspection_endpoint": at("introspect"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "token_endpoint_auth_methods_supported": all,
        "revocation_endpoint_auth_methods_supported": all,
        "introspection_endpoint_auth_methods_supported": secret,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": issuer.directory.reads_documents(),
    });
    let opens = registration(issuer.settings, loopback) != Redirects::Off;
    if let (true, Value::Object(document)) = (opens, &mut document) {
        document.insert("registration_endpoint".into(), at("register").into());
    }
    document
}

/// The document at `/.well-known/oauth-protected-resource` and below it. The same for every name.
#[must_use]
pub fn protected_resource(public_url: &str, endpoint: &Endpoint, baseline: &BTreeSet<ScopeName>) -> Value {
    let mut document = json!({
        "resource": format!("{public_url}{endpoint}"),
        "authorization_servers": [public_url],
        "bearer_methods_supported": ["header"],
        "resource_name": "Portcullis",
    });
    if let (false, Value::Object(document)) = (baseline.is_empty(), &mut document) {
        document.insert("scopes_supported".into(), baseline.iter().map(ScopeName::as_str).collect());
    }
    document
}

/// Where codes of clients that register themselves may go: where the file does not say, to this machine, if one
/// person alone reaches the gateway from it; else nowhere.
#[must_use]
pub fn registration(settings: &Authorization, loopback: bool) -> Redirects {
    let owner = settings.way() == Login::Owner;
    match &settings.registration {
        Some(registration) => registration.redirects.clone(),
        None if loopback && owner => Redirects::Loopback,
        None => Redirects::Off,
    }
}
