//! Metadata documents of clients, got over real TLS from a site that does as it is told.
//!
//! The site is on this machine, which the guard refuses unless `oauth.documents.inside` names it to the
//! port; whom TLS trusts is the process's own to say, so the fetching is done in a child.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use portcullis::{
    config::{Documents, Trust},
    egress::Resolve,
    oauth::client::{DocumentUrl, FetchError, Fetcher},
};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::{
    SECRET,
    flow::{Client, allow, parameter, place, signed_in},
    yaml,
};
use crate::{
    gateway::DEMO,
    support::{
        consenting::{Consenting, Given, REDIRECT, VERIFIER, form},
        running::Running,
    },
};

const CHILD: &str = "PORTCULLIS_TEST_DOCUMENTS";

#[test]
fn as19_as21_as22_oa113_oa115_oa116_t093_t111_documents_are_got_as_the_guard_has_it() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "oauth::document::child_that_fetches", "--nocapture"])
        .env("SSL_CERT_FILE", folder.path().join("cert.pem"))
        .env_remove("SSL_CERT_DIR")
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

/// Makes the site's certificate and key.
fn certify(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("cert.der"), made.cert.der()).unwrap();
    std::fs::write(folder.join("key.der"), made.signing_key.serialize_der()).unwrap();
}

#[test]
fn as18_as20_as24_oa112_oa118_at_consent_a_client_is_what_its_own_document_says() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let site = Site::default();
    let host = site.start(folder.path());
    let id = format!("https://{host}/app");
    let document = format!(
        r#"{{"client_id": "{id}", "client_name": "Notebook", "logo_uri": "https://{host}/logo.png", "redirect_uris": ["http://127.0.0.1/cb"]}}"#
    );
    site.answers("/app", "200 OK\r\nContent-Type: application/json", &document);
    let mut gateway =
        Running::prepare(&format!("{DEMO}oauth: {{documents: {{inside: ['{host}']}}, failure_delay: 0}}\n"));
    let mut command = gateway.command(&["serve"]);
    command.env("SSL_CERT_FILE", folder.path().join("cert.pem")).env_remove("SSL_CERT_DIR").stdin(Stdio::null());
    gateway.launch_by(&mut command);

    let (app, browser) = (Client::known(&id), signed_in(&gateway));
    // The document's redirect URIs and no other (but for the port on this machine).
    for other in ["http://127.0.0.1:4711/other", "https://app.example.com/cb"] {
        let refused = browser.get(&app.path(&[("redirect_uri", other)]));
        assert_eq!((refused.status, refused.header("location")), (400, None), "{refused:?}");
    }
    let page = browser.get(&app.path(&[]));
    assert!(page.body.contains("Notebook") && page.body.contains(&host), "{page:?}");
    assert!(page.body.contains("this computer") && !page.body.contains("logo.png"), "{page:?}");
    let code = parameter(place(&allow(&browser, &page)), "code").unwrap();
    let got = app.redeem(&gateway, &code);
    assert_eq!(got.status, 200, "{got:?}");
    let token = got.json()["access_token"].as_str().unwrap().to_owned();
    assert!(gateway.tools("/mcp", Some(&token)).contains(&"time__now".to_owned()));
    assert_eq!((site.asked("/app"), site.asked("/logo.png")), (1, 0));
    // A document that is gone makes no client, and nobody is sent anywhere.
    let gone = browser.get(&Client::known(&format!("https://{host}/gone")).path(&[]));
    assert_eq!((gone.status, gone.header("location")), (400, None), "{gone:?}");
}

/// What a site answers at a path, and what it was asked.
#[derive(Clone, Default)]
struct Site {
    answers: Arc<Mutex<BTreeMap<String, (Duration, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Site {
    /// Listens, and says on which host and port.
    fn start(&self, folder: &Path) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let certificate = std::fs::read(folder.join("cert.der")).unwrap().into();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(std::fs::read(folder.join("key.der")).unwrap()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let (site, config) = (self.clone(), Arc::new(config));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                *site.connections.lock().unwrap() += 1;
                let (site, config) = (site.clone(), Arc::clone(&config));
                std::thread::spawn(move || {
                    let tls = ServerConnection::new(config).unwrap();
                    let mut stream = BufReader::new(StreamOwned::new(tls, stream.unwrap()));
                    let mut lines = Vec::new();
                    loop {
                        let mut line = String::new();
                        match stream.read_line(&mut line) {
                            Ok(length) if length > 2 => lines.push(line),
                            _ => break,
                        }
                    }
                    let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)) else { return };
                    site.asked.lock().unwrap().push(path.to_owned());
                    // Nothing of ours goes there.
                    for line in &lines {
                        let line = line.to_ascii_lowercase();
                        assert!(!line.starts_with("cookie") && !line.starts_with("authorization"), "{line}");
                    }
                    let answer = site.answers.lock().unwrap().get(path).cloned();
                    let (pause, answer) = answer.unwrap_or((Duration::ZERO, "HTTP/1.1 404 Not Found\r\n\r\n".into()));
                    // Until the other side is gone, or so long.
                    std::thread::park_timeout(pause);
                    _ = stream.get_mut().write_all(answer.as_bytes());
                    _ = stream.get_mut().flush();
                });
            }
        });
        host
    }

    fn answers(&self, path: &str, head: &str, body: &str) {
        let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        self.answers.lock().unwrap().insert(path.to_owned(), (Duration::ZERO, text));
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of `…_documents_are_got_as_the_guard_has_it`"]
async fn child_that_fetches() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let site = Site::default();
    let host = site.start(folder.as_ref());
    let documents = Documents { trust: Trust::Any, inside: vec![host.clone()] };
    let fetcher = Fetcher::new(Resolve::system());
    let id = |path: &str| format!("https://{host}{path}");
    let document = |id: &str, more: &str| {
        format!(
            r#"{{"client_id": "{id}", "client_name": "App", "redirect_uris": ["https://app.example.com/cb"]{more}}}"#
        )
    };
    let get = async |path: &str, second: i64| {
        let url = DocumentUrl::read(&id(path).parse().unwrap(), &documents.inside).unwrap();
        fetcher.client(&url, &documents, false, Timestamp::from_second(second).unwrap()).await
    };
    const JSON: &str = "200 OK\r\nContent-Type: application/json; charset=utf-8";

    // A good one, kept for a minute and no longer.
    site.answers("/good", JSON, &document(&id("/good"), ""));
    for (second, asked) in [(0, 1), (59, 1), (60, 2)] {
        let client = get("/good", second).await.unwrap();
        assert_eq!((client.id.as_str(), client.name.as_str()), (id("/good").as_str(), "App"));
        assert_eq!(site.asked("/good"), asked, "at {second}");
    }
    site.answers("/long", &format!("{JSON}\r\nCache-Control: max-age=999999999"), &document(&id("/long"), ""));
    site.answers("/never", &format!("{JSON}\r\nCache-Control: no-store"), &document(&id("/never"), ""));
    for (path, last, asked) in [("/long", 86_399, 1), ("/long", 86_400, 2), ("/never", 0, 2)] {
        get(path, 0).await.unwrap();
        get(path, last).await.unwrap();
        assert!(site.asked(path) >= asked, "{path} at {last}");
    }
    assert_eq!(site.asked("/long"), 2);

    // Bad ones, none of which is kept, and no redirect is followed.
    let long = format!(", \"x\": \"{}\"", "x".repeat(6000));
    let wrong = [
        ("/found", format!("302 Found\r\nLocation: {}", id("/good")), String::new(), FetchError::Answer),
        ("/moved", format!("308 Permanent Redirect\r\nLocation: {}", id("/good")), String::new(), FetchError::Answer),
        ("/created", JSON.replace("200 OK", "201 Created"), document(&id("/created"), ""), FetchError::Answer),
        (
            "/gone",
            "404 Not Found\r\nContent-Type: application/json".into(),
            document(&id("/gone"), ""),
            FetchError::Answer,
        ),
        ("/html", "200 OK\r\nContent-Type: text/html".into(), document(&id("/html"), ""), FetchError::Answer),
        ("/large", JSON.into(), document(&id("/large"), &long), FetchError::Answer),
    ];
    let good = site.asked("/good");
    for (path, head, body, error) in &wrong {
        site.answers(path, head, body);
        assert_eq!(get(path, 0).await.unwrap_err(), *error, "{path}");
    }
    assert_eq!(site.asked("/good"), good, "no redirect was followed");
    for (path, body) in [
        ("/other", document(&id("/OTHER"), "")),
        ("/slash", document(&format!("{}/", id("/slash")), "")),
        ("/secret", document(&id("/secret"), r#", "client_secret": "s""#)),
        ("/basic", document(&id("/basic"), r#", "token_endpoint_auth_method": "client_secret_basic""#)),
        ("/private", document(&id("/private"), r#", "jwks": {"keys": [{"kty": "EC", "d": "x"}]}"#)),
        ("/nameless", format!(r#"{{"client_id": "{}", "redirect_uris": ["https://a.example/cb"]}}"#, id("/nameless"))),
        ("/script", document(&id("/script"), "").replace("https://app.example.com/cb", "javascript:alert(1)")),
        ("/none", "[]".into()),
    ] {
        site.answers(path, JSON, &body);
        assert!(matches!(get(path, 0).await, Err(FetchError::Document(_))), "{path}");
        site.answers(path, JSON, &document(&id(path), ""));
        assert!(get(path, 0).await.is_ok(), "{path}: what was bad is not kept");
    }
    // One that takes too long.
    site.answers("/slow", JSON, &document(&id("/slow"), ""));
    site.answers.lock().unwrap().get_mut("/slow").unwrap().0 = Duration::from_secs(30);
    let begun = Instant::now();
    assert_eq!(get("/slow", 0).await.unwrap_err(), FetchError::Unavailable);
    assert!((5..10).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());

    // The same site, where nothing says that this machine may be reached: no connection is made.
    let connections = *site.connections.lock().unwrap();
    let port = host.split_once(':').unwrap().1;
    for spelt in [&host, &format!("localhost:{port}"), &format!("127.1:{port}"), &format!("[::1]:{port}")] {
        let inside = vec![spelt.clone()];
        let Ok(url) = DocumentUrl::read(&format!("https://{spelt}/good").parse().unwrap(), &inside) else { continue };
        let nothing = Documents { trust: Trust::Any, inside: Vec::new() };
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert!(Fetcher::new(Resolve::system()).client(&url, &nothing, false, now).await.is_err(), "{spelt}");
    }
    assert_eq!(*site.connections.lock().unwrap(), connections);
}

#[test]
fn as18_as26_oa112_metadata_says_whether_documents_are_read_and_their_clients_redeem_codes() {
    let id = "https://app.example.com/client.json";
    let start = |documents: &str| {
        let yaml = yaml().replace("  failure_delay", &format!("  documents: {documents}\n  failure_delay"));
        let gateway = Running::start_with(&yaml, &[("robot.secret", SECRET)]);
        let url = format!("http://{}", gateway.address());
        let store = Consenting::at(&gateway, &url);
        (gateway, store)
    };
    let given = Given { endpoint: "/mcp", scopes: &["tag:clock"], opened: &[] };
    for (documents, said, read) in [
        ("open", true, true),
        ("{hosts: [app.example.com]}", true, true),
        ("{hosts: [other.example.com]}", true, false),
        ("off", false, false),
    ] {
        let (gateway, store) = start(documents);
        let metadata = gateway.send("GET", "/.well-known/oauth-authorization-server", &[], "").json();
        assert_eq!(metadata["client_id_metadata_document_supported"], said, "{documents}");
        let code = store.approve_for(id, &given);
        let encoded = id.replace(':', "%3A").replace('/', "%2F");
        let redeem = |client: &str| {
            let body = format!("grant_type=authorization_code&client_id={client}&code={code}&code_verifier={VERIFIER}");
            form(&gateway, "/oauth/token", &format!("{body}&redirect_uri={REDIRECT}"))
        };
        // Another document's client is another client.
        let other = redeem(&encoded.replace("client.json", "other.json"));
        assert_eq!(other.json()["error"], if read { "invalid_grant" } else { "invalid_client" }, "{documents}");
        for odd in [
            "https%3A%2F%2Fapp.example.com",
            "http%3A%2F%2Fapp.example.com%2Fclient.json",
            "https%3A%2F%2F127.0.0.1%2Fx",
        ] {
            assert_eq!(redeem(odd).json()["error"], "invalid_client", "{documents} {odd}");
        }
        // No site is asked for what a client calls itself: there is none of that name.
        let answer = redeem(&encoded);
        let (status, error) = if read { (200, None) } else { (401, Some("invalid_client")) };
        assert_eq!((answer.status, answer.json()["error"].as_str()), (status, error), "{documents}");
    }
}
