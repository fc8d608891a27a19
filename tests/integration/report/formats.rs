//! Every format over one configuration, and each by the schema of those who read it.

use std::collections::BTreeSet;

use clap::ValueEnum as _;
use portcullis::{
    check::catalogue,
    cli::report::{self, Links, Look, ShowUrls, Style},
};
use serde_json::Value;

use super::{Sample, against_the_xsd};
use crate::support::{golden, root, told};

fn json(style: Style) -> Value {
    serde_json::from_str(&told(&Sample::new().report(), style)).unwrap()
}

#[test]
fn every_format_is_as_it_was() {
    let sample = Sample::new();
    for style in Style::value_variants() {
        let mut text = told(&sample.report(), *style);
        if *style == Style::Sarif {
            // The rules are those of `docs/rules.md`, and many.
            let mut log: Value = serde_json::from_str(&text).unwrap();
            let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array_mut().unwrap();
            rules.truncate(1);
            for result in log["runs"][0]["results"].as_array_mut().unwrap() {
                result["ruleIndex"] = Value::Null;
            }
            log["runs"][0]["tool"]["driver"]["semanticVersion"] = "VERSION".into();
            text = format!("{log:#}\n");
        }
        let name = format!("{style:?}").to_lowercase();
        golden("report", &format!("format_{name}"), &text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}

#[test]
fn the_sum_is_said_in_one_line() {
    let human = told(&Sample::new().report(), Style::Human);
    let sum = "4 findings (1 suppressed, 1 fixable): 0 error, 3 security, 0 warning, 1 suggestion\n";
    assert!(human.contains(sum), "{human}");
    assert!(human.contains("1 unsafe fix left out"), "{human}");
    assert!(human.starts_with("parse … ok / schema … ok / compile … FAIL / policies … warn / "), "{human}");
}

#[test]
fn json_has_every_place_in_lines_in_bytes_and_in_keys() {
    let report = json(Style::Json);
    assert_eq!(report["version"], "json-v1");
    assert_eq!(report["summary"]["suppressed"], 1);
    let text = std::fs::read_to_string(root().join("tests/fixtures/report/portcullis.yaml")).unwrap();
    let finding = report["findings"].as_array().unwrap().iter().find(|one| one["code"] == "PC304").unwrap();
    let place = &finding["locations"][0];
    let byte = |name: &str| usize::try_from(place[name].as_u64().unwrap()).unwrap();
    assert_eq!(&text[byte("start")..byte("end")], "some-package");
    assert_eq!((byte("line"), byte("column"), byte("end_column")), (11, 52, 64));
    assert_eq!(place["path"], "servers.newest.stdio.command[2]");
    assert_eq!(finding["severity"], "high");
    let edit = &finding["fixes"][0]["edits"][0];
    assert_eq!((&edit["start"], &edit["replacement"]), (&place["start"], &"some-package@1.2.3".into()));
    assert_eq!(report["suppressed"][0]["reason"], "vendored wrapper, see OPS-12");
    assert_eq!(report["suppressed"][0]["by"], "comment");
    // A policy file is no YAML: it has lines and no keys.
    let policy = report["findings"].as_array().unwrap().iter().find(|one| one["code"] == "PC115").unwrap();
    assert!(policy["locations"][0]["path"].is_null(), "{policy:#}");
}

#[test]
fn sarif_is_what_its_schema_says_and_declares_every_rule() {
    let schema = std::fs::read_to_string(root().join("tests/fixtures/sarif-2.1.0.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("sarif.json", schema).unwrap();
    let schema = compiler.compile("sarif.json", &mut schemas).unwrap();
    let wrong = |log: &Value| schemas.validate(log, schema).err().map(|error| format!("{error:#}"));
    let sample = Sample::new();
    let linked = Links::new(ShowUrls::Auto, Some("https://docs.example/rules.md".into()), false, true);
    for links in [Links::default(), linked.clone()] {
        let mut out = Vec::new();
        report::write(&mut out, Style::Sarif, &sample.report(), &Look { colour: false, links }).unwrap();
        let log: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(wrong(&log), None);
    }
    // The schema is one that refuses.
    let mut log = json(Style::Sarif);
    log["runs"][0]["results"][0]["level"] = "grave".into();
    assert!(wrong(&log).is_some_and(|said| said.contains("level")));
    let mut out = Vec::new();
    report::write(&mut out, Style::Sarif, &sample.report(), &Look { colour: false, links: linked }).unwrap();
    let log: Value = serde_json::from_slice(&out).unwrap();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: BTreeSet<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids, catalogue().iter().map(|about| about.code).collect());
    for rule in rules {
        let code = rule["id"].as_str().unwrap().to_lowercase();
        assert_eq!(rule["helpUri"], format!("https://docs.example/rules.md#{code}"));
        let score = rule["properties"]["security-severity"].as_str().map(|score| score.parse::<f32>().unwrap());
        let security = rule["properties"]["tags"].as_array().unwrap().contains(&"security".into());
        assert_eq!(score.is_some_and(|score| (0.1..=10.0).contains(&score)), security, "{rule:#}");
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uriBaseId"], "%SRCROOT%");
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("tests/fixtures/report/"), "{uri}");
        assert!(place["region"]["startLine"].as_u64() > Some(0), "{result:#}");
        assert_eq!(result["partialFingerprints"]["portcullis/v1"].as_str().unwrap().len(), 64);
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let suppressed: Vec<_> = results.iter().filter(|one| !one["suppressions"].as_array().unwrap().is_empty()).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["suppressions"][0]["kind"], "inSource");
    assert!(results.iter().any(|one| one["fixes"][0]["artifactChanges"].is_array()));
}

#[test]
fn junit_is_what_its_schema_says() {
    let document = told(&Sample::new().report(), Style::Junit);
    assert_eq!(against_the_xsd(&document), None, "{document}");
    if let Some(said) = against_the_xsd(&document.replace("failures=", "faults=")) {
        assert!(said.contains("faults"), "{said}");
    } else {
        assert!(std::process::Command::new("xmllint").output().is_err(), "the schema refuses nothing");
    }
}

#[test]
fn github_shows_the_gravest_ten_and_the_rest_as_text() {
    let sample = Sample::new();
    let mut many: Vec<_> = std::iter::repeat_n(sample.judged.findings.clone(), 4).flatten().collect();
    many.sort_by(|a, b| a.place().cmp(&b.place()));
    let mut report = sample.report();
    report.findings = &many;
    let text = told(&report, Style::Github);
    let commands: Vec<_> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), 10, "{text}");
    assert!(commands[..4].iter().all(|line| line.contains("PC115")), "{text}");
    assert!(commands.iter().all(|line| !line.starts_with("::notice")), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("tests/fixtures/report/")).count(), 6, "{text}");
}

#[test]
fn gitlab_has_no_fingerprint_twice() {
    let sample = Sample::new();
    let many: Vec<_> = std::iter::repeat_n(sample.judged.findings.clone(), 3).flatten().collect();
    let mut report = sample.report();
    report.findings = &many;
    let issues: Value = serde_json::from_str(&told(&report, Style::Gitlab)).unwrap();
    let issues = issues.as_array().unwrap();
    let prints: BTreeSet<_> = issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
    assert_eq!((issues.len(), prints.len()), (12, 12));
    for issue in issues {
        assert!(issue["location"]["path"].is_string() && issue["location"]["lines"]["begin"].is_u64(), "{issue:#}");
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
    }
}
