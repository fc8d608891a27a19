//! PC218 `version-disclosure`: an entry that tells strangers which version of what answers them.
//!
//! Reads `set` of own entries, where other machines reach the gateway. We send no such header ourselves.

use super::{Check, Fixable, Page, Subject, fields, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level, Safety},
};

pub(super) struct VersionDisclosure;

const ABOUT: About = About {
    code: "PC218",
    name: "version-disclosure",
    class: Class::Security(Level::Low),
    summary: "a header says which version of a program answers",
    help: "remove it, or name the program without its version",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-200"],
    ..Page::new(
        "whoever looks for a version with a known hole finds it by asking",
        and!(
            r#"listen: {public_url: "https://mcp.example.com"}
headers: [{set: {Server: portcullis/1.2, X-Robots-Tag: noindex}}]
"#
        ),
        and!(
            r#"listen: {public_url: "https://mcp.example.com"}
headers: [{set: {X-Robots-Tag: noindex}}]
"#
        ),
    )
};

const NAMES: &[&str] = &["server", "x-aspnet-version", "x-generator", "x-powered-by", "x-version"];

impl Check for VersionDisclosure {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree.filter(|tree| is_public(tree)) else { return };
        for entry in fields::entries(tree) {
            let Some(set) = entry.node.get("set") else { continue };
            for field in set.entries() {
                let versioned = field.value.scalar().is_some_and(|text| text.contains(|c: char| c.is_ascii_digit()));
                if !versioned || !NAMES.contains(&field.key.to_ascii_lowercase().as_str()) {
                    continue;
                }
                let finding = ABOUT.at(&field.place, format!("`{}` names a version", field.key));
                findings.push(match written::cut(set, &field.key) {
                    Some(place) => finding.fix(Safety::Safe, format!("remove `{}`", field.key), &place, ""),
                    None => finding,
                });
            }
        }
    }
}

/// Whether other machines reach the gateway, itself or by what stands before it.
fn is_public(tree: &Node) -> bool {
    let by_name =
        tree.at(&["listen", "public_url"]).and_then(Node::text).is_some_and(|url| url.starts_with("https://"));
    by_name || written::public_address(tree).is_some()
}
