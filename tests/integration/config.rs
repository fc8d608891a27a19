//! Reading configurations: what is meant, what is found, and where.

use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use portcullis::{
    cli::report::{Report, Style},
    config::{self, EraChoice, Exception, Grantee, Loaded, Require, SecretRef, Selector, Text, Transport, Way},
};
use proptest::prelude::*;

use crate::support::{lines, load, no_env as none, told};

fn found(loaded: &Loaded) -> Vec<String> {
    lines(&loaded.findings)
}

const GOOD: &str = r#"
version: 1
listen:
  address: 127.0.0.1:4000
  public_url: http://LOCALHOST:4000/
  trusted_proxies: []
  limits: {body: 1MiB, header_bytes: 16KiB, header_count: 50, connections: 100, request: 30s, idle: 500ms}
tags:
  web: Search and fetch public pages
  files: Read the project's files
  files-write: {description: Change the project's files, sensitive: true}
servers:
  docs:
    tags: [web]
    http: {url: "https://docs.example.com/mcp", headers: {X-Api-Key: {env: DOCS_KEY}, X-Plain: hello}}
  files:
    tags: [files, web]
    require: any
    stdio: {command: [npx, -y, "@modelcontextprotocol/server-filesystem@2026.7.10", ./project], env: {LANG: C}, cwd: .}
    tools:
      write_file: {tags: [files-write]}
      "delete_*": deny
grants:
  - {to: {user: "*"}, scopes: [tag:web]}
  - {id: staff, to: {group: engineers}, scopes: [tag:files-write, tag:files]}
  - {to: {client: ci-bot}, scopes: [tag:files]}
  - {to: {user: okta/ana}, scopes: [tag:files]}
rules:
  - id: writes-stay-in-docs
    forbid: {tools: [files/write_file], resources: ["files/file:///etc/*"]}
    unless: context.args.path like "docs/*" && !(context.args.path like "*..*")
  - forbid: {servers: ["*"]}
    when: context.hour < 6
oauth: {enabled: true}
audit: {file: log/audit.ndjson}
store: {sqlite: /var/lib/portcullis.db}
encryption: {key: {env: PORTCULLIS_ENCRYPTION_KEY}, algorithm: aes-256-gcm}
"#;

#[test]
fn every_key_means_what_it_says() {
    let loaded = config::load_text("conf/portcullis.yaml", GOOD, &none);
    assert_eq!(found(&loaded), Vec::<String>::new());
    let config = loaded.config.unwrap();
    assert_eq!(config.digest.len(), 64);
    assert_eq!(config.listen.public_url.value, "http://localhost:4000");
    assert_eq!(config.listen.limits.body, 1 << 20);
    assert_eq!(config.listen.limits.idle.as_millis(), 500);
    let files = &config.servers[&"files".parse().unwrap()];
    assert_eq!(files.require, Require::Any);
    assert_eq!(files.place.line, 16);
    assert!(matches!(files.tools[&"delete_*".parse().unwrap()], Exception::Deny(_)));
    let Transport::Stdio(stdio) = &files.transport else { panic!() };
    assert_eq!(stdio.command[2].value, "@modelcontextprotocol/server-filesystem@2026.7.10");
    assert_eq!(stdio.cwd.as_deref(), Some(std::path::Path::new("conf/.")));
    let Transport::Http(http) = &config.servers[&"docs".parse().unwrap()].transport else { panic!() };
    assert!(matches!(&http.headers["x-api-key"].value, Text::Secret(SecretRef::Env(name)) if name == "DOCS_KEY"));
    assert_eq!(config.grants[0].to, Grantee::Everyone);
    assert_eq!(config.grants[1].to, Grantee::Group("local/engineers".parse().unwrap()));
    assert_eq!(config.grants[1].scopes[0].value.as_str(), "tag:files");
    assert_eq!(config.grants[3].to, Grantee::User("okta/ana".parse().unwrap()));
    assert!(matches!(&config.rules[0].forbid[0].value, Selector::Tool(server, _) if server.as_str() == "files"));
    assert!(matches!(&config.rules[1].forbid[0].value, Selector::Server(None)));
    assert_eq!(config.audit.file, std::path::Path::new("conf/log/audit.ndjson"));
    assert_eq!(config.store.sqlite, std::path::Path::new("/var/lib/portcullis.db"));
}

#[test]
fn thirteen_mistakes_are_thirteen_findings_at_their_places() {
    let text = r#"version: 1
listen:
  address: localhost
  limits: {body: 4MB}
tags:
  web: Pages
  "a b": Bad name
  web: Again
server: {}
telemetry: {}
servers:
  docs:
    tags: [wbe]
    http: {url: "ftp://docs.example.com/mcp"}
  files:
    tags: []
    stdio: {command: [npx, 1]}
    tool: {}
grants:
  - {to: {user: "*", group: staff}, scopes: [tag:web]}
rules:
  - forbid: {tools: [dosc/x]}
"#;
    let loaded = load(text);
    assert!(loaded.config.is_none());
    insta::assert_snapshot!(found(&loaded).join("\n"), @r"
    3:12 PC005 `localhost` is no address to listen on
    4:18 PC005 `listen.limits.body` must be a size such as `1000`, `32KiB` or `4MiB`, above zero and at most 1GiB
    7:3 PC012 tag `a b` must be 1 to 64 of `A-Z a-z 0-9 _ -`
    8:3 PC002 the key `web` is written twice
    9:1 PC004 unknown key `server`
    10:1 PC004 `telemetry` is not supported yet
    13:12 PC101 unknown tag `wbe`
    14:17 PC005 `http.url` must begin with `https://` or `http://`
    16:11 PC113 `servers.files.tags` is empty
    17:28 PC005 `servers.files.stdio.command[1]` must be text, not the number `1`
    18:5 PC004 unknown key `tool` in `servers.files`
    20:10 PC005 `to` must hold exactly one of `user`, `group` and `client`
    22:22 PC107 unknown server `dosc`, so this forbids nothing
    ");
}

#[test]
fn what_is_not_written_has_its_default() {
    let config = config::load_text("etc/portcullis.yaml", "version: 1\n", &none).config.unwrap();
    assert_eq!(config.listen.address.value.to_string(), "127.0.0.1:3050");
    assert_eq!(config.listen.public_url.value, "http://127.0.0.1:3050");
    assert!(config.oauth.enabled.value);
    assert_eq!(config.audit.file, std::path::Path::new("etc/.portcullis/audit.ndjson"));
    assert_eq!(config.store.sqlite, std::path::Path::new("etc/.portcullis/portcullis.db"));
    assert!(config.policies.is_empty() && config.encryption.key.is_none());
}

#[test]
fn the_order_of_keys_has_no_meaning() {
    let reordered = r#"
rules: []
servers:
  b: {stdio: {env: {B: b, A: a}, command: [x, "y"]}, tags: [t, s]}
  a: {http: {url: "https://a.example"}, public: true}
tags: {t: T, s: {sensitive: true, description: S}}
version: 1
"#;
    let plain = r#"
version: 1
tags: {s: {description: S, sensitive: true}, t: T}
servers:
  a: {public: true, http: {url: "https://a.example"}}
  b: {tags: [s, t], stdio: {command: [x, "y"], env: {A: a, B: b}}}
rules: []
"#;
    assert_eq!(meaning(reordered), meaning(plain));
}

/// What a text means, without places and digest.
fn meaning(text: &str) -> String {
    let config = load(text).config.unwrap();
    let shown = format!("{config:#?}").replace(&config.digest, "");
    let mut depth = 0_usize;
    let mut kept = Vec::new();
    for line in shown.lines() {
        if depth == 0 && line.contains("Place {") {
            depth = 1;
        } else if depth > 0 {
            depth -= usize::from(line.trim_start().starts_with('}'));
        } else {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[test]
fn hostile_files_are_findings_in_bounded_time() {
    let bomb = (0..26).fold("a: &a [x, x]\n".to_owned(), |text, n| {
        let (before, name) = (char::from(b'a' + n), char::from(b'b' + n));
        format!("{text}{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n")
    });
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "1:1 PC001 the configuration is empty"),
        ("blank", b"\n\n# nothing\n".to_vec(), "1:1 PC001 the configuration is empty"),
        ("null", b"~\n".to_vec(), "1:1 PC001 the configuration is empty"),
        ("binary", vec![0x7f, b'E', b'L', b'F', 2, 1, 0, 0xff], "1:8 PC001 the file is not UTF-8"),
        ("utf-16", vec![0xff, 0xfe, b'v', 0], "1:1 PC001 the file is UTF-16, not UTF-8"),
        ("nul", b"version: 1\n\0".to_vec(), "2:1 PC001 the file holds a NUL character"),
        ("bomb", bomb.into_bytes(), "2:8 PC001 the alias `*a` is not allowed"),
        (
            "deep flow",
            "[".repeat(1000).into_bytes(),
            "1:65 PC001 lists and maps stand more than 64 deep within each other",
        ),
        (
            "deep block",
            (0..1000).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>().into_bytes(),
            "65:65 PC001 lists and maps stand more than 64 deep within each other",
        ),
        (
            "deep dashes",
            "- ".repeat(1000).into_bytes(),
            "1:129 PC001 lists and maps stand more than 64 deep within each other",
        ),
        ("scalar", b"hello".to_vec(), "1:1 PC005 the configuration must be a map, not the text `hello`"),
        ("list", b"- version: 1".to_vec(), "1:1 PC005 the configuration must be a map, not a list"),
        ("directive", b"%YAML 1.1\n---\nversion: 1\n".to_vec(), "1:1 PC001 a `%` directive is not allowed"),
        ("tag", b"version: !!str 1\n".to_vec(), "1:10 PC001 the YAML tag `!!str` is not allowed"),
        ("number as key", b"version: 1\n1: 2\n".to_vec(), "2:1 PC005 a key must be text, not the number `1`"),
        ("list as key", b"version: 1\n? [a]\n: 2\n".to_vec(), "2:3 PC005 a key must be text, not a list"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, first) in cases {
        let path = folder.path().join("portcullis.yaml");
        std::fs::write(&path, bytes).unwrap();
        let before = Instant::now();
        let loaded = config::load(&path, &none);
        assert!(before.elapsed() < Duration::from_secs(5), "{name}: {:?}", before.elapsed());
        assert!(loaded.config.is_none() && loaded.readable, "{name}");
        assert_eq!(found(&loaded).first().map(String::as_str), Some(first), "{name}: {:#?}", found(&loaded));
    }
}

#[test]
fn large_files_are_refused_or_read_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis.yaml");
    std::fs::write(&path, "#".repeat((16 << 20) + 1)).unwrap();
    let loaded = config::load(&path, &none);
    assert!(!loaded.readable && found(&loaded)[0].ends_with("larger than 16 MiB"), "{:?}", found(&loaded));
    let before = Instant::now();
    let loaded = load(&format!("version: 1\nx: [{}]\n", "a,".repeat(600_000)));
    assert_eq!(found(&loaded).len(), 1, "{:?}", found(&loaded));
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    let wide: String = (0..5_000).map(|n| format!("k{n}: {{}}\n")).collect();
    let loaded = load(&format!("{wide}{wide}"));
    assert_eq!(loaded.findings.len(), 1_000);
    told(&Report::of(&loaded, None, &loaded.findings, &[]), Style::Human);
    assert!(before.elapsed() < Duration::from_secs(40), "{:?}", before.elapsed());
    let loaded = config::load(folder.path(), &none);
    assert!(!loaded.readable && found(&loaded)[0].ends_with("not a file"));
}

#[test]
fn byte_order_marks_and_line_endings_do_not_shift_places() {
    for (text, place) in [
        ("\u{feff}version: 2\n", (1, 10, 12..13)),
        ("\r\nversion: 2\r\n", (2, 10, 11..12)),
        ("# é𝄞\nversion: 2", (2, 10, 18..19)),
    ] {
        let loaded = load(text);
        assert_eq!(found(&loaded).len(), 1, "{:?}", found(&loaded));
        let found = loaded.findings[0].place().unwrap();
        assert_eq!(&text[found.start..found.end], "2", "{text:?} {found:?}");
        assert_eq!((found.line, found.column, found.start..found.end), place, "{text:?}");
    }
    for text in ["\u{feff}version: 1\n", "version: 1\r\ntags:\r\n  a: A\r\n", "version: 1\n..."] {
        assert!(load(text).config.is_some(), "{text:?} {:?}", found(&load(text)));
    }
}

#[test]
fn variables_go_into_values_and_nowhere_else() {
    let text = "version: 1\nlisten: {address: \"${HOST:-127.0.0.1}:${PORT}\", limits: {connections: \"${N}\"}}\nservers: {a: {public: true, stdio: {command: [\"$${X}\"], env: {A: \"${PORT}\"}}}}\n";
    let env = |name: &str| match name {
        "PORT" => Some("4000".to_owned()),
        "N" => Some("7".to_owned()),
        _ => None,
    };
    let loaded = config::load_text("f", text, &env);
    assert_eq!(found(&loaded), Vec::<String>::new());
    let config = loaded.config.unwrap();
    assert_eq!(config.listen.address.value.to_string(), "127.0.0.1:4000");
    assert_eq!(config.listen.limits.connections, 7);
    let Transport::Stdio(stdio) = &config.servers.values().next().unwrap().transport else { panic!() };
    assert_eq!(stdio.command[0].value, "${X}");
    assert_eq!(config.from_env.len(), 3);
}

#[test]
fn policies_are_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    for (name, text) in [("b.cedar", "// b"), ("a.cedar", "// a"), ("c.txt", "x"), (".hidden.cedar", "x")] {
        std::fs::write(folder.path().join("policies").join(name), text).unwrap();
    }
    let path = folder.path().join("portcullis.yaml");
    std::fs::write(&path, "version: 1\npolicies: [\"policies/*.cedar\", policies/a.cedar]\n").unwrap();
    let config = config::load(&path, &none).config.unwrap();
    let paths: Vec<_> = config.policies.iter().map(|file| (&*file.path, &*file.text)).collect();
    assert_eq!(paths, [("policies/a.cedar", "// a"), ("policies/b.cedar", "// b")]);
    std::fs::write(&path, "version: 1\npolicies: [\"*/a.cedar\", missing.cedar, \"none/*.cedar\"]\n").unwrap();
    let codes: Vec<_> = config::load(&path, &none).findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["PC005", "PC001", "PC113"]);
}

#[test]
fn urls_and_headers_are_strict() {
    for (server, code) in [
        ("http: {url: \"https://u:p@a.example\"}", "PC005"),
        ("http: {url: \"https://a.example#x\"}", "PC005"),
        ("http: {url: \"file:///etc/passwd\"}", "PC005"),
        ("http: {url: \"https://a.example\", headers: {\"A B\": x}}", "PC012"),
        ("http: {url: \"https://a.example\", headers: {A: \"x\\r\\nB: y\"}}", "PC005"),
        ("http: {url: \"https://a.example\", headers: {Host: x}}", "PC005"),
        ("http: {url: \"https://a.example\", headers: {A: {env: A, file: b}}}", "PC005"),
        ("http: {url: \"https://a.example\", headers: {A: {}}}", "PC005"),
        ("stdio: {command: [\"\"]}", "PC005"),
        ("stdio: {command: [a], env: {A=B: c}}", "PC012"),
    ] {
        let loaded = load(&format!("version: 1\nservers: {{a: {{public: true, {server}}}}}\n"));
        let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [code], "{server}");
    }
    for url in ["http://mcp.example.com", "https://mcp.example.com/x", "https://mcp.example.com?x", "ftp://a", "x"] {
        let loaded = load(&format!("version: 1\nlisten: {{public_url: \"{url}\"}}\n"));
        assert_eq!(loaded.findings.len(), 1, "{url}: {:?}", found(&loaded));
    }
    assert_eq!(found(&load("version: 1\nlisten: {address: \"0.0.0.0:1\"}\n")).len(), 1);
}

#[test]
fn the_json_schema_is_the_one_in_the_repository() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/config.schema.json");
    let schema = config::json_schema();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, format!("{schema:#}\n")).unwrap();
    }
    let kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(kept == schema, "schema/config.schema.json is out of date: run `INSTA_UPDATE=always cargo test`");
}

#[test]
fn the_json_schema_requires_what_reading_requires() {
    let schema = config::json_schema();
    let required = |section: &str| schema["$defs"][section]["required"].clone();
    assert_eq!(schema["required"], serde_json::json!(["version"]));
    assert_eq!(required("GrantSection"), serde_json::json!(["to", "scopes"]));
    assert_eq!(required("RuleSection"), serde_json::json!(["forbid"]));
    assert_eq!(required("HttpSection"), serde_json::json!(["url"]));
    for section in ["ListenSection", "LimitsSection", "ServerSection", "SecretSection", "EncryptionSection"] {
        assert_eq!(required(section), serde_json::Value::Null, "{section}");
    }
    assert!(!schema.to_string().contains(r#""null""#), "{schema:#}");
}

#[test]
fn az24_what_protects_the_way_to_the_listener() {
    let of = |listen: &str| load(&format!("version: 1\nlisten: {{{listen}}}\n"));
    let files = "tls: {certificate: c.pem, private_key: k.pem}";
    let good =
        of(&format!("address: 127.0.0.1:4000, {files}, trusted_proxies: [10.1.2.3/8, 192.0.2.1, '2001:db8::/32']"));
    let listen = good.config.unwrap().listen;
    assert_eq!(listen.public_url.value, "https://127.0.0.1:4000");
    assert!(matches!(&listen.way, Way::Tls(files) if files.private_key.ends_with("k.pem")));
    let networks: Vec<String> = listen.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]);
    let proxy = of("tls_proxy: true, public_url: 'https://gate.example.com'");
    assert_eq!(proxy.config.unwrap().listen.way, Way::Proxy);
    assert_eq!(of("tls_proxy: false").config.unwrap().listen.way, Way::Plain);
    for (listen, words) in [
        ("tls_proxy: true", "`listen.public_url` is missing: callers know the gateway by the proxy's URL"),
        (
            "tls_proxy: true, public_url: 'http://localhost:1'",
            "must be `https`: `listen.tls_proxy` says that a proxy ends TLS",
        ),
        (&format!("{files}, public_url: 'http://localhost:1'"), "must be `https`: `listen.tls` is set"),
        (&format!("{files}, tls_proxy: true, public_url: 'https://a.example'"), "are both on: TLS ends in one place"),
        ("tls: {certificate: c.pem}", "private_key"),
        ("tls: {certificate: '', private_key: k.pem}", "`certificate` must be a path"),
        ("trusted_proxies: [0.0.0.0/0]", "`0.0.0.0/0` is every address"),
        ("trusted_proxies: ['::/0']", "`::/0` is every address"),
        ("trusted_proxies: [proxy.example]", "`proxy.example` is no network"),
        ("trusted_proxies: [10.0.0.0/33]", "`10.0.0.0/33` is no network"),
    ] {
        let loaded = of(listen);
        assert!(
            loaded.config.is_none() && found(&loaded).iter().any(|line| line.contains(words)),
            "{listen}: {:?}",
            found(&loaded)
        );
    }
}

/// Values as YAML in the flow style, quoted and not.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{1,6}",
        "-?[0-9]{1,4}(\\.[0-9]{1,3})?",
        "[a-z#:,\\[\\]{} \u{e9}]{0,8}".prop_map(|text| format!("{text:?}")),
        "[a-z#: ]{0,8}".prop_map(|text| format!("'{text}'")),
        Just("true".to_owned()),
        Just("~".to_owned()),
        Just("yes".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map("[a-z]{2,6}", inner, 0..5).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(key, value)| format!("k{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}|[a-z:\\-\\[\\]{}&*!|>'\"%@`#?, \n\t\r~<0-9.]{0,120}") {
        let loaded = load(&text);
        prop_assert!(loaded.config.is_none() || loaded.findings.iter().all(|finding| finding.class < portcullis::diagnostic::Class::Error));
        for finding in &loaded.findings {
            let place = finding.place().unwrap();
            prop_assert!(place.start <= place.end && place.end <= text.len(), "{place:?}");
        }
        for style in Style::value_variants() {
            told(&Report::of(&loaded, None, &loaded.findings, &[]), *style);
        }
    }

    #[test]
    fn mutilated_configurations_never_panic(at in 0..1800_usize, length in 0..40_usize, put in "[a-z:\\-\\[\\]{}&*!|>'\"\n ]{0,4}") {
        let mut text = GOOD.to_owned();
        let at = at.min(text.len());
        text.replace_range(at..(at + length).min(text.len()), &put);
        let loaded = load(&text);
        let findings = portcullis::check::run(&loaded);
        for style in Style::value_variants() {
            told(&Report::of(&loaded, None, &findings, &[]), *style);
        }
    }

    #[test]
    fn any_order_of_keys_means_the_same(order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(), inner in Just(vec![0, 1, 2]).prop_shuffle()) {
        let server = ["tags: [s, t]", "require: any", "stdio: {command: [x]}"];
        let server: Vec<_> = inner.iter().map(|index| server[*index]).collect();
        let sections = [
            "version: 1\n".to_owned(),
            "tags: {s: S, t: T}\n".to_owned(),
            format!("servers: {{a: {{{}}}, b: {{public: true, http: {{url: \"https://b.example\"}}}}}}\n", server.join(", ")),
            "grants: [{to: {user: ana}, scopes: [tag:s]}]\n".to_owned(),
            "rules: [{id: r, forbid: {tools: [a/x]}}]\n".to_owned(),
            "oauth: {enabled: true}\n".to_owned(),
            "audit: {file: a}\n".to_owned(),
            "listen: {limits: {body: 1KiB, idle: 1s}}\n".to_owned(),
        ];
        let text: String = order.iter().map(|index| sections[*index].as_str()).collect();
        let plain = sections.concat().replace(&server.join(", "), "tags: [s, t], require: any, stdio: {command: [x]}");
        prop_assert_eq!(meaning(&text), meaning(&plain));
    }

    #[test]
    fn the_two_readers_agree(value in value()) {
        let loaded = load(&format!("version: 1\nx: {value}\ny:\n  - {value}\n"));
        let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
        prop_assert_eq!(codes, ["PC004", "PC004"], "{:?}", found(&loaded));
    }
}

#[test]
fn cl05_a_server_speaks_the_era_that_is_written_or_is_asked() {
    let text = |rest: &str| {
        format!(
            "version: 1\nlisten: {{address: '127.0.0.1:0'}}\ntags: {{web: Search the web}}\nservers:\n  docs:\n    \
             tags: [web]\n    http: {{url: 'https://docs.example.com/mcp'{rest}\n"
        )
    };
    let read = |rest: &str| {
        let config = load(&text(rest)).config.unwrap();
        let server = config.servers.values().next().unwrap();
        let Transport::Http(http) = &server.transport else { panic!("not over HTTP") };
        (server.era, http.sse)
    };
    assert_eq!(read("}"), (EraChoice::Auto, false));
    assert_eq!(read("}\n    era: auto"), (EraChoice::Auto, false));
    assert_eq!(read(", transport: streamable}\n    era: modern"), (EraChoice::Modern, false));
    assert_eq!(read(", transport: sse}\n    era: legacy"), (EraChoice::Legacy, true));
    assert!(load(&text("}\n    era: future")).config.is_none());
    assert!(load(&text(", transport: websocket}")).config.is_none());
    let both = load(&text(", transport: sse}\n    era: modern"));
    assert!(
        found(&both).iter().any(|line| line.ends_with("a server over `transport: sse` speaks no modern MCP")),
        "{:?}",
        found(&both)
    );
}

#[test]
fn sm14_views_name_declared_tags_and_at_least_one() {
    let with = |views: &str| load(&format!("version: 1\ntags: {{web: Web, files: Files}}\nviews: {{{views}}}\n"));
    let good = with("front: {tags: [web, files], description: For people}, back-2: {tags: [files]}");
    assert_eq!(found(&good), Vec::<String>::new());
    let view = good.config.unwrap().views[&"front".parse().unwrap()].clone();
    assert_eq!(view.tags.iter().map(|tag| tag.value.as_str()).collect::<Vec<_>>(), ["files", "web"]);
    assert_eq!((view.description.as_str(), view.place.line), ("For people", 3));
    let many: String = (0..51).map(|nth| format!("t{nth}: T, ")).collect();
    let named: String = (0..51).map(|nth| format!("t{nth}, ")).collect();
    let too_many = load(&format!("version: 1\ntags: {{{many}}}\nviews: {{v: {{tags: [{named}]}}}}\n"));
    assert!(found(&too_many).iter().any(|found| found.contains("a view of 51 tags")), "{:?}", found(&too_many));
    for (views, code) in [
        ("front: {tags: []}", "PC113"),
        ("front: {tags: [wbe]}", "PC101"),
        ("front: {tags: ['tag:web']}", "PC012"),
        ("front: {tags: [web, web]}", "PC106"),
        ("front: {}", "PC005"),
        ("front: web", "PC005"),
        ("front: {tags: web}", "PC005"),
        ("front: {tags: [web], tag: x}", "PC004"),
        ("Front: {tags: [web]}", "PC012"),
        ("'@front': {tags: [web]}", "PC012"),
        ("front: {tags: [web]}, front: {tags: [files]}", "PC002"),
    ] {
        let loaded = with(views);
        assert!(
            loaded.findings.iter().any(|finding| finding.code == code && finding.place().is_some()),
            "{views}: {:?}",
            found(&loaded)
        );
    }
    // All problems at once.
    assert_eq!(with("A: {tags: [x]}, b: {tags: []}, c: {tags: [y]}").findings.len(), 4);
}

#[test]
fn sm27_the_delay_of_failures_is_a_range_a_map_or_nothing() {
    let with = |delay: &str| load(&format!("version: 1\noauth: {delay}\n"));
    let millis = |delay: &str| {
        let loaded = with(delay);
        let config = loaded.config.as_ref().unwrap_or_else(|| panic!("{delay}: {:?}", found(&loaded)));
        config.oauth.failure_delay.map(|delay| (delay.least.as_millis(), delay.most.as_millis()))
    };
    for (delay, read) in [
        ("{}", Some((10, 50))),
        ("{failure_delay: 20ms-80ms}", Some((20, 80))),
        ("{failure_delay: 20-80ms}", Some((20, 80))),
        ("{failure_delay: {min: 5ms, max: 1s}}", Some((5, 1000))),
        ("{failure_delay: 0}", None),
        ("{failure_delay: '0'}", None),
    ] {
        assert_eq!(millis(delay), read, "{delay}");
    }
    assert_eq!(load("version: 1\n").config.unwrap().oauth.failure_delay.map(|delay| delay.most.as_millis()), Some(50));
    for bad in
        ["10ms", "50ms-10ms", "10", "{min: 5ms}", "{min: 5ms, max: 1h}", "{least: 1ms, max: 2ms}", "[1, 2]", "true"]
    {
        let loaded = with(&format!("{{failure_delay: {bad}}}"));
        let finding = loaded.findings.first().unwrap_or_else(|| panic!("{bad}"));
        assert!(finding.place().is_some_and(|place| place.line == 2), "{bad}: {:?}", found(&loaded));
    }
}
