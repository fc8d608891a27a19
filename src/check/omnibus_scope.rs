//! PC118 `omnibus-scope`: a tag whose name says that it opens everything.
//!
//! SPEC: MCP security best practices, "Scope Minimization".

use super::{Check, Example, Page, Subject};
use crate::diagnostic::{About, Class, Diagnostic, Level};

pub(super) struct OmnibusScope;

const ABOUT: About = About {
    code: "PC118",
    name: "omnibus-scope",
    class: Class::Security(Level::High),
    summary: "a scope whose name says that it opens everything",
    help: "name the tag after what it opens, and have several",
};

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "a scope that stands for everything is asked for by every client and shown to a person as one tick",
        Example::of(
            "version: 1\ntags: {all: All of it}\nservers:\n  docs:\n    tags: [all]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:all\"]}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\"]}\n",
        ),
    )
};

impl Check for OmnibusScope {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for (name, tag) in subject.config.into_iter().flat_map(|config| &config.tags) {
            let plain: String = name.as_str().to_lowercase().replace(['-', '_'], "");
            if EVERYTHING.contains(&plain.as_str()) {
                let message = format!("the scope `{}` reads as one for everything", name.scope());
                findings.push(ABOUT.at(&tag.place, message));
            }
        }
    }
}

/// Without hyphens and underscores.
const EVERYTHING: &[&str] = &[
    "admin",
    "administrator",
    "all",
    "allaccess",
    "any",
    "anything",
    "everything",
    "full",
    "fullaccess",
    "fullcontrol",
    "god",
    "master",
    "omnibus",
    "root",
    "sudo",
    "superuser",
    "unrestricted",
    "wildcard",
];
