//! What the end of a trail tells: where counting goes on, whether its last line is whole, and of
//! which allowed calls nobody knows what came.

use std::collections::HashSet;

use serde::Deserialize;

#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) last_seq: u64,
    /// The last line has no end.
    pub(super) torn: bool,
    pub(super) unfinished: Vec<String>,
}

#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow, rename = "type")]
    kind: &'a str,
    id: &'a str,
    decision: Option<Decision<'a>>,
}

#[derive(Deserialize)]
struct Decision<'a> {
    #[serde(borrow)]
    verdict: &'a str,
}

impl Tail {
    /// Reads the last bytes of a trail; `cut` says that they begin within a line.
    pub(super) fn read(bytes: &[u8], cut: bool) -> Self {
        let mut open: Vec<&str> = Vec::new();
        let mut closed: HashSet<&str> = HashSet::new();
        let mut last_seq = 0;
        for line in bytes.split(|byte| *byte == b'\n').skip(usize::from(cut)) {
            // A line that does not read was closed off after a crash.
            let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { continue };
            last_seq = last_seq.max(line.seq);
            match line.kind {
                "decision" if line.decision.is_some_and(|decision| decision.verdict == "allow") => open.push(line.id),
                "access" => {
                    closed.insert(line.id);
                }
                _ => {}
            }
        }
        let unfinished = open.into_iter().filter(|id| !closed.contains(id)).map(str::to_owned).collect();
        Self { last_seq, torn: !matches!(bytes.last(), None | Some(b'\n')), unfinished }
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn a_decision_without_an_access_is_unfinished() {
        let lines = concat!(
            "ut off here\"}\n",
            r#"{"v":1,"seq":7,"type":"decision","id":"a","decision":{"verdict":"allow"}}"#,
            "\n",
            r#"{"v":1,"seq":8,"type":"decision","id":"b","decision":{"verdict":"allow"}}"#,
            "\n",
            r#"{"v":1,"seq":9,"type":"decision","id":"c","decision":{"verdict":"deny"}}"#,
            "\n",
            r#"{"v":1,"seq":10,"type":"access","id":"a","response":null}"#,
            "\n",
            r#"{"v":1,"seq":11,"type":"decisi"#,
        );
        let tail = Tail::read(lines.as_bytes(), true);
        assert_eq!((tail.last_seq, tail.torn), (10, true));
        assert_eq!(tail.unfinished, ["b"]);
        let empty = Tail::read(b"", false);
        assert_eq!((empty.last_seq, empty.torn), (0, false));
    }
}
