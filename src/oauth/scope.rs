//! The scopes that a request names: `tag:NAME` of the configuration, and `offline_access` for a refresh token.
//!
//! INVARIANT: there is no wildcard, and a scope that no tag stands behind is refused without saying which do.
//! SPEC: RFC 6749 §3.3; SM-01, SM-05, SM-06; OA-65, OA-76, OA-77.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::{ErrorCode, OAuthError, Why};
use crate::name::ScopeName;

/// The most scopes that a request may name.
pub(super) const MOST: usize = 50;
/// The longest text of scopes, in bytes: 50 of the longest name, and spaces.
const LONGEST: usize = MOST * 69;
/// Asks for a refresh token.
pub(super) const OFFLINE: &str = "offline_access";

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asked {
    /// The scopes named; nothing where none is, which asks for the baseline.
    pub scopes: Option<BTreeSet<ScopeName>>,
    /// Whether a refresh token is asked for.
    pub offline: bool,
}

impl Asked {
    /// Reads the parameter `scope`. Known are the scopes of the configuration.
    ///
    /// # Errors
    /// `invalid_scope`, when one is malformed or unknown, or there are too many.
    pub fn read(text: Option<&str>, known: &BTreeSet<ScopeName>) -> Result<Self, OAuthError> {
        let bad = |what: &str| OAuthError::new(ErrorCode::InvalidScope, Why::Scope, what);
        let Some(text) = text else { return Ok(Self::default()) };
        if text.len() > LONGEST {
            return Err(bad("scope is too long"));
        }
        let (mut scopes, mut offline) = (BTreeSet::new(), false);
        for word in text.split(' ') {
            if word == OFFLINE {
                offline = true;
                continue;
            }
            let scope = word.parse::<ScopeName>();
            let scope = scope.map_err(|_| bad("a scope must be tag: and a name; one space stands between two"))?;
            if !known.contains(&scope) {
                return Err(bad("a scope is not known here"));
            }
            scopes.insert(scope);
            if scopes.len() > MOST {
                return Err(bad("scope names more than 50 scopes"));
            }
        }
        Ok(Self { scopes: Some(scopes).filter(|scopes| !scopes.is_empty()), offline })
    }
}

/// Scopes as they are written in an answer: sorted, one space between.
pub(super) fn written<'a>(scopes: impl IntoIterator<Item = &'a ScopeName>) -> String {
    scopes.into_iter().map(ScopeName::as_str).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> BTreeSet<ScopeName> {
        (0..60).map(|n| format!("tag:t{n}")).chain(["tag:web".into()]).map(|scope| scope.parse().unwrap()).collect()
    }

    fn read(text: &str) -> Result<Asked, OAuthError> {
        Asked::read(Some(text), &known())
    }

    #[test]
    fn sm05_a_scope_named_twice_counts_once() {
        let asked = read("tag:web tag:t1 tag:web offline_access").unwrap();
        assert_eq!(written(asked.scopes.as_ref().unwrap()), "tag:t1 tag:web");
        assert!(asked.offline);
        assert_eq!(Asked::read(None, &known()).unwrap(), Asked::default());
        let offline = read("offline_access").unwrap();
        assert!(offline.offline && offline.scopes.is_none(), "no tag is named, so the baseline is meant");
        let fifty = (0..50).map(|n| format!("tag:t{n} tag:t{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(read(&fifty).unwrap().scopes.unwrap().len(), 50);
    }

    #[test]
    fn sm06_oa76_oa77_what_is_no_scope_of_ours_is_refused_and_none_is_listed() {
        let many = (0..51).map(|n| format!("tag:t{n}")).collect::<Vec<_>>().join(" ");
        let endless = "tag:web ".repeat(10_000);
        for bad in [
            "tag:\"",
            "tag:\\",
            "tag:a b",
            "tag:web\0",
            "tag:*",
            "*",
            "tag:",
            "tag",
            "web",
            "tag:unknown",
            "openid",
            "profile",
            "TAG:web",
            "tag:web  tag:t1",
            " tag:web",
            "tag:web ",
            "tag:web\ttag:t1",
            "tag:web,tag:t1",
            "tag:web\r\nx: y",
            "tag:w%65b",
            "tag:ｗeb",
            "Offline_access",
            &many,
            &endless,
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!((error.code(), error.why()), (ErrorCode::InvalidScope, Why::Scope), "{bad:.40}");
            assert!(!error.description().contains("tag:t") && !error.description().contains("web"), "{bad:.40}");
        }
    }
}
