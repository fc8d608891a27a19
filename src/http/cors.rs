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

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};

use super::respond;
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
#[derive(Debug)]
pub(super) struct Page {
    class: EndpointClass,
    origin: HeaderValue,
    credentials: bool,
    /// What a preflight asks for; nothing where the request is none.
    preflight: Option<String>,
}

impl Page {
    /// The page behind a request that was let in; nothing where there is none but our own, or where the
    /// endpoint is not for pages of others.
    pub(super) fn of(arrival: &Arrival, method: &Method, headers: &HeaderMap, cors: &Cors) -> Option<Self> {
        let Origin { text, own, loopback: _ } = arrival.origin.as_ref()?;
        if *own || methods(arrival.class).is_none() {
            return None;
        }
        let listed = cors.origins.iter().any(|origin| origin.value == *text);
        let any = cors.any.is_some() && !listed;
        let origin = if any { HeaderValue::from_static("*") } else { HeaderValue::from_str(text).ok()? };
        let preflight = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let asked = || {
            let lines = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
            lines.filter_map(|line| line.to_str().ok()).collect::<Vec<_>>().join(",")
        };
        Some(Self {
            class: arrival.class,
            origin,
            credentials: cors.credentials && !any,
            preflight: preflight.then(asked),
        })
    }

    /// The answer to a preflight, where the request is one.
    pub(super) fn preflight(&self) -> Option<Response> {
        let asked = self.preflight.as_ref()?;
        let mut response = respond::empty(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        let methods = methods(self.class).unwrap_or_default();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        if let Ok(sent) = HeaderValue::from_str(&sent(asked)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, sent);
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        for name in [header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_REQUEST_HEADERS] {
            headers.append(header::VARY, HeaderValue::from(name));
        }
        Some(response)
    }

    /// Lets the page read an answer.
    pub(super) fn let_read(&self, answer: &mut HeaderMap) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        if self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if self.preflight.is_none() {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
        }
    }
}

/// Says of an answer that it is another for pages of another origin, as those of its endpoint are.
pub(super) fn vary(class: EndpointClass, answer: &mut HeaderMap) {
    if methods(class).is_some() {
        answer.append(header::VARY, HeaderValue::from(header::ORIGIN));
    }
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
    let more = names.filter(|name| name.starts_with("mcp-") && name.len() <= 80);
    let more = more.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).take(MOST);
    more.fold(SENT.to_owned(), |mut list, name| {
        list.push_str(", ");
        list.push_str(name.as_str());
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
            assert!(methods(class).is_none() || crate::compile::takes_other_pages(class), "{class}");
        }
    }
}
