//! A gateway that runs: the real binary in a directory of its own, asked over real sockets.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long anything may take before a test gives up.
const LONG: Duration = Duration::from_secs(30);

/// A running gateway. Dropped, it is told to stop and must obey.
pub(crate) struct Running {
    folder: tempfile::TempDir,
    address: SocketAddr,
    /// What it is asked as.
    host: String,
    child: Option<Child>,
    /// The sessions that were opened, by endpoint and token.
    sessions: Mutex<HashMap<(String, Option<String>), String>>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// A header field's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the JSON-RPC error, 0 where it is none.
    pub(crate) fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap_or_default()
    }
}

/// A stream of events that is read as it comes.
pub(crate) struct Events {
    pub(crate) status: u16,
    reader: BufReader<TcpStream>,
    text: String,
}

impl Events {
    /// The next message; nothing when the stream is over.
    pub(crate) fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.text = rest.to_owned();
                if let Some(data) = data {
                    return Some(serde_json::from_str(&data).unwrap());
                }
            }
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).ok().filter(|size| *size > 0)?;
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).unwrap();
            self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }
}

impl Running {
    /// Starts a gateway with `yaml`, in which `{address}` stands for a free address of its own.
    pub(crate) fn start(yaml: &str) -> Self {
        Self::start_with(yaml, &[])
    }

    /// The same, with files beside the configuration.
    pub(crate) fn start_with(yaml: &str, files: &[(&str, &str)]) -> Self {
        let mut running = Self::prepare(yaml);
        for (name, text) in files {
            std::fs::write(running.path(name), text).unwrap();
        }
        running.launch();
        running
    }

    /// Starts what was prepared, or stopped.
    pub(crate) fn launch(&mut self) {
        self.launch_with(&[]);
    }

    /// Starts it with more arguments.
    pub(crate) fn launch_with(&mut self, arguments: &[&str]) {
        self.child = Some(self.spawn(arguments));
        self.wait_until_ready();
    }

    /// A directory with the configuration, and nothing running.
    pub(crate) fn prepare(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        std::fs::write(folder.path().join("portcullis.yaml"), yaml.replace("{address}", &address.to_string())).unwrap();
        Self { folder, address, host: address.to_string(), child: None, sessions: Mutex::default() }
    }

    /// Asks it under another name from now on.
    pub(crate) fn named(&mut self, host: &str) {
        host.clone_into(&mut self.host);
    }

    /// Puts another configuration in the place of the one it was prepared with.
    pub(crate) fn rewrite(&self, yaml: &str) {
        std::fs::write(self.path("portcullis.yaml"), yaml.replace("{address}", &self.address.to_string())).unwrap();
    }

    /// Ends it where it stands.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again, where it was.
    pub(crate) fn start_again(&mut self) {
        self.launch();
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        // One that starts knows none.
        self.sessions.lock().unwrap().clear();
        self.launched(self.command(&["serve"]).args(arguments).stdin(Stdio::null()))
    }

    fn launched(&self, command: &mut Command) -> Child {
        let log = std::fs::File::create(self.path("stderr.log")).unwrap();
        command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// Starts it by a command of the test's own, and waits until it says where it listens: for what does
    /// not answer plain HTTP.
    pub(crate) fn launch_by(&mut self, command: &mut Command) {
        self.child = Some(self.launched(command));
        let begun = Instant::now();
        while !self.log().contains(" listens on ") {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none() && begun.elapsed() < LONG, "the gateway does not come up: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// A command of ours on this configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .env_remove("PORTCULLIS_CONFIG")
            .env_remove("PORTCULLIS_ENV")
            .env_remove("PORTCULLIS_ENCRYPTION_KEY")
            .env_remove("PORTCULLIS_TOKEN_ENCRYPTION_KEY")
            .env_remove("PORTCULLIS_LISTEN")
            .env_remove("PORTCULLIS_PUBLIC_URL")
            .env_remove("PORTCULLIS_CORS_ORIGINS")
            .env_remove("PORTCULLIS_ENABLE_HSTS");
        command
    }

    fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        loop {
            if TcpStream::connect(self.address).is_ok() && self.send("GET", "/readyz", &[], "").status == 200 {
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none() && begun.elapsed() < LONG, "the gateway does not come up: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// A path in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("stderr.log")).unwrap_or_default()
    }

    /// The audit trail, each line one whole record.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let begun = Instant::now();
        // A reader may see half of what is being written. What stays half was not written whole.
        let text = loop {
            let text = std::fs::read_to_string(self.path(".portcullis/audit.ndjson")).unwrap();
            if text.is_empty() || text.ends_with('\n') {
                break text;
            }
            assert!(begun.elapsed() < LONG, "the trail ends in the middle of a line");
            std::thread::yield_now();
        };
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// The newest decision record.
    pub(crate) fn last_decision(&self) -> Value {
        self.audit().into_iter().rfind(|record| record["type"] == "decision").unwrap()
    }

    /// A new token.
    pub(crate) fn token(&self, scopes: &str, more: &[&str]) -> String {
        let output = self.command(&["token", "issue", "--scopes", scopes]).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {}\r\n", self.host));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        self.raw(text.as_bytes())
    }

    /// Sends one request and reads the head of its answer; the rest is read as it comes.
    pub(crate) fn events(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Events {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = self.connect();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(stream, "{text}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut reader = BufReader::new(stream);
        let (mut line, mut status) = (String::new(), 0);
        while reader.read_line(&mut line).unwrap() > 2 {
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest.split(' ').next().and_then(|status| status.parse().ok()).unwrap_or_default();
            }
            line.clear();
        }
        Events { status, reader, text: String::new() }
    }

    /// A connection; one that ended without being asked says how.
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap_or_else(|error| {
            let state = self.child.as_ref().map(|child| std::fs::read_to_string(format!("/proc/{}/stat", child.id())));
            panic!("{error} at {}: {state:?}: {}", self.address, self.log())
        })
    }

    /// Sends bytes as they are and reads the head of the answer alone.
    pub(crate) fn head(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
        parse(head.as_bytes())
    }

    /// Sends bytes as they are and reads until the connection ends.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // A gateway that refuses early closes while we still write.
        _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer);
        parse(&answer)
    }

    /// The most memory that it ever had, in MiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// A legacy JSON-RPC message to an endpoint, with a token where there is one, in a session that is
    /// opened at the first of them.
    pub(crate) fn post(&self, path: &str, token: Option<&str>, message: &Value) -> Answer {
        let session = if message["method"] == "initialize" { None } else { self.session(path, token) };
        self.post_in(path, token, session.as_deref(), message)
    }

    /// A legacy JSON-RPC message in a session.
    pub(crate) fn post_in(&self, path: &str, token: Option<&str>, session: Option<&str>, message: &Value) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        headers.extend(session.map(|session| ("Mcp-Session-Id", session)));
        self.send("POST", path, &headers, &message.to_string())
    }

    /// Opens a session; nothing where it is refused.
    pub(crate) fn open(&self, path: &str, token: Option<&str>, capabilities: Value) -> Option<String> {
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
                           "clientInfo": {"name": "test", "version": "1"}});
        let answer = self.post_in(path, token, None, &request("initialize", hello));
        answer.header("mcp-session-id").map(str::to_owned)
    }

    fn session(&self, path: &str, token: Option<&str>) -> Option<String> {
        let endpoint = path.split('?').next().unwrap_or_default();
        let key = (endpoint.to_owned(), token.map(str::to_owned));
        if let Some(session) = self.sessions.lock().unwrap().get(&key) {
            return Some(session.clone());
        }
        let session = self.open(endpoint, token, json!({}))?;
        self.sessions.lock().unwrap().insert(key, session.clone());
        Some(session)
    }

    /// Calls a tool.
    pub(crate) fn call(&self, path: &str, token: Option<&str>, tool: &str, arguments: Value) -> Answer {
        self.post(path, token, &request("tools/call", json!({"name": tool, "arguments": arguments})))
    }

    /// The names in a list.
    pub(crate) fn names(&self, path: &str, token: Option<&str>, method: &str, field: &str, key: &str) -> Vec<String> {
        let answer = self.post(path, token, &request(method, json!({})));
        let listed = answer.json()["result"][field].as_array().unwrap_or_else(|| panic!("{answer:?}")).clone();
        listed.iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
    }

    /// The tools listed.
    pub(crate) fn tools(&self, path: &str, token: Option<&str>) -> Vec<String> {
        self.names(path, token, "tools/list", "tools", "name")
    }

    /// Tells it to stop and waits until it has; its exit status.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        self.terminate();
        self.wait()
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Puts another configuration in the place of the one it was started with, and tells it to reload.
    pub(crate) fn reload(&self, yaml: &str) {
        self.rewrite(yaml);
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// Waits until something holds.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < LONG, "{what} did not come to hold: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// A modern request, with its headers.
    pub(crate) fn modern(&self, path: &str, token: Option<&str>, method: &str, params: Value) -> Answer {
        parse(&self.ask(path, token, method, params).rest())
    }

    /// Sends a modern request, whose answer is read bit by bit.
    pub(crate) fn ask(&self, path: &str, token: Option<&str>, method: &str, mut params: Value) -> Reading {
        let name = ["name", "uri"].into_iter().find_map(|key| params[key].as_str().map(str::to_owned));
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let body = request(method, params).to_string();
        let mut text = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.host,
            body.len()
        );
        if let Some(name) = name {
            text.push_str(&format!("Mcp-Name: {name}\r\n"));
        }
        if let Some(token) = token {
            text.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        let mut stream = self.connect();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        Reading(std::io::BufReader::new(stream))
    }

    /// Waits until it has stopped.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < LONG, "the gateway does not stop: {}", self.log());
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.is_some() && !std::thread::panicking() {
            assert!(self.stop().success(), "{}", self.log());
        } else if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// An answer that is read as it comes.
pub(crate) struct Reading(std::io::BufReader<TcpStream>);

impl Reading {
    /// All that is left.
    fn rest(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        _ = self.0.read_to_end(&mut answer);
        answer
    }

    /// The next message of a stream of events; nothing where it has ended.
    pub(crate) fn next(&mut self) -> Option<Value> {
        use std::io::BufRead as _;
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
}

/// A JSON-RPC request.
pub(crate) fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// An address of this machine that nobody listens on.
///
/// Not one that the system would choose: until the gateway binds it, the system could give it to any
/// connection of another test.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let nth = NEXT.fetch_add(1, Relaxed).wrapping_add(std::process::id().wrapping_mul(97));
        let port = u16::try_from(10_000 + nth % 20_000).unwrap();
        if let Ok(free) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return free.local_addr().unwrap();
        }
    }
}

/// An answer as it came.
pub(crate) fn parse(answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let chunked =
        headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked");
    Answer { status, headers, body: if chunked { dechunk(body) } else { body.to_owned() } }
}

fn dechunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        whole.push_str(chunk);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}

/// Whether a file holds a text.
pub(crate) fn holds(path: &Path, text: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}
