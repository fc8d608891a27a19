//! Clients that nobody here wrote sign in with nothing but the URL: they discover, register, send a person to the
//! pages in Chromium, redeem, call, renew, ask for more, and give back.
//!
//! What the clients do stands in `tests/clients/node/flow` and `tests/clients/python/flow.py`; the person at the
//! browser is `person.mjs` for all of them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Node, Python, clients, drive, needed, pages::chromium};
use crate::support::running::Running;

const YAML: &str = "version: 1
listen: {address: '{address}'}
tags: {clock: Tell the time, notes: Read the notes}
servers:
  time: {tags: [clock], stdio: {command: [portcullis, demo-server, time]}}
  notes: {tags: [notes], stdio: {command: [portcullis, demo-server, notes, --dir, ./notes]}}
oauth: {baseline: ['tag:clock']}
grants:
  - {to: {user: owner}, scopes: ['tag:clock', 'tag:notes']}
rates:
  roomy: {limit: 10000, window: 1m, by: address, on: [oauth]}
";

/// A gateway, and what clients are told of it and of the person.
struct Setting {
    gateway: Running,
    plan: Value,
    node: PathBuf,
}

impl Setting {
    fn find(test: &str) -> Option<Self> {
        let both = Node::find().and_then(|node| chromium().map(|chromium| (node, chromium)));
        let (Node(node), chromium) = needed(test, both)?;
        let gateway = Running::start(YAML);
        std::fs::create_dir_all(gateway.path("notes")).unwrap();
        std::fs::write(gateway.path("notes/welcome.md"), "# Welcome\n").unwrap();
        let binary = env!("CARGO_BIN_EXE_portcullis");
        let plan = json!({
            "url": format!("http://{}", gateway.address()),
            "chromium": chromium,
            "login": {"command": [binary, "login"], "cwd": gateway.path(".")},
            "bridge": binary,
            "node": node,
            "person": clients().join("node/flow/person.mjs"),
            "file": gateway.path("plan.json"),
            "redirect": "http://127.0.0.1:9/callback",
            "scopes": ["tag:clock"],
            "tools": ["time__convert", "time__now"],
            "call": {
                "tool": "time__convert", "arguments": {"time": "2026-01-01T00:30:00+02:00", "offset": "Z"},
                "text": "2025-12-31T22:30:00+00:00",
            },
            "more": {
                "scopes": ["tag:notes"],
                "call": {"tool": "notes__read_note", "arguments": {"name": "welcome"}, "text": "# Welcome\n"},
            },
        });
        Some(Self { gateway, plan, node })
    }

    fn drive(&self, script: &str) {
        drive(&self.gateway, &self.plan, &self.node, script);
    }

    /// One of the programs that sign in by themselves.
    fn program(mut self, name: &str) {
        self.plan["only"] = json!(name);
        self.drive("node/flow/programs.mjs");
    }

    fn python(mut self, which: &str) {
        let Some(Python(python)) = needed(which, Python::find()) else { return };
        self.plan["which"] = json!(which);
        drive(&self.gateway, &self.plan, &python, "python/flow.py");
    }
}

#[test]
fn az15_as13_the_typescript_sdks_sign_in_renew_and_step_up() {
    if let Some(setting) = Setting::find("the TypeScript SDKs, signing in") {
        setting.drive("node/flow/sdks.mjs");
    }
}

#[test]
fn az15_the_python_sdk_signs_in_and_steps_up() {
    if let Some(setting) = Setting::find("the Python SDK, signing in") {
        setting.python("sdk");
    }
}

#[test]
fn as03_as08_as15_as16_oauth4webapi_and_openid_client_find_nothing_to_object_to() {
    if let Some(setting) = Setting::find("strict OAuth clients in JavaScript") {
        setting.drive("node/flow/strict.mjs");
    }
}

#[test]
fn as13_authlib_signs_in_renews_and_revokes() {
    if let Some(setting) = Setting::find("authlib") {
        setting.python("authlib");
    }
}

#[test]
fn as28_mcp_remote_signs_in() {
    if let Some(setting) = Setting::find("mcp-remote") {
        setting.program("mcp-remote");
    }
}

#[test]
fn as27_the_inspector_signs_in() {
    if let Some(setting) = Setting::find("the CLI of the MCP Inspector") {
        setting.program("inspector");
    }
}

#[test]
fn cl18_portcullis_connect_signs_in_and_steps_up() {
    if let Some(setting) = Setting::find("portcullis connect, signing in") {
        setting.program("portcullis connect");
    }
}
