//! Which endpoint a request is for, as policies name it: one of a few classes.
//!
//! To add a class: a variant, then follow the compiler.

use std::fmt;

/// The class of an endpoint: the resource of *admit*, *charge* and *emit*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointClass {
    /// `/oauth/authorize`
    Authorize,
    /// `/oauth/consent`
    Consent,
    /// What is none of the others.
    Elsewhere,
    /// `/grants`
    Grants,
    /// `/healthz`, `/readyz`
    Health,
    /// `/oauth/introspect`
    Introspect,
    /// `/oauth/jwks`
    Jwks,
    /// `/login/…`
    Login,
    /// `/mcp…`
    Mcp,
    /// `/.well-known/…`
    Metadata,
    /// `/oauth/register`
    Register,
    /// `/oauth/revoke`
    Revoke,
    /// `/oauth/token`
    Token,
}

impl EndpointClass {
    /// Every class, sorted by its word.
    pub const ALL: [Self; 13] = [
        Self::Authorize,
        Self::Consent,
        Self::Elsewhere,
        Self::Grants,
        Self::Health,
        Self::Introspect,
        Self::Jwks,
        Self::Login,
        Self::Mcp,
        Self::Metadata,
        Self::Register,
        Self::Revoke,
        Self::Token,
    ];

    /// Its word, in the file and in Cedar.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Consent => "consent",
            Self::Elsewhere => "elsewhere",
            Self::Grants => "grants",
            Self::Health => "health",
            Self::Introspect => "introspect",
            Self::Jwks => "jwks",
            Self::Login => "login",
            Self::Mcp => "mcp",
            Self::Metadata => "metadata",
            Self::Register => "register",
            Self::Revoke => "revoke",
            Self::Token => "token",
        }
    }

    /// The classes behind a word of the file; `oauth` is the whole authorization server.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Vec<Self>> {
        if word == "oauth" {
            return Some(Self::ALL.into_iter().filter(|class| class.is_oauth()).collect());
        }
        Some(vec![Self::ALL.into_iter().find(|class| class.as_str() == word)?])
    }

    /// Whether it is of the authorization server.
    #[must_use]
    pub const fn is_oauth(self) -> bool {
        match self {
            Self::Elsewhere | Self::Health | Self::Mcp => false,
            Self::Authorize
            | Self::Consent
            | Self::Grants
            | Self::Introspect
            | Self::Jwks
            | Self::Login
            | Self::Metadata
            | Self::Register
            | Self::Revoke
            | Self::Token => true,
        }
    }

    /// The class of a request's path, read exactly as the router reads it.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        match path {
            "/mcp" => Self::Mcp,
            "/healthz" | "/readyz" => Self::Health,
            "/oauth/authorize" => Self::Authorize,
            "/oauth/consent" => Self::Consent,
            "/oauth/introspect" => Self::Introspect,
            "/oauth/jwks" => Self::Jwks,
            "/oauth/register" => Self::Register,
            "/oauth/revoke" => Self::Revoke,
            "/oauth/token" => Self::Token,
            "/grants" => Self::Grants,
            "/login" => Self::Login,
            _ if path.starts_with("/mcp/") => Self::Mcp,
            _ if path.starts_with("/login/") => Self::Login,
            _ if path.starts_with("/grants/") => Self::Grants,
            _ if path.starts_with("/.well-known/") => Self::Metadata,
            _ => Self::Elsewhere,
        }
    }

    /// Its place in [`EndpointClass::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for EndpointClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_word_and_its_place() {
        for (nth, class) in EndpointClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), nth);
            assert_eq!(EndpointClass::of_word(class.as_str()), Some(vec![class]));
        }
        assert!(EndpointClass::ALL.windows(2).all(|two| two[0].as_str() < two[1].as_str()));
        assert!(EndpointClass::of_word("nowhere").is_none());
    }

    #[test]
    fn t123_a_path_that_is_not_written_exactly_is_of_no_class_of_ours() {
        for path in ["/MCP", "//mcp", "/mcp%2f", "/oauth/token/", "/./oauth/token", "/oauth/Token", "/healthz/x", ""] {
            assert_eq!(EndpointClass::of_path(path), EndpointClass::Elsewhere, "{path}");
        }
    }
}
