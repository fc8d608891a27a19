//! Where an answer of the authorization endpoint goes, and what is written into it.
//!
//! INVARIANT: only a redirect URI that the client registered becomes a [`Target`], and an answer goes nowhere else (T-055, T-061).
//! SPEC: OAuth 2.1 §4.1.2; RFC 9207 §2; OA-08, OA-13, OA-14.

use serde::{Deserialize, Serialize};

use super::{
    client::Client,
    error::{ErrorCode, OAuthError, Why},
    form::encode,
};
use crate::config::RedirectUri;

/// A place that an answer may go to. Read back only from what we sealed ourselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target(String);

impl Target {
    /// The place that a request names, or the only one that its client has.
    ///
    /// # Errors
    /// `invalid_request`, when it is none of the client's; nothing may be sent anywhere then.
    pub(super) fn of(client: &Client, presented: Option<&str>) -> Result<Self, OAuthError> {
        let bad = |what| Err(OAuthError::new(ErrorCode::InvalidRequest, Why::RedirectUri, what));
        match (presented, client.redirect_uris.as_slice()) {
            (Some(presented), registered) if registered.iter().any(|uri| uri.fits(presented)) => {
                Ok(Self(presented.to_owned()))
            }
            (Some(_), _) => bad("redirect_uri is not one that this client registered"),
            (None, [only]) => Ok(Self(only.as_str().to_owned())),
            (None, _) => bad("the parameter redirect_uri is missing, and this client registered more than one"),
        }
    }

    /// The URI as the request named it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URI, to be shown.
    #[must_use]
    pub fn uri(&self) -> Option<RedirectUri> {
        RedirectUri::parse(&self.0, true).ok()
    }

    /// The URL with an answer in its query.
    pub(super) fn with(&self, answer: &[(&str, &str)]) -> String {
        let mut url = self.0.clone();
        for (name, value) in answer {
            let joint = match url.split_once('?') {
                None => "?",
                Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
                Some(_) => "&",
            };
            url.push_str(joint);
            url.push_str(name);
            url.push('=');
            url.push_str(&encode(value));
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::public;

    #[test]
    fn oa08_the_only_redirect_uri_goes_without_saying_and_one_of_two_does_not() {
        let one = public("desk", &["https://app.example.com/cb"]);
        let two = public("desk", &["https://app.example.com/cb", "http://127.0.0.1/cb"]);
        assert_eq!(Target::of(&one, None).unwrap().as_str(), "https://app.example.com/cb");
        assert_eq!(Target::of(&two, None).unwrap_err().why(), Why::RedirectUri);
        assert_eq!(Target::of(&two, Some("http://127.0.0.1:77/cb")).unwrap().as_str(), "http://127.0.0.1:77/cb");
        for bad in ["https://evil.example/cb", "https://app.example.com/cb?x", "http://127.0.0.1:77/cb2"] {
            assert!(Target::of(&two, Some(bad)).is_err(), "{bad}");
        }
        assert!(Target::of(&public("bot", &[]), None).is_err());
    }

    #[test]
    fn oa13_an_answer_is_added_to_the_query_and_encoded_whole() {
        for (uri, expected) in [
            ("https://a.example/cb", "https://a.example/cb?code=x&state=a%20%26b%3D%22%00%3E%C3%A9"),
            ("https://a.example/cb?x=1", "https://a.example/cb?x=1&code=x&state=a%20%26b%3D%22%00%3E%C3%A9"),
            ("https://a.example/cb?", "https://a.example/cb?code=x&state=a%20%26b%3D%22%00%3E%C3%A9"),
            ("com.example.app:/cb", "com.example.app:/cb?code=x&state=a%20%26b%3D%22%00%3E%C3%A9"),
        ] {
            assert_eq!(Target(uri.into()).with(&[("code", "x"), ("state", "a &b=\"\0>é")]), expected);
        }
    }
}
