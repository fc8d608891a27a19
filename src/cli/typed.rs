//! Passwords, read from people and programs: never from an argument or the environment, which others can see.
//!
//! On a terminal it is asked for twice and not shown. From anything else the whole input is the password, one line
//! break at its end aside.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::{oauth::users::LONGEST, secret::Secret};

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
    let hidden = Hidden::begin()?;
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    drop(hidden);
    writeln!(error)?;
    read.context("the password cannot be read")?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()))
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
