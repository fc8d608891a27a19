//! `portcullis __child PARENT COMMAND ARG…`: becomes the command, bound to its parent's life.
//!
//! Between fork and exec only unsafe code could do this, so we are started as ourselves, do it in
//! safe calls, and then become the command: the process dies with the gateway, gains no privileges
//! by what it runs, and holds no descriptor but its three pipes. Needs no configuration and reads
//! none. Its process group was made by who started it.
//!
//! SPEC: prctl(2); threats T-176, T-177.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use rustix::process::getppid;

/// What a shell answers where a command cannot be run.
const CANNOT_RUN: u8 = 127;

/// Becomes the command. Returns only where that is impossible.
#[must_use]
pub(super) fn run(arguments: &[OsString]) -> ExitCode {
    let [parent, command, rest @ ..] = arguments else {
        return fail("`__child` is how Portcullis starts its servers; it is not a command");
    };
    if confine().is_err() {
        return fail("cannot bind the server's process to the gateway's life and rights");
    }
    // Had the parent died before the line above, nobody would tell us any more.
    if !is_child_of(parent) {
        return ExitCode::from(CANNOT_RUN);
    }
    close_fds::set_fds_cloexec(3, &[]);
    let error = Command::new(command).args(rest).exec();
    fail(&format!("cannot run `{}`: {error}", command.display()))
}

/// Dies with the parent, and gains no privileges by what is run.
#[cfg(target_os = "linux")]
fn confine() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)
}

/// Elsewhere a child is ended by its input's end alone.
#[cfg(not(target_os = "linux"))]
fn confine() -> rustix::io::Result<()> {
    Ok(())
}

fn is_child_of(parent: &OsStr) -> bool {
    getppid().is_some_and(|pid| *parent == *pid.as_raw_nonzero().to_string())
}

#[expect(clippy::print_stderr, reason = "this process has no log; its error output is logged by the gateway")]
fn fail(why: &str) -> ExitCode {
    eprintln!("portcullis: {why}");
    ExitCode::from(CANNOT_RUN)
}
