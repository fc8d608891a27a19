//! Passwords, read from people and programs: never from an argument or the environment, which others can see.
//!
//! On a terminal it is asked for twice and not shown. From anything else the whole input is the password, one line
//! break at its end aside.
//!
//! INVARIANT: a terminal shows again what is typed, however the question ends, signals included.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

use crate::{oauth::users::LONGEST, secret::Secret};

const BROKEN_OFF: &str = "broken off; nothing was changed";

/// The password for `whom`.
pub(super) fn password(whom: &str) -> anyhow::Result<Secret<String>> {
    if !io::stdin().is_terminal() {
        return piped();
    }
    let first = asked(&format!("Password for {whom}: "))?;
    let second = asked("The same again: ")?;
    if first.expose() != second.expose() {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(first)
}

fn piped() -> anyhow::Result<Secret<String>> {
    let mut text = String::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(3);
    io::stdin().take(most).read_to_string(&mut text).context("the password cannot be read from stdin")?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() {
        bail!("no password on stdin: pipe one in, or use `--generate`");
    }
    Ok(Secret::new(line.to_owned()))
}

fn asked(prompt: &str) -> anyhow::Result<Secret<String>> {
    let mut error = io::stderr();
    write!(error, "{prompt}")?;
    error.flush()?;
    // One of its own, left as it stands: a thread that waits for a line cannot be called off.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let line = runtime.block_on(line());
    runtime.shutdown_background();
    writeln!(error)?;
    Ok(Secret::new(line?.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A line that is typed unseen, unless a signal comes first.
async fn line() -> anyhow::Result<String> {
    let heard = |kind| signal(kind).context("signals cannot be waited for");
    let [mut interrupt, mut quit] = [heard(SignalKind::interrupt())?, heard(SignalKind::quit())?];
    let [mut terminate, mut hangup] = [heard(SignalKind::terminate())?, heard(SignalKind::hangup())?];
    let _hidden = Hidden::begin()?;
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        line = read => line?.context("the password cannot be read"),
        _ = interrupt.recv() => bail!(BROKEN_OFF),
        _ = quit.recv() => bail!(BROKEN_OFF),
        _ = terminate.recv() => bail!(BROKEN_OFF),
        _ = hangup.recv() => bail!(BROKEN_OFF),
    }
}

/// A terminal that does not show what is typed. Dropped, it does again.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin()).context("the terminal cannot be asked")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)
            .context("the terminal cannot be kept from showing it")?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing is left to do about a terminal that is gone.
        _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
