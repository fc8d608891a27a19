//! A gateway that wants a token and its authorization server, for what a client does with them: everybody is
//! signed in and says yes. What they do wrong is for a test to say.
//!
//! Refresh tokens are used once: a second use gives the same successor while that is unused, and ends everything
//! once it is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth2::url::form_urlencoded;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    fake_http::{Answer, Fake, Seen, answer},
    running::{self, parse},
};

type Form = BTreeMap<String, String>;

/// What it does, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What replaces members of the metadata documents, by path; null removes one.
    pub(crate) documents: BTreeMap<&'static str, Value>,
    /// The members of the answer in the browser that are others: empty ones are left out.
    pub(crate) answers: BTreeMap<&'static str, String>,
    /// The challenge of a 401, if it is another.
    pub(crate) challenge: Option<String>,
    /// What a call needs besides the token.
    pub(crate) needs: Option<&'static str>,
    /// How many seconds an access token is said to live.
    pub(crate) life: Option<u64>,
    /// How many answers of the token endpoint are lost on their way.
    pub(crate) lost: usize,
    /// The scopes that are granted, where they are not those that were asked for.
    pub(crate) grants: Option<String>,
    /// Clients that it has forgotten.
    pub(crate) forgotten: BTreeSet<String>,
    /// Every secret that it has issued.
    pub(crate) issued: Vec<String>,
    codes: BTreeMap<String, Form>,
    /// By access token: its scopes.
    live: BTreeMap<String, String>,
    /// By refresh token: its scopes and its successor, once it was used.
    renewals: BTreeMap<String, (String, Option<(String, String)>)>,
    registered: usize,
}

impl State {
    fn issue(&mut self, kind: &str) -> String {
        let token = format!("{kind}_{}_{:016x}", self.issued.len(), rand_like(self.issued.len()));
        self.issued.push(token.clone());
        token
    }

    /// Access tokens are good no more.
    pub(crate) fn expire(&mut self) {
        self.live.clear();
    }

    /// Nothing is good any more.
    pub(crate) fn revoke(&mut self) {
        self.live.clear();
        self.renewals.clear();
    }

    fn pair(&mut self, scopes: &str) -> (String, String) {
        let (access, refresh) = (self.issue("at"), self.issue("rt"));
        self.live.insert(access.clone(), scopes.to_owned());
        self.renewals.insert(refresh.clone(), (scopes.to_owned(), None));
        (access, refresh)
    }
}

/// Not random, and found nowhere by chance.
fn rand_like(n: usize) -> u64 {
    (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Both of them.
pub(crate) struct Authority {
    pub(crate) fake: Fake,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Authority {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let own = state.clone();
        let fake = Fake::start(move |seen| serve(seen, &mut own.lock().unwrap())).await;
        Self { fake, state }
    }

    /// Changes what it does.
    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// The requests for a path, in the order in which they came.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        self.fake.seen().into_iter().filter(|seen| seen.target.split('?').next() == Some(path)).collect()
    }
}

/// The parameters of a query or a form.
pub(crate) fn form(text: &str) -> Form {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Gets a page, as a browser would, without going on where it redirects to.
pub(crate) fn get(url: &str) -> running::Answer {
    send("GET", url, None)
}

/// The same by another method, or with another name for the host.
pub(crate) fn send(method: &str, url: &str, host: Option<&str>) -> running::Answer {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let host = host.unwrap_or(address);
    write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    parse(&bytes)
}

/// Goes where a page sends a browser, to the end.
pub(crate) fn follow(url: &str) -> running::Answer {
    let answer = get(url);
    match answer.header("location").map(str::to_owned) {
        Some(next) => follow(&next),
        None => answer,
    }
}

fn serve(seen: &Seen, state: &mut State) -> Answer {
    let host = format!("http://{}", seen.headers["host"]);
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    match path {
        "/mcp" => mcp(seen, state, &host),
        "/.well-known/oauth-protected-resource/mcp" => document(
            state,
            "resource",
            json!({
                "resource": format!("{host}/mcp"), "authorization_servers": [host], "scopes_supported": ["tag:base"],
            }),
        ),
        "/.well-known/oauth-authorization-server" => document(
            state,
            "server",
            json!({
                "issuer": host,
                "authorization_endpoint": format!("{host}/authorize"),
                "token_endpoint": format!("{host}/token"),
                "registration_endpoint": format!("{host}/register"),
                "revocation_endpoint": format!("{host}/revoke"),
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["tag:base", "offline_access"],
                "authorization_response_iss_parameter_supported": true,
            }),
        ),
        "/register" => {
            state.registered += 1;
            let mut told = seen.body.clone();
            told["client_id"] = json!(format!("client-{}", state.registered));
            answer("201 Created", "content-type: application/json\r\n", &told.to_string())
        }
        "/authorize" => authorize(query, state, &host),
        "/token" => token(&form(&seen.text), state),
        "/revoke" => {
            state.revoke();
            answer("200 OK", "", "")
        }
        _ => answer("404 Not Found", "", ""),
    }
}

fn document(state: &State, which: &str, mut document: Value) -> Answer {
    for (key, value) in state.documents.get(which).and_then(Value::as_object).into_iter().flatten() {
        document[key] = value.clone();
    }
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    answer("200 OK", "content-type: application/json\r\n", &document.to_string())
}

fn mcp(seen: &Seen, state: &State, host: &str) -> Answer {
    let metadata = format!("resource_metadata=\"{host}/.well-known/oauth-protected-resource/mcp\"");
    let bearer = seen.headers.get("authorization").and_then(|bearer| bearer.strip_prefix("Bearer "));
    let Some(scopes) = bearer.and_then(|bearer| state.live.get(bearer)) else {
        let challenge = state.challenge.clone().unwrap_or_else(|| format!("Bearer {metadata}, scope=\"tag:base\""));
        return answer("401 Unauthorized", &format!("www-authenticate: {challenge}\r\n"), "");
    };
    if let Some(needs) = state.needs.filter(|needs| needs.split(' ').any(|need| !scopes.split(' ').any(|s| s == need)))
    {
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needs}\", {metadata}");
        return answer("403 Forbidden", &format!("www-authenticate: {challenge}\r\n"), "");
    }
    let body = json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": {"scopes": scopes}});
    answer("200 OK", "content-type: application/json\r\n", &body.to_string())
}

fn authorize(query: &str, state: &mut State, host: &str) -> Answer {
    let asked = form(query);
    if state.forgotten.contains(&asked["client_id"]) {
        return answer("400 Bad Request", "content-type: text/html\r\n", "unknown client");
    }
    let code = state.issue("code");
    let mut told: BTreeMap<&str, String> =
        BTreeMap::from([("code", code.clone()), ("state", asked["state"].clone()), ("iss", host.to_owned())]);
    told.extend(state.answers.clone());
    told.retain(|_, value| !value.is_empty());
    let mut location = format!("{}?", asked["redirect_uri"]);
    location.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(told).finish());
    state.codes.insert(code, asked);
    answer("303 See Other", &format!("location: {location}\r\n"), "")
}

fn token(asked: &Form, state: &mut State) -> Answer {
    let refuse = |code: &str| {
        answer("400 Bad Request", "content-type: application/json\r\n", &json!({"error": code}).to_string())
    };
    let of = |key: &str| asked.get(key).cloned().unwrap_or_default();
    if state.forgotten.contains(&of("client_id")) {
        return refuse("invalid_client");
    }
    let (access, refresh, scopes) = match of("grant_type").as_str() {
        "authorization_code" => {
            let Some(request) = state.codes.remove(&of("code")) else { return refuse("invalid_grant") };
            let made = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier").as_bytes()));
            let same = ["client_id", "redirect_uri", "resource"].iter().all(|key| asked.get(*key) == request.get(*key));
            if made != request["code_challenge"] || request["code_challenge_method"] != "S256" || !same {
                return refuse("invalid_grant");
            }
            let scopes = state.grants.clone().unwrap_or_else(|| request.get("scope").cloned().unwrap_or_default());
            let (access, refresh) = state.pair(&scopes);
            (access, refresh, scopes)
        }
        "refresh_token" => {
            let refresh = of("refresh_token");
            let Some((scopes, successor)) = state.renewals.get(&refresh).cloned() else {
                return refuse("invalid_grant");
            };
            let (access, next) = match successor {
                None => state.pair(&scopes),
                Some((_, next)) if state.renewals.get(&next).is_none_or(|(_, used)| used.is_some()) => {
                    state.revoke();
                    return refuse("invalid_grant");
                }
                Some(same) => same,
            };
            state.renewals.get_mut(&refresh).unwrap().1 = Some((access.clone(), next.clone()));
            (access, next, scopes)
        }
        _ => return refuse("unsupported_grant_type"),
    };
    let body = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": state.life.unwrap_or(900), "refresh_token": refresh,
        "scope": scopes.split(' ').filter(|scope| *scope != "offline_access").collect::<Vec<_>>().join(" "),
    });
    if state.lost > 0 {
        state.lost -= 1;
        return Answer::Last(Vec::new());
    }
    answer("200 OK", "content-type: application/json\r\ncache-control: no-store\r\n", &body.to_string())
}
