//! The stream of a session or a subscription: what is told as it happens, and a sign of life.
//!
//! It ends with the session, with the token that opened it, or with the gateway. No event has an id:
//! nothing is told twice (TR-13).
//!
//! SPEC: MCP 2025-11-25, transports, "Listening for Messages from the Server"; TR-11…TR-13.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Interval};

/// How long a stream is silent at most.
const SILENCE: Duration = Duration::from_secs(15);

/// A stream that waits for news.
pub(crate) struct Stream {
    messages: mpsc::Receiver<Bytes>,
    alive: Interval,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What goes out next.
#[derive(Debug)]
pub(crate) enum News {
    /// A JSON-RPC message.
    Message(Bytes),
    /// Nothing but that we live.
    Alive,
}

impl Stream {
    pub(super) fn new(messages: mpsc::Receiver<Bytes>, over: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut alive = tokio::time::interval(SILENCE);
        alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { messages, alive, over: Box::pin(over) }
    }

    /// The next thing to say; nothing when it is over.
    pub(crate) async fn next(&mut self) -> Option<News> {
        tokio::select! {
            biased;
            () = &mut self.over => None,
            message = self.messages.recv() => message.map(News::Message),
            _ = self.alive.tick() => Some(News::Alive),
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tr11_a_silent_stream_gives_signs_of_life() {
        let (out, messages) = mpsc::channel(1);
        let mut stream = Stream::new(messages, std::future::pending());
        assert!(matches!(stream.next().await, Some(News::Alive)), "it is open");
        assert!(stream.alive.period() <= Duration::from_secs(30));
        let mut silent = Box::pin(stream.next());
        assert!(futures_util::poll!(silent.as_mut()).is_pending());
        drop(silent);
        // As if that time had passed.
        stream.alive.reset_immediately();
        assert!(matches!(stream.next().await, Some(News::Alive)));
        out.send("{}".into()).await.unwrap();
        assert!(matches!(stream.next().await, Some(News::Message(_))));
        drop(out);
        assert!(stream.next().await.is_none());
    }
}
