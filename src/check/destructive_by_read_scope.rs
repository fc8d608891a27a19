//! PC119 `destructive-by-read-scope`: a tool that may destroy, open to scopes that read as reading.
//!
//! Whether a tool destroys is what `portcullis.lock` pins of its annotations, with the defaults of MCP: a
//! tool that says nothing changes things and may destroy them. It asks the engine for the fewest scopes
//! that open the tool.

use std::collections::BTreeSet;

use super::{Check, Example, Fixable, Page, Subject};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level, Place, Safety},
    name::{ScopeName, ServerName, ToolName},
    policy::{Target, Verb},
    reach::Reach,
};

pub(super) struct DestructiveByReadScope;

const ABOUT: About = About {
    code: "PC119",
    name: "destructive-by-read-scope",
    class: Class::Security(Level::High),
    summary: "scopes that read as reading open a tool that may destroy",
    help: "give the tool a tag of its own, or write `deny` for it; if it only reads, have its server say so and pin it again",
};

const PAGE: Page = Page {
    fix: Fixable::Unsafe,
    tags: &["OWASP-MCP02"],
    ..Page::new(
        "whoever grants a scope to read does not mean to let anything be deleted",
        Example {
            yaml: "version: 1\ntags: {docs-read: Read the documents}\nservers:\n  docs:\n    tags: [docs-read]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:docs-read\"]}\n",
            files: &[(
                "portcullis.lock",
                "{\"version\": 1, \"servers\": {\"docs\": {\"tools\": {\"search\": {\"annotations\": {\"readOnlyHint\": true}}, \"delete_page\": {}}}}}\n",
            )],
        },
        Example {
            yaml: "version: 1\ntags: {docs-read: Read the documents}\nservers:\n  docs:\n    tags: [docs-read]\n    tools: {delete_page: deny}\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:docs-read\"]}\n",
            files: &[(
                "portcullis.lock",
                "{\"version\": 1, \"servers\": {\"docs\": {\"tools\": {\"search\": {\"annotations\": {\"readOnlyHint\": true}}, \"delete_page\": {}}}}}\n",
            )],
        },
    )
};

impl Check for DestructiveByReadScope {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let (Some(reach), Some(lock)) = (subject.reach, subject.lock) else { return };
        if !reach.engine().bundle().oauth() {
            return;
        }
        for (name, server) in &reach.config().servers {
            let Some(offered) = lock.server(name) else { continue };
            for (tool, pinned) in offered.tools.iter().filter(|(_, tool)| tool.hints.destroys()) {
                let target = Target::Tool(name.clone(), tool.clone());
                let Some(scopes) = reading(reach, &target) else { continue };
                let scopes: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
                let message = format!("{} opens `{name}/{tool}`, which may destroy", scopes.join(" and "));
                let finding = ABOUT.at(&server.place, message).also(&pinned.place, "not `readOnlyHint`");
                findings.push(match subject.tree.and_then(|tree| denying(tree, name, tool)) {
                    Some((place, text)) => finding.fix(Safety::Unsafe, format!("deny `{tool}`"), &place, text),
                    None => finding,
                });
            }
        }
    }
}

/// The fewest scopes that open the tool to somebody and all read as reading.
fn reading(reach: &Reach<'_>, target: &Target) -> Option<BTreeSet<ScopeName>> {
    let relevant = reach.relevant(Verb::ToolsCall, target);
    // Most scopes do not read so, and then there is nothing to ask.
    let reads: BTreeSet<ScopeName> = relevant.into_iter().filter(reads).collect();
    if reads.is_empty() {
        return None;
    }
    reach.everybody().find_map(|caller| {
        let most: BTreeSet<ScopeName> = reads.intersection(reach.ceiling(caller)).cloned().collect();
        let minimal = reach.minimal(caller, Verb::ToolsCall, target, &most);
        minimal.sets.into_iter().find(|set| !set.is_empty())
    })
}

/// Whether a scope reads as one for reading: a word of its name says so, and none says more.
fn reads(scope: &ScopeName) -> bool {
    let tag = scope.tag();
    let name = tag.as_str().to_lowercase();
    let words: Vec<&str> = name.split(['-', '_']).collect();
    words.iter().any(|word| READING.contains(word)) && !words.iter().any(|word| WRITING.contains(word))
}

const READING: &[&str] = &[
    "fetch", "find", "get", "list", "lookup", "query", "read", "readonly", "reader", "ro", "search", "view", "viewer",
];
const WRITING: &[&str] =
    &["admin", "create", "delete", "edit", "manage", "readwrite", "rw", "send", "update", "write", "writer"];

/// Where to write that the tool is denied, and what.
fn denying(tree: &Node, server: &ServerName, tool: &ToolName) -> Option<(Place, String)> {
    let section = tree.at(&["servers", server.as_str()])?;
    let tools = section.get("tools").filter(|tools| !tools.entries().is_empty());
    if tools.is_some_and(|tools| tools.get(tool.as_str()).is_some()) {
        return None;
    }
    let (map, text) = match tools {
        Some(tools) => (tools, format!("\"{tool}\": deny")),
        None if section.get("tools").is_some() => return None,
        None => (section, format!("tools: {{\"{tool}\": deny}}")),
    };
    let first = map.entries().first()?;
    // In braces the map begins before its first key, in lines with it.
    let text = if map.place.start < first.place.start {
        format!("{text}, ")
    } else {
        let indent = usize::try_from(first.place.column).unwrap_or(1).saturating_sub(1);
        format!("{text}\n{}", " ".repeat(indent))
    };
    Some((Place { end: first.place.start, ..first.place.clone() }, text))
}
