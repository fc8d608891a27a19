//! The commands as people call them: exit status, stdout and stderr of the real binary.

/// `check`.
mod check;
/// `compile`.
mod compile;
/// `demo-server`.
mod demo_server;
/// The examples.
mod examples;
/// `explain`.
mod explain;
/// Help texts.
mod help;
/// `init`.
mod init;
/// `keys`.
mod keys;
/// `lock`.
mod lock;
/// `matrix`.
mod matrix;
/// `serve`, as far as it starts or says why not.
mod serve;
/// `schema`, `completions`, `man`.
mod shell;
/// Who is stuck.
mod stuck;
/// `test`.
mod test;
/// `token`.
mod token;
/// Passwords at a terminal.
mod typed;
/// `who-can`.
mod who_can;

use std::process::{Command, Output};

use crate::support::{golden, running::Running};

/// Somebody has read-only scopes, nobody may delete, and a rule keeps a client out.
pub(crate) const CONFIG: &str = "version: 1
listen: {address: '{address}'}
tags: {clock: Tell the time, notes: Read the notes, notes-write: {description: Change the notes, sensitive: true}}
servers:
  time: {tags: [clock], stdio: {command: [portcullis, demo-server, time]}}
  notes:
    tags: [notes]
    stdio: {command: [portcullis, demo-server, notes, --dir, ./notes]}
    tools:
      write_note: {tags: [notes-write]}
      delete_note: deny
grants:
  - {to: {user: owner}, scopes: ['tag:clock', 'tag:notes']}
  - {to: {client: bot}, scopes: ['tag:clock']}
rules:
  - {id: no-bots-in-notes, forbid: {servers: [notes]}, when: 'context has client && context.client == \"bot\"'}
";

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The whole of it, as a golden file keeps it.
    pub(crate) fn whole(&self) -> String {
        let Self { status, out, err } = self;
        format!("{out}--- stderr\n{err}--- status {status}\n")
    }
}

/// Runs a command of ours in the directory of a configuration, which stands nowhere in what is kept.
pub(crate) fn run(place: &Running, arguments: &[&str]) -> Said {
    run_with(place, arguments, &[])
}

/// The same, with variables.
pub(crate) fn run_with(place: &Running, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = place.command(arguments);
    plain(&mut command).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(&place.address().to_string(), "ADDRESS")
            .replace(&place.path("").display().to_string(), "DIRECTORY/")
    };
    Said { status: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

/// Without what a developer's own environment may say about output.
pub(crate) fn plain(command: &mut Command) -> &mut Command {
    ["CI", "FORCE_COLOR", "CLICOLOR_FORCE", "PORTCULLIS_CHECK_FORMAT", "PORTCULLIS_LOG", "PORTCULLIS_LOG_FORMAT"]
        .into_iter()
        .fold(command, |command, name| command.env_remove(name))
}

/// A configuration in a directory of its own, and nothing running.
pub(crate) fn at(yaml: &str) -> Running {
    Running::prepare(yaml)
}

/// Compares all that a command says with a golden file.
pub(crate) fn says(name: &str, said: &Said) {
    golden("cli", name, &said.whole());
}
