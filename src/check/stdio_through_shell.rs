//! PC303 `stdio-through-shell`: a server that is started by a shell.
//!
//! A shell reads its argument as a program: a value that finds its way into it is run (CWE-78),
//! and the child that is supervised is the shell, not the server.

use super::{Check, Fixable, Page, Subject, page::server, unpinned_package::program, written};
use crate::{
    config::{Stdio, Transport},
    diagnostic::{About, Class, Diagnostic, Level, Place, Placed, Safety},
};

pub(super) struct StdioThroughShell;

const ABOUT: About = About {
    code: "PC303",
    name: "stdio-through-shell",
    class: Class::Security(Level::High),
    summary: "a server is started by a shell",
    help: "name the program itself and one argument an entry, as in `[node, server.js, --port, \"1\"]`",
};

const SHELLS: &[&str] =
    &["ash", "bash", "cmd", "csh", "dash", "fish", "ksh", "powershell", "pwsh", "sh", "tcsh", "zsh"];

const PAGE: Page = Page {
    fix: Fixable::Unsafe,
    tags: &["CWE-78", "OWASP-MCP05"],
    ..Page::new(
        "a shell reads its argument as a program: a value that finds its way into it is run, and the child that is supervised is the shell, not the server",
        server!(r#"    stdio: {command: [sh, -c, "node server.js --port 1"]}"#),
        server!(r#"    stdio: {command: ["node", "server.js", "--port", "1"]}"#),
    )
};

impl Check for StdioThroughShell {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for (name, server) in subject.servers() {
            let Transport::Stdio(Stdio { command, env: _, cwd: _ }) = &server.transport else { continue };
            if let Some(shell) = shell(command) {
                let message = format!("the server `{name}` is started by a shell");
                let finding = ABOUT.at(&shell.place, message).label("a shell that reads its argument as a program");
                let from_env = |part: &Placed<String>| subject.config.is_some_and(|c| c.from_env.contains(&part.place));
                findings.push(match without_shell(command).filter(|_| !command.iter().any(from_env)) {
                    Some((place, words)) => {
                        finding.fix(Safety::Unsafe, "start the program without the shell", &place, words)
                    }
                    None => finding,
                });
            } else if let Some(part) = command.iter().skip(1).find(|part| is_shell_syntax(&part.value)) {
                let message =
                    format!("an argument of the server `{name}` is written as if for a shell, and there is none");
                findings.push(ABOUT.at(&part.place, message).label("arrives as plain text"));
            }
        }
    }
}

/// The shell that is told to run a text, perhaps by way of `env`.
fn shell(command: &[Placed<String>]) -> Option<&Placed<String>> {
    let mut parts = command.iter();
    let mut first = parts.next()?;
    if program(&first.value) == "env" {
        first = parts.find(|part| !part.value.contains('=') && !part.value.starts_with('-'))?;
    }
    let runs_text = |part: &Placed<String>| {
        let flag = part.value.to_ascii_lowercase();
        flag == "/c"
            || flag == "/k"
            || flag == "-command"
            || flag == "-encodedcommand"
            || (short(&flag) && flag.contains('c'))
    };
    (SHELLS.contains(&program(&first.value).as_str()) && parts.any(runs_text)).then_some(first)
}

/// The program behind `[sh, -c, "program argument"]` as a list of words, and what it replaces: only
/// where every word means itself, and all stands in one line.
fn without_shell(command: &[Placed<String>]) -> Option<(Place, String)> {
    let [shell, flag, program] = command else { return None };
    let one_line = shell.place.line == program.place.line;
    let plain = |c: char| c.is_ascii_alphanumeric() || " ./:@,+-_".contains(c);
    if !one_line || !short(&flag.value) || !program.value.chars().all(plain) {
        return None;
    }
    let words: Vec<String> = program.value.split_ascii_whitespace().map(written::quoted).collect();
    let place = Place { end: program.place.end, ..shell.place.clone() };
    (!words.is_empty()).then(|| (place, words.join(", ")))
}

/// Whether it is short flags in one, as in `-lc`.
fn short(flag: &str) -> bool {
    flag.strip_prefix('-').is_some_and(|rest| !rest.starts_with('-') && rest.len() <= 4)
}

fn is_shell_syntax(argument: &str) -> bool {
    matches!(argument, "|" | "||" | "&&" | ";" | "&" | ">" | "2>&1")
        || argument.contains(" && ")
        || argument.contains(" | ")
        || argument.contains('`')
        || argument.contains("$(")
}
