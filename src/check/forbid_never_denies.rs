//! PC107 `forbid-never-denies`: a rule that forbids nothing.
//!
//! Reading the file raises it of a server that is not declared. Here it is raised of selectors that fit
//! nothing that `portcullis.lock` pins of their server; of a server's own patterns PC112 speaks.

use super::{Check, Example, Page, Subject};
use crate::{
    config::{Selector, findings},
    diagnostic::{About, Diagnostic, Placed, nearest},
    name::{PromptName, ToolName},
};

pub(super) struct ForbidNeverDenies;

const PAGE: Page = Page {
    tags: &["CWE-636"],
    ..Page::new(
        "a rule that names what is not there forbids nothing, and reads as if it did",
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: no-writes, forbid: {tools: [dosc/write]}}\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\nrules:\n  - {id: no-writes, forbid: {tools: [docs/write]}}\n",
        ),
    )
};

impl Check for ForbidNeverDenies {
    fn about(&self) -> &'static About {
        &findings::FORBID_NEVER_DENIES
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
        let (Some(config), Some(lock)) = (subject.config, subject.lock) else { return };
        for Placed { value: selector, place } in config.rules.iter().flat_map(|rule| &rule.forbid) {
            let (kind, server, pattern) = match selector {
                Selector::Tool(server, pattern) => ("tool", server, pattern),
                Selector::Prompt(server, pattern) => ("prompt", server, pattern),
                Selector::Server(_) | Selector::Resource(..) => continue,
            };
            let Some(offered) = lock.server(server) else { continue };
            let tools = offered.tools.keys().map(ToolName::as_str).filter(|_| kind == "tool");
            let prompts = offered.prompts.keys().map(PromptName::as_str).filter(|_| kind == "prompt");
            let known: Vec<&str> = tools.chain(prompts).collect();
            if !known.iter().any(|name| pattern.matches(name)) {
                let message =
                    format!("`{selector}` fits no {kind} of `{server}` in portcullis.lock, so it forbids nothing");
                let finding = findings::FORBID_NEVER_DENIES.at(place, message);
                found.push(match nearest(pattern.as_str(), known) {
                    Some(near) => finding.help(format!("did you mean `{server}/{near}`?")),
                    None => finding.help("name something that the server offers, or remove the selector"),
                });
            }
        }
    }
}
