//! PC112 `tool-pattern-no-match`: a pattern of a server's tools or prompts that fits nothing it offers.
//!
//! Only where `portcullis.lock` says what the server offers. Of selectors under `rules` PC107 speaks. Of
//! resources nothing is said: a server may read more of them than it lists.

use super::{Check, Example, Page, Subject};
use crate::{
    config::Exception,
    diagnostic::{About, Class, Diagnostic, nearest},
    name::{PromptName, ToolName},
};

pub(super) struct ToolPatternNoMatch;

const ABOUT: About = About {
    code: "PC112",
    name: "tool-pattern-no-match",
    class: Class::Warning,
    summary: "a pattern that fits nothing in the pinned inventory",
    help: "mend the name, or remove the entry",
};

const PAGE: Page = Page {
    tags: &["CWE-636"],
    ..Page::new(
        "a slip in a pattern that denies leaves the tool open",
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {\"remove_*\": deny}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\n",
            files: &[(
                "portcullis.lock",
                "{\"version\": 1, \"servers\": {\"docs\": {\"tools\": {\"delete_page\": {}, \"search\": {\"annotations\": {\"readOnlyHint\": true}}}}}}\n",
            )],
        },
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n    tools: {\"delete_*\": deny}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\n",
            files: &[(
                "portcullis.lock",
                "{\"version\": 1, \"servers\": {\"docs\": {\"tools\": {\"delete_page\": {}, \"search\": {\"annotations\": {\"readOnlyHint\": true}}}}}}\n",
            )],
        },
    )
};

impl Check for ToolPatternNoMatch {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(lock) = subject.lock else { return };
        for (name, server) in subject.servers() {
            let Some(offered) = lock.server(name) else { continue };
            let tools: Vec<&str> = offered.tools.keys().map(ToolName::as_str).collect();
            let prompts: Vec<&str> = offered.prompts.keys().map(PromptName::as_str).collect();
            for (kind, exceptions, known) in [("tool", &server.tools, tools), ("prompt", &server.prompts, prompts)] {
                for (pattern, exception) in exceptions {
                    if known.iter().any(|name| pattern.matches(name)) {
                        continue;
                    }
                    let (Exception::Tags(_, place) | Exception::Deny(place)) = exception;
                    let message = format!("`{pattern}` fits no {kind} of `{name}` in portcullis.lock");
                    let finding = ABOUT.at(place, message);
                    findings.push(match nearest(pattern.as_str(), known.iter().copied()) {
                        Some(near) => finding.label(format!("did you mean `{near}`?")),
                        None => finding,
                    });
                }
            }
        }
    }
}
