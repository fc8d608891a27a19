//! What a refusal says is wanted: `WWW-Authenticate` of a 401 and of a 403.
//!
//! SPEC: RFC 6750 §3; RFC 9728 §5.1; AZ-03, AZ-05, AZ-15.

use http::{HeaderMap, header::WWW_AUTHENTICATE};

use crate::record::visible;

/// How much of what the other side says is passed on.
const LONGEST_SAYING: usize = 300;

/// What the challenges of an answer say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Challenge {
    /// Where the resource is described.
    pub(super) metadata: Option<String>,
    /// The scopes that are needed; none where it does not say.
    pub(super) scopes: Vec<String>,
    /// Whether the token is good, and these scopes are what it lacks.
    pub(super) insufficient: bool,
}

impl Challenge {
    /// Reads them.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let all = || headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|challenge| challenge.to_str().ok());
        let lacking = all().find(|challenge| parameter(challenge, "error") == Some("insufficient_scope"));
        let named = |name| all().find_map(|challenge| parameter(challenge, name));
        let scopes = lacking.map_or_else(|| named("scope"), |lacking| parameter(lacking, "scope"));
        Self {
            metadata: named("resource_metadata").map(str::to_owned),
            scopes: scopes.map(words).unwrap_or_default(),
            insufficient: lacking.is_some(),
        }
    }

    /// The scopes that a good token lacks, if that is what is wrong.
    pub(super) fn lacking(self) -> Option<Vec<String>> {
        Some(self.scopes).filter(|scopes| self.insufficient && !scopes.is_empty())
    }
}

/// Scopes as they stand beside each other.
pub(super) fn words(scopes: &str) -> Vec<String> {
    scopes.split(' ').filter(|scope| !scope.is_empty()).map(cleaned).collect()
}

/// The value of a quoted parameter of a challenge.
fn parameter<'c>(challenge: &'c str, name: &str) -> Option<&'c str> {
    challenge.match_indices(name).find_map(|(at, _)| {
        let before = challenge.get(..at)?;
        let begins = before.is_empty() || before.ends_with([' ', ',', '\t']);
        let value = challenge.get(at..)?.strip_prefix(name)?.strip_prefix("=\"")?;
        begins.then(|| value.split('"').next()).flatten()
    })
}

/// What the other side says, short and visible.
pub(super) fn cleaned(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_SAYING).collect();
    let mut out = Vec::new();
    visible(&short, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(challenge: &str) -> Challenge {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        Challenge::of(&headers)
    }

    #[test]
    fn az15_the_scopes_of_a_challenge_are_read() {
        let lacking = |challenge| of(challenge).lacking();
        assert_eq!(
            lacking(r#"Bearer error="insufficient_scope", scope="tag:a tag:b", resource_metadata="https://x""#),
            Some(vec!["tag:a".to_owned(), "tag:b".to_owned()])
        );
        assert_eq!(lacking(r#"Bearer scope="tag:a", error="insufficient_scope""#), Some(vec!["tag:a".to_owned()]));
        assert_eq!(lacking(r#"Bearer error="invalid_token", scope="tag:a""#), None);
        assert_eq!(lacking(r#"Bearer error="insufficient_scope""#), None);
        assert_eq!(lacking(r#"Bearer error_scope="x", scope="""#), None);
    }

    #[test]
    fn az03_az05_a_401_names_the_metadata_and_the_scopes() {
        assert_eq!(
            of(r#"Bearer resource_metadata="https://x/y", scope="tag:a""#),
            Challenge { metadata: Some("https://x/y".into()), scopes: vec!["tag:a".into()], insufficient: false }
        );
        assert_eq!(Challenge::of(&HeaderMap::new()), Challenge::default());
    }
}
