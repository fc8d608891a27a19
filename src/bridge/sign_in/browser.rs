//! Showing a person a page: their browser is opened, without a shell.
//!
//! INVARIANT: what is opened is one argument, and begins with `https://` or `http://` (CL-20).

use std::{io, process::Stdio};

use tokio::process::Command;

/// How a browser is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Browser(Vec<Vec<String>>);

impl Browser {
    /// Not at all: the person is told the URL.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// As the variable `BROWSER` says, or as the system does it: each command in turn until one starts.
    pub(crate) fn of(variable: Option<&str>) -> Self {
        let written = variable.unwrap_or_default().split(':').filter_map(shlex::split);
        let own = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        Self(written.filter(|words| !words.is_empty()).chain([vec![own.to_owned()]]).collect())
    }

    /// Opens a URL; it is not waited for.
    pub(super) fn open(&self, url: &str) -> io::Result<()> {
        let mut last = Ok(());
        for words in &self.0 {
            let Some((program, arguments)) = words.split_first() else { continue };
            let mut command = Command::new(program);
            for argument in arguments {
                command.arg(argument.replace("%s", url));
            }
            if !arguments.iter().any(|argument| argument.contains("%s")) {
                command.arg(url);
            }
            // Standard output is the protocol's.
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.process_group(0).env_remove("PORTCULLIS_ENCRYPTION_KEY");
            match command.spawn() {
                Ok(_) => return Ok(()),
                Err(error) => last = Err(error),
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cl20_a_browser_is_a_list_of_commands_and_no_shell() {
        let own = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(Browser::of(None).0, [words(&[own])]);
        assert_eq!(
            Browser::of(Some("firefox --new '%s':w3m; rm")).0,
            [words(&["firefox", "--new", "%s"]), words(&["w3m;", "rm"]), words(&[own])]
        );
        assert_eq!(Browser::of(Some("'")).0, [words(&[own])]);
    }
}
