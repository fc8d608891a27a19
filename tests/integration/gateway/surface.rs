//! What the public listener answers, and that nothing of it administers, starts anything, or takes an access token.

use serde_json::json;

use super::DEMO;
use crate::support::running::Running;

/// What the sheet of administration says of paths, and what other products use for theirs.
const ADMIN: [&str; 34] = [
    "/admin",
    "/admin/",
    "/v1",
    "/v1/config",
    "/v1/config/reload",
    "/v1/config/revisions",
    "/v1/config/rollback",
    "/v1/config/validate",
    "/v1/policies",
    "/v1/schema",
    "/v1/entities",
    "/v1/servers",
    "/v1/servers/time/tools",
    "/v1/authorize",
    "/v1/explain",
    "/v1/diff",
    "/v1/simulations",
    "/v1/matrix",
    "/v1/findings",
    "/v1/audit/records",
    "/v1/audit/stream",
    "/v1/audit/pubkey",
    "/v1/grants",
    "/v1/lockdown",
    "/v1/tokens/revoke",
    "/access/v1/evaluation",
    "/.well-known/authzen-configuration",
    "/metrics",
    "/version",
    "/openapi.json",
    "/docs",
    "/debug/pprof",
    "/api/servers",
    "/console",
];

/// The rest of what is answered, besides `/mcp`.
const PUBLIC: [(&str, &str); 15] = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/.well-known/oauth-protected-resource"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/oauth/authorize"),
    ("GET", "/oauth/consent"),
    ("POST", "/oauth/introspect"),
    ("POST", "/oauth/register"),
    ("POST", "/oauth/revoke"),
    ("POST", "/oauth/token"),
    ("GET", "/login"),
    ("GET", "/login/link"),
    ("POST", "/login/out"),
    ("GET", "/grants"),
];

#[test]
fn t043_no_route_administers_and_an_access_token_opens_nothing_but_the_gateway() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock,tag:notes,tag:write", &[]);
    let bearer = format!("Bearer {token}");
    let asked = |method: &str, path: &str, with: bool| {
        let mut headers = vec![("Content-Type", "application/json"), ("Accept", "*/*")];
        headers.extend(with.then_some(("Authorization", bearer.as_str())));
        let answer = gateway.send(method, path, &headers, if method == "GET" { "" } else { "{}" });
        // What differs from one answer to the next: the time of day, and what a browser is given to bring back.
        let kept = |name: &str| !matches!(name.to_ascii_lowercase().as_str(), "date" | "set-cookie" | "location");
        let headers: Vec<_> = answer.headers.into_iter().filter(|(name, _)| kept(name)).collect();
        (answer.status, headers, answer.body)
    };
    for path in ADMIN {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let (status, _, body) = asked(method, path, true);
            assert_eq!(status, 404, "{method} {path}: {body}");
        }
    }
    for (method, path) in PUBLIC {
        let (without, with) = (asked(method, path, false), asked(method, path, true));
        assert_ne!(without.0, 404, "{method} {path} is answered");
        // A page has a secret of its own in each copy.
        let page = without.2.contains("<html");
        assert_eq!((with.0, &with.1), (without.0, &without.1), "{method} {path}");
        assert!(page || with.2 == without.2, "{method} {path}: {with:?} {without:?}");
    }
    let grants = gateway.send("GET", "/grants", &[("Authorization", &bearer)], "");
    assert!(grants.status != 200, "a token is no sign-in: {grants:?}");
}

/// What looks at nothing that it is sent.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// The processes that a process has started and that still are there.
fn children(pid: u32) -> Vec<String> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let text = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        children.extend(text.split_whitespace().map(str::to_owned));
    }
    children.sort();
    children
}

#[test]
fn t169_nothing_that_is_asked_starts_a_process() {
    let gateway = Running::start(DEMO);
    let token = gateway.token("tag:clock,tag:notes", &[]);
    let bearer = format!("Bearer {token}");
    gateway.until("the servers", || gateway.tools("/mcp", Some(&token)).len() == 5);
    let before = children(gateway.pid());
    let canary = gateway.path("canary");
    let touch = canary.display().to_string();
    let spawn = json!({"command": ["touch", touch], "args": [touch], "env": {"PATH": "."}, "name": "x", "test": true,
        "stdio": {"command": ["sh", "-c", format!("touch {touch}")]}});
    let wrapped = json!({"jsonrpc": "2.0", "id": 1, "method": "servers/create", "params": spawn});
    let (mut paths, spoken) = (ADMIN.to_vec(), ["/mcp", "/mcp/time", "/mcp/x", "/mcp/@x", "/mcp/__child"]);
    paths.extend(PUBLIC.map(|(_, path)| path).into_iter().chain(spoken));
    for path in paths {
        for (method, body) in [("POST", &spawn), ("PUT", &spawn), ("POST", &wrapped)] {
            let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
            let answer = gateway.send(method, path, &headers, &body.to_string());
            assert!(answer.status >= 400 || HEALTH.contains(&path), "{method} {path}: {answer:?}");
        }
    }
    for method in ["servers/create", "servers/test", "roots/list", "sampling/createMessage"] {
        let answer = gateway.modern("/mcp", Some(&token), method, spawn.clone());
        assert!(answer.status >= 400 && answer.json()["error"].is_object(), "{method}: {answer:?}");
    }
    let call = json!({"name": "time__now", "arguments": {"command": ["touch", touch]}, "command": ["touch", touch]});
    gateway.modern("/mcp", Some(&token), "tools/call", call);
    assert_eq!(children(gateway.pid()), before, "nothing was started");
    assert!(!canary.exists());
}
