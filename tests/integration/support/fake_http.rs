//! An HTTP server that records what it is sent and answers what a test tells it to, byte by byte.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The number of its connection, from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as JSON; null where it is none.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn rpc(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
}

/// What to answer.
pub(crate) enum Answer {
    /// These bytes, status line and all.
    Bytes(Vec<u8>),
    /// These bytes, after a while.
    Later(std::time::Duration, Vec<u8>),
    /// These bytes, then the connection closes.
    Last(Vec<u8>),
    /// These bytes, then the connection stays open until the other side ends it, which is recorded as
    /// a request with the method `END`.
    Held(Vec<u8>),
    /// These bytes, then what arrives, until nothing more can; then the connection closes.
    Stream(Vec<u8>, mpsc::UnboundedReceiver<String>),
    /// Nothing, ever.
    Never,
}

/// An answer with a body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Answer {
    Answer::Bytes(format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into())
}

/// A JSON answer.
pub(crate) fn json(body: &Value) -> Answer {
    answer("200 OK", "content-type: application/json\r\n", &body.to_string())
}

/// A stream of events that ends with the connection.
pub(crate) fn events(stream: &str) -> Answer {
    Answer::Last(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{stream}").into())
}

/// A stream of events that the server does not end.
pub(crate) fn held(stream: &str) -> Answer {
    Answer::Held(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{stream}").into())
}

/// A stream of events whose end is where they are sent from.
pub(crate) fn stream() -> (Answer, mpsc::UnboundedSender<String>) {
    let (send, receive) = mpsc::unbounded_channel();
    (Answer::Stream(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec(), receive), send)
}

/// The server, until the test ends.
pub(crate) struct Fake {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, answer) = (seen.clone(), Arc::new(answer));
        drop(tokio::task::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                drop(tokio::task::spawn(serve(connection, stream, record.clone(), answer.clone())));
            }
        }));
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    connection: usize,
    stream: TcpStream,
    record: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<impl Fn(&Seen) -> Answer>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read(connection, &mut stream).await {
        let reply = answer(&seen);
        let closing = seen.headers.get("connection").is_some_and(|said| said.eq_ignore_ascii_case("close"));
        record.lock().unwrap().push(seen);
        match reply {
            Answer::Bytes(bytes) => drop(stream.write_all(&bytes).await),
            Answer::Later(while_, bytes) => {
                tokio::time::sleep(while_).await;
                drop(stream.write_all(&bytes).await);
            }
            Answer::Last(bytes) => return drop(stream.write_all(&bytes).await),
            Answer::Held(bytes) => {
                drop(stream.write_all(&bytes).await);
                while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
                let (method, target, text) = ("END".to_owned(), String::new(), String::new());
                let (headers, body) = (BTreeMap::new(), Value::Null);
                return record.lock().unwrap().push(Seen { connection, method, target, headers, body, text });
            }
            Answer::Stream(head, mut events) => {
                drop(stream.write_all(&head).await);
                while let Some(event) = events.recv().await {
                    if stream.write_all(event.as_bytes()).await.is_err() {
                        return;
                    }
                }
                return;
            }
            Answer::Never => std::future::pending().await,
        }
        if closing {
            return;
        }
    }
}

async fn read(connection: usize, stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8_lossy(&body).into_owned();
    Some(Seen { connection, method, target, headers, body: serde_json::from_slice(&body).unwrap_or_default(), text })
}
