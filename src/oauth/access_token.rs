//! Access tokens: opaque, 256 bits, told from garbage without a look at the store.
//!
//! `pc_at_` + a key-id character + base64url(32 random bytes) + 8 characters of a keyed MAC over
//! all before them. The prefix lets secret scanners find leaks; the MAC only saves a read, what
//! counts is the digest in the store.
//!
//! INVARIANT: what is stored is HMAC-SHA-256 under a key that is not in the store (T-212).
//! SPEC: oauth §3.1.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};

use crate::{
    endpoint::Endpoint,
    id::Id,
    name::{ClientId, ScopeName, ServerName, ViewName},
    principal::Principal,
    seal::{self, Keys},
    secret::Secret,
    store::{NewToken, TokenRow},
};

const PREFIX: &str = "pc_at_";
/// The generation of keys; the next one is `1`.
const KEY_ID: char = '0';
const RANDOM_CHARS: usize = 43;
const CHECK_CHARS: usize = 8;
const LENGTH: usize = PREFIX.len() + 1 + RANDOM_CHARS + CHECK_CHARS;

/// The longest that a token may live.
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The keys that tokens are made and found with.
#[derive(Debug)]
pub struct TokenKeys {
    digest: Secret<[u8; 32]>,
    check: Secret<[u8; 32]>,
    audit: Secret<[u8; 32]>,
}

/// A token, to be given to its owner and forgotten.
#[derive(Debug)]
pub struct AccessToken(Secret<String>);

/// What a token is to be good for.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Whose it is.
    pub principal: Principal,
    /// The client that a person uses.
    pub client: Option<ClientId>,
    /// What it grants.
    pub scopes: Vec<ScopeName>,
    /// Where it is good.
    pub resource: Resource,
    /// For how long; never more than [`LONGEST_LIFE`].
    pub life: SignedDuration,
}

/// A text that has the form of a token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Under which the store would know it.
    pub mac: [u8; 32],
}

/// A text that cannot be a token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token of ours")]
pub struct Malformed;

impl TokenKeys {
    /// The token keys among `keys`.
    #[must_use]
    pub fn of(keys: &Keys) -> Self {
        let copy = |key: &Secret<[u8; 32]>| Secret::new(*key.expose());
        Self { digest: copy(&keys.token_mac), check: copy(&keys.token_check), audit: copy(&keys.audit_digest) }
    }

    /// Makes a token and what the store is to keep of it.
    #[must_use]
    pub fn mint(&self, issue: Issue, now: Timestamp, secret: [u8; 32], id: [u8; 10]) -> (AccessToken, NewToken) {
        let Issue { principal, client, mut scopes, resource, life } = issue;
        let mut text = format!("{PREFIX}{KEY_ID}{}", URL_SAFE_NO_PAD.encode(secret));
        text.push_str(&self.check_of(&text));
        scopes.sort_unstable();
        scopes.dedup();
        let life = life.clamp(SignedDuration::ZERO, LONGEST_LIFE);
        let row = TokenRow {
            id: Id::new(now, id),
            principal,
            client,
            scopes,
            resource: resource.0,
            family: None,
            grant: None,
            issued_at: now,
            expires_at: now.saturating_add(life).unwrap_or(now),
            revoked_at: None,
        };
        let mac = seal::mac(self.digest.expose(), text.as_bytes());
        (AccessToken(Secret::new(text)), NewToken { mac, row })
    }

    /// Looks at the form of `text`, without the store.
    ///
    /// # Errors
    /// When it cannot be a token of ours.
    pub fn look(&self, text: &str) -> Result<Looked, Malformed> {
        if text.len() != LENGTH || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(Malformed);
        }
        let (body, check) = text.split_at_checked(LENGTH - CHECK_CHARS).ok_or(Malformed)?;
        let known = body.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(KEY_ID));
        if !known || !alike(check.as_bytes(), self.check_of(body).as_bytes()) {
            return Err(Malformed);
        }
        Ok(Looked { mac: seal::mac(self.digest.expose(), text.as_bytes()) })
    }

    /// The name that the audit trail has for the token with this id.
    #[must_use]
    pub fn audit_name(&self, id: Id) -> String {
        let digest = seal::mac(self.audit.expose(), format!("token {id}").as_bytes());
        URL_SAFE_NO_PAD.encode(digest).chars().take(16).collect()
    }

    fn check_of(&self, body: &str) -> String {
        URL_SAFE_NO_PAD.encode(seal::mac(self.check.expose(), body.as_bytes())).chars().take(CHECK_CHARS).collect()
    }
}

impl AccessToken {
    /// The token itself, for the one place that hands it over.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Compares without telling where the difference is (T-214).
fn alike(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// The URL of an endpoint that a token can be good at: `<public_url>/mcp`, `…/mcp/SERVER` or `…/mcp/@VIEW`.
///
/// INVARIANT: in its canonical form, so that comparing is comparing text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(String);

/// Why a text is no resource of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// Another host, path or form.
    #[error("resource `{written}` is not one of ours; they are `{all}`, `{all}/SERVER` and `{all}/@VIEW`")]
    Foreign {
        /// As written.
        written: String,
        /// The resource of all servers.
        all: String,
    },
    /// Ours, but no such server.
    #[error("no server `{0}`")]
    UnknownServer(ServerName),
    /// Ours, but no such view.
    #[error("no view `{0}`")]
    UnknownView(ViewName),
}

impl Resource {
    /// All servers in one.
    #[must_use]
    pub fn all(public_url: &str) -> Self {
        Self::of(public_url, &Endpoint::All)
    }

    /// An endpoint.
    #[must_use]
    pub fn of(public_url: &str, endpoint: &Endpoint) -> Self {
        Self(format!("{public_url}{endpoint}"))
    }

    /// Reads a resource as people write it: case of scheme and host does not count (AZ-25), all
    /// else does.
    ///
    /// # Errors
    /// When it is not one of ours.
    pub fn read(written: &str, public_url: &str, known: impl Fn(&Endpoint) -> bool) -> Result<Self, ResourceError> {
        let all = Self::all(public_url);
        let foreign =
            || ResourceError::Foreign { written: written.escape_debug().take(200).collect(), all: all.0.clone() };
        let after_scheme = written.find("://").ok_or_else(foreign)? + 3;
        let host_end = written
            .get(after_scheme..)
            .and_then(|rest| rest.find(['/', '?', '#']))
            .map_or(written.len(), |at| after_scheme + at);
        let (origin, path) = written.split_at_checked(host_end).ok_or_else(foreign)?;
        if origin.to_ascii_lowercase() != public_url {
            return Err(foreign());
        }
        let endpoint: Endpoint = path.parse().map_err(|_| foreign())?;
        if known(&endpoint) {
            return Ok(Self::of(public_url, &endpoint));
        }
        Err(match endpoint {
            Endpoint::All => foreign(),
            Endpoint::One(server) => ResourceError::UnknownServer(server),
            Endpoint::View(view) => ResourceError::UnknownView(view),
        })
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> TokenKeys {
        TokenKeys::of(&Keys::from_master(&Secret::new([5; 32])))
    }

    fn issue(life: SignedDuration) -> Issue {
        Issue {
            principal: Principal::User("local/ana".parse().unwrap()),
            client: None,
            scopes: ["tag:b", "tag:a", "tag:b"].map(|scope| scope.parse().unwrap()).into(),
            resource: Resource::all("http://127.0.0.1:3050"),
            life,
        }
    }

    #[test]
    fn t212_tokens_are_stored_as_a_keyed_mac_only() {
        let now = Timestamp::UNIX_EPOCH;
        let (token, new) = keys().mint(issue(SignedDuration::from_hours(1)), now, [7; 32], [1; 10]);
        assert_eq!(token.expose().len(), LENGTH);
        assert_eq!(keys().look(token.expose()), Ok(Looked { mac: new.mac }));
        let other = TokenKeys::of(&Keys::from_master(&Secret::new([6; 32])));
        assert_eq!(other.look(token.expose()), Err(Malformed), "another key knows nothing of it");
        assert!(!format!("{token:?} {new:?} {:?}", keys()).contains(token.expose()));
        assert_eq!(new.row.scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>(), ["tag:a", "tag:b"]);
        assert_eq!(new.row.expires_at, Timestamp::from_second(3600).unwrap());
    }

    #[test]
    fn t049_no_life_is_longer_than_the_cap_or_negative() {
        let now = Timestamp::UNIX_EPOCH;
        for (life, expires) in [(SignedDuration::MAX, 90 * 24 * 3600), (SignedDuration::MIN, 0)] {
            assert_eq!(keys().mint(issue(life), now, [7; 32], [1; 10]).1.row.expires_at.as_second(), expires);
        }
    }

    #[test]
    fn t050_nothing_but_an_access_token_looks_like_one() {
        let (token, _) = keys().mint(issue(SignedDuration::from_hours(1)), Timestamp::UNIX_EPOCH, [7; 32], [1; 10]);
        let good = token.expose();
        for bad in [
            "",
            "pc_at_",
            "sk-123",
            "pc_rt_0",
            good.trim_start_matches('p'),
            &format!("{good}A"),
            &"pc_at_".repeat(20_000),
            &"é".repeat(29),
        ] {
            assert_eq!(keys().look(bad), Err(Malformed));
        }
        for at in 0..good.len() {
            let mut other = good.as_bytes().to_vec();
            other[at] = if other[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(keys().look(std::str::from_utf8(&other).unwrap()), Err(Malformed), "byte {at}");
        }
    }

    #[test]
    fn t042_a_resource_is_ours_to_the_letter_but_for_the_case_of_scheme_and_host() {
        let ours = "https://gw.example.com:8443";
        let known = |endpoint: &Endpoint| ["/mcp", "/mcp/files", "/mcp/@web"].contains(&&*endpoint.to_string());
        let read = |text: &str| Resource::read(text, ours, known).map(|resource| resource.0);
        assert_eq!(read("HTTPS://GW.Example.com:8443/mcp").unwrap(), format!("{ours}/mcp"));
        assert_eq!(read("https://gw.example.com:8443/mcp/files").unwrap(), format!("{ours}/mcp/files"));
        assert_eq!(
            read("https://gw.example.com:8443/mcp/nope"),
            Err(ResourceError::UnknownServer("nope".parse().unwrap()))
        );
        assert_eq!(read("https://gw.example.com:8443/mcp/@web").unwrap(), format!("{ours}/mcp/@web"));
        assert_eq!(
            read("https://gw.example.com:8443/mcp/@nope"),
            Err(ResourceError::UnknownView("nope".parse().unwrap()))
        );
        for bad in [
            "",
            "mcp",
            "https://gw.example.com:8443",
            "https://gw.example.com:8443/",
            "https://gw.example.com:8443/mcp/",
            "https://gw.example.com:8443/MCP",
            "https://gw.example.com:8443/mcp?x",
            "https://gw.example.com:8443/mcp#x",
            "https://gw.example.com:8443/mcp/Files",
            "https://gw.example.com:8443/mcp/@Web",
            "https://gw.example.com:8443/mcp/%40web",
            "https://gw.example.com:8443/mcp/@web/",
            "https://gw.example.com/mcp",
            "http://gw.example.com:8443/mcp",
            "https://x@gw.example.com:8443/mcp",
            "https://gw.example.com:8443\u{0}/mcp",
        ] {
            assert!(matches!(read(bad), Err(ResourceError::Foreign { .. })), "{bad}");
        }
    }
}
