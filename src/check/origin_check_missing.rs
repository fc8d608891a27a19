//! PC207 `origin-check-missing`: a page that a person happens to open may talk to the gateway.
//!
//! Host and Origin are checked on every route, and without a word about them only the gateway's own
//! names and pages pass: absence is no finding. What is written can undo that, and the rule reads it:
//! `cors.origins` with `*` while `oauth.enabled` is false (any page may then use every server), and
//! `listen.allowed_hosts` or `listen.allowed_origins` with `*` (a name that is rebound to this
//! machine passes for ours, CWE-350).

use super::{Check, Fixable, Page, Subject, cors_wildcard_with_auth::origins, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level, Safety},
};

pub(super) struct OriginCheckMissing;

const ABOUT: About = About {
    code: "PC207",
    name: "origin-check-missing",
    class: Class::Security(Level::High),
    summary: "the check of Host or Origin is turned off",
    help: "leave `origins` empty: pages of this machine are let in, and no others",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-350"],
    ..Page::new(
        "a page that somebody opens runs on their machine: by a rebound name, or by any name at all, it reaches what listens there on loopback",
        and!(
            r#"oauth: {enabled: false}
cors: {origins: ["*"]}
"#
        ),
        and!(
            r#"oauth: {enabled: false}
cors: {origins: []}
"#
        ),
    )
};

impl Check for OriginCheckMissing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        if let Some(off) = tree.at(&["oauth", "enabled"]).filter(|enabled| written::is_off(enabled)) {
            let alone = alone(tree);
            for origin in origins(tree).into_iter().filter(|origin| is_any(origin)) {
                let message = "pages of every site may use every server: nobody needs a token";
                let finding = ABOUT.at(&origin.place, message).label("every origin").also(&off.place, "no token");
                findings.push(match alone {
                    Some(list) => finding.fix(Safety::Safe, "let in pages of this machine alone", &list.place, "[]"),
                    None => finding,
                });
            }
        }
        for (key, what) in [("allowed_hosts", "under every name"), ("allowed_origins", "from every page")] {
            let Some(list) = tree.at(&["listen", key]) else { continue };
            for any in written::each(list).into_iter().filter(|item| is_any(item)) {
                let finding = ABOUT
                    .at(&any.place, format!("requests are let in {what}"))
                    .help(format!("remove `{key}`: the gateway's own names are known from `listen.public_url`"));
                let cut = tree.get("listen").and_then(|listen| written::cut(listen, key));
                findings.push(match cut {
                    Some(place) => finding.fix(Safety::Safe, format!("remove `{key}`"), &place, ""),
                    None => finding,
                });
            }
        }
    }
}

fn is_any(node: &Node) -> bool {
    node.text() == Some("*")
}

/// The value of `cors.origins`, where it holds one alone.
fn alone(tree: &Node) -> Option<&Node> {
    tree.at(&["cors", "origins"]).filter(|list| written::each(list).len() == 1)
}
