//! Registering oneself (RFC 7591): what a client says of itself, checked whole before anything is kept.
//!
//! The id is ours, a secret is shown once, and nothing that was said is fetched. What is not understood is not
//! registered and not echoed; what would be a risk is refused.
//!
//! INVARIANT: a client that registered itself is public or has a secret of ours, and may only act for a person.
//! SPEC: RFC 7591 §2, §3; OA-107…OA-110, OA-95, OA-97, AS-27, AS-29, SM-09; T-089.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Client, KnownBy,
    known::shown_name,
    said::{self, text, texts},
};
use crate::{
    config::{AuthMethod, GrantType, RedirectKind, RedirectUri, Redirects},
    oauth::{
        error::{ErrorCode, OAuthError, Why},
        form::LONGEST_FORM,
        key::OAuthKeys,
    },
    secret::Secret,
};

/// The most redirect URIs.
pub(super) const MOST_REDIRECTS: usize = 10;
/// How long a client is kept that was never used.
pub const UNUSED_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long a client is kept since it was last used.
pub const USED_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A client as it is to be kept, and what it is told.
#[derive(Debug)]
pub struct Registered {
    /// The client.
    pub client: Client,
    /// Its secret, to be shown once, if it has one.
    secret: Option<Secret<String>>,
    application_type: &'static str,
    registered_at: Timestamp,
}

/// Registers a client by the JSON that it sent. `redirects` says where codes of such clients may go; `id` and
/// `secret` are random.
///
/// # Errors
/// `invalid_redirect_uri` or `invalid_client_metadata`.
pub fn register(
    body: &[u8],
    redirects: &Redirects,
    private_schemes: bool,
    keys: &OAuthKeys,
    (id, secret): ([u8; 16], [u8; 32]),
    now: Timestamp,
) -> Result<Registered, OAuthError> {
    if body.len() > LONGEST_FORM {
        return Err(metadata("the request is too long"));
    }
    let Some(said) = said::read(body) else {
        return Err(metadata("the body must be a JSON object, and no member may stand in it twice"));
    };
    said::others(&said).map_err(|what| metadata(&what))?;
    let grant_types = grant_types(&said)?;
    response_types(&said)?;
    let auth = match text(&said, "token_endpoint_auth_method").map_err(|what| metadata(&what))? {
        // RFC 7591 §2: what is not said is client_secret_basic.
        None => AuthMethod::SecretBasic,
        Some(word) => AuthMethod::read(word).ok_or_else(|| {
            metadata("token_endpoint_auth_method must be none, client_secret_basic or client_secret_post")
        })?,
    };
    let redirect_uris = redirect_uris(&said, redirects, private_schemes)?;
    let application_type = match text(&said, "application_type").map_err(|what| metadata(&what))? {
        None | Some("web") => "web",
        Some("native") => "native",
        Some(_) => return Err(metadata("application_type must be web or native")),
    };
    let name = text(&said, "client_name")
        .map_err(|what| metadata(&what))?
        .and_then(shown_name)
        .unwrap_or_else(|| "unnamed client".into());
    let (secret, digest) = match auth {
        AuthMethod::None => (None, None),
        AuthMethod::SecretBasic | AuthMethod::SecretPost => {
            let secret = format!("pc_cs_{}", URL_SAFE_NO_PAD.encode(secret));
            let digest = keys.digest(&secret);
            (Some(Secret::new(secret)), Some(digest))
        }
    };
    let id = format!("pc_c_{}", URL_SAFE_NO_PAD.encode(id)).parse().map_err(|_| OAuthError::internal())?;
    let client = Client {
        id,
        name,
        known_by: KnownBy::Itself,
        redirect_uris,
        grant_types,
        auth,
        secret: digest,
        expires_at: Some(now.saturating_add(UNUSED_LIFE).unwrap_or(now)),
    };
    Ok(Registered { client, secret, application_type, registered_at: now })
}

impl Registered {
    /// What the client is told: all that was registered, and its secret this once. Status 201, `no-store`.
    #[must_use]
    pub fn body(&self) -> String {
        let Self { client, secret, application_type, registered_at } = self;
        let mut told = json!({
            "client_id": client.id.as_str(),
            "client_id_issued_at": registered_at.as_second(),
            "client_name": client.name,
            "redirect_uris": client.redirect_uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>(),
            "grant_types": client.grant_types.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(),
            "response_types": ["code"],
            "token_endpoint_auth_method": client.auth.as_str(),
            "application_type": application_type,
        });
        if let (Some(secret), Value::Object(told)) = (secret, &mut told) {
            told.insert("client_secret".into(), secret.expose().as_str().into());
            told.insert("client_secret_expires_at".into(), 0.into());
        }
        told.to_string()
    }
}

fn metadata(what: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, Why::Metadata, what)
}

fn grant_types(said: &Map<String, Value>) -> Result<BTreeSet<GrantType>, OAuthError> {
    let mut grants = BTreeSet::new();
    for word in
        texts(said, "grant_types").map_err(|what| metadata(&what))?.unwrap_or_else(|| vec!["authorization_code"])
    {
        grants.insert(match GrantType::read(word) {
            Some(grant @ (GrantType::AuthorizationCode | GrantType::RefreshToken)) => grant,
            Some(GrantType::ClientCredentials) => {
                return Err(metadata("client_credentials is for clients that the operator registers"));
            }
            None => return Err(metadata("grant_types may hold authorization_code and refresh_token")),
        });
    }
    if grants.contains(&GrantType::AuthorizationCode) {
        Ok(grants)
    } else {
        Err(metadata("grant_types must hold authorization_code"))
    }
}

fn response_types(said: &Map<String, Value>) -> Result<(), OAuthError> {
    match texts(said, "response_types").map_err(|what| metadata(&what))? {
        Some(types) if types != ["code"] => Err(metadata("response_types must be code")),
        Some(_) | None => Ok(()),
    }
}

fn redirect_uris(
    said: &Map<String, Value>,
    redirects: &Redirects,
    private_schemes: bool,
) -> Result<Vec<RedirectUri>, OAuthError> {
    let bad = |what: &str| OAuthError::new(ErrorCode::InvalidRedirectUri, Why::RedirectUri, what);
    let written = texts(said, "redirect_uris")
        .map_err(|_| bad("redirect_uris must be a list of texts"))?
        .ok_or_else(|| bad("redirect_uris is missing"))?;
    if written.is_empty() || written.len() > MOST_REDIRECTS {
        return Err(bad("redirect_uris must list 1 to 10"));
    }
    let mut uris: Vec<RedirectUri> = Vec::new();
    for uri in written {
        let uri =
            RedirectUri::parse(uri, private_schemes).map_err(|problem| bad(&format!("a redirect URI {problem}")))?;
        let host = uri.host();
        let allowed = match (redirects, uri.kind()) {
            (Redirects::Off, _) => false,
            (Redirects::Any, _) | (_, RedirectKind::Loopback) => true,
            (Redirects::Loopback, RedirectKind::Https | RedirectKind::PrivateScheme) => false,
            (Redirects::Hosts(hosts), RedirectKind::Https | RedirectKind::PrivateScheme) => {
                let host = host.strip_suffix(":443").unwrap_or(host);
                hosts.iter().any(|allowed| allowed == host)
            }
        };
        if !allowed {
            return Err(bad("a redirect URI leads to where clients that register themselves may not send people"));
        }
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    Ok(uris)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Keys;

    fn ask(body: &str, redirects: &Redirects) -> Result<Registered, OAuthError> {
        let keys = OAuthKeys::of(&Keys::from_master(&Secret::new([5; 32])));
        register(body.as_bytes(), redirects, false, &keys, ([1; 16], [2; 32]), Timestamp::UNIX_EPOCH)
    }

    const LOCAL: &str = r#""redirect_uris": ["http://127.0.0.1/cb"]"#;

    #[test]
    fn oa110_as27_sm09_what_was_registered_is_told_and_nothing_else() {
        let body = format!(
            r#"{{{LOCAL}, "client_id": "https://mine", "client_secret": "mine", "client_name": "De\u202esk", "scope": "tag:*",
            "application_type": "native", "token_endpoint_auth_method": "none", "logo_uri": "http://127.0.0.1/x",
            "grant_types": ["authorization_code", "refresh_token"], "unknown": {{"x": 1}}}}"#
        );
        let registered = ask(&body, &Redirects::Loopback).unwrap();
        let told: Value = serde_json::from_str(&registered.body()).unwrap();
        assert_eq!(
            told,
            json!({
                "client_id": "pc_c_AQEBAQEBAQEBAQEBAQEBAQ", "client_id_issued_at": 0, "client_name": "Desk",
                "redirect_uris": ["http://127.0.0.1/cb"], "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native",
            })
        );
        assert_eq!(registered.client.expires_at, Some(Timestamp::from_second(3600).unwrap()));
        assert!(registered.client.secret.is_none() && !registered.client.is_trusted());
    }

    #[test]
    fn oa130_a_secret_is_told_once_and_kept_as_a_digest() {
        let registered = ask(&format!("{{{LOCAL}}}"), &Redirects::Loopback).unwrap();
        let told: Value = serde_json::from_str(&registered.body()).unwrap();
        let secret = told["client_secret"].as_str().unwrap();
        assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(told["client_secret_expires_at"], 0);
        assert!(secret.starts_with("pc_cs_") && secret.len() == 6 + 43);
        assert!(!format!("{registered:?}").contains(secret));
        let keys = OAuthKeys::of(&Keys::from_master(&Secret::new([5; 32])));
        assert!(registered.client.secret.unwrap().is(&keys.digest(secret)));
    }

    #[test]
    fn oa04_oa05_oa07_t089_no_unsafe_redirect_is_registered() {
        for uris in [
            "[]",
            "null",
            "\"http://127.0.0.1/cb\"",
            "[1]",
            "{}",
            r#"["http://app.example/cb"]"#,
            r#"["https://*.example.com/cb"]"#,
            r#"["https://a.example/cb#x"]"#,
            r#"["https://u@a.example/cb"]"#,
            r#"["javascript:alert(1)"]"#,
            r#"["JaVaScRiPt:alert(1)"]"#,
            r#"["java\tscript:alert(1)"]"#,
            r#"["data:text/html,x"]"#,
            r#"["file:///etc/passwd"]"#,
            r#"["http://127.0.0.1/cb", "javascript:alert(1)"]"#,
            r#"["com.example.app:/cb"]"#,
            r#"["a\u0000b"]"#,
            &format!("[{}]", [r#""http://127.0.0.1/cb""#; 11].join(",")),
        ] {
            let error = ask(&format!(r#"{{"redirect_uris": {uris}}}"#), &Redirects::Any).unwrap_err();
            assert_eq!((error.code(), error.status()), (ErrorCode::InvalidRedirectUri, 400), "{uris}");
        }
        assert_eq!(ask("{}", &Redirects::Any).unwrap_err().code(), ErrorCode::InvalidRedirectUri);
    }

    #[test]
    fn oa107_where_codes_may_go_is_the_operators_to_say() {
        let hosts = Redirects::Hosts(vec!["app.example.com".into()]);
        for (uri, off, loopback, listed, any) in [
            ("http://127.0.0.1/cb", false, true, true, true),
            ("http://localhost:9/cb", false, true, true, true),
            ("https://app.example.com/cb", false, false, true, true),
            ("https://app.example.com:443/cb", false, false, true, true),
            ("https://app.example.com:8443/cb", false, false, false, true),
            ("https://app.example.com.evil.example/cb", false, false, false, true),
        ] {
            let body = format!(r#"{{"redirect_uris": ["{uri}"]}}"#);
            for (redirects, expected) in
                [(&Redirects::Off, off), (&Redirects::Loopback, loopback), (&hosts, listed), (&Redirects::Any, any)]
            {
                assert_eq!(ask(&body, redirects).is_ok(), expected, "{uri} {redirects:?}");
            }
        }
    }

    #[test]
    fn as29_sm09_what_would_be_a_privilege_or_is_no_metadata_is_refused() {
        for more in [
            r#""grant_types": ["client_credentials"]"#,
            r#""grant_types": ["authorization_code", "client_credentials"]"#,
            r#""grant_types": ["implicit"]"#,
            r#""grant_types": ["password"]"#,
            r#""grant_types": ["refresh_token"]"#,
            r#""grant_types": []"#,
            r#""grant_types": "authorization_code""#,
            r#""response_types": ["token"]"#,
            r#""response_types": ["code", "token"]"#,
            r#""response_types": []"#,
            r#""token_endpoint_auth_method": "private_key_jwt""#,
            r#""token_endpoint_auth_method": "None""#,
            r#""token_endpoint_auth_method": 1"#,
            r#""client_name": {}"#,
            r#""application_type": "x""#,
            r#""logo_uri": ["x"]"#,
            r#""scope": ["tag:web"]"#,
        ] {
            let error = ask(&format!("{{{LOCAL}, {more}}}"), &Redirects::Any).unwrap_err();
            assert_eq!((error.code(), error.status()), (ErrorCode::InvalidClientMetadata, 400), "{more}");
        }
        for body in ["", "[]", "null", "{", "redirect_uris=x", &"[".repeat(100_000), &format!("{{{LOCAL}}} x")] {
            assert_eq!(ask(body, &Redirects::Any).unwrap_err().code(), ErrorCode::InvalidClientMetadata, "{body:.20}");
        }
    }
}
