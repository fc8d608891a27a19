//! Pages of other origins: who may call, what their browser is told, and what is refused.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    cli::{CONFIG, at, run_with},
    gateway::DEMO,
    support::{
        codes, config, load,
        running::{Answer, Running, request},
        skipped,
    },
};

const APP: &str = "https://app.example.com";
/// Every kind of path.
const PATHS: &[&str] = &[
    "/mcp",
    "/mcp/time",
    "/healthz",
    "/readyz",
    "/.well-known/oauth-protected-resource/mcp",
    "/oauth/token",
    "/oauth/consent",
    "/login/x",
    "/grants",
    "/nowhere",
];

fn open(more: &str) -> String {
    // Without tokens nobody is granted anything.
    let (demo, _) = DEMO.split_once("grants:").unwrap();
    format!("{demo}oauth: {{enabled: false}}\n{more}")
}

fn cors(answer: &Answer) -> Vec<&str> {
    answer.headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("access-control-")).collect()
}

fn varies(answer: &Answer, name: &str) -> bool {
    answer
        .headers
        .iter()
        .any(|(field, value)| field == "vary" && value.split(',').any(|part| part.trim().eq_ignore_ascii_case(name)))
}

#[test]
fn sm22_origins_are_exact_and_as_browsers_send_them() {
    let good = config(&format!(
        "version: 1\ncors: {{origins: [\"{APP}\", \"http://localhost:5173\", \"http://[::1]:8080\"]}}\n"
    ));
    let origins: Vec<_> = good.cors.origins.iter().map(|origin| origin.value.as_str()).collect();
    assert_eq!(origins, ["http://[::1]:8080", "http://localhost:5173", APP]);
    assert!(!good.cors.credentials && good.cors.any.is_none());
    for (origin, problem) in [
        ("null", "`null` is no origin: every sandboxed page has it"),
        ("", "`null` is no origin: every sandboxed page has it"),
        ("app.example.com", "`app.example.com` is no origin: it must begin with `https://` or `http://`"),
        ("https://app.example.com/path", "`https://app.example.com/path` is no origin: it has a path or query"),
        ("https://APP.example.com", "`https://APP.example.com` is not as browsers send it"),
        ("https://app.example.com/", "`https://app.example.com/` is not as browsers send it"),
        ("https://app.example.com:443", "`https://app.example.com:443` is not as browsers send it"),
        (
            "https://user@app.example.com",
            "`https://user@app.example.com` is no origin: it must not hold a user name or password",
        ),
        ("chrome-extension://abc", "`chrome-extension://abc` is no origin: it must begin with `https://` or `http://`"),
        ("https://*.example.com", "`https://*.example.com` is no origin: it must have a host name"),
    ] {
        let loaded = load(&format!("version: 1\ncors: {{origins: [\"{origin}\"]}}\n"));
        let found: Vec<_> = loaded.findings.iter().map(|finding| (finding.code, finding.message.as_str())).collect();
        assert_eq!(found, [("PC005", problem)], "{origin}");
    }
    assert_eq!(codes(&format!("version: 1\ncors: {{origins: [\"{APP}\", \"{APP}\"]}}\n")), ["PC106"]);
}

#[test]
fn sm22_a_wildcard_is_a_finding_refused_without_tokens_and_never_with_credentials() {
    assert_eq!(codes("version: 1\ncors: {origins: [\"*\"]}\n"), ["PC205"]);
    assert_eq!(codes("version: 1\noauth: {enabled: false}\ncors: {origins: [\"*\"]}\n"), ["PC005", "PC207"]);
    assert_eq!(codes("version: 1\ncors: {origins: [\"*\"], credentials: true}\n"), ["PC205", "PC005"]);
}

#[test]
fn t119_sm22_every_near_miss_is_refused_on_every_route() {
    let gateway = Running::start(&format!("{DEMO}cors: {{origins: ['{APP}']}}\n"));
    let own = format!("http://{}", gateway.address());
    for path in PATHS {
        for origin in [
            "null",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com:443",
            "https://app.example.com.evil.test",
            "https://evilapp.example.com",
            "https://appXexample.com",
            "https://APP.example.com",
            "https://app.example.com.",
            "https://app.example.com/",
            "https://example.com",
            "http://localhost:3050",
            "file://",
            "",
            "caf\u{e9}",
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                let asked = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
                let refused = gateway.send(method, path, &asked, "");
                assert_eq!(refused.status, 403, "{method} {path} {origin}: {refused:?}");
                assert_eq!(refused.json()["error"], "bad-origin");
                assert_eq!(cors(&refused), Vec::<&str>::new(), "{path} {origin}");
            }
        }
        // Two at once are none.
        let two = gateway.send("GET", path, &[("Origin", APP), ("Origin", APP)], "");
        assert_eq!(two.status, 403, "{path}");
        // Our own, and none at all, come in.
        assert_ne!(gateway.send("GET", path, &[("Origin", &own)], "").status, 403, "{path}");
        assert_ne!(gateway.send("GET", path, &[], "").status, 403, "{path}");
    }
}

#[test]
fn t120_oa17_only_the_list_may_read_and_nothing_where_people_decide() {
    let gateway = Running::start(&format!("{DEMO}cors: {{origins: ['{APP}', 'https://other.example.com']}}\n"));
    let own = format!("http://{}", gateway.address());
    for path in ["/mcp", "/mcp/time", "/healthz", "/.well-known/oauth-protected-resource/mcp", "/oauth/token"] {
        for origin in [APP, "https://other.example.com"] {
            let answer = gateway.send("GET", path, &[("Origin", origin)], "");
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{path}: {answer:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
            let read = answer.header("access-control-expose-headers").unwrap();
            assert!(read.contains("WWW-Authenticate") && read.contains("Mcp-Session-Id"), "{read}");
            assert!(varies(&answer, "origin"), "{path}");
        }
        // Our own pages need no leave; whoever asks is told that the answer differs.
        for headers in [&[("Origin", own.as_str())][..], &[]] {
            let answer = gateway.send("GET", path, headers, "");
            assert_eq!(cors(&answer), Vec::<&str>::new(), "{path}");
            assert!(varies(&answer, "origin"), "{path}");
        }
    }
    for path in ["/oauth/authorize", "/oauth/consent", "/oauth/introspect", "/login/x", "/grants"] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = gateway.send(method, path, &[("Origin", APP), ("Access-Control-Request-Method", "POST")], "");
            assert_eq!((answer.status, cors(&answer)), (403, vec![]), "{method} {path}");
            let answer = gateway.send(method, path, &[("Origin", &own), ("Access-Control-Request-Method", "POST")], "");
            assert_eq!(cors(&answer), Vec::<&str>::new(), "{method} {path}");
        }
    }
}

#[test]
fn t120_preflights_are_answered_before_anything_is_asked_of_the_caller() {
    let gateway = Running::start(&format!("{DEMO}cors: {{origins: ['{APP}'], credentials: true}}\n"));
    let asked = [
        ("Origin", APP),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type,mcp-param-path,x-admin"),
    ];
    for path in ["/mcp", "/mcp/time", "/mcp/nobody"] {
        let answer = gateway.send("OPTIONS", path, &asked, "");
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, DELETE"));
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        let sent = answer.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        let sent: Vec<&str> = sent.split(", ").collect();
        for name in [
            "authorization",
            "content-type",
            "accept",
            "last-event-id",
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "mcp-param-path",
        ] {
            assert!(sent.contains(&name), "{name}: {sent:?}");
        }
        assert!(!sent.contains(&"x-admin") && !sent.contains(&"*"), "{sent:?}");
        for name in ["origin", "access-control-request-method", "access-control-request-headers"] {
            assert!(varies(&answer, name), "{name}");
        }
    }
    let answer = gateway.send("OPTIONS", "/healthz", &asked, "");
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET"));
    let answer = gateway.send("OPTIONS", "/oauth/token", &asked, "");
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    // Without a method that is asked for it is a request like another, and without an origin too.
    assert_eq!(gateway.send("OPTIONS", "/mcp", &[("Origin", APP)], "").status, 405);
    assert_eq!(gateway.send("OPTIONS", "/mcp", &[("Access-Control-Request-Method", "POST")], "").status, 405);
    // A stream may be read as well.
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let headers = [("Origin", APP), ("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let answer = gateway.send("POST", "/mcp", &headers, &request("tools/list", json!({})).to_string());
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
}

#[test]
fn t120_a_wildcard_is_said_as_one_and_never_with_credentials() {
    let yaml = format!("{DEMO}cors: {{origins: ['*', '{APP}']}}\n");
    let gateway = Running::start(&yaml);
    let answer = gateway.send("GET", "/healthz", &[("Origin", "https://any.example")], "");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let answer = gateway.send("GET", "/healthz", &[("Origin", APP)], "");
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    // A page without an origin is still nobody, and where people decide only our own pages are.
    assert_eq!(gateway.send("GET", "/healthz", &[("Origin", "null")], "").status, 403);
    assert_eq!(gateway.send("POST", "/oauth/consent", &[("Origin", "https://any.example")], "").status, 403);
}

#[test]
fn t118_a_form_of_another_site_changes_nothing() {
    let gateway = Running::start(&open(""));
    let call = request("tools/call", json!({"name": "time__now", "arguments": {}})).to_string();
    let before = gateway.audit().len();
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json"]
    {
        for (name, value) in [
            ("Origin", "https://evil.test"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "whatever"),
        ] {
            let refused = gateway.send("POST", "/mcp", &[(name, value), ("Content-Type", kind)], &call);
            assert_eq!((refused.status, refused.json()["error"].as_str()), (403, Some("bad-origin")), "{kind} {value}");
        }
    }
    assert_eq!(gateway.send("DELETE", "/mcp", &[("Sec-Fetch-Site", "cross-site")], "").status, 403);
    // Refused, all of them, and nothing else was written down.
    let after = gateway.audit();
    let new = after.iter().skip(before);
    assert!(
        new.clone().count() > 0
            && new.clone().all(|record| record["type"] != "decision" || record["refusal"] == "bad-origin"),
        "{after:#?}"
    );
    // What a browser says of our own pages, and of an address that somebody typed, is no matter.
    for site in ["same-origin", "none"] {
        let answer = gateway.send("POST", "/mcp", &[("Sec-Fetch-Site", site), ("Content-Type", "text/plain")], &call);
        assert_eq!(answer.status, 415, "{site}");
    }
    // Nor is it where nothing changes: a link of another site may lead here.
    assert_eq!(gateway.send("GET", "/healthz", &[("Sec-Fetch-Site", "cross-site")], "").status, 200);
}

#[test]
fn sm22_without_oauth_pages_of_this_machine_may_and_where_some_are_listed_only_those() {
    let gateway = Running::start(&open(""));
    for origin in ["http://localhost", "http://localhost:6274", "https://127.0.0.1:1", "http://[::1]:80"] {
        let answer = gateway.send("GET", "/healthz", &[("Origin", origin)], "");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
    }
    for origin in ["null", APP, "http://localhost.evil.test", "http://127.0.0.1.nip.test"] {
        assert_eq!(gateway.send("GET", "/healthz", &[("Origin", origin)], "").status, 403, "{origin}");
    }
    gateway.reload(&open(&format!("cors: {{origins: ['http://localhost:6274', '{APP}']}}\n")));
    let status = |origin: &str| gateway.send("GET", "/healthz", &[("Origin", origin)], "").status;
    gateway.until("the list", || status("http://localhost:1") == 403);
    assert_eq!(status("http://localhost:6274"), 200);
    // The local mode is for this machine alone, whatever is listed.
    assert_eq!(status(APP), 403);
}

#[test]
fn sm22_origins_are_said_by_flag_and_variable_and_checked_as_written_ones() {
    let wrong = "https://a.example, https://B.example,null";
    let said = run_with(&at(CONFIG), &["serve", "--cors-origins", wrong], &[]);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(
        said.err.contains("--> --cors-origins:1:20") && said.err.contains("--> --cors-origins:1:38"),
        "{}",
        said.err
    );
    let said = run_with(&at(CONFIG), &["serve"], &[("PORTCULLIS_CORS_ORIGINS", "https://a.example,,")]);
    assert!(said.status == 1 && said.err.contains("--> PORTCULLIS_CORS_ORIGINS:1:19"), "{said:?}");
    // Linted: the same rules.
    let off = format!("{CONFIG}oauth: {{enabled: false}}\n");
    let said = run_with(&at(&off), &["serve", "--cors-origins", "*"], &[]);
    assert!(said.status == 1 && said.err.contains("[PC207]") && !said.err.contains("--fix"), "{said:?}");

    let file = format!("{DEMO}cors: {{origins: ['{APP}'], credentials: true}}\n");
    let mut gateway = Running::prepare(&file);
    let mut command = gateway.command(&["serve", "--cors-origins", "https://b.example, https://c.example"]);
    command.env("PORTCULLIS_CORS_ORIGINS", "https://d.example");
    gateway.launch_by(command.stdin(Stdio::null()));
    for (origin, status) in
        [("https://b.example", 200), ("https://c.example", 200), (APP, 403), ("https://d.example", 403)]
    {
        let answer = gateway.send("GET", "/healthz", &[("Origin", origin)], "");
        assert_eq!(answer.status, status, "{origin}");
        // What the file says besides stays.
        assert!(status == 403 || answer.header("access-control-allow-credentials") == Some("true"), "{answer:?}");
    }
    let event = gateway.audit().into_iter().find(|record| record["what"] == "config-loaded").unwrap();
    assert!(event.to_string().contains("--cors-origins"), "{event}");
    // An empty list lets in nobody but our own.
    assert!(gateway.stop().success());
    let mut command = gateway.command(&["serve", "--cors-origins", ""]);
    gateway.launch_by(command.stdin(Stdio::null()));
    assert_eq!(gateway.send("GET", "/healthz", &[("Origin", APP)], "").status, 403);
}

/// The page that asks, and tells in its body what it got.
const PAGE: &str = r#"<!doctype html><meta charset=utf-8><body>waiting<script>
const say = async (name, ask) => { try { return name + '=' + await ask(); } catch (error) { return name + '=' + error.name; } };
const headers = {'Content-Type': 'application/json', Authorization: 'Bearer TOKEN', Accept: 'application/json, text/event-stream',
  'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call', 'Mcp-Name': 'time__now'};
const body = BODY;
(async () => {
  const told = [
    await say('call', async () => (await (await fetch('GATE/mcp', {method: 'POST', headers, body})).json()).result ? 'result' : 'error'),
    await say('challenge', async () => { const a = await fetch('GATE/mcp', {method: 'POST', headers: {'Content-Type': 'application/json'}, body});
      return a.status + (a.headers.get('WWW-Authenticate') ? 'seen' : 'hidden'); }),
    await say('form', async () => { const a = await fetch('GATE/mcp', {method: 'POST', mode: 'no-cors', headers: {'Content-Type': 'text/plain'}, body}); return a.type; }),
    await say('metadata', async () => (await fetch('GATE/.well-known/oauth-protected-resource/mcp')).status),
  ];
  document.body.textContent = 'told ' + told.join(' ') + ' end';
})();
</script>"#;

/// Answers every request on a socket of its own with a page, for as long as the test lasts.
fn pages(listener: TcpListener, page: String) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len());
        }
    });
}

/// What a page told, once a browser had read it.
fn browsed(chromium: &str, url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = dom.split_once("told ").and_then(|(_, rest)| rest.split_once(" end"));
    told.map_or_else(|| panic!("{dom}\n{}", String::from_utf8_lossy(&output.stderr)), |(told, _)| told.to_owned())
}

/// A browser of its own mind: what it lets pages read is what we meant.
#[test]
fn sm22_t118_t120_a_real_browser_lets_the_listed_page_call_and_no_other() {
    let found = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let Some(chromium) = found.into_iter().find(|path| std::path::Path::new(path).exists()) else {
        return skipped("a page in a browser", "there is no Chromium");
    };
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (listed, other) = (listen(), listen());
    let origin = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let urls = [origin(&listed), origin(&other)];
    let gateway = Running::start(&format!("{DEMO}cors: {{origins: ['{}']}}\n", urls[0]));
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "page", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = request("tools/call", json!({"name": "time__now", "arguments": {}, "_meta": meta})).to_string();
    let page = PAGE
        .replace("TOKEN", &gateway.token("tag:clock", &[]))
        .replace("BODY", &json!(body).to_string())
        .replace("GATE", &format!("http://{}", gateway.address()));
    pages(listed, page.clone());
    pages(other, page);
    let decisions = || {
        gateway
            .audit()
            .iter()
            .filter(|record| record["type"] == "decision" && record["decision"]["verdict"] == "allow")
            .count()
    };
    let told = browsed(chromium, &urls[0]);
    assert_eq!(told, "call=result challenge=401seen form=TypeError metadata=200");
    let allowed = decisions();
    let told = browsed(chromium, &urls[1]);
    assert_eq!(told, "call=TypeError challenge=TypeError form=TypeError metadata=TypeError");
    // Not only unread: nothing was done.
    assert_eq!(decisions(), allowed);
}
