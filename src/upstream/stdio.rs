//! The pipes of a child: messages a line each, and the talk on its error output.
//!
//! INVARIANT: what is kept of a child's output is bounded, whatever it writes.
//! SPEC: MCP transports, "stdio"; CL-01, CL-02, threats T-174, T-175.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::Instant,
};

use super::{Trouble, session::Session, setting::Setting};

const CHUNK: usize = 16 * 1024;
/// The longest line of error output that is logged whole.
const LONGEST_TALK: usize = 4096;
/// How many lines of error output are logged a second.
const TALK_RATE: u32 = 50;

/// Writes messages until nobody sends any more or the child does not read; then the input closes.
pub(super) async fn write(mut to: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(line) = queue.recv().await {
        if to.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Reads messages into the session until the output ends or a line is too long.
pub(super) async fn read(mut from: impl AsyncRead + Unpin, session: &Session, cap: usize) -> Trouble {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        let searched = buffer.len();
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return Trouble::Crashed,
            Ok(_) => {}
        }
        let mut from = searched;
        while let Some(end) = buffer.get(from..).and_then(|new| new.iter().position(|b| *b == b'\n')) {
            let line = buffer.split_to(from + end + 1).freeze();
            session.incoming(&line);
            from = 0;
        }
        if buffer.len() > cap {
            return Trouble::TooLarge;
        }
        tokio::task::consume_budget().await;
    }
}

/// Logs what the child says on its error output, so much a line and so much a second.
pub(super) async fn talk(mut from: impl AsyncRead + Unpin, setting: Arc<Setting>) {
    // What is cut off in the middle of a credential could not be told from other text.
    let longest = LONGEST_TALK + setting.spec.credentials.longest();
    let mut chunk = [0; 4096];
    let mut line = Vec::new();
    let mut rate = Rate { since: Instant::now(), lines: 0, dropped: 0 };
    loop {
        let read = match from.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => chunk.get(..read).unwrap_or_default(),
        };
        let mut parts = read.split(|b| *b == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = longest.saturating_sub(line.len());
            line.extend_from_slice(part.get(..room).unwrap_or(part));
            if parts.peek().is_some() {
                rate.log(&setting, &line);
                line.clear();
            }
        }
        tokio::task::consume_budget().await;
    }
    rate.log(&setting, &line);
}

struct Rate {
    since: Instant,
    lines: u32,
    dropped: u32,
}

impl Rate {
    fn log(&mut self, setting: &Setting, line: &[u8]) {
        let server = &setting.server;
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if self.since.elapsed() > Duration::from_secs(1) {
            if self.dropped > 0 {
                tracing::warn!(%server, dropped = self.dropped, "lines of its error output were dropped");
            }
            *self = Self { since: Instant::now(), lines: 0, dropped: 0 };
        }
        if self.lines >= TALK_RATE {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines += 1;
        let line = setting.spec.credentials.hide_before(line, LONGEST_TALK);
        tracing::info!(%server, "{}", String::from_utf8_lossy(&line).trim_end().escape_debug());
    }
}
