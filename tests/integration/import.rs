//! Configurations of MCP clients, as `init --from` reads them.

use portcullis::{
    check,
    config::{self, Loaded},
    diagnostic::Class,
    import::{self, ImportError, Imported, Source},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{golden, root};

/// Every secret of the fixtures.
const SECRETS: &[&str] = &[
    "ghp_0123456789",
    "BSAq1w2e3r4t",
    "hunter2",
    "sk-live-0123",
    "OGJjMzQ5ZTUtNDY3Yi00",
    "9f8e7d6c5b4a",
    "sntrys_abcdef",
    "k3J9xQ2mZ8vB7nL4",
    "user:pass",
];

fn fixture(name: &str) -> String {
    std::fs::read_to_string(root().join("tests/fixtures/mcp").join(name)).unwrap()
}

fn imported(name: &str, text: &str) -> Imported {
    import::import(&[Source { name, text }]).unwrap_or_else(|error| panic!("{error}"))
}

fn only(servers: &Value) -> Imported {
    imported("mcp.json", &json!({ "mcpServers": servers }).to_string())
}

/// As read where every variable is set.
fn load(yaml: &str, value: &'static str) -> Loaded {
    config::load_text("portcullis.yaml", yaml, &move |_| Some(value.to_owned()))
}

/// All that was said.
fn said(imported: &Imported) -> String {
    let Imported { yaml, left, changed, variables, servers: _, tags: _ } = imported;
    format!("{yaml}{left:?}{changed:?}{variables:?}")
}

#[test]
fn every_client_has_its_golden_file_and_no_secret_in_it() {
    for name in ["claude-desktop.json", "cursor.json", "vscode.json", "1mcp.json"] {
        let imported = imported(name, &fixture(name));
        golden("import", name.trim_end_matches(".json"), &imported.yaml);
        for secret in SECRETS {
            assert!(!said(&imported).contains(secret), "{name} gives away {secret}");
        }
        let loaded = load(&imported.yaml, "x");
        let grave = |class: Class| class == Class::Error;
        let grave: Vec<_> = check::run(&loaded).into_iter().filter(|finding| grave(finding.class)).collect();
        assert!(grave.is_empty() && loaded.config.is_some(), "{name}: {grave:#?}");
    }
}

#[test]
fn several_files_become_one_and_no_server_is_lost() {
    let texts = ["claude-desktop.json", "vscode.json"].map(|name| (name, fixture(name)));
    let sources: Vec<_> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let both = import::import(&sources).unwrap();
    let names: Vec<&str> = both.servers.iter().map(portcullis::name::ServerName::as_str).collect();
    assert_eq!(names.len(), 9);
    assert!(names.contains(&"github") && names.contains(&"github-2"), "{names:?}");
    let same = import::import(&[sources[0], sources[0]]).unwrap();
    assert_eq!(same.servers.len(), 6, "{:?}", same.servers);
    assert!(load(&both.yaml, "x").config.is_some() && load(&same.yaml, "x").config.is_some());
}

#[test]
fn bad_json_is_said_with_its_place() {
    for (text, place) in [
        ("", "mcp.json:1:1: "),
        ("{\n  \"mcpServers\": {\n    \"a\": }\n}", "mcp.json:3:10: "),
        ("{\"mcpServers\": {", "mcp.json:1:16: "),
        ("{'a': 1}", "mcp.json:1:2: "),
        ("{\"a\": 1} {}", "mcp.json:1:10: "),
    ] {
        let error = import::import(&[Source { name: "mcp.json", text }]).unwrap_err();
        assert!(matches!(error, ImportError::Json(_)), "{text}: {error}");
        assert!(error.to_string().starts_with(place), "{text}: {error}");
    }
}

#[test]
fn nothing_to_import_says_what_was_found_instead() {
    for (text, part) in [
        ("[]", "holds no object"),
        ("{\"mcpServers\": []}", "is no object"),
        ("{\"mcpServers\": {\"a\": {\"disabled\": true, \"command\": \"x\"}}}", "disabled"),
        ("{\"theme\": \"dark\"}", "setting of the client"),
        ("{\"mcpServers\": {\"a\": {\"url\": \"ftp://x\"}}}", "must begin with `https://`"),
    ] {
        let error = import::import(&[Source { name: "f", text }]).unwrap_err();
        assert!(matches!(error, ImportError::Nothing(_)), "{text}: {error}");
        assert!(error.to_string().contains(part) && error.to_string().contains("f:1:"), "{text}: {error}");
    }
}

#[test]
fn pc401_secrets_of_every_place_become_variables() {
    let secret = "ghp_0123456789abcdefABCDEF0123456789abcd";
    for server in [
        json!({ "command": "x", "env": { "A": secret } }),
        json!({ "command": "x", "env": { "PASSWORD": "hunter2" } }),
        json!({ "command": "x", "env": [format!("A={secret}")] }),
        json!({ "command": "x", "args": [secret] }),
        json!({ "command": "x", "args": [format!("--token={secret}")] }),
        json!({ "command": "x", "args": ["--password", "hunter2"] }),
        json!({ "command": "x", "args": ["-e", "PASSWORD=hunter2"] }),
        json!({ "command": "x", "args": ["--header", "Authorization: Basic hunter2"] }),
        json!({ "command": "x", "args": ["${A} ghp_0123456789abcdefABCDEF0123456789abcd"] }),
        json!({ "command": "sh", "args": ["-c", format!("TOKEN={secret} x --key {secret}")] }),
        json!({ "command": "sh", "args": ["-c", format!("x | y {secret}")] }),
        json!({ "command": format!("x --token {secret}") }),
        json!({ "command": "x", "cwd": secret }),
        json!({ "command": "x", "env": { "A": format!("${{B:-{secret}}}") } }),
        json!({ "command": "x", "env": { "DATABASE_URL": "postgres://u:hunter2@h/d" } }),
        json!({ "url": format!("https://a.example/{secret}") }),
        json!({ "url": format!("https://a.example/x?token={secret}") }),
        json!({ "url": "https://a.example/x?password=hunter2" }),
        json!({ "url": "https://u:hunter2@a.example/x" }),
        json!({ "url": "https://a.example/x", "headers": { "Cookie": "sid=hunter2" } }),
        json!({ "url": "https://a.example/x", "headers": { "X-Anything": format!("Bearer {secret}") } }),
        json!({ "command": "x", "tags": [secret] }),
        json!({ "command": "x", secret: 1 }),
    ] {
        let imported = only(&json!({ "a": server }));
        assert!(
            !said(&imported).contains("hunter2") && !said(&imported).contains("0123456789abcdef"),
            "{server}\n{}",
            said(&imported)
        );
        assert!(load(&imported.yaml, "x").config.is_some(), "{server}\n{}", imported.yaml);
    }
    let named = only(&json!({ secret: { "command": "x" } }));
    assert!(!said(&named).to_lowercase().contains("0123456789abcdef"), "{}", said(&named));
}

#[test]
fn one_variable_never_stands_for_two_secrets() {
    let imported = only(&json!({
        "a": { "command": "x", "env": { "API_TOKEN": "one" } },
        "b": { "command": "x", "env": { "API_TOKEN": "two" } },
        "c": { "command": "x", "env": { "API_TOKEN": "one" } },
        "d": { "command": "x", "env": { "D": "${API_TOKEN}" } },
    }));
    let names: Vec<&str> = imported.variables.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["API_TOKEN", "A_API_TOKEN", "B_API_TOKEN", "C_API_TOKEN"]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
        prop::sample::select(vec![
            "npx",
            "sh",
            "-c",
            "cmd",
            "/c",
            "a b",
            "'",
            "no",
            "1",
            "-",
            "--token",
            "${A}",
            "${A:-b}",
            "${",
            "$A",
            "${input:x}",
            "https://a.example/mcp",
            "http://localhost:1/${P}",
            "stdio",
            "sse",
            "x\ny",
            "\0",
            "tag",
            "*",
            "~",
            "\u{feff}",
            "- a",
            ": ",
            "a #b",
            "ghp_0123456789abcdefABCDEF0123456789abcd",
        ])
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

fn server() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "command",
        "args",
        "env",
        "cwd",
        "url",
        "headers",
        "type",
        "tags",
        "disabled",
        "enabled",
        "timeout",
        "autoApprove",
        "disabledTools",
        "inputs",
        "oauth",
    ]);
    let likely = prop_oneof![
        text().prop_map(Value::from),
        prop::collection::vec(text(), 0..4).prop_map(Value::from),
        prop::collection::vec((text(), text().prop_map(Value::from)), 0..3)
            .prop_map(|entries| entries.into_iter().collect()),
        value(),
    ];
    let entries = prop::collection::vec((key.prop_map(str::to_owned), likely), 0..6);
    let start = prop_oneof![Just("command"), Just("url")];
    (start, text(), entries).prop_map(|(start, text, entries)| {
        let mut server: serde_json::Map<String, Value> = entries.into_iter().collect();
        server.insert(start.to_owned(), text.into());
        server.into()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_imported_loads_and_holds_no_secret(servers in prop::collection::vec((text(), server()), 1..5), rest in value()) {
        let servers: Value = servers.into_iter().collect();
        let text = json!({ "mcpServers": servers, "other": rest }).to_string();
        if let Ok(imported) = import::import(&[Source { name: "mcp.json", text: &text }]) {
            prop_assert!(!said(&imported).contains("0123456789abcdef"), "{}\n{}", text, said(&imported));
            let loaded = |value| {
                let loaded = load(&imported.yaml, value);
                loaded.config.is_some() && !check::run(&loaded).iter().any(|finding| finding.class == Class::Error)
            };
            prop_assert!(loaded("x") || loaded("1"), "{}\n{}", text, imported.yaml);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        _ = import::import(&[Source { name: "mcp.json", text: &text }]);
        _ = import::import(&[Source { name: "mcp.json", text: &format!("{{\"mcpServers\":{text}") }]);
    }
}
