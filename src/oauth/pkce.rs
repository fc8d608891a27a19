//! Proof that who redeems a code is who asked for it: S256, for every client.
//!
//! INVARIANT: there is no code without a challenge, so there is nothing to leave out (T-077).
//! SPEC: RFC 7636 §4; OAuth 2.1 §4.1.1, §7.5; SM-08, OA-22, OA-23.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::error::{ErrorCode, OAuthError, Why};

/// What S256 makes of a verifier: 32 bytes in 43 characters.
const CHALLENGE: usize = 43;

/// The challenge of an authorization request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge(String);

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method`.
    ///
    /// # Errors
    /// `invalid_request`, when there is none, or it is not of S256.
    pub fn read(challenge: Option<&str>, method: Option<&str>) -> Result<Self, OAuthError> {
        let bad = |what| Err(OAuthError::new(ErrorCode::InvalidRequest, Why::Pkce, what));
        let Some(challenge) = challenge else {
            return bad("the parameter code_challenge is missing; PKCE with S256 is required");
        };
        match method {
            Some("S256") => {}
            Some(_) | None => return bad("code_challenge_method must be S256"),
        }
        let decodes = || URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|digest| digest.len() == 32);
        if challenge.len() != CHALLENGE || !decodes() {
            return bad("code_challenge must be the 43 characters that S256 gives");
        }
        Ok(Self(challenge.to_owned()))
    }

    /// The challenge as it is kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The challenge that a verifier meets; of a text that is none, one that no request can have made.
    #[must_use]
    pub fn of(verifier: &str) -> String {
        let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        if is_verifier(verifier) { made } else { format!("!{made}") }
    }

    /// Whether `verifier` is what the challenge was made of. Takes as long for a wrong one.
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        Self::of(verifier).as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

/// Whether a text is of the form of a verifier.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const GIVEN: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn sm08_as05_the_verifier_of_the_rfc_meets_its_challenge_and_no_other_does() {
        let challenge = Challenge::read(Some(GIVEN), Some("S256")).unwrap();
        assert!(challenge.is_met_by(VERIFIER));
        for bad in [
            "",
            GIVEN,
            &VERIFIER.to_lowercase(),
            VERIFIER.get(..42).unwrap(),
            &format!("{VERIFIER}x"),
            &format!("{VERIFIER}="),
        ] {
            assert!(!challenge.is_met_by(bad), "{bad}");
        }
        // What is of another form does not meet it even where the digest would.
        for bad in ["x".repeat(42), "x".repeat(129), format!("{}+", "x".repeat(50)), format!("{} ", "x".repeat(50))] {
            let made = URL_SAFE_NO_PAD.encode(Sha256::digest(bad.as_bytes()));
            assert!(!Challenge::read(Some(&made), Some("S256")).unwrap().is_met_by(&bad), "{bad}");
        }
    }

    #[test]
    fn oa22_t077_s256_alone_is_taken_and_never_nothing() {
        for method in [None, Some("plain"), Some("S512"), Some("s256"), Some("S256 "), Some("none")] {
            let error = Challenge::read(Some(GIVEN), method).unwrap_err();
            assert_eq!((error.code(), error.why()), (ErrorCode::InvalidRequest, Why::Pkce), "{method:?}");
        }
        assert!(Challenge::read(None, Some("S256")).is_err());
        assert!(Challenge::read(None, None).is_err());
    }

    #[test]
    fn oa23_a_challenge_is_what_s256_gives() {
        for bad in [
            GIVEN.get(..42).unwrap(),
            &format!("{GIVEN}A"),
            &GIVEN.replace('-', "+"),
            &format!("{}=", GIVEN.get(..42).unwrap()),
            &"A".repeat(128),
            &"A".repeat(129),
            &format!("{} ", GIVEN.get(..42).unwrap()),
            &format!("{}N", GIVEN.get(..42).unwrap()), // bits that 32 bytes do not have
        ] {
            assert!(Challenge::read(Some(bad), Some("S256")).is_err(), "{bad}");
        }
    }
}
