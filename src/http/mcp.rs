//! `/mcp`, `/mcp/{server}` and `/mcp/@{view}`: a request read within its limits, the gateway's answer written.
//!
//! The limits of a body are counted on received bytes; what it says of its own length is believed
//! only where it is too much. A stream's record is closed by the stream itself.
//!
//! SPEC: MCP Streamable HTTP; TR-01, TR-04…TR-07, TR-11, TR-31, TR-33, TR-39, PX-11; T-011, T-191, T-193.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use poem::{
    Body, Endpoint as PoemEndpoint, Request, Response,
    http::{HeaderMap, Method, StatusCode, header, uri::Scheme},
    web::RemoteAddr,
};

use super::{method_not_allowed, respond};
use crate::{
    detect::Detectors,
    gateway::{Answer, Endpoint, Gateway, Message, News, Peer, Pending, Received, Refusal, Said, Way},
    mcp::{self, Era, envelope},
    policy::{Because, Decision},
    record as trail,
};

/// The methods that an endpoint takes.
const WAYS: &str = "GET, POST, DELETE";

/// The endpoint.
#[derive(Clone)]
pub(super) struct Mcp {
    gateway: Arc<Gateway>,
}

impl Mcp {
    pub(super) const fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway }
    }
}

impl PoemEndpoint for Mcp {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let way = match *request.method() {
            Method::POST => Way::Post,
            Method::GET => Way::Get,
            Method::DELETE => Way::Delete,
            _ => return Ok(method_not_allowed(WAYS)),
        };
        let Some(endpoint) = endpoint(&request) else {
            return Ok(respond::plain(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"));
        };
        let found = found(&request);
        let (peer, tls) = (peer(&request), *request.scheme() == Scheme::HTTPS);
        let body = match way {
            Way::Post => self.body(&mut request).await,
            // Nothing of a body is read that means nothing.
            Way::Get | Way::Delete => Ok(Bytes::new()),
        };
        let (body, unread) = match body {
            Ok(body) => (body, None),
            Err(unread) => (Bytes::new(), Some(unread)),
        };
        let here = endpoint.clone();
        let received = Received {
            way,
            endpoint,
            query: request.uri().query().map(str::to_owned),
            headers: std::mem::take(request.headers_mut()),
            body,
            peer,
            tls,
            started,
            found,
        };
        let Some(unread) = unread else { return Ok(self.write(self.gateway.handle(received).await, &here)) };
        let turned_away = match unread {
            Unread::NotJson | Unread::Encoded => self.gateway.turned_away(&received).await,
            // Of these nothing is known but that they are no requests.
            Unread::TooLarge | Unread::TooSlow | Unread::Broken => None,
        };
        let mut response = match turned_away {
            Some(answer) => self.write(answer, &here),
            None => self.unread(&received.peer, started, unread, found),
        };
        // What is left of the body is not waited for.
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        Ok(response)
    }
}

/// A body that is not read, or not to its end.
#[derive(Debug, Clone, Copy)]
enum Unread {
    TooLarge,
    TooSlow,
    Broken,
    NotJson,
    Encoded,
}

impl Unread {
    const fn form(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "the body is larger than this gateway takes")
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body-too-slow", "the body did not arrive in time"),
            Self::Broken => {
                (StatusCode::BAD_REQUEST, "body-broken", "the body ended early or is not framed as HTTP asks")
            }
            Self::NotJson => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "`Content-Type` must be `application/json`")
            }
            Self::Encoded => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded", "compressed bodies are not taken"),
        }
    }
}

impl Mcp {
    /// The body of a request, within its limits.
    async fn body(&self, request: &mut Request) -> Result<Bytes, Unread> {
        if let Some(refused) = unreadable(request.headers()) {
            return Err(refused);
        }
        let revision = self.gateway.revision();
        let limits = &revision.snapshot.config.listen.limits;
        let declared = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse::<usize>().ok());
        let mut body = request.take_body().into_bytes_stream();
        let read = async {
            if declared.is_some_and(|length| length > limits.body) {
                Err(Unread::TooLarge)
            } else {
                whole(&mut body, limits.body).await
            }
        };
        match tokio::time::timeout(limits.request, read).await {
            Ok(Err(Unread::TooLarge)) => {
                drain(&mut body, limits.body.saturating_mul(4).max(1 << 20)).await;
                Err(Unread::TooLarge)
            }
            Ok(read) => read,
            Err(_) => Err(Unread::TooSlow),
        }
    }

    /// The answer to a request that was refused as it came in.
    pub(super) fn refused_entering(
        &self,
        peer: &Peer,
        started: Instant,
        refused: (Refusal, Decision),
        found: Detectors,
        modern: bool,
    ) -> Response {
        self.write(self.gateway.refused_entering(peer, started, refused, found, modern), &Endpoint::All)
    }

    fn unread(&self, peer: &Peer, started: Instant, unread: Unread, found: Detectors) -> Response {
        let decision = Decision::deny(Because::ValidationFailed);
        refused_early(&self.gateway, peer.clone(), started, unread.form(), &decision, found)
    }

    fn write(&self, answer: Answer, endpoint: &Endpoint) -> Response {
        let Answer { outcome, pending, modern, session } = answer;
        let era = if modern { Era::Modern } else { Era::Legacy };
        match outcome {
            Said::Noted => respond::empty(StatusCode::ACCEPTED),
            Said::Ended => self.done(pending, respond::empty(StatusCode::NO_CONTENT), endpoint),
            Said::Messages(messages) => {
                let stream = futures_util::stream::unfold(messages, |mut messages| async move {
                    let news = messages.next().await?;
                    Some((Ok::<_, io::Error>(event(&news)), messages))
                });
                respond::stream(Body::from_bytes_stream(stream))
            }
            Said::Stream(stream) => {
                let stream = futures_util::stream::unfold(stream, |mut stream| async move {
                    let news = stream.next().await?;
                    Some((Ok::<_, io::Error>(event(&news)), stream))
                });
                self.done(pending, respond::stream(Body::from_bytes_stream(stream)), endpoint)
            }
            Said::Message(Message { body, code, is_error }) => {
                let status = respond::answered(code, modern);
                let bytes = body.len() as u64;
                let response = trail::Response { status: status.as_u16(), code, is_error, bytes, us: 0 };
                match self.gateway.close(pending, response) {
                    Ok(()) => {
                        let mut response = respond::json(status, body);
                        if let Some(id) = session.and_then(|id| id.parse().ok()) {
                            response.headers_mut().insert(mcp::header::SESSION_ID, id);
                        }
                        response
                    }
                    Err(lost) => {
                        let body = envelope::error(None, &lost.error_object("", era));
                        self.refuse(&lost, respond::status(&lost, modern), body, endpoint)
                    }
                }
            }
            Said::Refused { refusal, id, decision } => {
                let status_of = if id.is_some() { respond::status } else { respond::status_of_unanswered };
                let as_told = status_of(&refusal, modern);
                let status = as_told.as_u16();
                let code = Some(i64::from(refusal.code(era)));
                let body = envelope::error(id.as_ref(), &refusal.error_object(&decision, era));
                let response = trail::Response { status, code, is_error: None, bytes: body.len() as u64, us: 0 };
                match self.gateway.close(pending, response) {
                    Ok(()) => self.refuse(&refusal, as_told, body, endpoint),
                    Err(lost) => {
                        let body = envelope::error(id.as_ref(), &lost.error_object(&decision, era));
                        self.refuse(&lost, respond::status(&lost, modern), body, endpoint)
                    }
                }
            }
        }
    }

    /// An answer without a message, once it is written down.
    fn done(&self, pending: Pending, response: Response, endpoint: &Endpoint) -> Response {
        let status = response.status().as_u16();
        match self.gateway.close(pending, trail::Response { status, code: None, is_error: None, bytes: 0, us: 0 }) {
            Ok(()) => response,
            Err(lost) => {
                let body = envelope::error(None, &lost.error_object("", Era::Legacy));
                self.refuse(&lost, respond::status(&lost, false), body, endpoint)
            }
        }
    }

    fn refuse(&self, refusal: &Refusal, status: StatusCode, body: Vec<u8>, endpoint: &Endpoint) -> Response {
        let mut response = respond::json(status, body);
        if *refusal == Refusal::NotAllowed {
            response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
        }
        respond::limits(refusal, response.headers_mut());
        let revision = self.gateway.revision();
        let metadata = super::well_known::url(&revision.snapshot.public_url, endpoint);
        let challenge = respond::challenge(refusal, &metadata, &revision.snapshot.baseline);
        if let Some(challenge) = challenge.and_then(|challenge| challenge.parse().ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The refusal of a request that was not even read, once it is written down.
pub(super) fn refused_early(
    gateway: &Arc<Gateway>,
    peer: Peer,
    started: Instant,
    (status, word, message): (StatusCode, &str, &str),
    decision: &Decision,
    found: Detectors,
) -> Response {
    let response = respond::plain(status, word, message);
    match gateway.refused_early(peer, started, (word, status.as_u16()), decision, found) {
        Ok(()) => response,
        Err(refusal) => respond::plain(StatusCode::SERVICE_UNAVAILABLE, "no-audit", &refusal.message()),
    }
}

/// Which endpoint a path names; nothing for a name that no server and no view can have.
fn endpoint(request: &Request) -> Option<Endpoint> {
    request.uri().path().parse().ok()
}

/// What was found in the head of a request.
pub(super) fn found(request: &Request) -> Detectors {
    request.extensions().get::<Detectors>().copied().unwrap_or_default()
}

pub(super) fn peer(request: &Request) -> Peer {
    let RemoteAddr(address) = request.remote_addr();
    let address =
        address.as_socket_addr().map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |address| address.ip().to_canonical());
    let agent =
        request.headers().get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
    Peer { address, agent }
}

/// A body that is not plain JSON is not read: it would be decided on by one reader and run by another.
fn unreadable(headers: &HeaderMap) -> Option<Unread> {
    let encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Some(Unread::Encoded);
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else { return Some(Unread::NotJson) };
    let kind = kind.to_str().unwrap_or_default();
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let parameters = parameters.trim();
    let charset = parameters.is_empty()
        || ["charset=utf-8", "charset=\"utf-8\""].iter().any(|utf8| parameters.eq_ignore_ascii_case(utf8));
    if essence.trim().eq_ignore_ascii_case("application/json") && charset { None } else { Some(Unread::NotJson) }
}

/// A body to its end, counted as it comes.
async fn whole(body: &mut (impl Stream<Item = io::Result<Bytes>> + Unpin), most: usize) -> Result<Bytes, Unread> {
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        if first.len() + rest.len() + chunk.len() > most {
            return Err(Unread::TooLarge);
        }
        // Most bodies come in one piece, which is then not copied.
        if first.is_empty() && rest.is_empty() {
            first = chunk;
        } else {
            rest.extend_from_slice(&first);
            first = Bytes::new();
            rest.extend_from_slice(&chunk);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.into() })
}

/// Reads on for a little, so that a caller who is still writing gets to read the refusal: who sends a little too
/// much at least.
async fn drain(body: &mut (impl Stream<Item = io::Result<Bytes>> + Unpin), most: usize) {
    let drained = async {
        let mut read = 0;
        while let Some(Ok(chunk)) = body.next().await {
            read += chunk.len();
            if read > most {
                break;
            }
        }
    };
    // Whether it ended or not, the refusal follows.
    _ = tokio::time::timeout(Duration::from_millis(500), drained).await;
}

/// One message as one event, or a comment: a JSON text has no line break outside its strings, and
/// none inside them.
fn event(news: &News) -> Bytes {
    let News::Message(message) = news else { return Bytes::from_static(b": \n\n") };
    let mut event = Vec::with_capacity(message.len() + 24);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend_from_slice(message);
    event.extend_from_slice(b"\n\n");
    event.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t011_only_plain_json_is_read() {
        let with = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap())).collect()
        };
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
        ] {
            assert!(unreadable(&with(&[("content-type", kind)])).is_none(), "{kind}");
        }
        for kind in [
            "text/plain",
            "application/x-json",
            "multipart/form-data",
            "application/json;charset=utf-7",
            "application/json, text/plain",
        ] {
            assert!(unreadable(&with(&[("content-type", kind)])).is_some(), "{kind}");
        }
        assert!(unreadable(&HeaderMap::new()).is_some());
        assert!(unreadable(&with(&[("content-type", "application/json"), ("content-encoding", "gzip")])).is_some());
    }
}
