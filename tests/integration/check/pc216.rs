//! PC216 `hop-by-hop-header`.

use super::{mended, silent, trips};
use crate::support::config;

#[test]
fn t129_what_frames_an_answer_is_not_set() {
    for name in ["Connection", "content-length", "Transfer-Encoding", "Keep-Alive", "TE", "Trailer", "Upgrade"] {
        trips("PC216", &[(&format!("headers: [{{set: {{{name}: a}}}}]"), name)]);
    }
    silent("PC216", &["headers: [{set: {X-Connection: a}}]"]);
    assert_eq!(mended("PC216", "headers: [{set: {Upgrade: a, X-A: b}}]"), "headers: [{set: {X-A: b}}]");
}

#[test]
fn t129_it_is_only_a_warning_since_it_is_never_sent() {
    let config = config("version: 1\nheaders: [{set: {Transfer-Encoding: gzip, X-A: b}}]\n");
    let set: Vec<_> = config.headers.rules[0].set.iter().map(|(name, _)| name.value.as_str()).collect();
    assert_eq!(set, ["X-A"]);
}
