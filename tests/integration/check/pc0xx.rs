//! The rules of reading: what each looks like when it is printed.

use crate::support::{checked, codes, golden};

/// A sound beginning; what follows it is wrong.
fn with(rest: &str) -> String {
    format!("version: 1\n{rest}")
}

#[test]
fn pc001_syntax() {
    golden("check", "pc001_syntax", &checked(&with("listen:\n\taddress: x\n")));
    golden("check", "pc001_syntax_2", &checked(&with("tags: {a: [b\n")));
}

#[test]
fn pc001_an_alias_is_refused() {
    golden("check", "pc001_an_alias_is_refused", &checked(&with("tags: {a: &t Text, b: *t}\n")));
}

#[test]
fn pc001_readers_that_disagree() {
    golden("check", "pc001_readers_that_disagree", &checked(&with("tags: {a: 0b11}\n")));
}

#[test]
fn pc002_a_key_twice() {
    golden("check", "pc002_a_key_twice", &checked(&with("tags: {a: One}\noauth: {enabled: true}\ntags: {b: Two}\n")));
}

#[test]
fn pc002_an_id_twice() {
    let rule = "- {id: x, forbid: {servers: [\"*\"]}}";
    assert_eq!(codes(&with(&format!("rules:\n  {rule}\n  {rule}\n"))), ["PC002"]);
}

#[test]
fn pc002_a_header_twice_in_another_case() {
    let text = "servers: {a: {public: true, http: {url: \"https://a.example\", headers: {X-A: a, x-a: b}}}}\n";
    assert_eq!(codes(&with(text)), ["PC002", "PC003"]);
}

#[test]
fn pc003_keys_that_differ_in_case() {
    golden("check", "pc003_keys_that_differ_in_case", &checked(&with("tags: {web: a, Web: b}\n")));
}

#[test]
fn pc004_unknown_and_unbuilt_keys() {
    golden(
        "check",
        "pc004_unknown_and_unbuilt_keys",
        &checked(&with("server: {}\nrates: {}\nlisten: {tls: {}, adress: x}\n")),
    );
}

#[test]
fn pc004_every_key_of_the_design_that_is_not_built_is_refused() {
    for key in ["views", "rates", "headers", "cors", "validation", "admin", "reload", "telemetry", "invariants"] {
        let text = checked(&with(&format!("{key}: {{}}\n")));
        assert!(text.contains(&format!("error[PC004]: `{key}` is not supported yet")), "{text}");
    }
    for text in [
        "listen: {trusted_proxies: [10.0.0.0/8]}",
        "oauth: {login: owner}",
        "oauth: {baseline: [tag:a]}",
        "oauth: {clients: {}}",
        "servers: {a: {public: true, http: {url: \"https://a.example\"}, drift: block}}",
        "encryption: {algorithm: xchacha20-poly1305}",
    ] {
        assert_eq!(codes(&with(text)), ["PC004"], "{text}");
    }
}

#[test]
fn pc005_wrong_types() {
    golden(
        "check",
        "pc005_wrong_types",
        &checked(&with("listen: {limits: {connections: many}}\noauth: {enabled: 1}\ntags: [a]\n")),
    );
    golden("check", "pc005_wrong_types_2", &checked(&with("rules:\n  - id: a\ngrants:\nservers: {a: {tags: web}}\n")));
}

#[test]
fn pc007_a_merge_key() {
    golden("check", "pc007_a_merge_key", &checked(&with("servers:\n  a:\n    <<: *base\n    public: true\n")));
}

#[test]
fn pc008_versions() {
    golden("check", "pc008_versions", &checked("version: 3\n"));
    golden("check", "pc008_versions_2", &checked("oauth: {enabled: true}\n"));
    assert_eq!(codes("version: \"1\"\n"), ["PC008"]);
    assert_eq!(codes("version: 1.0\n"), ["PC008"]);
}

#[test]
fn pc009_variables() {
    golden(
        "check",
        "pc009_variables",
        &checked(&with("audit: {file: \"${LOG_DIR}/audit.ndjson\"}\nstore: {sqlite: \"${\"}\n")),
    );
    golden("check", "pc009_variables_2", &checked(&with("oauth: {enabled: \"${OAUTH:-true}\"}\n")));
    for text in [
        "tags: {a: \"${X:-y}\"}",
        "grants: [{to: {user: \"${X:-y}\"}, scopes: []}]",
        "servers: {a: {tags: [\"${X:-y}\"], http: {url: \"https://a.example\"}}}",
        "servers: {a: {public: \"${X:-true}\", http: {url: \"https://a.example\"}}}",
        "servers: {a: {public: true, http: {url: \"https://a.example\"}, tools: {b: \"${X:-deny}\"}}}",
        "rules: [{forbid: {servers: [\"*\"]}, when: \"${X:-true}\"}]",
    ] {
        assert!(codes(&with(text)).contains(&"PC009"), "{text}: {:?}", codes(&with(text)));
    }
}

#[test]
fn pc010_a_second_document() {
    golden("check", "pc010_a_second_document", &checked("version: 1\n---\nversion: 1\n"));
}

#[test]
fn pc012_names() {
    golden(
        "check",
        "pc012_names",
        &checked(&with(
            "tags: {\"a b\": Text}\nservers: {Files: {public: true, http: {url: \"https://a.example\"}}}\n",
        )),
    );
    golden(
        "check",
        "pc012_names_2",
        &checked(&with("tags: {web: a}\ngrants:\n  - {to: {group: \"a b\"}, scopes: [web]}\n")),
    );
}
