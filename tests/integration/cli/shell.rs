//! `portcullis schema`, `completions` and `man`: read by the programs they are for.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::support::{root, running::Running};

use super::{at, run};

fn place() -> Running {
    at("version: 1\n")
}

/// What a program says of a text, if the program is there; loudly nothing if not.
fn judged(program: &str, arguments: &[&str], text: &str) -> Option<(bool, String)> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        crate::support::skipped(&format!("what `{program}` says"), "it is not there");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || _ = input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), words))
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    let read = |name: &str| std::fs::read_to_string(root().join("schema").join(name)).unwrap();
    let said = run(&place(), &["schema"]);
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!((said.status, parsed(&said.out)), (0, parsed(&read("config.schema.json"))));
    let test = run(&place(), &["schema", "--test"]);
    assert_eq!(parsed(&test.out), parsed(&read("test.schema.json")));
    assert_eq!(run(&place(), &["schema", "--cedar"]).out, read("portcullis.cedarschema"));
}

#[test]
fn shells_read_their_completions() {
    let place = place();
    for (shell, program, check) in [("bash", "bash", "-n"), ("zsh", "zsh", "-n"), ("fish", "fish", "-n")] {
        let said = run(&place, &["completions", shell]);
        assert!(said.status == 0 && said.out.contains("demo-server"), "{said:?}");
        if let Some((good, words)) = judged(program, &[check], &said.out) {
            assert!(good && words.is_empty(), "{shell}: {words}");
        }
    }
    // What bash offers after `portcullis ch`.
    let script = run(&place, &["completions", "bash"]).out
        + "\nCOMP_WORDS=(portcullis ch); COMP_CWORD=1; _portcullis portcullis ch portcullis; echo \"${COMPREPLY[@]}\"\n";
    if let Some((_, words)) = judged("bash", &["-s"], &script) {
        assert_eq!(words.trim(), "check");
    }
    for shell in ["powershell", "elvish"] {
        assert_eq!(run(&place, &["completions", shell]).status, 0);
    }
    assert_eq!(run(&place, &["completions", "tcsh"]).status, 2);
}

#[test]
fn every_command_has_a_manual_page_that_troff_reads() {
    let place = place();
    assert!(run(&place, &["man"]).out.contains(".TH portcullis 1"));
    assert_eq!(run(&place, &["man", "--dir", "pages"]).status, 0);
    let mut names = Vec::new();
    for page in std::fs::read_dir(place.path("pages")).unwrap() {
        let page = page.unwrap();
        names.push(page.file_name().into_string().unwrap());
        let text = std::fs::read_to_string(page.path()).unwrap();
        if let Some((good, words)) = judged("groff", &["-man", "-ww", "-z", "-Tutf8"], &text) {
            assert!(good && words.is_empty(), "{names:?}: {words}");
        }
    }
    for name in ["portcullis.1", "portcullis-check.1", "portcullis-token-issue.1"] {
        assert!(names.iter().any(|there| there == name), "{names:?}");
    }
}
