//! What continuous integration reads: the problem matcher of GitHub, the job summary, the hooks.

use portcullis::cli::report::{Links, Style, summarise};
use regex::Regex;
use serde_json::Value;

use super::Sample;
use crate::support::{root, told};

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

#[test]
fn the_problem_matcher_reads_every_line_of_concise() {
    let matcher: Value = serde_json::from_str(&text(".github/portcullis-matcher.json")).unwrap();
    let patterns: Vec<_> = matcher["problemMatcher"].as_array().unwrap().iter().map(|one| &one["pattern"][0]).collect();
    let sample = Sample::new();
    let concise = told(&sample.report(), Style::Concise);
    let mut read = Vec::new();
    for line in concise.lines() {
        for pattern in &patterns {
            let regex = Regex::new(pattern["regexp"].as_str().unwrap()).unwrap();
            let Some(parts) = regex.captures(line) else { continue };
            let part = |name: &str| {
                let index = usize::try_from(pattern[name].as_u64().unwrap()).unwrap();
                parts.get(index).unwrap().as_str().to_owned()
            };
            read.push((part("file"), part("line"), part("column"), part("code"), part("message")));
        }
    }
    // Each line by one of the matchers, and the sum by none.
    assert_eq!(read.len(), sample.judged.findings.len(), "{concise}");
    for (finding, (file, line, column, code, message)) in sample.judged.findings.iter().zip(read) {
        let place = finding.place().unwrap();
        assert!(file.ends_with(&*place.file), "{file}");
        assert_eq!((line, column), (place.line.to_string(), place.column.to_string()));
        assert_eq!((code.as_str(), &message), (finding.code, &finding.message));
    }
}

#[test]
fn the_summary_of_a_job_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("summary.md");
    std::fs::write(&file, "# Before\n").unwrap();
    let sample = Sample::new();
    summarise(file.to_str().unwrap(), &sample.report(), &Links::default()).unwrap();
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written, format!("# Before\n{}", told(&sample.report(), Style::Markdown)));
}

#[test]
fn the_hooks_are_commands_that_exist() {
    let hooks: Value = serde_yaml::from_str(&text(".pre-commit-hooks.yaml")).unwrap();
    let hooks = hooks.as_array().unwrap();
    let ids: Vec<_> = hooks.iter().map(|hook| hook["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["portcullis-check", "portcullis-test"]);
    for hook in hooks {
        assert_eq!(hook["language"], "system");
        let entry: Vec<_> = hook["entry"].as_str().unwrap().split(' ').collect();
        assert_eq!(entry[0], "portcullis");
        let command = portcullis::cli::command();
        let known = command.get_subcommands().any(|command| command.get_name() == entry[1]);
        // `test` is on its way.
        assert!(known || entry[1] == "test", "{entry:?}");
        let files = Regex::new(hook["files"].as_str().unwrap()).unwrap();
        assert!(files.is_match("portcullis.yaml") && files.is_match("conf/portcullis.production.yaml"), "{hook:#}");
        assert!(!files.is_match("README.md"));
    }
}
