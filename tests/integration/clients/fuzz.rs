//! OA-142: every endpoint of the authorization server and of callers, asked by `schemathesis` what no client asks.
//!
//! What they may answer stands in `tests/clients/python/openapi.yaml`; whatever else comes is a finding, and so are
//! a 5xx, an answer that takes ten seconds, a panic in the log, and a gateway that does not answer afterwards.

use std::{path::Path, process::Command};

use serde_json::json;

use super::{Python, clients, needed};
use crate::support::running::{Running, holds};

/// Seconds that are spent on it. What it begins with is the same each time; how far it comes is the machine's affair.
const BUDGET: &str = "30";
const SECRET: &str = "wB3xTq9LmZ0vKe7RyUc5NhJd2sGa8PfQ";
const YAML: &str = "version: 1
listen: {address: '{address}'}
tags: {clock: Tell the time}
servers:
  time: {tags: [clock], stdio: {command: [portcullis, demo-server, time]}}
views: {clocks: {tags: [clock]}}
grants:
  - {to: {user: '*'}, scopes: ['tag:clock']}
  - {to: {client: robot}, scopes: ['tag:clock']}
rates:
  roomy: {limit: 1000000, window: 1m, by: address, on: [oauth, mcp]}
oauth:
  login: users
  registration: loopback
  failure_delay: 0
  clients:
    robot: {secret: {file: robot.secret}, auth: client_secret_post}
    desk: {redirect_uris: ['http://127.0.0.1/cb']}
";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,allow_header_conformance";

#[test]
fn oa142_t191_no_request_of_whatever_shape_gets_a_5xx_a_panic_or_no_answer() {
    let Some(Python(python)) = needed("the fuzz of all endpoints", fuzzer()) else { return };
    let gateway = Running::start_with(YAML, &[("robot.secret", SECRET)]);
    let url = format!("http://{}", gateway.address());
    let token = gateway.token("tag:clock", &[]);
    let document = std::fs::read_to_string(clients().join("python/openapi.yaml")).unwrap();
    let document = document.replace("${SECRET}", SECRET).replace("${TOKEN}", &token);
    std::fs::write(gateway.path("openapi.yaml"), document).unwrap();
    let settings =
        format!("[[operations]]\ninclude-path-regex = \"^/mcp\"\nheaders = {{ Authorization = \"Bearer {token}\" }}\n");
    std::fs::write(gateway.path("schemathesis.toml"), settings).unwrap();
    // Not by its script, which knows the directory that it was installed in.
    let output = Command::new(python)
        .args([
            "-m",
            "schemathesis.cli",
            "--config-file",
            "schemathesis.toml",
            "run",
            "openapi.yaml",
            "--url",
            &url,
            "--checks",
            CHECKS,
        ])
        .args(["--phases", "examples,coverage,fuzzing", "--max-time", BUDGET, "--seed", "1", "--no-shrink"])
        .args(["--request-timeout", "10", "--max-redirects", "0", "--max-response-time", "10"])
        .args(["--continue-on-failure", "--generation-database", "none", "--no-color", "--warnings", "off"])
        .current_dir(gateway.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}\n{}", String::from_utf8_lossy(&output.stderr), gateway.log());
    assert!(said.contains("Tested: 30"), "{said}");
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    assert!(!holds(Path::new(&gateway.path(".portcullis/audit.ndjson")), &token));
    // It goes on as if nothing had been.
    assert_eq!(gateway.modern("/mcp", Some(&token), "tools/list", json!({})).status, 200);
}

/// Python with the fuzzer.
fn fuzzer() -> Result<Python, String> {
    let python = Python::find()?;
    let there = super::said(&python.0, &["-c", "import schemathesis; print(schemathesis.__version__)"])?;
    let wanted = std::fs::read_to_string(clients().join("python/requirements.txt")).unwrap();
    let pin = format!("schemathesis=={there}");
    if wanted.lines().any(|line| line == pin) {
        Ok(python)
    } else {
        Err(format!("it has {pin}, which is not asked for"))
    }
}
