//! Where the browser comes back to: a port of 127.0.0.1 that is open for one answer.
//!
//! Whatever else comes by (other paths, other methods, other hosts, another `state`) is turned away and changes
//! nothing: anybody on this machine, and any page in the browser, can knock here.
//!
//! INVARIANT: only an answer with our `state` ends the wait, and only one of the issuer that was asked gives a code.
//! SPEC: RFC 8252 §7.3, §8.3; RFC 9207 §2.4; OAuth 2.1 §4.1.2; AS-07, AS-08, AS-17, CL-18.

use std::{borrow::Cow, convert::Infallible, io, net::Ipv4Addr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use oauth2::url::form_urlencoded;
use subtle::ConstantTimeEq as _;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::error::SignInError;
use crate::{bridge::challenge::cleaned, secret::Secret};

/// The path of the redirect URI.
const PATH: &str = "/callback";
/// The redirect URI as it is registered: the port is another one each time (RFC 8252 §7.3).
pub(super) const REGISTERED: &str = "http://127.0.0.1/callback";
/// How many connections are served at once.
const MOST: usize = 16;
/// How long a connection may take to ask.
const SLOWEST: Duration = Duration::from_secs(10);
/// How long the browser may take to read its page.
const LINGER: Duration = Duration::from_millis(500);

/// The open port.
#[derive(Debug)]
pub(super) struct Landing {
    listener: TcpListener,
    host: String,
}

/// What an answer must hold to be ours.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) state: Secret<String>,
    pub(super) issuer: String,
    /// Whether the issuer says that it names itself in every answer.
    pub(super) names_itself: bool,
}

/// An answer: the code, or why there is none.
type Answered = Result<Secret<String>, SignInError>;

impl Landing {
    /// Opens a port that the system picks.
    pub(super) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let host = listener.local_addr()?.to_string();
        Ok(Self { listener, host })
    }

    /// The redirect URI.
    pub(super) fn uri(&self) -> String {
        format!("http://{}{PATH}", self.host)
    }

    /// Waits for the answer. Ends when it has come, and not before.
    pub(super) async fn answer(self, expected: Expected) -> Answered {
        let Self { listener, host } = self;
        let asked = Arc::new((expected, host));
        let room = Arc::new(Semaphore::new(MOST));
        let (tell, mut told) = mpsc::channel(1);
        let mut connections = JoinSet::new();
        let answered = loop {
            tokio::select! {
                Some(answered) = told.recv() => break answered,
                Some(_) = connections.join_next() => {}
                accepted = async {
                    let room = room.clone().acquire_owned().await;
                    listener.accept().await.map(|(stream, _)| (stream, room))
                } => {
                    let Ok((stream, room)) = accepted else { continue };
                    let (asked, tell) = (asked.clone(), tell.clone());
                    connections.spawn(async move {
                        let service = service_fn(|request: Request<Incoming>| {
                            let (status, answered) = hear(&request, &asked);
                            let page = page(status, answered.as_ref());
                            // One answer is enough.
                            drop(answered.map(|answered| tell.try_send(answered)));
                            async { Ok::<_, Infallible>(page) }
                        });
                        let mut builder = http1::Builder::new();
                        builder.timer(TokioTimer::new()).header_read_timeout(SLOWEST).keep_alive(false);
                        drop(builder.serve_connection(TokioIo::new(stream), service).await);
                        drop(room);
                    });
                }
            }
        };
        drop(listener);
        // The page is on its way.
        let ended = async { while connections.join_next().await.is_some() {} };
        drop(tokio::time::timeout(LINGER, ended).await);
        answered
    }
}

/// What a request says, if it is the answer; else with which status it is turned away.
fn hear<B>(request: &Request<B>, (expected, host): &(Expected, String)) -> (StatusCode, Option<Answered>) {
    let named = request.headers().get(header::HOST).map(HeaderValue::as_bytes);
    if named != Some(host.as_bytes()) || request.uri().path() != PATH {
        return (StatusCode::NOT_FOUND, None);
    }
    if request.method() != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, None);
    }
    let query: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).collect();
    // Twice is as good as not at all.
    let one = |name: &str| {
        let mut all = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        all.next().filter(|_| all.next().is_none())
    };
    let ours = one("state").is_some_and(|state| state.as_bytes().ct_eq(expected.state.expose().as_bytes()).into());
    if !ours {
        return (StatusCode::BAD_REQUEST, None);
    }
    let twice =
        ["code", "error", "iss"].into_iter().any(|name| query.iter().filter(|(key, _)| key == name).count() > 1);
    let other = match one("iss") {
        Some(issuer) => issuer != expected.issuer,
        None => expected.names_itself,
    };
    let answered = if other {
        Err(SignInError::OtherIssuer(cleaned(&expected.issuer)))
    } else if twice {
        Err(SignInError::Answer { what: AUTHORIZATION, wrong: "the same thing twice".into() })
    } else {
        match (one("code"), one("error")) {
            (Some(code), None) if !code.is_empty() => Ok(Secret::new(code.to_owned())),
            (None, Some("access_denied")) => Err(SignInError::Declined),
            (None, Some(code)) => Err(SignInError::Refused {
                what: AUTHORIZATION,
                code: cleaned(code),
                said: one("error_description").map(|said| format!(" ({})", cleaned(said))).unwrap_or_default(),
                help: "tell whoever runs it, or use `--token-file FILE`",
            }),
            (None | Some(_), None) | (Some(_), Some(_)) => {
                Err(SignInError::Answer { what: AUTHORIZATION, wrong: "neither a code nor an error".into() })
            }
        }
    };
    let status = if answered.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    (status, Some(answered))
}

const AUTHORIZATION: &str = "authorization endpoint";

/// What the browser shows. Nothing of the request is in it.
fn page(status: StatusCode, answered: Option<&Answered>) -> Response<Full<Bytes>> {
    let (head, text) = match answered {
        Some(Ok(_)) => ("You are signed in", "You can close this page and go back to where you came from."),
        Some(Err(SignInError::Declined)) => ("Access was declined", "Nothing was granted. You can close this page."),
        Some(Err(_)) => ("This did not work", "The program that sent you here says why. You can close this page."),
        None => ("Nothing is to be had here", "This address waits for the answer to a sign-in, and this is none."),
    };
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>{head}</title><h1>{head}</h1><p>{text}</p></html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(names_itself: bool) -> (Expected, String) {
        let state = Secret::new("right".to_owned());
        (Expected { state, issuer: "https://id.example".into(), names_itself }, "127.0.0.1:1".to_owned())
    }

    fn hears(target: &str, names_itself: bool) -> (StatusCode, Option<Answered>) {
        let request = Request::get(target).header(header::HOST, "127.0.0.1:1").body(()).unwrap();
        hear(&request, &expected(names_itself))
    }

    const ISSUER: &str = "iss=https%3A%2F%2Fid.example";

    #[test]
    fn as17_only_our_state_ends_the_wait() {
        for stray in [
            "/callback?code=x&state=wrong",
            "/callback?code=x",
            "/callback?code=x&state=right&state=right",
            "/callback?code=x&state=right&state=wrong",
            "/callback?error=access_denied",
            "/callback",
            "/callback/?code=x&state=right",
            "/favicon.ico",
            "/?code=x&state=right",
        ] {
            let (status, answered) = hears(stray, false);
            assert!(answered.is_none() && status.is_client_error(), "{stray}");
        }
        let (status, answered) = hears(&format!("/callback?code=x%2By&state=right&{ISSUER}"), true);
        assert_eq!((status, answered.unwrap().unwrap().expose().as_str()), (StatusCode::OK, "x+y"));
        assert_eq!(hears("/callback?code=x&state=right", false).1.unwrap().unwrap().expose(), "x");
    }

    #[test]
    fn a_rebound_name_and_other_methods_are_turned_away() {
        let target = "/callback?code=x&state=right";
        for host in ["evil.example:1", "localhost:1", "127.0.0.1:2"] {
            let request = Request::get(target).header(header::HOST, host).body(()).unwrap();
            assert!(hear(&request, &expected(false)).1.is_none(), "{host}");
        }
        for method in [Method::POST, Method::HEAD, Method::OPTIONS] {
            let request = Request::builder().method(method).uri(target).header(header::HOST, "127.0.0.1:1");
            assert!(hear(&request.body(()).unwrap(), &expected(false)).1.is_none());
        }
    }

    #[test]
    fn as07_as08_cl18_se09_t103_an_answer_of_another_issuer_gives_no_code() {
        for (query, names_itself) in [
            ("iss=https%3A%2F%2Fevil.example", false),
            ("iss=https%3A%2F%2Fid.example%2F", false),
            ("iss=https%3A%2F%2Fid.example&iss=https%3A%2F%2Fid.example", true),
            ("iss=https%3A%2F%2Fid.example&iss=https%3A%2F%2Fevil.example", false),
            ("x=y", true),
        ] {
            for answer in ["code=x", "error=access_denied"] {
                let (_, answered) = hears(&format!("/callback?{answer}&state=right&{query}"), names_itself);
                let error = answered.unwrap().unwrap_err();
                let told = matches!(error, SignInError::OtherIssuer(_) | SignInError::Answer { .. });
                assert!(told, "{answer} {query}: {error}");
            }
        }
    }

    #[test]
    fn what_was_refused_is_said_and_shown_safely() {
        let (_, answered) = hears(&format!("/callback?error=access_denied&state=right&{ISSUER}"), true);
        assert!(matches!(answered, Some(Err(SignInError::Declined))));
        let (_, answered) = hears("/callback?error=server_error&error_description=a%1B%5B31mb&state=right", false);
        let words = answered.unwrap().unwrap_err().to_string();
        assert!(words.starts_with("its authorization endpoint answered `server_error` (a\\u001b[31mb); "), "{words}");
        for strange in ["code=x&error=y", "code=", "nothing=x", "code=x&code=y"] {
            let (_, answered) = hears(&format!("/callback?{strange}&state=right"), false);
            assert!(matches!(answered, Some(Err(SignInError::Answer { .. }))), "{strange}");
        }
    }
}
