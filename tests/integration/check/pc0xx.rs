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
        &checked(&with("server: {}\ntelemetry: {}\nlisten: {tls: {}, adress: x}\n")),
    );
}

#[test]
fn pc004_every_key_of_the_design_that_is_not_built_is_refused() {
    for key in ["admin", "reload", "telemetry", "invariants"] {
        let text = checked(&with(&format!("{key}: {{}}\n")));
        assert!(text.contains(&format!("error[PC004]: `{key}` is not supported yet")), "{text}");
    }
    assert_eq!(codes(&with("oauth: {allow: []}")), ["PC004"]);
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

/// The text with the first fix of every finding made.
fn mended(text: &str) -> String {
    let findings = portcullis::check::run(&crate::support::load(text));
    let edits: Vec<_> =
        findings.iter().filter_map(|finding| finding.fixes.first()).flat_map(|fix| fix.edits.clone()).collect();
    portcullis::check::mend(text, &edits).unwrap()
}

#[test]
fn pc004_a_slip_is_mended_where_it_is_plain_what_was_meant() {
    for (wrong, right) in [
        ("tagz: {a: A}\n", "tags: {a: A}\n"),
        ("listen: {limits: {bodi: 1MiB}}\n", "listen: {limits: {body: 1MiB}}\n"),
        ("oauth: {\"enable\": true}\n", "oauth: {enabled: true}\n"),
        // The right key is there already; or nothing is near; or the key is known and not built.
        ("tags: {a: A}\ntagz: {b: B}\n", "tags: {a: A}\ntagz: {b: B}\n"),
        ("nothing: {}\n", "nothing: {}\n"),
        ("telemetry: {}\n", "telemetry: {}\n"),
    ] {
        assert_eq!(mended(&with(wrong)), with(right));
    }
}

#[test]
fn pc005_quotes_and_brackets_are_mended() {
    for (wrong, right) in [
        ("tags: {a: 1.10}\n", "tags: {a: \"1.10\"}\n"),
        ("tags: {a: true, b: 0x1F}\n", "tags: {a: \"true\", b: \"0x1F\"}\n"),
        ("oauth: {enabled: \"true\"}\n", "oauth: {enabled: true}\n"),
        ("oauth: {enabled: no}\n", "oauth: {enabled: false}\n"),
        (
            "tags: {a: A}\nservers: {s: {tags: a, stdio: {command: [cat]}}}\ngrants: [{to: {user: '*'}, scopes: ['tag:a']}]\n",
            "tags: {a: A}\nservers: {s: {tags: [a], stdio: {command: [cat]}}}\ngrants: [{to: {user: '*'}, scopes: ['tag:a']}]\n",
        ),
        ("oauth: {enabled: maybe}\n", "oauth: {enabled: maybe}\n"),
    ] {
        assert_eq!(mended(&with(wrong)), with(right));
    }
}

#[test]
fn pc006_scalars_that_readers_take_for_different_things() {
    let text = with(
        "servers: {s: {public: true, stdio: {command: [cat, 1:30, 2026-11-23], env: {COUNTRY: no, on: off, MODE: 0644, N: 1_000}}, tools: {y: deny}}}\n",
    );
    golden("check", "pc006_ambiguous", &checked(&text));
    let right = with(
        "servers: {s: {public: true, stdio: {command: [cat, \"1:30\", 2026-11-23], env: {COUNTRY: \"no\", \"on\": \"off\", MODE: \"0644\", \"N\": \"1_000\"}}, tools: {\"y\": deny}}}\n",
    );
    assert_eq!(mended(&text), right);
    assert!(codes(&right).is_empty(), "{:?}", codes(&right));
}

#[test]
fn pc006_is_silent_where_another_rule_speaks_and_for_our_own_keys() {
    assert_eq!(codes(&with("oauth: {enabled: yes}\n")), ["PC005"]);
    assert_eq!(codes(&with("tags: {a: 1.10}\n")), ["PC005"]);
    assert_eq!(codes(&with("tags: {a: 0b11}\n")), ["PC001"]);
    assert!(codes(&with("rates: {calls: {limit: 1, window: 1s, on: [mcp]}}\n")).is_empty());
    assert_eq!(codes(&with("listen: {limits: {connections: 0o17}}\n")), ["PC006"]);
    assert!(
        codes(&with("listen: {address: 127.0.0.1:3050, limits: {body: 4MiB, idle: 75s, connections: 100}}\n"))
            .is_empty()
    );
}

#[test]
fn pc011_what_is_not_seen_or_not_what_it_seems() {
    for (text, found) in [
        // A comment that turns what follows it.
        ("tags: {a: A} # \u{202e}eurt :cilbup\n", vec!["PC011"]),
        ("tags: {a: \"A\u{200b}\"}\n", vec!["PC011"]),
        ("tags: {a: \"A\\u200b\"}\n", vec![]),
        // In a name with an alphabet, one finding that says both.
        ("tags: {\"a\u{200b}\": A}\n", vec!["PC012"]),
        ("tags: {\"\u{430}\": A}\n", vec!["PC012"]),
        // In a name without one.
        ("servers: {s: {public: true, stdio: {command: [cat]}, tools: {\"dele\u{442}e\": deny}}}\n", vec!["PC011"]),
        ("servers: {s: {public: true, stdio: {command: [cat]}, tools: {\"delete\\u200b\": deny}}}\n", vec!["PC011"]),
        (
            "servers: {s: {public: true, stdio: {command: [cat]}}}\nrules: [{forbid: {servers: [s]}, when: \"context.groups.contains(\\\"local/\u{430}dmin\\\")\"}]\n",
            vec!["PC011"],
        ),
        // Words of a language, joined pictures, and descriptions are what they seem.
        ("tags: {a: \"Ja\u{442} and \u{1f469}\u{200d}\u{1f4bb}\"} # na\u{ef}ve\n", vec![]),
        (
            "servers: {s: {public: true, stdio: {command: [cat]}, tools: {\"\u{443}\u{434}\u{430}\u{43b}\u{438}\u{442}\u{44c}\": deny, \"l\u{f6}schen_*\": deny}}}\n",
            vec![],
        ),
    ] {
        assert_eq!(codes(&with(text)), found, "{text}");
    }
    golden("check", "pc011_not_seen", &checked(&with("tags: {a: A} # \u{202e}eurt :cilbup\n")));
    golden("check", "pc012_a_look_alike", &checked(&with("tags: {\"w\u{435}b\": A}\n")));
}

#[test]
fn pc011_hand_written_policies_as_well() {
    let found = crate::support::written(
        "// \u{202e}\n@id(\"x\") forbid (principal, action in [Portcullis::Action::\"tools/call\", Portcullis::Action::\"tools/list\"], resource) when { context.groups.contains(\"local/\u{430}dmin\") };\n",
    );
    assert!(found.is_empty(), "a look-alike is no mistake of the compiler's: {found:?}");
}
