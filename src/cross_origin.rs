//! What a browser is told of answers to pages of other origins: whether they may read them, and what they
//! may send.
//!
//! Who may is decided before, by *admit* (`check/origin`): a request of a page that may not is refused and
//! says nothing of this. Pages of people (authorize, consent, sign-in, grants) say nothing of it either.
//! Tokens travel in `Authorization`, which a page sets itself; cookies need `cors.credentials`.
//!
//! INVARIANT: `Access-Control-Allow-Origin` is the one origin that asked, or `*` where the file says so and
//! then never with credentials.
//! SPEC: Fetch §3.2; SM-22, T-120, OA-17.

use crate::{
    config::Cors,
    policy::{Arrival, EndpointClass, Origin},
};

/// How long a browser may keep what a preflight was answered, in seconds.
const MAX_AGE: &str = "600";
/// What a page may send besides what every page may.
const SENT: &str = "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id, Traceparent, Tracestate";
/// What a page may read besides what every page may.
const READ: &str =
    "WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version, Retry-After, RateLimit, RateLimit-Policy, Allow";
/// The most fields beyond [`SENT`] that a preflight may ask for.
const MOST: usize = 32;

/// A page of another origin that *admit* let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it asks.
    pub class: EndpointClass,
    /// What it is called in the answer: its origin, or `*`.
    origin: String,
    credentials: bool,
}

impl Page {
    /// The page behind a request that was let in; nothing where there is none but our own, or where the
    /// endpoint is not for pages of others.
    #[must_use]
    pub fn of(arrival: &Arrival, cors: &Cors) -> Option<Self> {
        let Origin { text, own, loopback: _ } = arrival.origin.as_ref()?;
        if *own || methods(arrival.class).is_none() {
            return None;
        }
        let any = cors.any.is_some() && !cors.origins.iter().any(|origin| origin.value == *text);
        let origin = if any { "*".to_owned() } else { text.clone() };
        Some(Self { class: arrival.class, origin, credentials: cors.credentials && !any })
    }

    /// The fields that let the page read an answer.
    pub fn reads(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.is_let_in().chain([("access-control-expose-headers", READ)])
    }

    /// The fields of the answer to a preflight that asks to send these fields.
    pub fn preflight(&self, asked: &str) -> impl Iterator<Item = (&'static str, String)> {
        let fields = [
            ("access-control-allow-headers", sent(asked)),
            ("access-control-allow-methods", methods(self.class).unwrap_or_default().to_owned()),
            ("access-control-max-age", MAX_AGE.to_owned()),
        ];
        self.is_let_in().map(|(name, value)| (name, value.to_owned())).chain(fields)
    }

    fn is_let_in(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let credentials = self.credentials.then_some(("access-control-allow-credentials", "true"));
        [("access-control-allow-origin", self.origin.as_str())].into_iter().chain(credentials)
    }
}

/// Whether an answer is another for pages of another origin.
#[must_use]
pub const fn varies(class: EndpointClass) -> bool {
    methods(class).is_some()
}

/// The methods that pages of other origins may use; nothing where the endpoint is not for them.
const fn methods(class: EndpointClass) -> Option<&'static str> {
    match class {
        EndpointClass::Mcp => Some("GET, POST, DELETE"),
        EndpointClass::Health | EndpointClass::Jwks | EndpointClass::Metadata => Some("GET"),
        EndpointClass::Register | EndpointClass::Revoke | EndpointClass::Token => Some("POST"),
        EndpointClass::Authorize
        | EndpointClass::Consent
        | EndpointClass::Elsewhere
        | EndpointClass::Grants
        | EndpointClass::Introspect
        | EndpointClass::Login => None,
    }
}

/// What may be sent: the fixed list, and the fields of the protocol that are asked for, whose names
/// depend on the tool.
fn sent(asked: &str) -> String {
    let names = asked.split(',').map(|name| name.trim().to_ascii_lowercase());
    let token = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let more = names.filter(|name| name.starts_with("mcp-") && name.len() <= 80 && token(name)).take(MOST);
    more.fold(SENT.to_owned(), |mut list, name| {
        list.push_str(", ");
        list.push_str(&name);
        list
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t120_only_fields_of_the_protocol_are_allowed_beyond_the_list() {
        let more = |asked: &str| sent(asked).strip_prefix(SENT).unwrap().to_owned();
        assert_eq!(more("content-type,mcp-param-path, X-Admin"), ", mcp-param-path");
        assert_eq!(more("mcp-a b, mcp-\r\nx"), "");
        assert_eq!(more(&vec!["mcp-x"; 1_000].join(",")).matches("mcp-x").count(), MOST);
    }

    #[test]
    fn oa17_no_page_of_people_is_for_pages_of_others() {
        for class in EndpointClass::ALL {
            // What no page of another origin gets into says nothing to one.
            assert!(!varies(class) || crate::compile::takes_other_pages(class), "{class}");
        }
    }
}
