//! The official SDKs as clients of a real gateway, with the reference servers of MCP behind it; what signs
//! in there with nothing but the URL; and a browser, which looks at the pages.
//!
//! What each of them must find stands in `tests/clients/cases.json`, whatever its language and era.
//! Node and Python bring packages along that `.ci/run` installs and `cargo test` does not: where they
//! are missing, a test says so and is skipped, unless `PORTCULLIS_TEST_ALL=1`.

mod flow;
mod fuzz;
mod pages;
mod sdk;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{root, running::Running};

/// How long all the cases of one SDK may take, on a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(240);

/// Node with the packages of `tests/clients/node`.
struct Node(PathBuf);

/// Python with the packages of `tests/clients/python`.
struct Python(PathBuf);

impl Node {
    fn find() -> Result<Self, String> {
        let version = said(Path::new("node"), &["--version"])?;
        let major: u32 =
            version.trim_start_matches('v').split('.').next().unwrap_or_default().parse().unwrap_or_default();
        if major < 20 {
            return Err(format!("Node is {version}, and the packages need 20"));
        }
        let read = |path: PathBuf| -> Result<Value, String> {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
        };
        let wanted = read(clients().join("node/package.json"))?;
        for (package, pin) in wanted["dependencies"].as_object().unwrap() {
            let there = read(package_of(package).join("package.json"))?;
            if there["version"] != *pin {
                return Err(format!("{package} is {}, not {pin}", there["version"]));
            }
        }
        said(Path::new("node"), &["-p", "process.execPath"]).map(PathBuf::from).map(Self)
    }
}

impl Python {
    fn find() -> Result<Self, String> {
        let python = root().join("target/clients/python/bin/python");
        let there = said(&python, &["-c", "import importlib.metadata as m; print('mcp==' + m.version('mcp'))"])?;
        let wanted = std::fs::read_to_string(clients().join("python/requirements.txt")).unwrap();
        match wanted.lines().any(|line| line == there) {
            true => Ok(Self(python)),
            false => Err(format!("it has {there}, which tests/clients/python/requirements.txt does not name")),
        }
    }
}

/// What a program says on its standard output, if it ends well.
fn said(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let shown = program.display();
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{shown}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => {
            Err(format!("{shown} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}

/// What a test needs; or it is skipped, aloud, unless everything is to be tested.
fn needed<T>(test: &str, found: Result<T, String>) -> Option<T> {
    let why = match found {
        Ok(tool) => return Some(tool),
        Err(why) => why,
    };
    crate::support::skipped(test, &why);
    None
}

fn clients() -> PathBuf {
    root().join("tests/clients")
}

fn package_of(name: &str) -> PathBuf {
    clients().join("node/node_modules").join(name)
}

/// The reference server over HTTP, as a process of its own.
struct Remote {
    process: Child,
    port: String,
}

impl Remote {
    fn start(node: &Path) -> Self {
        let script = clients().join("node/everything-http.mjs");
        let mut process = Command::new(node).arg(script).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.trim().is_empty(), "the reference server did not start");
        Self { process, port: port.trim().to_owned() }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A gateway before all the servers, and what its clients must find there.
struct Setting {
    gateway: Running,
    plan: Value,
    _remote: Remote,
    _data: tempfile::TempDir,
}

impl Setting {
    fn new(node: &Node) -> Self {
        let Node(node) = node;
        let data = tempfile::tempdir().unwrap();
        let path = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
        let package = |name: &str| package_of(name).join("dist/index.js").to_str().unwrap().to_owned();
        for folder in ["notes", "files"] {
            std::fs::create_dir(data.path().join(folder)).unwrap();
        }
        for (name, text) in
            [("notes/welcome.md", "# Welcome\n"), ("notes/list.md", "Buy milk\n"), ("files/hello.txt", "hello\n")]
        {
            std::fs::write(data.path().join(name), text).unwrap();
        }
        let remote = Remote::start(node);
        let variables = [
            ("BINARY", env!("CARGO_BIN_EXE_portcullis").to_owned()),
            ("NODE", node.to_str().unwrap().to_owned()),
            ("NOTES", path("notes")),
            ("FILES", path("files")),
            ("EVERYTHING", package("@modelcontextprotocol/server-everything")),
            ("FILESYSTEM", package("@modelcontextprotocol/server-filesystem")),
            ("REMOTE_PORT", remote.port.clone()),
        ];
        let mut configuration = std::fs::read_to_string(clients().join("portcullis.yaml")).unwrap();
        for (name, value) in variables {
            configuration = configuration.replace(&format!("${{{name}}}"), &value);
        }
        let gateway = Running::start(&configuration);
        let cases = std::fs::read_to_string(clients().join("cases.json")).unwrap();
        let plan = planned(&gateway, serde_json::from_str(&cases).unwrap());
        Self { gateway, plan, _remote: remote, _data: data }
    }

    fn drive(&self, program: &Path, script: &str) {
        drive(&self.gateway, &self.plan, program, script);
    }
}

/// Runs a driver, which gets the plan as a file. What it says is printed where it fails.
fn drive(gateway: &Running, plan: &Value, program: &Path, script: &str) {
    let (file, said) = (gateway.path("plan.json"), gateway.path("said.txt"));
    std::fs::write(&file, plan.to_string()).unwrap();
    let out = File::create(&said).unwrap();
    let mut driver = Command::new(program)
        .args([clients().join(script), file])
        .stderr(out.try_clone().unwrap())
        .stdout(out)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while driver.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(20));
    }
    // Does nothing to one that has ended.
    driver.kill().unwrap();
    let status = driver.wait().unwrap();
    let said = String::from_utf8_lossy(&std::fs::read(said).unwrap()).into_owned();
    assert!(status.success(), "{script} ended with {status}\n{said}\n--- the gateway said\n{}", gateway.log());
}

/// The cases with tokens in them.
fn planned(gateway: &Running, mut cases: Value) -> Value {
    let url = format!("http://{}", gateway.address());
    let mut issued: BTreeMap<String, String> = BTreeMap::new();
    for list in ["sessions", "turned_away"] {
        for case in cases[list].as_array_mut().unwrap() {
            if let Some(scopes) = case["scopes"].as_array() {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str().unwrap()).collect();
                let scopes = scopes.join(",");
                let path = case["path"].as_str().unwrap();
                let path = case["resource"].as_str().unwrap_or_else(|| path.split('?').next().unwrap());
                let resource = format!("{url}{path}");
                let mut words = vec!["--resource", &resource];
                words.extend(case["client"].as_str().map(|client| ["--client", client]).into_iter().flatten());
                let key = format!("{scopes} {words:?}");
                let token = issued.entry(key).or_insert_with(|| gateway.token(&scopes, &words)).clone();
                case["bearer"] = json!(token);
            }
            if let Some(challenge) = case["challenge"].as_str() {
                case["challenge"] = json!(challenge.replace("{url}", &url));
            }
        }
    }
    cases["url"] = json!(url);
    cases["bridge"] = json!(env!("CARGO_BIN_EXE_portcullis"));
    cases
}

#[test]
fn the_typescript_sdk_of_the_legacy_era_finds_what_it_may() {
    let Some(node) = needed("the TypeScript SDK, version 1", Node::find()) else { return };
    Setting::new(&node).drive(&node.0, "node/v1.mjs");
}

#[test]
fn the_typescript_sdk_of_both_eras_finds_what_it_may() {
    let Some(node) = needed("the TypeScript SDK, version 2", Node::find()) else { return };
    Setting::new(&node).drive(&node.0, "node/v2.mjs");
}

#[test]
fn the_typescript_sdks_find_the_same_through_the_bridge() {
    let Some(node) = needed("the TypeScript SDKs over stdio", Node::find()) else { return };
    Setting::new(&node).drive(&node.0, "node/bridge.mjs");
}

#[test]
fn the_python_sdk_finds_what_it_may_in_both_eras() {
    let both = Node::find().and_then(|node| Python::find().map(|python| (node, python)));
    let Some((node, Python(python))) = needed("the Python SDK", both) else { return };
    Setting::new(&node).drive(&python, "python/client.py");
}

#[tokio::test]
async fn the_rust_sdk_finds_what_it_may_in_both_eras() {
    let Some(node) = needed("the Rust SDK before the reference servers", Node::find()) else { return };
    let setting = Setting::new(&node);
    sdk::cases(&setting.plan).await;
}

#[tokio::test]
async fn the_quickstart_is_what_it_says_to_the_rust_sdk() {
    let quickstart = root().join("examples/quickstart");
    let notes = tempfile::tempdir().unwrap();
    std::fs::copy(quickstart.join("notes/welcome.md"), notes.path().join("welcome.md")).unwrap();
    let mut configuration = std::fs::read_to_string(quickstart.join("portcullis.yaml")).unwrap();
    for (written, ours) in [("127.0.0.1:3050", "{address}"), ("./notes", notes.path().to_str().unwrap())] {
        assert!(configuration.contains(written));
        configuration = configuration.replace(written, ours);
    }
    let gateway = Running::start(&configuration);
    let tools = ["notes__list_notes", "notes__read_note", "notes__search_notes", "time__convert", "time__now"];
    let plan = json!({
        "sessions": [
            {
                "path": "/mcp", "scopes": ["tag:clock", "tag:notes"], "tools": tools, "resources": ["notes://welcome"],
                "prompts": ["notes__summarize_note"],
                "calls": [{"tool": "notes__list_notes", "arguments": {}, "text": "welcome"}],
                "hidden": ["notes__delete_note", "notes__write_note"],
            },
            {"path": "/mcp/time", "scopes": ["tag:clock"], "tools": ["convert", "now"], "hidden": ["list_notes"]},
            {
                "path": "/mcp", "scopes": ["tag:clock"], "tools": ["time__convert", "time__now"],
                "short": [{"tool": "notes__list_notes", "scopes": ["tag:notes"]}],
            },
        ],
        "turned_away": [{
            "path": "/mcp", "status": 401,
            "challenge": "Bearer resource_metadata=\"{url}/.well-known/oauth-protected-resource/mcp\"",
        }],
    });
    sdk::cases(&planned(&gateway, plan)).await;
}

/// A gateway without OAuth before demo servers, and what every client must find there without a token.
struct Open {
    gateway: Running,
    plan: Value,
}

impl Open {
    fn new() -> Self {
        let gateway = Running::start(OPEN);
        std::fs::create_dir_all(gateway.path("notes")).unwrap();
        std::fs::write(gateway.path("notes/welcome.md"), "# Welcome\n").unwrap();
        let whole = [
            "notes__list_notes",
            "notes__read_note",
            "notes__search_notes",
            "notes__write_note",
            "time__convert",
            "time__now",
        ];
        let session = |path: &str, tools: &[&str], more: Value| {
            let mut case = json!({"path": path, "scopes": [], "bearer": null, "tools": tools});
            case.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            case
        };
        let read = json!({"tool": "notes__read_note", "arguments": {"name": "welcome"}, "text": "# Welcome\n"});
        let plan = json!({
            "url": format!("http://{}", gateway.address()),
            "bridge": env!("CARGO_BIN_EXE_portcullis"),
            "sessions": [
                session("/mcp", &whole, json!({"calls": [read], "hidden": ["notes__delete_note", "nowhere__x"],
                    "prompts": ["notes__summarize_note"], "resources": ["notes://welcome"]})),
                session("/mcp/time", &["convert", "now"], json!({"hidden": ["list_notes"]})),
                session("/mcp/@clocks", &["time__convert", "time__now"], json!({"hidden": ["notes__list_notes"]})),
                session("/mcp?tags=clock", &["time__convert", "time__now"], json!({"hidden": ["notes__list_notes"]})),
            ],
            "turned_away": [
                {"path": "/mcp/nowhere", "status": 404},
                {"path": "/mcp/@nowhere", "status": 404},
                {"path": "/mcp?tags=nothing", "status": 400},
            ],
        });
        Self { gateway, plan }
    }

    fn drive(&self, program: &Path, script: &str) {
        drive(&self.gateway, &self.plan, program, script);
    }
}

const OPEN: &str = "version: 1
listen: {address: '{address}'}
oauth: {enabled: false}
tags: {clock: Tell the time, notes: Read and write the notes}
servers:
  time: {tags: [clock], stdio: {command: [portcullis, demo-server, time]}}
  notes:
    tags: [notes]
    stdio: {command: [portcullis, demo-server, notes, --dir, ./notes]}
    tools: {delete_note: deny}
views: {clocks: {tags: [clock]}}
";

#[test]
fn sm35_the_typescript_sdks_work_without_oauth() {
    let Some(node) = needed("the TypeScript SDKs without OAuth", Node::find()) else { return };
    let open = Open::new();
    open.drive(&node.0, "node/v1.mjs");
    open.drive(&node.0, "node/v2.mjs");
}

#[test]
fn sm35_the_typescript_sdks_work_without_oauth_through_the_bridge() {
    let Some(node) = needed("the TypeScript SDKs over stdio without OAuth", Node::find()) else { return };
    Open::new().drive(&node.0, "node/bridge.mjs");
}

#[test]
fn sm35_the_python_sdk_works_without_oauth() {
    let Some(Python(python)) = needed("the Python SDK without OAuth", Python::find()) else { return };
    Open::new().drive(&python, "python/client.py");
}

#[tokio::test]
async fn sm35_the_rust_sdk_works_without_oauth() {
    sdk::cases(&Open::new().plan).await;
}
