//! A fast MCP server over Streamable HTTP: `initialize`, `echo`, and as many tools as the path says.
//! It does as little as a server can, so that what is measured is not this.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::{net::TcpListener, task::JoinSet};

/// Serves until it is killed.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        eprintln!("listens on {}", listener.local_addr()?);
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            while connections.try_join_next().is_some() {}
            connections.spawn(async move {
                // A connection that breaks is the client's affair.
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await);
            });
        }
    })
}

#[derive(Debug, Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: &'a str,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Debug, Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let tools = request.uri().path().trim_start_matches('/').parse().unwrap_or(1);
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(plain(StatusCode::BAD_REQUEST)),
    };
    let Ok(Asked { id, method, params }) = serde_json::from_slice(&body) else {
        return Ok(plain(StatusCode::BAD_REQUEST));
    };
    let Some(id) = id.map(RawValue::get) else { return Ok(plain(StatusCode::ACCEPTED)) };
    let result = match method {
        "initialize" => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "echo", "version": "1.0.0" },
        })
        .to_string(),
        "tools/list" => list(tools),
        "tools/call" => {
            let arguments = params.and_then(|params| params.arguments).map_or("{}", RawValue::get);
            json!({ "content": [{ "type": "text", "text": arguments }] }).to_string()
        }
        _ => "{}".to_owned(),
    };
    let mut response = Response::new(Full::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// The list: `echo`, and others that look like tools do.
fn list(tools: usize) -> String {
    let schema = json!({
        "type": "object",
        "properties": {
            "text": { "type": "string", "description": "What to say again" },
            "path": { "type": "string", "description": "Where it is from, below the project's root" },
        },
        "required": ["text"],
    });
    let tool = |name: String| json!({ "name": name, "description": "Says again what it is told, as its result", "inputSchema": schema });
    let tools: Vec<_> =
        std::iter::once(tool("echo".to_owned())).chain((1..tools).map(|nth| tool(format!("read_{nth:04}")))).collect();
    json!({ "tools": tools }).to_string()
}
