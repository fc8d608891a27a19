//! HTTP+SSE of 2024-11-05: a stream of events that comes, and messages posted to where it says.
//!
//! The stream names the address first. It must be of the stream's own origin: what our credentials
//! are sent to is decided by the configuration, never by a server.
//!
//! SPEC: MCP 2024-11-05, transports, "HTTP with SSE"; threats T-111, T-167, T-174, T-204.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full};
use tokio::{sync::mpsc, time::timeout};

use super::{Trouble, session::Session, setting::Setting, spec::HttpSpec};
use crate::egress::{Body, Content, Egress, Events};

/// How long a posted message may take to be taken.
const TAKEN: Duration = Duration::from_secs(10);

/// Keeps the stream open and posts what is to be said, until either fails.
pub(super) async fn run(
    setting: &Setting,
    spec: &HttpSpec,
    session: &Session,
    queue: mpsc::Receiver<Bytes>,
) -> Trouble {
    // Only servers over HTTP come here, and those have a way out.
    let Some(egress) = &setting.egress else { return Trouble::NotStarted };
    match begin(setting, spec, egress).await {
        Err(why) => why,
        Ok((mut body, mut events, address)) => {
            let mut post = pin!(post(spec, egress, &address, session, queue));
            let mut read = pin!(read(&mut body, &mut events, session));
            tokio::select! {
                why = &mut post => why,
                why = &mut read => why,
            }
        }
    }
}

/// Opens the stream and waits for the address to post to.
async fn begin(setting: &Setting, spec: &HttpSpec, egress: &Egress) -> Result<(Body, Events, Uri), Trouble> {
    let patience = setting.options.start_timeout;
    let opening = async {
        let mut request = message(spec, spec.url.clone(), Bytes::new());
        *request.method_mut() = Method::GET;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = egress.send(request).await?;
        match response.status().as_u16() {
            200 => {}
            401 | 403 => return Err(Trouble::Refused),
            300..=399 => return Err(Trouble::Redirected),
            status => return Err(Trouble::Status(status)),
        }
        if !matches!(Content::of(response.headers()), Content::Events) {
            return Err(Trouble::Garbage);
        }
        let mut body = response.into_body();
        let mut events = Events::new(setting.options.largest_message);
        loop {
            while let Some(event) = events.next().map_err(|_| Trouble::TooLarge)? {
                if events.name() == b"endpoint" {
                    let address = address(&spec.url, &event).ok_or(Trouble::Redirected)?;
                    return Ok((body, events, address));
                }
            }
            let data = chunk(&mut body).await.ok_or(Trouble::Crashed)?;
            events.push(&data);
        }
    };
    timeout(patience, opening).await.map_err(|_| Trouble::TimedOut(patience))?
}

/// Where to post to, if it is of the stream's own origin.
fn address(stream: &Uri, named: &[u8]) -> Option<Uri> {
    let named = std::str::from_utf8(named).ok()?.trim();
    if named.contains("://") {
        let named: Uri = named.parse().ok()?;
        return (named.scheme() == stream.scheme() && named.authority() == stream.authority()).then_some(named);
    }
    // `//host/path` would be another host.
    let path = match named.strip_prefix('/') {
        Some(rest) if rest.starts_with(['/', '\\']) => return None,
        Some(_) => named.to_owned(),
        None => {
            let base = stream.path().rsplit_once('/').map_or("", |(base, _)| base);
            if named.starts_with('?') { format!("{}{named}", stream.path()) } else { format!("{base}/{named}") }
        }
    };
    let mut parts = stream.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// Posts message after message, in order; one that is not taken fails its own request alone.
async fn post(
    spec: &HttpSpec,
    egress: &Egress,
    address: &Uri,
    session: &Session,
    mut queue: mpsc::Receiver<Bytes>,
) -> Trouble {
    while let Some(line) = queue.recv().await {
        let sent = egress.send(message(spec, address.clone(), line.clone()));
        let failed = match timeout(TAKEN, sent).await {
            Err(_) => Trouble::TimedOut(TAKEN),
            Ok(Err(why)) => why.into(),
            Ok(Ok(response)) => match response.status().as_u16() {
                200..=299 => continue,
                401 | 403 => return Trouble::Refused,
                300..=399 => return Trouble::Redirected,
                status => Trouble::Status(status),
            },
        };
        let id = serde_json::from_slice::<serde_json::Value>(&line).ok().and_then(|line| line.get("id")?.as_u64());
        if let Some(id) = id {
            session.settle(id, Err(failed));
        }
    }
    Trouble::Stopped
}

async fn read(body: &mut Body, events: &mut Events, session: &Session) -> Trouble {
    loop {
        loop {
            match events.next() {
                Ok(Some(event)) => session.incoming(&event),
                Ok(None) => break,
                Err(_) => return Trouble::TooLarge,
            }
        }
        match chunk(body).await {
            Some(data) => events.push(&data),
            None => return Trouble::Crashed,
        }
        tokio::task::consume_budget().await;
    }
}

async fn chunk(body: &mut Body) -> Option<Bytes> {
    loop {
        if let Ok(data) = body.frame().await?.ok()?.into_data() {
            return Some(data);
        }
    }
}

fn message(spec: &HttpSpec, to: Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = to;
    let mut headers = spec.headers.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(super::http::AGENT));
    *request.headers_mut() = headers;
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t111_messages_go_to_the_origin_of_the_stream_alone() {
        let stream: Uri = "https://docs.example.com/v1/sse?k=1".parse().unwrap();
        for (named, expected) in [
            ("/messages?id=1", Some("https://docs.example.com/messages?id=1")),
            ("messages", Some("https://docs.example.com/v1/messages")),
            ("?id=2", Some("https://docs.example.com/v1/sse?id=2")),
            ("https://docs.example.com/m", Some("https://docs.example.com/m")),
            ("http://docs.example.com/m", None),
            ("https://docs.example.com:8443/m", None),
            ("https://evil.example.com/m", None),
            ("https://docs.example.com@evil.example.com/m", None),
            ("//evil.example.com/m", None),
            ("/\\evil.example.com/m", None),
            ("", Some("https://docs.example.com/v1/")),
            ("/a b", None),
        ] {
            let address = address(&stream, named.as_bytes()).map(|uri| uri.to_string());
            assert_eq!(address.as_deref(), expected, "{named}");
        }
    }
}
