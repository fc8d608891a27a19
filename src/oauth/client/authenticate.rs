//! Who a client is, at every endpoint that it calls itself: the id it gives, and the proof of it.
//!
//! One way a request, and only the one that the client is registered with. An unknown client, a wrong secret, a
//! missing one and the wrong way are one answer, and cost the same work.
//!
//! INVARIANT: a secret is compared as a keyed digest, in constant time, also where there is no client (OA-43, SM-27).
//! SPEC: OAuth 2.1 §2.4; RFC 6749 §2.3.1; OA-37…OA-44; T-087.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Client;
use crate::{
    config::AuthMethod,
    name::ClientId,
    oauth::{
        error::{ErrorCode, OAuthError, Why},
        form::{Form, decode},
        key::OAuthKeys,
    },
    secret::Secret,
};

/// The longest id or secret that is looked at, in bytes.
const LONGEST: usize = 1024;

/// What a client gave to say who it is.
#[derive(Debug)]
pub struct Presented {
    /// The id that it gave.
    pub id: ClientId,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    None,
    Basic(Secret<String>),
    Post(Secret<String>),
}

impl Presented {
    /// Reads the `Authorization` headers and the form of a request.
    ///
    /// # Errors
    /// `invalid_request`, when there is no id or more than one way; `invalid_client`, when what is there cannot
    /// be read.
    pub fn read(authorization: &[&[u8]], form: &Form) -> Result<Self, OAuthError> {
        let request = |why, what: &str| Err(OAuthError::new(ErrorCode::InvalidRequest, why, what));
        let (id, secret) = (form.get("client_id")?, form.get("client_secret")?);
        if form.get("client_assertion")?.or(form.get("client_assertion_type")?).is_some() {
            if !authorization.is_empty() || secret.is_some() {
                return request(Why::AuthMethod, "the client authenticates in more than one way");
            }
            let what = "client assertions are not supported here";
            return Err(OAuthError::new(ErrorCode::InvalidClient, Why::AssertionUnsupported, what));
        }
        let header = match authorization {
            [] => None,
            [header] => Some(*header),
            _ => return request(Why::ParameterRepeated, "there is more than one Authorization header"),
        };
        let (given, proof) = match (header, secret) {
            (Some(_), Some(_)) => return request(Why::AuthMethod, "the client authenticates in more than one way"),
            (Some(header), None) => {
                let (basic, secret) = basic(header).ok_or_else(refused_form)?;
                if id.is_some_and(|id| id != basic) {
                    return request(Why::AuthMethod, "client_id differs from the one in the Authorization header");
                }
                (basic, Proof::Basic(secret))
            }
            (None, secret) => {
                let Some(id) = id else {
                    return request(Why::ParameterMissing, "the parameter client_id is missing");
                };
                let secret = secret.map(|secret| Secret::new(secret.to_owned()));
                (id.to_owned(), secret.map_or(Proof::None, Proof::Post))
            }
        };
        let id = given.parse().map_err(|_| refused_form())?;
        Ok(Self { id, proof })
    }
}

impl Presented {
    /// Whether it shows a secret, right or wrong.
    pub(super) const fn shows_a_secret(&self) -> bool {
        match self.proof {
            Proof::None => false,
            Proof::Basic(_) | Proof::Post(_) => true,
        }
    }
}

/// Whether a client is who it says; `found` is the client of that id, if there is one.
///
/// # Errors
/// `invalid_client`, the same for every reason.
pub fn authenticate<'a>(
    presented: &Presented,
    found: Option<&'a Client>,
    keys: &OAuthKeys,
) -> Result<&'a Client, OAuthError> {
    let (given, method) = match &presented.proof {
        Proof::None => (None, AuthMethod::None),
        Proof::Basic(secret) => (Some(secret), AuthMethod::SecretBasic),
        Proof::Post(secret) => (Some(secret), AuthMethod::SecretPost),
    };
    // The same steps, whether or not there is a client, a secret or a match.
    let digest = keys.digest(given.map_or("", |secret| secret.expose()));
    let kept = found.and_then(|client| client.secret).unwrap_or_else(|| keys.nobody());
    let is_same = kept.is(&digest);
    let why = match found {
        None => Why::ClientUnknown,
        Some(client) if client.auth != method => Why::AuthMethod,
        Some(client) if !client.is_confidential() || is_same => return Ok(client),
        Some(_) => Why::ClientSecret,
    };
    Err(refused(why))
}

/// The one answer to whoever has not proved who they are.
pub(in crate::oauth) fn refused(why: Why) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, why, "client authentication failed")
}

fn refused_form() -> OAuthError {
    refused(Why::ParameterBad)
}

/// Id and secret of a `Basic` header: base64, then split at the first colon, then each decoded as in a form.
fn basic(header: &[u8]) -> Option<(String, Secret<String>)> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || rest.len() > 4 * LONGEST {
        return None;
    }
    let pair = STANDARD.decode(rest.trim_matches(' ')).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (id, secret) = pair.split_at_checked(colon)?;
    let (id, secret) = (decode(id)?, decode(secret.get(1..)?)?);
    (!id.is_empty() && id.len() <= LONGEST && secret.len() <= LONGEST).then(|| (id, Secret::new(secret)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{oauth::client::public, seal::Keys};

    fn keys() -> OAuthKeys {
        OAuthKeys::of(&Keys::from_master(&Secret::new([5; 32])))
    }

    fn confidential(auth: AuthMethod, secret: &str) -> Client {
        Client { auth, secret: Some(keys().digest(secret)), ..public("ci-bot", &[]) }
    }

    /// Asks with one header or none and a form.
    fn ask(client: Option<&Client>, header: Option<&str>, form: &str) -> Result<String, OAuthError> {
        let form = Form::read(form.as_bytes()).unwrap();
        let headers: Vec<&[u8]> = header.iter().map(|header| header.as_bytes()).collect();
        let presented = Presented::read(&headers, &form)?;
        authenticate(&presented, client, &keys()).map(|client| client.id.to_string())
    }

    fn basic_of(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn oa38_oa41_t087_only_the_registered_way_and_only_one() {
        let basic = confidential(AuthMethod::SecretBasic, "right");
        let post = confidential(AuthMethod::SecretPost, "right");
        let none = public("ci-bot", &[]);
        let header = basic_of("ci-bot:right");
        assert_eq!(ask(Some(&basic), Some(&header), "").unwrap(), "ci-bot");
        assert_eq!(ask(Some(&basic), Some(&header), "client_id=ci-bot").unwrap(), "ci-bot");
        assert_eq!(ask(Some(&post), None, "client_id=ci-bot&client_secret=right").unwrap(), "ci-bot");
        assert_eq!(ask(Some(&none), None, "client_id=ci-bot").unwrap(), "ci-bot");
        for (client, header, form, code) in [
            (&basic, None, "client_id=ci-bot&client_secret=right", ErrorCode::InvalidClient),
            (&basic, None, "client_id=ci-bot", ErrorCode::InvalidClient),
            (&basic, None, "client_id=ci-bot&client_secret=", ErrorCode::InvalidClient),
            (&basic, Some(basic_of("ci-bot:wrong")), "", ErrorCode::InvalidClient),
            (&basic, Some(basic_of("ci-bot:")), "", ErrorCode::InvalidClient),
            (&basic, Some(basic_of("ci-bot:right ")), "", ErrorCode::InvalidClient),
            (&basic, Some("Bearer right".into()), "client_id=ci-bot", ErrorCode::InvalidClient),
            (&post, Some(header.clone()), "", ErrorCode::InvalidClient),
            (&post, None, "client_id=ci-bot&client_secret=wrong", ErrorCode::InvalidClient),
            (&post, None, "client_id=ci-bot", ErrorCode::InvalidClient),
            (&none, None, "client_id=ci-bot&client_secret=x", ErrorCode::InvalidClient),
            (&none, Some(basic_of("ci-bot:")), "", ErrorCode::InvalidClient),
            (&basic, Some(header.clone()), "client_secret=right", ErrorCode::InvalidRequest),
            (&basic, Some(header.clone()), "client_id=other", ErrorCode::InvalidRequest),
            (&basic, Some(header), "client_assertion=x", ErrorCode::InvalidRequest),
            (&post, None, "client_id=ci-bot&client_secret=right&client_assertion=x", ErrorCode::InvalidRequest),
            (&post, None, "client_id=ci-bot&client_assertion=x", ErrorCode::InvalidClient),
            (&none, None, "client_id=ci-bot&client_id=ci-bot", ErrorCode::InvalidRequest),
            (&none, None, "", ErrorCode::InvalidRequest),
        ] {
            assert_eq!(ask(Some(client), header.as_deref(), form).unwrap_err().code(), code, "{header:?} {form}");
        }
        let form = Form::default();
        let twice = Presented::read(&[b"Basic YTpi", b"Basic YTpi"], &form).unwrap_err();
        assert_eq!(twice.code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn oa43_sm27_unknown_and_wrong_are_one_answer() {
        let client = confidential(AuthMethod::SecretBasic, "right");
        let header = basic_of("ci-bot:wrong");
        let wrong = ask(Some(&client), Some(&header), "").unwrap_err();
        let unknown = ask(None, Some(&header), "").unwrap_err();
        let public = ask(None, None, "client_id=ci-bot").unwrap_err();
        assert_eq!(
            (wrong.why(), unknown.why(), public.why()),
            (Why::ClientSecret, Why::ClientUnknown, Why::ClientUnknown)
        );
        let seen: BTreeSet<_> =
            [&wrong, &unknown, &public].map(|error| (error.status(), error.challenge(), error.body())).into();
        assert_eq!(seen.len(), 1, "{seen:?}");
    }

    #[test]
    fn oa40_basic_is_form_encoded_twice_over() {
        let secret = "p:a%s+s w\u{f6}rd";
        let client = Client { id: "a:b".parse().unwrap(), ..confidential(AuthMethod::SecretBasic, secret) };
        let encode = |text: &str| crate::oauth::form::encode(text).into_owned();
        let pair = STANDARD.encode(format!("{}:{}", encode("a:b"), encode(secret)));
        for scheme in ["Basic", "basic", "BASIC", "Basic "] {
            assert_eq!(ask(Some(&client), Some(&format!("{scheme} {pair}")), "").unwrap(), "a:b", "{scheme}");
        }
        for bad in [
            "Basic",
            "Basic ",
            "Basic %",
            "Basic YQ==",
            &basic_of("a%zz:b"),
            &basic_of(":b"),
            &basic_of("a b:c"),
            &basic_of("a:%ff"),
        ] {
            let error = ask(Some(&client), Some(bad), "").unwrap_err();
            assert_eq!((error.code(), error.status()), (ErrorCode::InvalidClient, 401), "{bad}");
            assert!(error.challenge().is_some_and(|challenge| challenge.starts_with("Basic ")));
        }
    }
}
