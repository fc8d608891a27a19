//! Messages that are taken, and the many that are not.

use super::*;

fn problem(text: &str) -> Problem {
    Message::from_caller(text.as_bytes()).unwrap_err().problem
}

#[test]
fn the_three_shapes_are_told_apart() {
    let call = r#"{"jsonrpc":"2.0","id":"a","method":"tools\/call","params":{"name":"x", "n":1.0}}"#;
    let Message::Request(request) = Message::from_caller(call.as_bytes()).unwrap() else { panic!() };
    assert_eq!(request.method, "tools/call");
    assert_eq!(request.params.unwrap().get(), r#"{"name":"x", "n":1.0}"#);
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert!(matches!(Message::from_caller(told.as_bytes()).unwrap(), Message::Notification(_)));
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert!(matches!(Message::from_caller(answer.as_bytes()).unwrap(), Message::Response(_)));
    let lost = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}"#;
    let Message::Response(lost) = Message::from_upstream(lost.as_bytes()).unwrap() else { panic!() };
    assert_eq!(lost.id, None);
}

#[test]
fn t018_keys_of_the_envelope_are_known_exactly() {
    for bad in [
        r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","extra":1}"#,
    ] {
        assert_eq!(problem(bad), Problem::UnknownKey, "{bad}");
    }
}

#[test]
fn t020_duplicate_keys_are_refused_at_every_depth() {
    for bad in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"secret_op"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e","arguments":{"p":1,"\u0070":2}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e","arguments":{"l":[{"a":1,"a":1}]}}}"#,
    ] {
        assert_eq!(problem(bad), Problem::Untidy(Untidy::DuplicateKey), "{bad}");
    }
}

#[test]
fn t021_batches_are_refused() {
    for bad in ["[]", "[[]]", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#] {
        assert_eq!(problem(bad), Problem::Batch, "{bad}");
    }
}

#[test]
fn t026_odd_ids_are_refused() {
    for id in ["null", "1.5", "1e0", "{}", "[1]", "true", "99999999999999999999"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert!(matches!(problem(&text), Problem::BadId(_)), "{id}");
    }
}

#[test]
fn t028_odd_framing_is_refused() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(problem(&format!("\u{feff}{call}")), Problem::ByteOrderMark);
    assert_eq!(Message::from_caller(b"\xff{}").unwrap_err().problem, Problem::NotUtf8);
    let utf16: Vec<u8> = call.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Message::from_caller(&utf16).unwrap_err().problem.code(), code::PARSE);
    for bad in [
        format!("{call}{call}"),
        format!("{call} // x"),
        "".into(),
        "[1,".into(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}"#.into(),
    ] {
        assert_eq!(problem(&bad), Problem::Grammar(Untidy::NotJson), "{bad}");
    }
    assert_eq!(problem("1"), Problem::NotAnObject);
    assert_eq!(problem("\"x\""), Problem::NotAnObject);
}

#[test]
fn other_envelopes_are_refused_with_the_id_where_it_is_known() {
    for (bad, why) in [
        (r#"{"id":1,"method":"ping"}"#, Problem::WrongVersion),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Problem::WrongVersion),
        (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, Problem::BadMethod),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, Problem::BadParams),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, Problem::BadParams),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"a":1}}"#, Problem::Untidy(Untidy::DuplicateKey)),
        (r#"{"jsonrpc":"2.0","id":1}"#, Problem::Shapeless),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, Problem::Shapeless),
        (r#"{"jsonrpc":"2.0","id":1,"result":[]}"#, Problem::Shapeless),
    ] {
        let error = Message::from_caller(bad.as_bytes()).unwrap_err();
        assert_eq!(error, ParseError { problem: why, id: Some(Id::Number(1)) }, "{bad}");
    }
}

#[test]
fn t200_deep_texts_are_refused_without_a_crash() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(problem(&deep), Problem::Untidy(Untidy::TooDeep));
    assert!(Message::from_upstream(deep.as_bytes()).is_ok());
}

/// Fields beside a good envelope; only the first leaves it clear.
const EXTRA: [&str; 7] = [
    r#""params":{"a":1,"A":{"a":1}}"#,
    r#""params":{"a":1,"\u0061":2}"#,
    r#""method":"tools/call""#,
    r#""m\u0065thod":"tools/call""#,
    r#""Method":"tools/call""#,
    r#""id":2"#,
    r#""result":{}"#,
];

proptest::proptest! {
    #[test]
    fn t018_t020_what_is_taken_means_the_same_to_every_reader(
        extra in proptest::collection::vec(0..EXTRA.len(), 0..3), turn in 0..6_usize,
    ) {
        let mut fields = vec![r#""jsonrpc":"2.0""#, r#""id":1"#, r#""method":"ping""#];
        fields.extend(extra.iter().map(|at| EXTRA[*at]));
        let turn = turn % fields.len();
        fields.rotate_left(turn);
        let text = format!("{{{}}}", fields.join(","));
        let taken = Message::from_caller(text.as_bytes());
        let clear = extra.iter().all(|at| *at == 0) && extra.len() < 2;
        proptest::prop_assert_eq!(taken.is_ok(), clear);
        if let Ok(Message::Request(request)) = taken {
            let last: serde_json::Value = serde_json::from_str(&text).unwrap();
            proptest::prop_assert_eq!(&last["method"], &*request.method);
            proptest::prop_assert_eq!(&last["id"], &serde_json::to_value(&request.id).unwrap());
        }
    }

    #[test]
    fn what_is_written_reads_back(
        id in proptest::num::u64::ANY, key in ".{0,20}", value in ".{0,100}", number in proptest::num::i64::ANY,
    ) {
        let params = serde_json::json!({"k": {key: [value, number]}}).to_string();
        let line = super::super::envelope::request(id, crate::mcp::Method::ToolsCall, params.as_bytes());
        proptest::prop_assert!(!line.contains(&b'\n'));
        let Ok(Message::Request(request)) = Message::from_caller(&line) else { return Err(proptest::test_runner::TestCaseError::fail("refused")) };
        proptest::prop_assert_eq!(request.id, Id::Number(id.into()));
        proptest::prop_assert_eq!(request.params.unwrap().get(), params);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        drop(Message::from_caller(&bytes));
        drop(Message::from_upstream(&bytes));
    }
}
