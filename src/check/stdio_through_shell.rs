//! PC303 `stdio-through-shell`: a server that is started by a shell.
//!
//! A shell reads its argument as a program: a value that finds its way into it is run (CWE-78),
//! and the child that is supervised is the shell, not the server.

use super::{Check, Example, Page, Subject, unpinned_package::program};
use crate::{
    config::{Stdio, Transport},
    diagnostic::{About, Class, Diagnostic, Level, Placed},
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
    tags: &["CWE-78", "OWASP-MCP05"],
    ..Page::new(
        "a shell reads its argument as a program: a value that finds its way into it is run, and the child that is supervised is the shell, not the server",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [sh, -c, \"node server.js\"]}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    stdio: {command: [node, server.js]}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
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
                findings.push(ABOUT.at(&shell.place, message).label("a shell that reads its argument as a program"));
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
