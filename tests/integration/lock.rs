//! `portcullis.lock`: read with places, never ignored.

use portcullis::{check, config};

/// The findings of a sound configuration with this lock beside it, as places, codes and messages.
fn findings(lock: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.lock"), lock).unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(
        &file,
        "version: 1\ntags: {web: Pages}\nservers: {a: {tags: [web], http: {url: \"https://a.example/mcp\"}}}\ngrants: [{to: {user: \"*\"}, scopes: [tag:web]}]\n",
    )
    .unwrap();
    let loaded = config::load(&file, &|_| None);
    let examined = check::examine(&loaded);
    let said: Vec<String> = examined
        .findings
        .iter()
        .map(|finding| {
            let place = finding.place().unwrap();
            assert!(place.file.ends_with("portcullis.lock"), "{finding}");
            format!("{}:{} {} {}", place.line, place.column, finding.code, finding.message)
        })
        .collect();
    assert_eq!(examined.lock.is_some() && examined.bundle.is_some(), said.is_empty());
    said
}

#[test]
fn a_whole_lock_is_read() {
    // printf '{"annotations":{"readOnlyHint":true,"title":"Read","x":[null,1.5]},"inputSchema":{"default":null,"type":"object"},"name":"read"}' | sha256sum
    let digest = "1ed140c304a210fddf1347456a82b9ad28183e8226ddbd8e3f788317df8b425b";
    let lock = format!(
        r#"{{
  "version": 1,
  "servers": {{
    "a": {{
      "instructions": "Be kind.",
      "prompts": {{"sum up": {{"description": "Short"}}}},
      "resources": {{"file:///x": {{"mimeType": "text/plain"}}}},
      "tools": {{
        "read": {{"annotations": {{"readOnlyHint": true, "title": "Read", "x": [null, 1.5]}}, "digest": "sha256:{digest}", "inputSchema": {{"type": "object", "default": null}}}},
        "drop": {{}}
      }}
    }},
    "gone": {{}}
  }}
}}
"#
    );
    assert_eq!(findings(&lock), Vec::<String>::new());
}

#[test]
fn t179_what_was_changed_by_hand_is_not_what_was_pinned() {
    let zeros = "0".repeat(64);
    for entry in [
        format!(r#""tools": {{"read": {{"digest": "sha256:{zeros}", "description": "x"}}}}"#),
        format!(r#""templates": {{"a://{{x}}": {{"digest": "sha256:{zeros}"}}}}"#),
        format!(r#""prompts": {{"sum up": {{"digest": "sha256:{zeros}"}}}}"#),
        format!(r#""digest": "sha256:{zeros}""#),
    ] {
        let lock = format!(r#"{{"version": 1, "servers": {{"a": {{{entry}}}}}}}"#);
        let column = lock.find("\"sha256:").unwrap() + 1;
        assert_eq!(findings(&lock), [format!("1:{column} PC005 `digest` is not that of what stands here")], "{entry}");
    }
}

#[test]
fn what_is_wrong_is_found_at_its_line_and_all_of_it() {
    assert_eq!(
        findings(
            "{\n  \"version\": 1,\n  \"servers\": {\n    \"a\": {\n      \"tool\": {},\n      \"tools\": {\"a b\": {}, \"c\": {\"digest\": \"sha256:1\", \"annotations\": {\"readOnlyHint\": \"yes\"}}}\n    },\n    \"A\": {}\n  }\n}\n"
        ),
        [
            "5:7 PC004 unknown key `tool` in `servers.a`",
            "6:17 PC012 tool `a b` must be 1 to 128 of `A-Z a-z 0-9 _ . - /`",
            "6:44 PC005 `digest` must be `sha256:` and 64 hexadecimal digits",
            "6:88 PC005 `readOnlyHint` must be `true` or `false`",
            "8:5 PC012 server `A` must be 1 to 31 of `a-z 0-9 -` and not begin with `-`",
        ]
    );
}

#[test]
fn a_lock_that_is_none_is_never_ignored() {
    for (lock, code) in [
        ("", "PC001"),
        ("{", "PC001"),
        ("{}", "PC008"),
        ("{\"version\": 2}", "PC008"),
        ("[]", "PC005"),
        ("{\"version\": 1, \"version\": 1}", "PC002"),
        ("{\"version\": 1, \"servers\": {\"a\": 1}}", "PC005"),
    ] {
        let found = findings(lock);
        assert!(found.len() == 1 && found[0].contains(code), "{lock}: {found:?}");
    }
}

#[test]
fn the_digest_of_the_bundle_is_that_of_the_lock_too() {
    let digest = |lock: Option<&str>| {
        let folder = tempfile::tempdir().unwrap();
        if let Some(lock) = lock {
            std::fs::write(folder.path().join("portcullis.lock"), lock).unwrap();
        }
        let file = folder.path().join("portcullis.yaml");
        std::fs::write(&file, crate::support::BASE).unwrap();
        check::examine(&config::load(&file, &|_| None)).bundle.unwrap().digest().to_owned()
    };
    let lock = |tools: &str| format!(r#"{{"version": 1, "servers": {{"s0": {{"tools": {{{tools}}}}}}}}}"#);
    let one = digest(Some(&lock(r#""write": {"description": "Writes"}"#)));
    assert_eq!(one, digest(Some(&lock(r#""write":   {"description": "Writes"}"#))));
    assert_ne!(one, digest(Some(&lock(r#""write": {"description": "Writes more"}"#))));
    assert_ne!(one, digest(None));
}

#[test]
fn no_lock_is_fine() {
    let loaded = crate::support::load(crate::support::BASE);
    assert!(check::examine(&loaded).lock.is_none());
}
