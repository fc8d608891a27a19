//! `limits:` and `headers:`: what tests say of rate tiers, checks and header fields.

use super::{outcomes, ran};

const CONFIG: &str = "version: 1
listen: {address: '127.0.0.1:3050', public_url: 'http://127.0.0.1:3050'}
tags: {read: Read, write: Write}
servers:
  files:
    tags: [read]
    stdio: {command: [cat]}
    tools: {write_file: {tags: [write]}}
rates:
  everybody: {limit: 1000, window: 15m, by: address, on: [oauth, mcp]}
  calls: {limit: 6, window: 1m, burst: 3, by: user, on: [mcp]}
  writes: {limit: 2, window: 1h, by: user, on: [files/write_file]}
headers:
  - {id: frames, on: [token], set: {X-Frame-Options: SAMEORIGIN}}
cors: {origins: ['https://app.example.com']}
";

const WHO: &str = "principals:
  ana: {sub: ana, scopes: ['tag:read', 'tag:write']}
  ben: {sub: ben, scopes: ['tag:read']}
requests:
  read: {server: files, tool: read_file, args: {}}
  write: {server: files, tool: write_file, args: {}}
";

fn said(suite: &str) -> Vec<String> {
    outcomes(&ran(CONFIG, None, &format!("{WHO}{suite}")).0)
}

#[test]
fn sm16_sm18_limits_are_counted_on_a_clock_that_is_set_by_hand() {
    let good = said(
        "limits:
  - {name: at once, principal: [ana, ben], request: read, tier: calls, allow: 3, per: 30s, then: deny}
  - {name: narrow, principal: ana, request: write, tier: writes, allow: 2, per: 1h}
  - {name: some, principal: ana, request: read, allow: 2, then: allow}
",
    );
    let fine = ["at once | ana: read", "at once | ben: read", "narrow | ana: write", "some | ana: read"];
    assert_eq!(good, fine.map(|case| format!("{case} | ok")));
    let bad = said(
        "limits:
  - {name: a, principal: ana, request: read, tier: calls, allow: 4}
  - {name: b, principal: ana, request: read, tier: calls, allow: 2}
  - {name: c, principal: ana, request: read, tier: calls, allow: 3, per: 10s}
  - {name: d, principal: ana, request: write, tier: calls, allow: 2}
  - {name: e, principal: ana, request: read, allow: 3, then: allow}
  - {name: f, principal: ana, request: read, tier: cals, allow: 3}
",
    );
    crate::support::golden("suite", "limits", &bad.join("\n"));
}

#[test]
fn sm20_sm22_headers_are_what_serve_would_send() {
    let good = said(
        "headers:
  - request: {path: /mcp, origin: 'https://evil.test'}
    expect: {status: 403, code: bad-origin, by: check/origin, absent: [Access-Control-Allow-Origin]}
  - request: {path: /mcp, origin: 'https://app.example.com', method: POST}
    expect: {admitted: true, present: {access-control-allow-origin: 'https://app.example.com', X-Content-Type-Options: nosniff}, tiers: [everybody]}
  - request: {path: /mcp, origin: 'https://app.example.com', preflight: POST}
    expect: {present: {access-control-allow-methods: '*'}}
  - request: {path: /oauth/token, method: POST}
    expect: {present: {X-Frame-Options: SAMEORIGIN, Cache-Control: no-store}, absent: [Strict-Transport-Security]}
  - request: {path: '/oauth/authorize?login_hint=..%2f..%2fetc%2fpasswd', fields: {User-Agent: curl/8.5}}
    expect: {status: 400, findings: [path-traversal]}
  - request: {path: /healthz, host: evil.test}
    expect: {status: 403, code: bad-host}
  - request: {path: /healthz}
    expect: {admitted: true, tiers: []}
",
    );
    assert!(good.len() == 7 && good.iter().all(|case| case.ends_with("| ok")), "{good:#?}");
    let bad = said(
        "headers:
  - request: {path: /mcp, origin: 'https://app.example.com'}
    expect: {admitted: false, status: 403, code: bad-origin, tiers: [calls]}
  - request: {path: /oauth/token}
    expect: {present: {X-Frame-Options: DENY, X-Nothing: '*'}, absent: [Cache-Control], by: [header/none]}
",
    );
    crate::support::golden("suite", "headers", &bad.join("\n"));
}

#[test]
fn what_expects_nothing_or_says_too_much_is_a_finding() {
    let found = super::problems(&format!(
        "{WHO}headers:
  - {{request: {{path: /mcp}}, expect: {{present: {{}}}}}}
  - {{request: {{path: mcp}}, expect: {{status: 403}}}}
  - {{request: {{path: /mcp, method: post}}, expect: {{status: 403}}}}
  - {{request: {{path: /mcp, method: GET, preflight: POST}}, expect: {{status: 403}}}}
  - {{request: {{path: /mcp, address: here}}, expect: {{status: 403}}}}
limits:
  - {{principal: ana, request: none, allow: 3}}
  - {{principal: ana, request: read, allow: 3, then: allow, tier: calls}}
  - {{principal: ana, request: read, allow: 100000000}}
"
    ));
    crate::support::golden("suite", "front_broken", &found.join("\n"));
}
