//! What holds for any text: no panic, time that is linear, and the same findings however a string is
//! written in JSON.

use std::{fmt::Write, hint::black_box, time::Instant};

use portcullis::{
    detect::{self, Body, Detector, Detectors},
    mcp,
};
use proptest::prelude::*;

use super::corpus;

/// Pieces that detectors react to, so that random texts reach their depths.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "../",
        "..\\",
        "..",
        "%2e",
        "%2f",
        "%25",
        "%00",
        "%0d%0a",
        "'",
        "\"",
        "`",
        ";",
        "|",
        "&",
        "&&",
        "||",
        "$(",
        "${IFS}",
        ")",
        "(",
        " or ",
        " and ",
        "1=1",
        "1",
        "union",
        " select ",
        "--",
        "#",
        "/*",
        "*/",
        "/*!",
        "id",
        "cat /etc/passwd",
        "rm -rf /",
        "\n",
        "\r\n",
        "Set-Cookie:",
        "__proto__",
        "constructor",
        ".prototype",
        "[",
        "]",
        "=",
        "a",
        " ",
        "\u{202e}",
        "\u{e0041}",
        "\u{1f3f4}",
        "\u{0}",
        "\u{1b}",
        "\u{9b}",
        "\\",
        "/dev/tcp/",
        ">&",
        " -e ",
        "nc",
        "IFS",
        "drop table x",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40).prop_map(|words| words.concat())
}

/// What is found in a body of one string, by this way to write it.
fn in_json(written: &str) -> Detectors {
    let body = Body::new(Detectors::ALL);
    mcp::check_heard(written, &body).unwrap();
    body.found()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn t028_no_text_panics(text in prop_oneof![pieces(), ".{0,300}"], bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for wanted in [Detectors::ALL, Detectors::NONE] {
            let found = [detect::argument(&text, wanted), detect::path(&text, wanted), detect::query(&text, wanted),
                detect::header("x-a", text.as_bytes(), wanted), detect::header("x-a", &bytes, wanted),
                detect::header("cookie", &bytes, wanted)];
            prop_assert!(found.iter().all(|found| found.without(wanted).is_empty()));
        }
    }

    #[test]
    fn findings_do_not_depend_on_how_a_string_is_written(text in prop_oneof![pieces(), ".{0,100}"]) {
        let plain = serde_json::to_string(&text).unwrap();
        let mut escaped = String::from("\"");
        for unit in text.encode_utf16() {
            write!(escaped, "\\u{unit:04x}").unwrap();
        }
        escaped.push('"');
        prop_assert_eq!(in_json(&plain), in_json(&escaped));
        prop_assert_eq!(in_json(&plain), detect::argument(&text, Detectors::ALL));
        // Nor on what stands beside it.
        let beside = format!("{{\"a\":[\"b\",{plain}],\"c\":{{}}}}");
        prop_assert_eq!(in_json(&plain), in_json(&beside));
    }

    #[test]
    fn each_detector_finds_the_same_alone(text in pieces()) {
        let all = detect::argument(&text, Detectors::ALL);
        let one_by_one: Detectors = Detector::ALL
            .into_iter()
            .filter(|detector| !detect::argument(&text, Detectors::one(*detector)).is_empty())
            .collect();
        prop_assert_eq!(all, one_by_one);
    }
}

/// Twice the text may take twice the time, and not four times: every attack, repeated, and every piece
/// that begins something without an end.
#[test]
fn time_is_linear_in_the_text() {
    let mut seeds: Vec<String> = Detector::ALL
        .into_iter()
        .flat_map(corpus::attacks)
        .filter_map(|item| match item {
            corpus::Item::Text(text) if text.len() < 200 => Some(text),
            corpus::Item::Text(_)
            | corpus::Item::Json(_)
            | corpus::Item::Path(_)
            | corpus::Item::Query(_)
            | corpus::Item::Header(..) => None,
        })
        .collect();
    seeds.extend(
        [
            "'",
            "''",
            "/*",
            "/*!",
            "(",
            " ",
            "`",
            "$(",
            ";",
            "|",
            "%",
            "%25",
            "../",
            "....//",
            "rm -rf ",
            "IFS",
            "${IFS",
            " -e ",
            "\r\n",
            "\u{1f3f4}",
            "\u{e0041}",
            "1 or (",
            "' or not ",
            "__proto__",
            "[",
            "union ",
            "/dev/tcp/",
            "a=",
            "=",
            "?",
            ">&",
        ]
        .map(str::to_owned),
    );
    let slow: Vec<String> = seeds
        .into_iter()
        .filter_map(|seed| {
            let (short, long) = (seed.repeat(60_000 / seed.len() + 1), seed.repeat(960_000 / seed.len() + 1));
            let time = |text: &str| {
                let started = Instant::now();
                black_box(detect::argument(black_box(text), Detectors::ALL));
                started.elapsed()
            };
            let best = |text: &str| (0..3).map(|_| time(text)).min().unwrap();
            // Sixteen times the text: quadratic would be 256 times the time, each time. Another process may take
            // a processor away at any one of them.
            let is_slow = || {
                let (of_short, of_long) = (best(&short), best(&long));
                let most = of_short.max(std::time::Duration::from_micros(50)) * 80;
                (of_long > most).then(|| format!("{seed:?}: {of_short:?}, then {of_long:?}"))
            };
            (0..5).map(|_| is_slow()).reduce(Option::and).flatten()
        })
        .collect();
    assert!(slow.is_empty(), "{slow:#?}");
}
