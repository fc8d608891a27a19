//! Just enough HTTP/1.1 to drive a server with: a client that costs little, for it runs on the cores
//! that are measured.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// No answer is waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer may be larger.
const MOST: usize = 16 << 20;

/// Whom to ask, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    authority: String,
    path: String,
    token: Option<String>,
    /// A legacy session.
    session: Option<String>,
}

/// A request as it goes over the wire, the same each time.
#[derive(Debug, Clone)]
pub(crate) struct Ready(Vec<u8>);

/// What is asked: a body, and the header fields that go with it.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) body: String,
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl Target {
    pub(crate) fn read(url: &str, token: Option<String>) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").context("the URL must begin with `http://`")?;
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        Ok(Self {
            authority: authority.to_owned(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            token,
            session: None,
        })
    }

    /// The same with a legacy session, if it has sessions.
    pub(crate) fn opened(mut self) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let request = self.ready(&super::drive::hello());
        self.session = runtime.block_on(async {
            let mut connection = self.connect().await?;
            connection.ask(&request).await?;
            let head = String::from_utf8_lossy(&connection.buffer).into_owned();
            let session = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("mcp-session-id").then(|| value.trim().to_owned())
            });
            Ok::<_, anyhow::Error>(session)
        })?;
        Ok(self)
    }

    /// `/mcp` at a port of this machine, without a token.
    pub(crate) fn local(port: u16) -> Self {
        Self { authority: format!("127.0.0.1:{port}"), path: "/mcp".to_owned(), token: None, session: None }
    }

    pub(crate) fn ready(&self, ask: &Ask) -> Ready {
        let Self { authority, path, token, session } = self;
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nuser-agent: portcullis-load\r\ncontent-length: {}\r\n",
            ask.body.len()
        );
        for (name, value) in &ask.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(token) = token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        if let Some(session) = session {
            head.push_str(&format!("mcp-session-id: {session}\r\n"));
        }
        head.push_str("\r\n");
        head.push_str(&ask.body);
        Ready(head.into_bytes())
    }

    /// A form that is posted.
    pub(crate) fn form(&self, body: &str) -> Ready {
        let Self { authority, path, .. } = self;
        Ready(
            format!(
                "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/x-www-form-urlencoded\r\nuser-agent: portcullis-load\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(16 << 10) })
    }
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Asks, and gives the body of an answer that is a result.
    pub(crate) async fn ask(&mut self, request: &Ready) -> anyhow::Result<&[u8]> {
        let body = self.answer(request).await?;
        ensure!(is_result(body), "no result: {}", begin(body));
        Ok(body)
    }

    /// Asks, and gives the body of an answer of status 200.
    pub(crate) async fn answer(&mut self, request: &Ready) -> anyhow::Result<&[u8]> {
        tokio::time::timeout(PATIENCE, self.exchange(request)).await.context("no answer in time")?
    }

    async fn exchange(&mut self, Ready(request): &Ready) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (start, end) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection ended early");
            }
            if let Some((start, end)) = extent(&self.buffer)? {
                if end > MOST {
                    bail!("the answer is too large");
                }
                if self.buffer.len() >= end {
                    break (start, end);
                }
            }
        };
        ensure!(self.buffer.starts_with(b"HTTP/1.1 200"), "not answered: {}", begin(&self.buffer));
        Ok(self.buffer.get(start..end).unwrap_or_default())
    }
}

fn begin(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(600).collect()
}

/// Whether a body is a JSON-RPC result that is not an error of the tool's.
fn is_result(body: &[u8]) -> bool {
    let holds = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    // What matters stands in the first bytes; a long list is not searched through.
    let head = body.get(..256).unwrap_or(body);
    head.windows(9).any(|window| window == b"\"result\":") && (body.len() > 4096 || !holds(b"\"isError\":true"))
}

/// Where the body begins and ends, once the head is whole.
fn extent(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(start) = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(bytes.get(..start).unwrap_or_default())?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.with_context(|| format!("an answer without a length: {head}"))?;
    Ok(Some((start, start + length)))
}
