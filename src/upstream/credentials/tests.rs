use super::*;

const SECRET: &str = "s3cr3t \"v@lue\"/+%ž";

fn of(name: &str, value: &str) -> Credentials {
    Credentials::new([Given { name, value, kept: true }])
}

fn shown(credentials: &Credentials, text: &str) -> String {
    String::from_utf8(credentials.hide(text.as_bytes()).into_owned()).unwrap()
}

#[test]
fn t105_a_credential_is_found_in_every_form_that_it_is_repeated_in() {
    let credentials = of("x-api-key", SECRET);
    let url = percent(SECRET, "");
    for repeated in [
        SECRET.to_owned(),
        url.clone(),
        String::from_utf8(lower(&url)).unwrap(),
        url.replace("%20", "+"),
        percent(SECRET, "!*'();,/?:@&=+$#[]"),
        BASE64_STANDARD.encode(SECRET),
        BASE64_URL_SAFE_NO_PAD.encode(SECRET),
        Value::from(SECRET).to_string(),
    ] {
        let told = shown(&credentials, &format!("before {repeated} after"));
        assert!(told.contains(MARK) && told.starts_with("before ") && told.ends_with(" after"), "{repeated}: {told}");
        assert!(!told.contains("s3cr3t") && !told.contains("v@lue"), "{repeated}: {told}");
    }
    // In base64 of more than itself, wherever it stands.
    for user in ["a", "ab", "abc", "user"] {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{SECRET} and more"));
        let told = shown(&credentials, &encoded);
        assert!(told.contains(MARK) && told.len() < encoded.len(), "{user}: {told}");
    }
}

#[test]
fn t105_what_a_header_or_a_url_holds_is_a_credential_by_itself() {
    let pair = BASE64_STANDARD.encode("ada:correct-horse");
    for (name, value, repeated) in [
        ("authorization", "Bearer tok-12345678".to_owned(), "tok-12345678"),
        ("authorization", format!("Basic {pair}"), "correct-horse"),
        ("authorization", format!("Basic {pair}"), "ada:correct-horse"),
        ("cookie", "a=1; sid=abcdef12".to_owned(), "abcdef12"),
        ("DATABASE_URL", "postgres://ada:correct-horse@db.internal/x".to_owned(), "correct-horse"),
        ("KEY", "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n".to_owned(), "MIIEvQIBADANBg"),
    ] {
        let credentials = of(name, &value);
        assert_eq!(shown(&credentials, &format!("<{repeated}>")), format!("<{MARK}>"), "{name}");
        assert_eq!(shown(&credentials, &value).matches(MARK).count(), 1, "the value as one: {value}");
    }
    // A URL needs no telling name; a word of the configuration is none.
    let plain = Credentials::new([
        Given { name: "DATABASE_URL", value: "postgres://ada:correct-horse@db/x", kept: false },
        Given { name: "LANG", value: "en_GB.UTF-8", kept: false },
        Given { name: "X_TOKEN", value: "abc", kept: true },
        Given { name: "X_TOKEN", value: "abcd", kept: true },
        Given { name: "LOG_LEVEL", value: "debug", kept: true },
        Given { name: "REALM", value: "abcdefgh", kept: true },
    ]);
    let text = "correct-horse en_GB.UTF-8 abc, abcd: debug abcdefgh";
    assert_eq!(shown(&plain, text), format!("{MARK} en_GB.UTF-8 abc, {MARK}: debug {MARK}"));
}

#[test]
fn t105_errors_lose_it_and_other_results_keep_their_very_bytes() {
    let credentials = of("x-api-key", "hunter2-hunter2");
    let told = |reply: Reply| match credentials.withhold(reply) {
        Reply::Error(bytes) | Reply::Result(bytes) | Reply::InputRequired(bytes) => {
            String::from_utf8(bytes.to_vec()).unwrap()
        }
    };
    let error = |text: &str| Reply::Error(Bytes::from(text.to_owned()));
    let result = |text: &str| Reply::Result(Bytes::from(text.to_owned()));
    for hidden in [
        r#"{"code":-32000,"message":"got hunter2-hunter2"}"#,
        r#"{"code":-32000,"message":"got \u0068unter2-hunter2"}"#,
        r#"{"code":-32000,"message":"m","data":{"headers":[["x-api-key","hunter2-hunter2"]]}}"#,
        r#"{"code":-32000,"message":"m","data":{"hunter2-hunter2":1}}"#,
    ] {
        let told: Value = serde_json::from_str(&told(error(hidden))).unwrap();
        assert!(!told.to_string().contains("hunter2") && told.to_string().contains(MARK), "{told}");
        assert_eq!(told["code"], -32000);
    }
    for whole in [r#"{ "code" : -32000, "message":"can't \"do\" that", "data":{"n":1.50}}"#, r#"{"code":1}"#] {
        assert_eq!(told(error(whole)), whole);
    }
    let failed = r#"{"isError" : true,"content":[{"type":"text","text":"401 for hunter2-hunter2"}]}"#;
    let expected: Value = serde_json::from_str(&failed.replace("hunter2-hunter2", MARK)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&told(result(failed))).unwrap(), expected);
    for whole in [
        r#"{"content":[{"type":"text","text":"hunter2-hunter2"}],"isError":false}"#,
        r#"{"content":[{"type":"text","text":"\"isError\":true hunter2-hunter2"}]}"#,
        r#"{"isError":true, "content":[]}"#,
    ] {
        assert_eq!(told(result(whole)), whole);
    }
    // What cannot be read is not passed on.
    let deep = format!("{{\"message\":\"hunter2-hunter2\",\"data\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(told(error(&deep)), r#"{"code":-32603,"message":"the server failed"}"#);
}

#[test]
fn t105_a_text_that_is_cut_keeps_no_piece_of_one() {
    let credentials = of("x-api-key", "hunter2-hunter2");
    let cut = |end| String::from_utf8(credentials.hide_before(b"key=hunter2-hunter2;", end).into_owned()).unwrap();
    assert_eq!(cut(4), "key=");
    for end in 5..=19 {
        assert_eq!(cut(end), format!("key={MARK}"), "{end}");
    }
    assert_eq!(cut(20), format!("key={MARK};"));
    assert_eq!(credentials.longest(), credentials.forms.expose().iter().map(Vec::len).max().unwrap());
    assert_eq!(
        format!("{credentials:?}"),
        format!("Credentials {{ forms: [secret], longest: {} }}", credentials.longest())
    );
}

proptest::proptest! {
    #[test]
    fn t105_whatever_it_is_and_wherever_it_stands_it_is_not_told(secret in "[ -~]{6,40}", around in "[ -~ž]{0,20}") {
        proptest::prop_assume!(!MARK.contains(secret.trim()));
        let credentials = of("x-key", &secret);
        let encoded = [secret.clone(), percent(&secret, ""), BASE64_STANDARD.encode(&secret)];
        for form in encoded {
            let told = shown(&credentials, &format!("{around}{form}{around}"));
            assert!(!told.contains(&form), "{told}");
        }
        let error = serde_json::json!({"code": 1, "message": format!("{around}{secret}"), "data": [{"k": [secret]}]});
        let Reply::Error(told) = credentials.withhold(Reply::Error(error.to_string().into())) else { panic!() };
        let told: Value = serde_json::from_slice(&told).unwrap();
        for text in [&told["message"], &told["data"][0]["k"][0]] {
            assert!(!text.as_str().unwrap().contains(&secret), "{told}");
        }
    }
}
