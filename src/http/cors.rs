//! The HTTP form of what a browser is told of answers to pages of other origins; `cross_origin` says what.

use poem::{
    Response,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};

use super::respond;
use crate::{
    cross_origin::{Page, varies},
    policy::EndpointClass,
};

/// The answer to a preflight of a page that may come in; nothing where the request is none.
pub(super) fn preflight(page: &Page, request: &poem::Request) -> Option<Response> {
    let fields = request.headers();
    if *request.method() != http::Method::OPTIONS || !fields.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let lines = fields.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let asked = lines.filter_map(|line| line.to_str().ok()).collect::<Vec<_>>().join(",");
    let mut response = respond::empty(StatusCode::NO_CONTENT);
    let answer = response.headers_mut();
    for (name, value) in page.preflight(&asked) {
        set(answer, name, &value);
    }
    for name in [header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_REQUEST_HEADERS] {
        answer.append(header::VARY, HeaderValue::from(name));
    }
    Some(response)
}

/// Lets the page read an answer.
pub(super) fn let_read(page: &Page, answer: &mut HeaderMap) {
    page.reads().for_each(|(name, value)| set(answer, name, value));
}

/// Says of an answer that it is another for pages of another origin, as those of its endpoint are.
pub(super) fn vary(class: EndpointClass, answer: &mut HeaderMap) {
    if varies(class) {
        answer.append(header::VARY, HeaderValue::from(header::ORIGIN));
    }
}

fn set(answer: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.insert(HeaderName::from_static(name), value);
    }
}
