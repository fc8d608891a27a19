//! The log on stderr: for people on a terminal, one JSON object a line otherwise.
//!
//! INVARIANT: no control byte reaches the log but the line's own end (T-215), which is why there
//! are no colours. Secrets have no text form to begin with.

use std::{
    io::{self, IsTerminal as _, Write},
    str::FromStr,
};

use tracing::Level;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::record::visible;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// For machines.
    Json,
}

impl Format {
    /// The form that suits stderr: people have terminals.
    #[must_use]
    pub fn suiting() -> Self {
        if io::stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

impl FromStr for Format {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => Err(TelemetryError::Format(other.escape_debug().take(40).collect())),
        }
    }
}

/// The log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// No such form.
    #[error("log format `{0}` is neither `human` nor `json`")]
    Format(String),
    /// It is set up already.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log of the process. Other crates log warnings and worse; `sqlx` and `hyper` at
/// finer levels would show what they carry.
///
/// # Errors
/// When it is set up already.
pub fn start(format: Format, level: Level) -> Result<(), TelemetryError> {
    let others = level.min(Level::WARN);
    let filter = EnvFilter::new(format!("{others},portcullis={level}"));
    let log = tracing_subscriber::registry().with(filter);
    let out = Clean(io::stderr);
    let started = match format {
        Format::Human => {
            log.with(tracing_subscriber::fmt::layer().with_writer(out).with_ansi(false).compact()).try_init()
        }
        Format::Json => log.with(tracing_subscriber::fmt::layer().with_writer(out).with_ansi(false).json()).try_init(),
    };
    started.map_err(|_| TelemetryError::Twice)
}

/// A writer that lets no control byte through: each event is one call, and one line.
struct Clean<M>(M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Clean<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { out: self.0.make_writer() }
    }
}

struct Line<W> {
    out: W,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (body, end) =
            event.split_last().filter(|(last, _)| **last == b'\n').map_or((event, ""), |(_, body)| (body, "\n"));
        let mut line = Vec::with_capacity(event.len());
        visible(&String::from_utf8_lossy(body), &mut line);
        line.extend_from_slice(end.as_bytes());
        self.out.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t215_a_log_line_stays_a_line() {
        let mut out = Vec::new();
        let event = "warn: caller said \u{1b}]0;owned\u{7} and\nERROR forged\r\u{2028}\u{202e}\n";
        Line { out: &mut out }.write_all(event.as_bytes()).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line, "warn: caller said \\u001b]0;owned\\u0007 and\\u000aERROR forged\\u000d\\u2028\\u202e\n");
        assert!(
            "human".parse::<Format>().is_ok() && "json".parse::<Format>().is_ok() && "x".parse::<Format>().is_err()
        );
    }
}
