//! The servers behind the gateway: real processes and real sockets, most of them hostile.

/// Children over pipes.
mod stdio;
/// Endpoints over HTTP.
mod http;
/// Which era a server speaks, and how it is found out.
mod era;
/// Every kind of server, each asked everything.
mod cells;
/// Connections of one's own.
mod lease;
/// Changes, and who hears of them.
mod listen;
/// HTTP+SSE of 2024-11-05.
mod sse;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use bytes::Bytes;
use portcullis::{
    config::{EraChoice, Http, Require, SecretRef, Server, Stdio, Text, Transport},
    mcp::Method,
    name::ServerName,
    secret::Secret,
    upstream::{Manner, Options, Outgoing, Reply, Upstream, UpstreamError, Upstreams, testing},
};
use serde_json::{Value, json};

use crate::support::{nowhere, placed};

const LONG: Duration = Duration::from_secs(20);

fn name() -> ServerName {
    "evil".parse().unwrap()
}

fn options() -> Options {
    let environment = BTreeMap::from([
        ("PATH".into(), std::env::var_os("PATH").unwrap()),
        ("PORTCULLIS_ENCRYPTION_KEY".into(), "master".into()),
        ("LD_PRELOAD_NOT".into(), "x".into()),
    ]);
    let mut options = Options::new(PathBuf::from(env!("CARGO_BIN_EXE_portcullis")), environment);
    options.backoff = Duration::from_millis(10);
    options.grace = Duration::from_millis(300);
    options.term_grace = Duration::from_millis(300);
    options.largest_message = 1024 * 1024;
    options
}

fn server(transport: Transport) -> Server {
    Server {
        tags: Vec::new(),
        drift: None,
        require: Require::All,
        public: false,
        transport,
        asks: std::collections::BTreeSet::new(),
        era: EraChoice::Auto,
        tools: BTreeMap::new(),
        prompts: BTreeMap::new(),
        resources: BTreeMap::new(),
        place: nowhere(),
    }
}

fn stdio(command: &[&str], env: &[(&str, &str)]) -> Server {
    server(Transport::Stdio(Stdio {
        command: command.iter().map(|part| placed((*part).to_owned())).collect(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), placed(Text::Plain((*value).to_owned())))).collect(),
        cwd: None,
    }))
}

fn over_http(url: &str) -> Server {
    let key = placed(Text::Secret(SecretRef::Env("DOCS_KEY".into())));
    server(Transport::Http(Http {
        url: placed(url.to_owned()),
        headers: BTreeMap::from([("x-api-key".into(), key)]),
        allow_private: false,
        sse: false,
    }))
}

fn build(server: &Server, options: Options) -> Upstreams {
    let secrets = |_: &SecretRef| Ok(Secret::new("hunter2".to_owned()));
    Upstreams::build([(&name(), server)], &secrets, options).unwrap()
}

fn evil(upstreams: &Upstreams) -> &Upstream {
    upstreams.get(&name()).unwrap()
}

fn outgoing(tool: &str, arguments: &Value, timeout: Duration) -> Outgoing {
    let params = json!({"name": tool, "arguments": arguments}).to_string();
    Outgoing { method: Method::ToolsCall, params: Bytes::from(params), manner: Manner::default(), side: None, timeout }
}

async fn call(upstreams: &Upstreams, tool: &str) -> Result<Value, UpstreamError> {
    ask(upstreams, outgoing(tool, &json!({}), LONG)).await
}

async fn ask(upstreams: &Upstreams, outgoing: Outgoing) -> Result<Value, UpstreamError> {
    match testing::request(evil(upstreams), outgoing).await? {
        Reply::Result(json) | Reply::InputRequired(json) => Ok(serde_json::from_slice(&json).unwrap()),
        Reply::Error(json) => Ok(json!({"error": serde_json::from_slice::<Value>(&json).unwrap()})),
    }
}
