//! Words of the author that would do harm where they are printed.

use clap::ValueEnum as _;
use portcullis::{
    cli::report::{Report, Style, junit},
    config,
    diagnostic::{About, Class, Diagnostic, Safety},
};
use serde_json::Value;

use super::against_the_xsd;
use crate::support::{no_env, told};

/// What a terminal, a runner, XML, HTML and Markdown would act on.
const WORDS: &str = "a\x1b[31mred\u{9b}2J ]]> <img src=x> &amp; `tick` ``` \n::error::no\r\n##[error]no \u{202e}right, | [x](http://evil.example) @all \u{0}\u{7}%0A:: \u{ffff}";
const FILE: &str = "evil\x1b[2J,a:b%\n::error::c.yaml";

const ABOUT: About = About {
    code: "PC001",
    name: "yaml-syntax",
    class: Class::Error,
    summary: "the file cannot be read",
    help: "mend it",
};

fn finding() -> Diagnostic {
    let text = format!("version: 1\n# \x1b[31m ]]> ::error:: `x` \u{202e}\n{WORDS}\n");
    let loaded = config::load_text(FILE, &text, &no_env);
    let place = loaded.findings[0].place().unwrap().clone();
    ABOUT.at(&place, WORDS).help(WORDS).label(WORDS).also(&place, WORDS).fix(Safety::Safe, WORDS, &place, WORDS)
}

fn written(style: Style) -> String {
    let text = format!("version: 1\n# \x1b[31m ]]> ::error:: `x` \u{202e}\n{WORDS}\n");
    let loaded = config::load_text(FILE, &text, &no_env);
    let findings = [finding()];
    let suppressed = [portcullis::check::Suppressed {
        finding: finding(),
        by: portcullis::check::By::Comment,
        reason: Some(WORDS.into()),
        until: None,
        place: findings[0].place().cloned(),
    }];
    told(&Report::of(&loaded, None, &findings, &suppressed), style)
}

#[test]
fn no_format_prints_a_character_that_acts() {
    for style in Style::value_variants() {
        let text = written(*style);
        let acts = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}' || *c == '\u{ffff}';
        // In JSON, U+FFFF is a character like others.
        let json = matches!(style, Style::Json | Style::Sarif | Style::Gitlab);
        let found: Vec<_> = text.chars().filter(acts).filter(|c| !json || *c != '\u{ffff}').collect();
        let prints = !matches!(style, Style::Human | Style::Plain | Style::Concise | Style::Github | Style::Markdown);
        let found: Vec<_> = found.into_iter().filter(|c| prints || *c != '\u{ffff}').collect();
        assert!(found.is_empty(), "{style:?}: {found:?}\n{text}");
    }
}

#[test]
fn one_finding_is_one_line_and_one_command() {
    let concise = written(Style::Concise);
    assert_eq!(concise.lines().count(), 2, "{concise}");
    let github = written(Style::Github);
    let commands: Vec<_> = github.lines().filter(|line| line.trim_start().starts_with("::")).collect();
    assert_eq!(commands.len(), 1, "{github}");
    let (properties, _) = commands[0].trim_start_matches("::").split_once("::").unwrap();
    assert_eq!(properties.split(',').count(), 6, "{properties}");
    assert!(properties.contains("a%3Ab%25%0A%3A%3Aerror%3A%3Ac.yaml"), "{properties}");
    // The old form of commands acts anywhere in a line of text; a command's own line is read as one.
    assert!(github.lines().skip(1).all(|line| !line.contains("##[")), "{github}");
}

#[test]
fn json_says_it_whole() {
    let report: Value = serde_json::from_str(&written(Style::Json)).unwrap();
    assert_eq!(report["findings"][0]["message"], WORDS);
    assert_eq!(report["findings"][0]["locations"][0]["file"], FILE);
    assert_eq!(report["findings"][0]["fixes"][0]["edits"][0]["replacement"], WORDS);
}

#[test]
fn sarif_names_the_file_by_a_uri() {
    let log: Value = serde_json::from_str(&written(Style::Sarif)).unwrap();
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "evil%1B%5B2J%2Ca%3Ab%25%0A%3A%3Aerror%3A%3Ac.yaml");
}

#[test]
fn junit_stays_xml() {
    let document = written(Style::Junit);
    assert!(!document.contains("]]>"), "{document}");
    assert_eq!(against_the_xsd(&document), None, "{document}");
    let cause = || junit::Cause { kind: WORDS.into(), message: WORDS.into(), text: WORDS.into() };
    let outcomes = [
        junit::Outcome::Passed,
        junit::Outcome::Failed(cause()),
        junit::Outcome::Errored(cause()),
        junit::Outcome::Skipped(WORDS.into()),
    ];
    let took = Some(std::time::Duration::from_millis(1_234));
    let case = |outcome| junit::Case { name: WORDS.into(), class: WORDS.into(), took, outcome };
    let suite = junit::Suite { name: WORDS.into(), cases: outcomes.map(case).into() };
    let mut out = Vec::new();
    junit::junit(&mut out, WORDS, &[suite, junit::Suite { name: "empty".into(), cases: Vec::new() }]).unwrap();
    let document = String::from_utf8(out).unwrap();
    assert_eq!(against_the_xsd(&document), None, "{document}");
    assert!(document.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"4.936\""), "{document}");
}

#[test]
fn markdown_makes_nothing_of_it() {
    let text = written(Style::Markdown);
    for acting in ["<img", "](http", "@all", "```", "http:", "[x]"] {
        assert!(!text.contains(acting), "{acting}: {text}");
    }
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ✗")).collect();
    assert_eq!((rows.len(), rows[0].matches('|').count()), (1, 5), "{text}");
}
