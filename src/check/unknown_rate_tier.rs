//! PC502 `unknown-rate-tier`: a tier that `rates` does not define, so the limit would not exist.
//!
//! Reads every `rate` under `servers`, `grants`, `views` and `oauth` (not the headers and variables of
//! a server), and the names under `rates`. Naming no tier is no finding here; PC501 asks for one.

use std::collections::BTreeSet;

use super::{Check, Fixable, Page, Subject, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Safety, nearest},
};

pub(super) struct UnknownRateTier;

const ABOUT: About = About {
    code: "PC502",
    name: "unknown-rate-tier",
    class: Class::Error,
    summary: "a rate tier that `rates` does not define",
    help: "define the tier under `rates`, or mend its spelling",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    ..Page::new(
        "a limit that names no tier limits nothing, and looks as if it did",
        and!(
            r#"rates: {gold: {limit: 600, window: 1m, by: client, on: [mcp]}}
oauth: {clients: {ci-bot: {auth: none, redirect_uris: ["http://127.0.0.1/cb"], rate: "glod"}}}
"#
        ),
        and!(
            r#"rates: {gold: {limit: 600, window: 1m, by: client, on: [mcp]}}
oauth: {clients: {ci-bot: {auth: none, redirect_uris: ["http://127.0.0.1/cb"], rate: "gold"}}}
"#
        ),
    )
};

impl Check for UnknownRateTier {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let tiers = tree.get("rates").map(Node::entries).unwrap_or_default();
        let tiers: BTreeSet<&str> = tiers.iter().map(|tier| tier.key.as_str()).collect();
        for section in ["grants", "oauth", "servers", "views"] {
            let Some(node) = tree.get(section) else { continue };
            written::walk(node, &mut |path, value| {
                let foreign = path.iter().any(|key| matches!(*key, "env" | "headers"));
                let Some(name) = value.text().filter(|_| path.last() == Some(&"rate") && !foreign) else { return };
                if !tiers.contains(name) {
                    findings.push(unknown(value, name, &tiers));
                }
            });
        }
    }
}

fn unknown(value: &Node, name: &str, tiers: &BTreeSet<&str>) -> Diagnostic {
    let finding = ABOUT.at(&value.place, format!("unknown rate tier {}", written::shown("rate", value)));
    match nearest(name, tiers.iter().copied().take(200)) {
        Some(near) if !value.from_env => finding.label(format!("did you mean `{near}`?")).fix(
            Safety::Safe,
            format!("write `{near}`"),
            &value.place,
            written::quoted(near),
        ),
        _ if tiers.is_empty() => finding.help("define the tier under `rates`, which has no entries"),
        _ => finding,
    }
}
