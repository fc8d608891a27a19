//! What the client reads: messages, a line each, and nothing else.
//!
//! SPEC: MCP transports, "stdio"; CL-01.

use bytes::Bytes;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _, BufWriter},
    sync::mpsc,
};

use crate::mcp::envelope;

/// How many messages wait until the client reads on.
const WAITING: usize = 16;

/// Where messages to the client are put.
#[derive(Debug, Clone)]
pub(super) struct Output(mpsc::Sender<Bytes>);

/// The messages on their way to the client.
pub(super) type Queue = mpsc::Receiver<Bytes>;

impl Output {
    /// The two ends.
    pub(super) fn new() -> (Self, Queue) {
        let (to, from) = mpsc::channel(WAITING);
        (Self(to), from)
    }

    /// Says one JSON text, waiting for room. A client that is gone hears nothing.
    pub(super) async fn say(&self, message: Bytes) {
        drop(self.0.send(message).await);
    }

    /// Waits until the client is gone.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// Writes messages until nobody has any more or the client is gone.
pub(super) async fn write(to: impl AsyncWrite + Unpin, mut queue: Queue) {
    let mut to = BufWriter::with_capacity(64 * 1024, to);
    while let Some(message) = queue.recv().await {
        let written = async {
            to.write_all(&line(message)).await?;
            to.write_all(b"\n").await?;
            // Each by itself: some clients lose a notification that arrives in one piece with the answer.
            to.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}

/// A JSON text without breaks, which can stand only between its tokens.
fn line(json: Bytes) -> Bytes {
    if !json.iter().any(|b| matches!(b, b'\n' | b'\r')) {
        return json;
    }
    let mut out = Vec::with_capacity(json.len());
    envelope::one_line(&mut out, &json);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cl01_a_message_is_one_line_however_it_came() {
        let (out, queue) = Output::new();
        out.say(Bytes::from_static(b"{\r\n \"a\": \"b\\n\"\n}")).await;
        out.say(Bytes::from_static(b"{}")).await;
        drop(out);
        let mut written = Vec::new();
        write(&mut written, queue).await;
        assert_eq!(written, b"{ \"a\": \"b\\n\"}\n{}\n");
    }
}
