//! What is said of rules: `--explain`, `--list-rules` and `docs/rules.md`.

use portcullis::{
    check::catalogue,
    cli::report::{Links, Style, rule},
};

use crate::{
    cli::{CONFIG, at, run},
    support::{golden, root},
};

#[test]
fn a_rule_is_explained_by_code_and_by_name_without_a_configuration() {
    let place = at(CONFIG);
    let explain = |more: &[&str]| run(&place, &[&["check", "--config", "no/such.yaml", "--explain"], more].concat());
    let by_code = explain(&["PC304"]);
    golden("report", "explain_human", &by_code.out);
    assert_eq!((by_code.status, by_code.err.as_str()), (0, ""));
    for same in ["pc304", "unpinned-package", "Unpinned-Package"] {
        assert_eq!(explain(&[same]).out, by_code.out, "{same}");
    }
    let json: serde_json::Value = serde_json::from_str(&explain(&["PC304", "--format", "json"]).out).unwrap();
    assert_eq!((&json["code"], &json["since"]), (&"PC304".into(), &"0.1.0".into()));
    assert!(json["page"]["bad"]["yaml"].is_string() && json["page"]["why"].is_string(), "{json:#}");
    golden("report", "explain_markdown", &explain(&["PC304", "--format", "markdown"]).out);
    let unknown = explain(&["unpinned-pakage"]);
    assert_eq!(unknown.status, 2);
    assert_eq!(unknown.err, "error: there is no rule `unpinned-pakage`; did you mean `unpinned-package`?\n");
    assert!(explain(&["\x1b[31m"]).err.contains("`\\u{1b}[31m`; `portcullis check --list-rules` lists them"));
}

#[test]
fn the_list_is_a_table_in_markdown() {
    let mut out = Vec::new();
    rule::list(&mut out, Style::Markdown, &Links::default()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), catalogue().len() + 2);
    assert!(text.lines().all(|line| line.matches(" | ").count() == 5 || line.starts_with("|---")), "{text}");
}

#[test]
fn rules_md_is_what_the_rules_say() {
    let path = root().join("docs/rules.md");
    let pages = rule::pages();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &pages).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == pages, "docs/rules.md is out of date: run `INSTA_UPDATE=always cargo test`");
    for about in catalogue() {
        assert!(pages.contains(&format!("\n## {}\n\n`{}`\n", about.code, about.name)), "{}", about.code);
    }
}
