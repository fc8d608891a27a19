//! One request of a connection: what the listener itself refuses, what it says of where it came from, and
//! the headers that every answer is given (`outgoing`).
//!
//! A request whose length is said in chunks is the last of its connection: whoever stands before us may
//! have read its length otherwise, and what follows it is then not a request of anybody we know.
//!
//! SPEC: RFC 9112 §6.1, §11.2; T-126, T-127, SM-31.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use poem::{
    Endpoint, Response,
    http::{HeaderMap, HeaderValue, StatusCode, Version, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};

use super::{
    forwarded::{Origin, Proxies},
    outgoing::Outgoing,
    places::{Guest, Visit},
    respond,
};
use crate::policy::EndpointClass;

/// What every request of a connection shares.
pub(super) struct Connection<E> {
    pub(super) endpoint: Arc<E>,
    pub(super) proxies: Arc<Proxies>,
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) guest: Arc<Guest>,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) tls: bool,
    pub(super) header_count: usize,
    pub(super) header_bytes: usize,
}

impl<E: Endpoint<Output = Response>> Connection<E> {
    /// Answers one request.
    pub(super) async fn answer(&self, request: hyper::Request<Incoming>) -> hyper::Response<Answer> {
        let visit = self.guest.visit();
        let (mut parts, body) = request.into_parts();
        let http_1 = parts.version < Version::HTTP_2;
        let chunked = http_1 && parts.headers.contains_key(header::TRANSFER_ENCODING);
        let class = EndpointClass::of_path(parts.uri.path());
        let (mut response, last, tls) = match self.refused(&parts.headers, chunked) {
            Some((status, word, message)) => (respond::plain(status, word, message), http_1, self.tls),
            None => {
                let origin =
                    self.proxies.origin(self.peer.ip(), self.tls, &parts.headers).unwrap_or_else(|malformed| {
                        parts.extensions.insert(malformed);
                        Origin { address: self.peer.ip(), tls: self.tls }
                    });
                let scheme = if origin.tls { Scheme::HTTPS } else { Scheme::HTTP };
                let remote = SocketAddr::new(origin.address, self.peer.port());
                let addresses = (LocalAddr(self.local.into()), RemoteAddr(remote.into()));
                let parts = poem::RequestParts::from((parts, addresses.0, addresses.1, scheme));
                let body = BoxBody::new(Arriving::new(body, Arc::clone(&visit)));
                let request = poem::Request::from_parts(parts, body.into());
                (self.endpoint.get_response(request).await, chunked, origin.tls)
            }
        };
        self.outgoing.give(class, tls, response.status(), response.headers_mut());
        let mut response = hyper::Response::<BoxBody<Bytes, io::Error>>::from(response);
        // A stream is ours to go on with, and a message is the peer's to read.
        let streams = response.body().size_hint().exact().is_none();
        if streams {
            visit.is_whole()
        } else {
            visit.is_answered()
        }
        if last {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Answer { body, visit, streams })
    }

    /// What is refused before anybody is asked about it.
    fn refused(&self, headers: &HeaderMap, chunked: bool) -> Option<(StatusCode, &'static str, &'static str)> {
        // HTTP/1 has its own count before this; HTTP/2 has none.
        let bytes = || headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
        if headers.len() > self.header_count || bytes() > self.header_bytes {
            let message = "the header section is larger than this gateway takes";
            return Some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", message));
        }
        let unclear = chunked && !plainly_chunked(headers);
        unclear.then_some((StatusCode::BAD_REQUEST, "bad-framing", "`Transfer-Encoding` must be `chunked` alone"))
    }
}

/// Exactly one field that says exactly `chunked`.
fn plainly_chunked(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::TRANSFER_ENCODING).iter();
    matches!((fields.next(), fields.next()), (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

/// A request's body, which tells when it is whole.
struct Arriving {
    body: Incoming,
    visit: Arc<Visit>,
}

impl Arriving {
    fn new(body: Incoming, visit: Arc<Visit>) -> Self {
        if body.is_end_stream() {
            visit.is_whole();
        }
        Self { body, visit }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.visit.is_whole();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body: as long as it is sent, the request is not at its end.
///
/// A piece of a stream that is handed over is the peer's to read, until there is room for another and it
/// is asked for: who does not take it is sent away as who takes no other answer (T-196).
pub(super) struct Answer {
    body: BoxBody<Bytes, io::Error>,
    visit: Arc<Visit>,
    streams: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.streams {
            self.visit.is_whole();
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if self.streams {
            self.visit.is_answered();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};

    use super::{super::places::Places, *};

    #[tokio::test]
    async fn t196_a_piece_that_is_handed_over_is_up_to_its_reader_until_the_next_is_asked_for() {
        let place = Places::new(1).take().await.unwrap();
        let (send, pieces) = tokio::sync::mpsc::channel::<Bytes>(4);
        let stream = futures_util::stream::unfold(pieces, async |mut pieces| {
            Some((Ok::<_, io::Error>(Frame::data(pieces.recv().await?)), pieces))
        });
        let (visit, body) = (place.guest().visit(), BoxBody::new(StreamBody::new(stream)));
        visit.is_whole();
        let mut answer = Answer { body, visit, streams: true };
        // Nothing to say: it is ours to say something, and nobody is sent away for that.
        assert!(futures_util::poll!(answer.frame()).is_pending());
        assert!(!place.guest().waits_for_peer());
        send.send(Bytes::from_static(b"one")).await.unwrap();
        assert!(answer.frame().await.unwrap().unwrap().is_data());
        // There is no room for more until the peer reads: who does not is dismissed by `places`.
        assert!(place.guest().waits_for_peer());
        assert!(futures_util::poll!(answer.frame()).is_pending());
        assert!(!place.guest().waits_for_peer());
        drop(answer);
        assert!(place.guest().waits_for_peer());
    }
}
