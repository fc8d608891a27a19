//! The gates as a Mermaid flowchart, for documents and reviews.
//!
//! INVARIANT: a label ends where it should whatever names stand in it: everything but letters, digits
//! and plain punctuation is written as an entity.

use std::fmt::Write as _;

use crate::explain::{Explanation, Passed};

/// The flowchart of an explanation.
pub(super) fn flowchart(explanation: &Explanation) -> String {
    let Explanation { principal, action, target, decision, gates, .. } = explanation;
    let mut text = String::from("flowchart TD\n");
    let asked = format!("{principal}: {action} on {target}");
    // Writing to a string does not fail.
    _ = writeln!(text, "  request([\"{}\"])", label(&asked));
    let mut before = "request";
    for gate in gates {
        let class = match gate.passed {
            Passed::Pass => "pass",
            Passed::Fail => "fail",
            Passed::Odd => "odd",
            Passed::NotReached | Passed::NotDecided => "open",
        };
        _ = writeln!(text, "  {0}[\"{0}<br/>{1}\"]:::{class}", gate.gate, label(&gate.why));
        let arrow = if gate.passed == Passed::NotReached { "-.->" } else { "-->" };
        _ = writeln!(text, "  {before} {arrow} {}", gate.gate);
        before = gate.gate;
    }
    let (verdict, class) = if decision.is_allow() { ("ALLOW", "pass") } else { ("DENY", "fail") };
    let because = label(&decision.because.to_string());
    _ = writeln!(text, "  decision([\"{verdict}<br/>{because}\"]):::{class}");
    let stops = gates.iter().rfind(|gate| gate.passed == Passed::Fail).map_or(before, |gate| gate.gate);
    _ = writeln!(text, "  {stops} --> decision");
    text.push_str("  classDef pass stroke:#2a2\n  classDef fail stroke:#c22,stroke-width:3px\n");
    text.push_str("  classDef odd stroke:#c80\n  classDef open stroke-dasharray:4\n");
    text
}

/// A text as Mermaid shows it within quotes.
fn label(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || " .,:;?!/_-()=*+@~'".contains(c) {
            label.push(c);
        } else {
            _ = write!(label, "#{};", u32::from(c));
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_a_label() {
        assert_eq!(label(r#"a"]; x["#), "a#34;#93;; x#91;");
        assert_eq!(label("`<b>`\u{202e}&"), "#96;#60;b#62;#96;#8238;#38;");
    }
}
