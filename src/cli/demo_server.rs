//! `portcullis demo-server KIND`: a small MCP server over standard input and output.

use std::{ffi::OsString, io, path::Path, process::ExitCode};

use crate::{clock::SystemClock, demo};

/// Serves until the input ends.
#[must_use]
pub(super) fn run(arguments: &[OsString]) -> ExitCode {
    let (kind, dir) = match arguments {
        [kind] => (kind, None),
        [kind, option, dir] if option == "--dir" => (kind, Some(Path::new(dir))),
        _ => return fail("which server? `portcullis demo-server notes --dir DIR`, `… text` or `… time`"),
    };
    let demo = match demo::open(&kind.to_string_lossy(), dir, Box::new(SystemClock)) {
        Ok(demo) => demo,
        Err(why) => return fail(&why),
    };
    match demo::serve(demo.as_ref(), io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever listened is gone, which is how a client may end us.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot go on: {error}")),
    }
}

/// The kinds of demo server and how each is called, for the help.
pub(super) fn kinds() -> String {
    let kinds: Vec<String> = demo::KINDS.iter().map(|(name, purpose)| format!("  {name:6} {purpose}")).collect();
    format!(
        "Servers:\n{}\n\nExamples:\n  portcullis demo-server time\n  portcullis demo-server notes --dir ./notes\n\nIn a configuration: stdio: {{command: [portcullis, demo-server, time]}}\n\nExit status: 0 its input ended, 2 it could not start or go on.",
        kinds.join("\n")
    )
}

#[expect(clippy::print_stderr, reason = "a server over stdio has its error output for such words")]
fn fail(why: &str) -> ExitCode {
    eprintln!("portcullis: {why}");
    ExitCode::from(2)
}
