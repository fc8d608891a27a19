//! Says on a terminal that something is still being done, once that takes half a second.
//!
//! It says what, and for how long: how much is left nobody knows.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_millis(500);

/// Something is being done until this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to wait; silent where stderr is no terminal.
    pub(crate) fn of(what: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self { running: None };
        }
        let (done, waits) = mpsc::channel();
        let what = what.to_owned();
        let running = thread::spawn(move || {
            let mut halves: u32 = 0;
            while let Err(RecvTimeoutError::Timeout) = waits.recv_timeout(PATIENCE) {
                halves += 1;
                // Back to the first column, and the rest of the line away.
                _ = write!(io::stderr().lock(), "\r\u{1b}[K{}", line(&what, halves));
            }
            if halves > 0 {
                _ = write!(io::stderr().lock(), "\r\u{1b}[K");
            }
        });
        Self { running: Some((done, running)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, running)) = self.running.take() {
            drop(done);
            _ = running.join();
        }
    }
}

fn line(what: &str, halves: u32) -> String {
    match halves / 2 {
        0 => format!("{what} …"),
        seconds => format!("{what} … {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_and_for_how_long() {
        assert_eq!(line("checking a.yaml", 1), "checking a.yaml …");
        assert_eq!(line("checking a.yaml", 5), "checking a.yaml … 2 s");
    }
}
