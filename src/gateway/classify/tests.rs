use super::*;
use crate::mcp::Nobody;

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn refused(body: &str, pairs: &[(&'static str, &str)]) -> (i32, bool) {
    let unclear = read(body.as_bytes(), &headers(pairs), &Nobody).unwrap_err();
    (unclear.refusal.code(Era::Modern), unclear.modern)
}

fn asked(body: &str, pairs: &[(&'static str, &str)]) -> (Version, String) {
    match read(body.as_bytes(), &headers(pairs), &Nobody).unwrap() {
        Classified::Asked(asked) => (asked.version, format!("{:?}", asked.what)),
        Classified::Noted(_) | Classified::Answered(..) => panic!("a request was taken for a notification"),
    }
}

#[test]
fn legacy_requests_need_no_headers() {
    let (version, what) = asked(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, &[]);
    assert_eq!((version, what.as_str()), (Version::V2025_03_26, "List(Tools, None)"));
    let (version, _) = asked(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, &[("mcp-protocol-version", "2025-11-25")]);
    assert_eq!(version, Version::V2025_11_25);
}

#[test]
fn modern_requests_say_everything_twice_and_alike() {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x",{META}}}}}"#);
    let good = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "x")];
    assert_eq!(asked(&body, &good).0, Version::V2026_07_28);
    // T-022, TR-14, TR-21, TR-22: each is needed, and each must agree.
    for missing in 0..3 {
        let some: Vec<_> = good.iter().enumerate().filter(|(nth, _)| *nth != missing).map(|(_, pair)| *pair).collect();
        assert_eq!(refused(&body, &some), (-32020, true), "without header {missing}");
    }
    for (nth, lie) in [(0, "2025-11-25"), (1, "tools/list"), (2, "y")] {
        let mut lying = good;
        lying[nth].1 = lie;
        assert_eq!(refused(&body, &lying), (-32020, true), "{lie}");
    }
    let encoded = [good[0], good[1], ("mcp-name", "=?base64?eA==?=")];
    assert_eq!(asked(&body, &encoded).0, Version::V2026_07_28);
}

#[test]
fn tr20_checks_come_in_their_order() {
    let modern = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "ping")];
    // TR-19: no `_meta`.
    assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, &modern), (-32602, true));
    // Header and body differ before the version is looked at.
    let v999 = META.replace("2026-07-28", "v999");
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{v999}}}}}"#);
    assert_eq!(refused(&body, &modern), (-32020, true));
    // TR-15: both unknown.
    assert_eq!(refused(&body, &[("mcp-protocol-version", "v999"), ("mcp-method", "tools/list")]), (-32022, true));
    // TR-16: a legacy caller with a version nobody knows.
    assert!(refused(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, &[("mcp-protocol-version", "1999-01-01")]).1);
    // TR-18: removed methods are unknown.
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "nonsense"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{META}}}}}"#);
        assert_eq!(
            refused(&body, &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)]),
            (-32601, true),
            "{method}"
        );
    }
}

#[test]
fn t018_t021_t025_t027_what_is_not_exactly_a_request_is_refused() {
    for (body, code) in [
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","result":{}}"#, -32600),
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"x"}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","NAME":"y"}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":[]}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":7}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{}}"#, -32602),
    ] {
        assert_eq!(refused(body, &[]), (code, false), "{body}");
    }
}

#[test]
fn t025_an_answer_is_one_in_the_legacy_era_alone() {
    let body = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert!(matches!(read(body, &headers(&[]), &Nobody), Ok(Classified::Answered(Id::Number(1), Outcome::Result(_)))));
    let unclear = read(body, &headers(&[("mcp-protocol-version", "2026-07-28")]), &Nobody).unwrap_err();
    assert!(unclear.modern && !unclear.of_session && unclear.refusal.code(Era::Modern) == -32600);
}

#[test]
fn px15_answers_and_states_are_of_the_modern_era() {
    let good = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "x")];
    let body = |more: &str, meta: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x"{more}{meta}}}}}"#)
    };
    for more in [r#","inputResponses":{"a":{}}"#, r#","requestState":"s""#, r#","inputResponses":{},"requestState":"""#]
    {
        let body_with = body(more, &format!(",{META}"));
        assert_eq!(asked(&body_with, &good).0, Version::V2026_07_28, "{more}");
        assert_eq!(refused(&body(more, ""), &[]), (-32602, false), "{more}");
    }
    for bad in [r#","inputResponses":[]"#, r#","requestState":7"#, r#","inputResponses":"x""#] {
        assert_eq!(refused(&body(bad, &format!(",{META}")), &good), (-32602, true), "{bad}");
    }
}
