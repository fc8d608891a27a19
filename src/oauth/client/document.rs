//! Client ID Metadata Documents: a client whose id is the URL of what it says of itself.
//!
//! The URL must be one that no two readers read differently, the document must say the same URL to the letter,
//! and hold nothing that a public document must not. The host is all that it proves.
//!
//! SPEC: the client-id-metadata-document draft (the stricter of its drafts); OA-112, OA-115, OA-05; AS-19…AS-22; T-093.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::{Map, Value};

use super::{
    Client, KnownBy,
    known::shown_name,
    registration::MOST_REDIRECTS,
    said::{self, text, texts},
};
use crate::{
    config::{AuthMethod, GrantType, RedirectUri, url::Url},
    name::ClientId,
};

/// The longest document, in bytes.
pub(super) const LONGEST: usize = 5 * 1024;

/// The URL of a metadata document, which is the id of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentUrl {
    /// The URL as an id.
    pub id: ClientId,
    /// Its host, with the port where that is not 443.
    pub host: String,
}

/// Why a document, or its URL, makes no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDocument {
    /// The URL is not of the form.
    #[error("client_id must be an https URL with a path, and without user, port, query, fragment and dot segments")]
    Url,
    /// It is no JSON object.
    #[error("the client's metadata document is no JSON object, or has a member twice")]
    Json,
    /// It says another id.
    #[error("the client's metadata document names another client_id")]
    OtherId,
    /// It lacks what it must have.
    #[error("the client's metadata document must have a client_name and 1 to 10 redirect_uris")]
    Lacking,
    /// A redirect URI is not safe.
    #[error("the client's metadata document has a redirect URI that is not taken")]
    Redirect,
    /// It holds a secret, a private key, or asks for a way to authenticate that needs one.
    #[error("the client's metadata document must not hold or need a secret")]
    Secret,
    /// A member is not of its kind.
    #[error("the client's metadata document has a link, a list or a set of keys that is none")]
    Member,
    /// It cannot do what we offer.
    #[error("the client's metadata document must allow the authorization code grant")]
    Grant,
}

impl DocumentUrl {
    /// Whether an id is meant to be one: no other client has an id with `://`.
    #[must_use]
    pub fn is_meant(id: &ClientId) -> bool {
        id.as_str().contains("://")
    }

    /// Reads an id as the URL of a document. A port or an address is taken for the hosts in `inside` alone.
    ///
    /// # Errors
    /// [`BadDocument::Url`]
    pub fn read(id: &ClientId, inside: &[String]) -> Result<Self, BadDocument> {
        let written = id.as_str();
        let url = Url::parse(written).map_err(|_| BadDocument::Url)?;
        let host = url.port.map_or_else(|| url.host.clone(), |port| format!("{}:{port}", url.host));
        let listed = inside.contains(&host);
        let bare = url.host.trim_start_matches('[').trim_end_matches(']');
        let is_name = url.host.contains('.') && bare.parse::<IpAddr>().is_err();
        let segments = url.rest.to_ascii_lowercase();
        let path = url.rest.len() > 1
            && !url.rest.contains(['?', '*'])
            && !segments.contains("%2e")
            && !url.rest.split('/').any(|segment| matches!(segment, "." | ".."));
        // One way to write it: scheme and host in lower case, no port that goes without saying.
        let exact = written == format!("https://{host}{}", url.rest);
        if exact && path && (listed || (is_name && url.port.is_none())) {
            Ok(Self { id: id.clone(), host })
        } else {
            Err(BadDocument::Url)
        }
    }
}

/// The client that a document describes.
///
/// # Errors
/// When it describes none.
pub fn read(url: &DocumentUrl, body: &[u8], private_schemes: bool) -> Result<Client, BadDocument> {
    let Some(said) = said::read(body) else { return Err(BadDocument::Json) };
    let lacking = |_: String| BadDocument::Lacking;
    if text(&said, "client_id").map_err(|_| BadDocument::OtherId)? != Some(url.id.as_str()) {
        return Err(BadDocument::OtherId);
    }
    let name = text(&said, "client_name").map_err(lacking)?.and_then(shown_name).ok_or(BadDocument::Lacking)?;
    let written = texts(&said, "redirect_uris").map_err(lacking)?.unwrap_or_default();
    if written.is_empty() || written.len() > MOST_REDIRECTS {
        return Err(BadDocument::Lacking);
    }
    let parse = |uri: &str| RedirectUri::parse(uri, private_schemes).map_err(|_| BadDocument::Redirect);
    let redirect_uris = written.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if needs_a_secret(&said) {
        return Err(BadDocument::Secret);
    }
    said::others(&said).map_err(|_| BadDocument::Member)?;
    let grants = texts(&said, "grant_types").map_err(|_| BadDocument::Grant)?;
    let mut grant_types: BTreeSet<_> = grants.map_or_else(
        || [GrantType::AuthorizationCode].into(),
        |words| words.into_iter().filter_map(GrantType::read).collect(),
    );
    // What a person must be asked for is all that a document can get.
    grant_types.remove(&GrantType::ClientCredentials);
    let responses = texts(&said, "response_types").map_err(|_| BadDocument::Grant)?;
    if !grant_types.contains(&GrantType::AuthorizationCode) || responses.is_some_and(|types| !types.contains(&"code")) {
        return Err(BadDocument::Grant);
    }
    Ok(Client { name, redirect_uris, grant_types, ..unread(url) })
}

/// The client of a document that was not read: whose codes and tokens are known to be of this id.
pub(super) fn unread(url: &DocumentUrl) -> Client {
    Client {
        id: url.id.clone(),
        name: url.host.clone(),
        known_by: KnownBy::Document(url.host.clone()),
        redirect_uris: Vec::new(),
        grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
        auth: AuthMethod::None,
        secret: None,
        expires_at: None,
    }
}

fn needs_a_secret(said: &Map<String, Value>) -> bool {
    let method = said.get("token_endpoint_auth_method").filter(|method| !method.is_null());
    let asks = method.is_some_and(|method| method.as_str() != Some(AuthMethod::None.as_str()));
    let holds = said.keys().any(|key| key.starts_with("client_secret"));
    asks || holds || said.get("jwks").is_some_and(said::is_private)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "https://app.example.com/client.json";

    fn url(id: &str) -> Result<DocumentUrl, BadDocument> {
        DocumentUrl::read(&id.parse().map_err(|_| BadDocument::Url)?, &["127.0.0.1:8443".into()])
    }

    fn client(id: &str, more: &str) -> Result<Client, BadDocument> {
        let body = format!(
            r#"{{"client_id": "{id}", "client_name": "App", "redirect_uris": ["https://app.example.com/cb"]{more}}}"#
        );
        read(&url(ID).unwrap(), body.as_bytes(), false)
    }

    #[test]
    fn oa112_as22_the_url_of_a_document_can_be_read_one_way_only() {
        for (good, host) in [
            (ID, "app.example.com"),
            ("https://app.example.com/a/b?".trim_end_matches('?'), "app.example.com"),
            ("https://127.0.0.1:8443/client.json", "127.0.0.1:8443"),
        ] {
            assert_eq!(url(good).unwrap().host, host, "{good}");
        }
        for bad in [
            "http://app.example.com/client.json",
            "https://app.example.com",
            "https://app.example.com/",
            "https://user@app.example.com/client.json",
            "https://user:pw@app.example.com/client.json",
            "https://app.example.com/client.json#x",
            "https://app.example.com/client.json?x=1",
            "https://app.example.com/a/../client.json",
            "https://app.example.com/./client.json",
            "https://app.example.com/%2e%2e/client.json",
            "https://app.example.com/%2E/client.json",
            "https://app.example.com:22/client.json",
            "https://app.example.com:443/client.json",
            "https://app.example.com:8443/client.json",
            "https://APP.example.com/client.json",
            "HTTPS://app.example.com/client.json",
            "https://localhost/client.json",
            "https://intranet/client.json",
            "https://127.0.0.1/client.json",
            "https://127.0.0.1:8444/client.json",
            "https://127.1:8443/client.json",
            "https://[::1]/client.json",
            "https://10.0.0.1/client.json",
            "https://169.254.169.254/latest",
            "https://2130706433/client.json",
            "https://app.example.com\\@evil.example/client.json",
            "https://exämple.com/client.json",
            "https://app.example.com/*",
            "ftp://app.example.com/client.json",
            "://app.example.com/x",
            &format!("https://app.example.com/{}", "x".repeat(3072)),
        ] {
            assert_eq!(url(bad), Err(BadDocument::Url), "{bad:.80}");
        }
    }

    #[test]
    fn oa115_as19_t093_a_document_says_its_own_url_and_holds_nothing_secret() {
        let good = client(ID, "").unwrap();
        assert_eq!((good.name.as_str(), &good.known_by), ("App", &KnownBy::Document("app.example.com".into())));
        assert!(!good.may(GrantType::RefreshToken) && !good.is_confidential() && !good.is_trusted());
        let more = r#", "grant_types": ["authorization_code", "refresh_token", "client_credentials", "urn:x"], "token_endpoint_auth_method": "none", "x": 1"#;
        let good = client(ID, more).unwrap();
        assert!(good.may(GrantType::RefreshToken) && !good.may(GrantType::ClientCredentials));
        for id in [
            "https://APP.example.com/client.json",
            "https://app.example.com/client.json/",
            "https://app.example.com:443/client.json",
            "https://evil.example/client.json",
            "",
        ] {
            assert_eq!(client(id, "").unwrap_err(), BadDocument::OtherId, "{id}");
        }
        for (more, problem) in [
            (r#", "client_secret": "x""#, BadDocument::Secret),
            (r#", "client_secret_expires_at": 0"#, BadDocument::Secret),
            (r#", "token_endpoint_auth_method": "client_secret_basic""#, BadDocument::Secret),
            (r#", "token_endpoint_auth_method": "client_secret_post""#, BadDocument::Secret),
            (r#", "token_endpoint_auth_method": "private_key_jwt""#, BadDocument::Secret),
            (r#", "jwks": {"keys": [{"kty": "EC", "x": "x", "d": "d"}]}"#, BadDocument::Secret),
            (r#", "jwks": {"keys": [{"kty": "oct", "k": "k"}]}"#, BadDocument::Secret),
            (r#", "grant_types": ["client_credentials"]"#, BadDocument::Grant),
            (r#", "response_types": ["token"]"#, BadDocument::Grant),
            (r#", "logo_uri": "javascript:alert(1)""#, BadDocument::Member),
            (r#", "client_name": "Other""#, BadDocument::Json),
        ] {
            assert_eq!(client(ID, more).unwrap_err(), problem, "{more}");
        }
        let read = |body: &str| read(&url(ID).unwrap(), body.as_bytes(), false).unwrap_err();
        for (body, problem) in [
            ("", BadDocument::Json),
            ("<html>", BadDocument::Json),
            ("[]", BadDocument::Json),
            ("{}", BadDocument::OtherId),
            (r#"{"client_id": ["x"]}"#, BadDocument::OtherId),
            (&format!(r#"{{"client_id": "{ID}", "redirect_uris": ["https://a.example/"]}}"#), BadDocument::Lacking),
            (
                &format!(
                    r#"{{"client_id": "{ID}", "client_name": "\u200b", "redirect_uris": ["https://a.example/"]}}"#
                ),
                BadDocument::Lacking,
            ),
            (&format!(r#"{{"client_id": "{ID}", "client_name": "a", "redirect_uris": []}}"#), BadDocument::Lacking),
            (
                &format!(
                    r#"{{"client_id": "{ID}", "client_name": "a", "redirect_uris": ["https://a.example/", "javascript:x"]}}"#
                ),
                BadDocument::Redirect,
            ),
            (
                &format!(r#"{{"client_id": "{ID}", "client_name": "a", "redirect_uris": ["http://a.example/"]}}"#),
                BadDocument::Redirect,
            ),
        ] {
            assert_eq!(read(body), problem, "{body}");
        }
    }
}
