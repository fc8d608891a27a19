//! Which headers answers carry: the preset, own entries, and that no answer is without them.

use std::process::Stdio;

use portcullis::policy::{EndpointClass, Engine, Header};
use serde_json::json;

use crate::{
    cli::{CONFIG, at, run_with},
    gateway::DEMO,
    support::{
        codes, config, engine, lines, load,
        running::{Answer, Running, request},
    },
};

/// What every answer carries that is no page, by the preset.
const EVERYWHERE: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
];

fn carries(answer: &Answer, name: &str, value: Option<&str>) {
    let values: Vec<_> = answer.headers.iter().filter(|(field, _)| field == name).map(|(_, value)| value).collect();
    // Once, or not at all.
    assert_eq!(values, value.into_iter().collect::<Vec<_>>(), "{name}: {answer:?}");
}

/// The headers of a kind of answer, by name.
fn carried(engine: &Engine, class: EndpointClass, tls: bool, page: bool) -> Vec<(String, String)> {
    let headers = engine.emit(class, tls, page).unwrap();
    headers.iter().filter_map(|header| Some((header.name.to_string(), header.value.as_ref()?.to_string()))).collect()
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

#[test]
fn sm20_sm26_no_answer_is_without_them() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let list = request("tools/list", json!({})).to_string();
    let json = ("Content-Type", "application/json");
    let mut answers = Vec::new();
    for (status, method, path, headers, body) in [
        (200, "GET", "/healthz", &[][..], ""),
        (200, "GET", "/readyz", &[], ""),
        (200, "GET", "/.well-known/oauth-protected-resource/mcp", &[], ""),
        (404, "GET", "/.well-known/nothing", &[], ""),
        (404, "GET", "/nowhere", &[], ""),
        (405, "GET", "/oauth/token", &[], ""),
        (404, "GET", "/mcp/-", &[], ""),
        (405, "PUT", "/mcp", &[], ""),
        (405, "POST", "/.well-known/oauth-protected-resource/mcp", &[], ""),
        (401, "POST", "/mcp", &[json], &list),
        (401, "POST", "/mcp", &[json, ("Authorization", "Bearer nonsense")], &list),
        (400, "POST", "/mcp", &[json, ("Authorization", &bearer)], "{"),
        (415, "POST", "/mcp", &[("Authorization", &bearer)], &list),
        (403, "GET", "/healthz", &[("Host", "evil.test")], ""),
        (403, "GET", "/mcp", &[("Origin", "null")], ""),
    ] {
        let answer = gateway.send(method, path, headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        answers.push((path, answer));
    }
    answers.push(("/mcp", gateway.post("/mcp", Some(&token), &request("tools/list", json!({})))));
    for (path, answer) in &answers {
        for (name, value) in EVERYWHERE {
            carries(answer, name, Some(value));
        }
        let oauth = path.starts_with("/oauth/") || path.starts_with("/.well-known/");
        carries(answer, "x-robots-tag", oauth.then_some("noindex"));
        // No page, and not by TLS.
        carries(answer, "content-security-policy", None);
        carries(answer, "strict-transport-security", None);
        // T-224: nobody is told what answers.
        carries(answer, "server", None);
    }
}

/// Below the least that hyper reads, the listener itself says no.
#[test]
fn sm20_what_the_listener_refuses_carries_them_too() {
    let gateway = Running::start(&DEMO.replace("'{address}'", "'{address}', limits: {header_bytes: 1KiB}"));
    let long = "x".repeat(2_000);
    for path in ["/healthz", "/oauth/token"] {
        let answer = gateway.send("GET", path, &[("X-Long", &long)], "");
        assert_eq!((answer.status, answer.json()["error"].as_str()), (431, Some("headers-too-large")));
        for (name, value) in EVERYWHERE {
            carries(&answer, name, Some(value));
        }
        carries(&answer, "x-robots-tag", (path == "/oauth/token").then_some("noindex"));
    }
}

#[test]
fn sm20_streams_carry_them_too() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let text = format!(
        "GET /mcp HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\nMcp-Session-Id: {session}\r\n\r\n",
        gateway.address()
    );
    let head = gateway.head(text.as_bytes());
    assert!(head.status == 200 && head.header("content-type") == Some("text/event-stream"), "{head:?}");
    for (name, value) in EVERYWHERE {
        carries(&head, name, Some(value));
    }
}

#[test]
fn sm20_sm26_pages_and_the_authorization_server_carry_more() {
    let engine = engine("version: 1\n");
    for class in EndpointClass::ALL {
        let [api, page] = [false, true].map(|page| carried(&engine, class, false, page));
        for headers in [&api, &page] {
            for (name, expected) in EVERYWHERE {
                assert_eq!(value(headers, name), Some(*expected), "{class}");
            }
            assert_eq!(value(headers, "x-robots-tag"), class.is_oauth().then_some("noindex"), "{class}");
        }
        assert_eq!(value(&api, "content-security-policy"), None);
        let csp = value(&page, "content-security-policy").unwrap();
        for directive in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(csp.contains(directive), "{csp}");
        }
        // No inline script, and a form may lead anywhere: browsers ask this of what it leads to as well.
        assert!(!csp.contains("unsafe") && !csp.contains("form-action"), "{csp}");
        assert_eq!(value(&page, "cross-origin-opener-policy"), Some("same-origin"));
        assert!(value(&page, "permissions-policy").is_some_and(|policy| policy.contains("camera=()")));
    }
}

#[test]
fn sm20_the_two_forms_and_what_the_map_says_of_the_preset() {
    let mcp =
        |headers: &str| carried(&engine(&format!("version: 1\nheaders: {headers}\n")), EndpointClass::Mcp, true, true);
    let strict = mcp("{}");
    assert_eq!(mcp("[]"), strict);
    assert_eq!(mcp("{preset: strict, legacy-xss: false, rules: []}"), strict);
    assert_eq!(mcp("{preset: none}"), []);
    assert_eq!(value(&mcp("{legacy-xss: true}"), "x-xss-protection"), Some("1; mode=block"));
    let entry = "[{set: {X-A: b}}]";
    assert_eq!(mcp(entry), mcp(&format!("{{rules: {entry}}}")));
    assert_eq!(mcp(&format!("{{preset: none, rules: {entry}}}")), [("x-a".to_owned(), "b".to_owned())]);
    for (wrong, message) in [
        ("strict", "`headers` must be a list or a map, not the text `strict`"),
        ("{preset: lax}", "`headers.preset` must be `strict` or `none`, not the text `lax`"),
        ("{hsts: 1}", "`headers.hsts` must be `true` or `false`, not the number `1`"),
    ] {
        let loaded = load(&format!("version: 1\nheaders: {wrong}\n"));
        let found: Vec<_> = loaded.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(found, [message]);
    }
}

#[test]
fn own_entries_are_for_their_endpoints_and_conditions_and_the_last_counts() {
    let engine = engine(
        "version: 1
headers:
  - {set: {X-All: all, Referrer-Policy: same-origin}}
  - {on: [mcp], set: {X-All: mcp}}
  - {on: [oauth, health], remove: [X-All]}
  - {id: tls, set: {X-Tls: 'yes'}, when: context.tls}
  - {on: [consent], set: {X-Page: 'yes'}, when: context.page && context.oauth}
  - {remove: [x-xss-protection]}
",
    );
    let of = |class, tls, page, name: &str| {
        let headers = carried(&engine, class, tls, page);
        value(&headers, name).map(str::to_owned)
    };
    use EndpointClass::{Consent, Elsewhere, Health, Mcp, Token};
    assert_eq!(of(Elsewhere, false, false, "x-all").as_deref(), Some("all"));
    assert_eq!(of(Mcp, false, false, "x-all").as_deref(), Some("mcp"));
    assert_eq!(of(Token, false, false, "x-all"), None);
    assert_eq!(of(Health, false, false, "x-all"), None);
    assert_eq!(of(Mcp, true, false, "x-tls").as_deref(), Some("yes"));
    assert_eq!(of(Mcp, false, false, "x-tls"), None);
    assert_eq!(of(Consent, false, true, "x-page").as_deref(), Some("yes"));
    assert_eq!(of(Consent, false, false, "x-page"), None);
    for class in EndpointClass::ALL {
        // Over the preset, in any case of the name.
        assert_eq!(of(class, false, false, "referrer-policy").as_deref(), Some("same-origin"));
        assert_eq!(of(class, false, false, "x-xss-protection"), None);
        assert_eq!(of(class, false, false, "x-frame-options").as_deref(), Some("DENY"));
    }
}

#[test]
fn a_wrong_entry_is_found_at_its_place() {
    for (entry, found) in [
        ("{}", "PC113 this entry sets and removes nothing"),
        ("{set: {}}", "PC113 `set` is empty, so it sets nothing"),
        ("{remove: []}", "PC113 `remove` is empty, so it removes nothing"),
        ("{on: [], set: {X-A: b}}", "PC113 `on` is empty, so this entry is about nothing"),
        ("{on: [tokens], set: {X-A: b}}", "PC012 `tokens` is no endpoint"),
        ("{on: [mcp, mcp], set: {X-A: b}}", "PC106 `mcp` is listed twice"),
        ("{set: {'X A': b}}", "PC012 `X A` is no header name"),
        ("{set: {X-A: b, x-a: c}}", "PC002 the header `x-a` is written twice"),
        ("{set: {Content-Type: text/html}}", "PC005 `Content-Type` is set by the gateway itself"),
        ("{remove: [WWW-Authenticate]}", "PC005 `WWW-Authenticate` is set by the gateway itself"),
        ("{set: {Set-Cookie: a=b}}", "PC005 `Set-Cookie` is set by the gateway itself"),
        (
            "{set: {Access-Control-Allow-Origin: '*'}}",
            "PC005 `Access-Control-Allow-Origin` is not set here: `cors` says whose pages may call the gateway",
        ),
        ("{set: {X-A: '${HOME}'}}", "PC009 variables are not substituted here: the same file is the same policy"),
        ("{set: {X-A: b}, when: ''}", "PC005 `when` holds no expression"),
        ("{set: {X-A: b}, when: 'context.tls }; permit(principal, action, resource) when { true'}", "PC005"),
        ("{set: {X-A: b}, when: context.scopes.contains(\"tag:a\")}", "PC005"),
        ("{set: {X-A: b}, when: 'false'}", "PC103"),
        ("{set: {X-A: b}, when: resource in Portcullis::Endpoint::\"mcp\"}", "PC108"),
        ("{id: A, set: {X-A: b}}", "PC012 id `A` must be 1 to 63 of `a-z 0-9 -` and not begin with `-`"),
    ] {
        let text = format!("version: 1\nheaders:\n  - {}\n", entry);
        let all = portcullis::check::run(&load(&text));
        let all: Vec<_> = lines(&all).into_iter().filter(|line| !line.contains("PC003")).collect();
        assert!(all.len() == 1 && all[0].contains(found) && all[0].starts_with("3:"), "{entry}: {all:?}");
    }
    assert_eq!(codes("version: 1\nheaders: [{id: a, set: {X-A: b}}, {id: a, set: {X-B: b}}]\n"), ["PC002"]);
}

#[test]
fn sm21_hsts_goes_to_those_who_come_by_a_trusted_proxys_tls_and_to_nobody_else() {
    const YEAR: Option<&str> = Some("max-age=31536000; includeSubDomains");
    let listen = |more: &str| DEMO.replace("'{address}'", &format!("'{{address}}'{more}"));
    let behind = listen(", public_url: 'https://gate.example.com', tls_proxy: true, trusted_proxies: [127.0.0.1]");
    let gateway = Running::start(&behind);
    let hsts = |gateway: &Running, headers: &[(&str, &str)], expected: Option<&str>| {
        for path in ["/healthz", "/mcp", "/nowhere"] {
            carries(&gateway.send("GET", path, headers, ""), "strict-transport-security", expected);
        }
    };
    hsts(&gateway, &[], YEAR);
    hsts(&gateway, &[("X-Forwarded-Proto", "https")], YEAR);
    hsts(&gateway, &[("X-Forwarded-Proto", "http")], None);
    // Whoever is no proxy of ours says nothing of it.
    let plain = Running::start(&listen(", public_url: 'https://gate.example.com'"));
    hsts(&plain, &[("X-Forwarded-Proto", "https"), ("Forwarded", "for=1.2.3.4;proto=https")], None);
    // Off, and on without a preset, where the flag stands over a list of own entries.
    let off = Running::start(&format!("{behind}headers: {{hsts: false}}\n"));
    hsts(&off, &[], None);
    let mut flag = Running::prepare(&format!("{behind}headers: [{{set: {{X-A: b}}}}]\n"));
    let mut command = flag.command(&["serve", "--enable-hsts"]);
    command.env("PORTCULLIS_ENABLE_HSTS", "false");
    flag.launch_by(command.stdin(Stdio::null()));
    hsts(&flag, &[], YEAR);
    carries(&flag.send("GET", "/healthz", &[], ""), "x-a", Some("b"));
    let event = flag.audit().into_iter().find(|record| record["what"] == "config-loaded").unwrap();
    assert!(event.to_string().contains("--enable-hsts"), "{event}");
    assert!(flag.stop().success());
    let mut command = flag.command(&["serve"]);
    command.env("PORTCULLIS_ENABLE_HSTS", "false");
    flag.launch_by(command.stdin(Stdio::null()));
    hsts(&flag, &[], None);
    carries(&flag.send("GET", "/healthz", &[], ""), "x-a", Some("b"));
}

#[test]
fn sm21_what_the_flag_and_the_variable_say_is_checked() {
    let said = run_with(&at(CONFIG), &["serve"], &[("PORTCULLIS_ENABLE_HSTS", "yes")]);
    assert!(said.status == 1 && said.err.contains("--> PORTCULLIS_ENABLE_HSTS:1:1"), "{said:?}");
    // Linted: nobody comes by TLS.
    let off = format!("{CONFIG}oauth: {{enabled: false}}\nnonsense: 1\n");
    let said = run_with(&at(&off), &["serve", "--enable-hsts"], &[]);
    assert!(said.err.contains("[PC208]") && said.err.contains("--> --enable-hsts:1:1"), "{said:?}");
}

#[test]
fn what_is_loaded_anew_holds_for_the_next_answer() {
    let gateway = Running::start(&format!("{DEMO}headers: [{{set: {{X-A: one}}}}]\n"));
    let value = || gateway.send("GET", "/healthz", &[], "").header("x-a").map(str::to_owned);
    assert_eq!(value().as_deref(), Some("one"));
    gateway.reload(&format!("{DEMO}headers: [{{set: {{X-A: two}}}}]\n"));
    gateway.until("the new header", || value().as_deref() == Some("two"));
    gateway.reload(&format!("{DEMO}headers: {{preset: none}}\n"));
    gateway.until("no header", || value().is_none());
    let answer = gateway.send("GET", "/healthz", &[], "");
    carries(&answer, "x-frame-options", None);
    // What an answer says of itself it says all the same.
    carries(&answer, "cache-control", Some("no-store"));
}

/// A policy by hand that errors whenever it is asked, and one that is sound.
const ERRING: &str = "@id(\"own\")\n@header(\"X-Own\")\n@value(\"mine\")\n@order(\"5\")\npermit (principal, action == Portcullis::Action::\"respond\", resource);\n";

#[test]
fn sm20_hand_written_permits_are_headers_and_where_one_errs_the_preset_goes_out() {
    let yaml = format!("{DEMO}policies: ['*.cedar']\nheaders: [{{set: {{X-Frame-Options: SAMEORIGIN}}}}]\n");
    let gateway = Running::start_with(&yaml, &[("own.cedar", ERRING)]);
    let answer = gateway.send("GET", "/healthz", &[], "");
    carries(&answer, "x-own", Some("mine"));
    carries(&answer, "x-frame-options", Some("SAMEORIGIN"));
    drop(gateway);
    let erring =
        ERRING.replace("resource);", "resource)\nwhen { 9223372036854775807 + (if context.tls then 1 else 2) > 0 };");
    let gateway = Running::start_with(&yaml, &[("own.cedar", &erring)]);
    let answer = gateway.send("GET", "/healthz", &[], "");
    for (name, value) in EVERYWHERE {
        carries(&answer, name, Some(value));
    }
    carries(&answer, "x-own", None);
    assert!(gateway.log().contains("what is built in"), "{}", gateway.log());
}

#[test]
fn t132_what_no_header_can_hold_is_refused_when_it_is_loaded() {
    for (name, value) in [
        ("X-A", "a\\r\\nSet-Cookie: b"),
        ("X-A", "a\\n"),
        ("X-A", "a\\0"),
        ("X-A", "caf\u{e9}"),
        ("X-A", ""),
        ("X A", "a"),
        ("Transfer-Encoding", "gzip"),
        ("Content-Length", "0"),
        ("Access-Control-Allow-Origin", "*"),
        ("Set-Cookie", "a=b"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cedar = ERRING.replace("X-Own", name).replace("mine", value);
        std::fs::write(folder.path().join("own.cedar"), cedar).unwrap();
        let file = folder.path().join("portcullis.yaml");
        std::fs::write(&file, "version: 1\npolicies: ['*.cedar']\n").unwrap();
        let found = portcullis::check::run(&portcullis::config::load(&file, &|_| None));
        assert!(found.iter().any(|finding| finding.code == "PC012"), "{name} {value}: {:?}", lines(&found));
    }
}

#[test]
fn t129_t131_t133_what_a_request_says_of_itself_changes_nothing() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock", &[]);
    let bearer = format!("Bearer {token}");
    let call = request("tools/call", json!({"name": "time__now", "arguments": {}}));
    let session = gateway.open("/mcp", Some(&token), json!({})).unwrap();
    let base = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Authorization", bearer.as_str()),
        ("Mcp-Session-Id", &session),
    ];
    let facts = |record: &serde_json::Value| {
        json!([
            record["peer"]["address"],
            record["principal"],
            record["action"],
            record["decision"]["verdict"],
            record["decision"]["because"]
        ])
    };
    let send = |method: &str, path: &str, more: &[(&str, &str)], body: &str| {
        let headers: Vec<_> = base.iter().chain(more).copied().collect();
        gateway.send(method, path, &headers, body)
    };
    assert!(send("POST", "/mcp", &[], &call.to_string()).json()["result"].is_object());
    let plain = facts(&gateway.last_decision());
    for more in [
        // T-129: every field that we decide by is called the connection's own.
        &[("Connection", "Authorization, Mcp-Session-Id, Host, Origin, X-Forwarded-For, Content-Type, Mcp-Name")][..],
        &[
            ("Connection", "close"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Proxy-Authorization", "Basic YTpi"),
        ],
        // T-131: who it is, in somebody else's words.
        &[
            ("X-Remote-User", "boss"),
            ("X-Forwarded-User", "boss"),
            ("X-Auth-Request-Groups", "admins"),
            ("Remote-User", "boss"),
        ],
        &[("X-Tenant-Id", "other"), ("X-User-Id", "boss"), ("X-Client-Cert", "CN=boss"), ("X-Scopes", "tag:secret")],
        // T-133: another method.
        &[("X-HTTP-Method-Override", "DELETE"), ("X-HTTP-Method", "GET"), ("X-Method-Override", "PUT")],
    ] {
        let answer = send("POST", "/mcp", more, &call.to_string());
        assert!(answer.status == 200 && answer.json()["result"].is_object(), "{more:?}: {answer:?}");
        assert_eq!(facts(&gateway.last_decision()), plain, "{more:?}");
    }
    // What is not there for this caller is not there with such fields either.
    let secret = request("tools/call", json!({"name": "hidden__reverse", "arguments": {}})).to_string();
    assert_eq!(send("POST", "/mcp", &[("X-Scopes", "tag:secret"), ("X-Remote-User", "boss")], &secret).code(), -32602);
    for (path, status) in [("/healthz", 200), ("/nowhere", 404), ("/.well-known/oauth-protected-resource/mcp", 200)] {
        let answer = gateway.send("GET", path, &[("X-HTTP-Method-Override", "DELETE")], "");
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(gateway.send("GET", &format!("{path}?_method=DELETE"), &[], "").status, status, "{path}");
    }
}

#[test]
fn which_line_a_header_comes_from() {
    let text = "version: 1\nheaders:\n  - {id: frames, on: [mcp], set: {X-Frame-Options: SAMEORIGIN}}\n  - {remove: [Referrer-Policy]}\n";
    assert!(config(text).headers.rules.len() == 2);
    let engine = engine(text);
    let line = |header: &Header| {
        let said = header.value.as_ref().map_or_else(|| " is taken away".to_owned(), |value| format!(": {value}"));
        let place = header.reason.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
        format!("{}{said}  by {}{place}", header.name, header.reason.policy)
    };
    let said = |class| {
        let headers = engine.emit(class, false, false).unwrap();
        headers.iter().map(|header| line(header)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(said(EndpointClass::Mcp), @r"
    cache-control: no-store  by header/strict/cache-control
    cross-origin-resource-policy: same-origin  by header/strict/cross-origin-resource-policy
    referrer-policy is taken away  by header/e4ca72135a5b (portcullis.yaml:4:5)
    x-content-type-options: nosniff  by header/strict/x-content-type-options
    x-frame-options: SAMEORIGIN  by header/frames (portcullis.yaml:3:5)
    x-xss-protection: 0  by header/strict/x-xss-protection
    ");
    insta::assert_snapshot!(said(EndpointClass::Jwks), @r"
    cache-control: no-store  by header/strict/cache-control
    cross-origin-resource-policy: same-origin  by header/strict/cross-origin-resource-policy
    referrer-policy is taken away  by header/e4ca72135a5b (portcullis.yaml:4:5)
    x-content-type-options: nosniff  by header/strict/x-content-type-options
    x-frame-options: DENY  by header/strict/x-frame-options
    x-robots-tag: noindex  by header/strict/x-robots-tag
    x-xss-protection: 0  by header/strict/x-xss-protection
    ");
}
