//! PC801 `inventory-drift`: a server that offers what `portcullis.lock` does not pin.
//!
//! Without asking anybody it is known of a server that is not in the lock at all; with `check --online`
//! every server is asked, and each tool, prompt and template and the instructions are compared. A server
//! of which the configuration says `drift: allow` is nobody's business here.

use super::{Check, Example, Page, Subject};
use crate::{
    config::Drift,
    diagnostic::{About, Class, Diagnostic, Level, Place},
    lock::{
        Offered,
        compare::{self, Change, How, Subject as Of},
    },
    name::ServerName,
};

pub(super) struct InventoryDrift;

const ABOUT: About = About {
    code: "PC801",
    name: "inventory-drift",
    class: Class::Security(Level::High),
    summary: "a server offers what nobody reviewed: it differs from portcullis.lock",
    help: "review what it offers with `portcullis lock --check`, then pin it with `portcullis lock`",
};

const YAML: &str = "version: 1\ntags: {web: Pages}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\n  mail:\n    tags: [web]\n    http: {url: \"https://mail.example.com/mcp\"}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n";

const PAGE: Page = Page {
    tags: &["CWE-494", "OWASP-MCP03"],
    ..Page::new(
        "a server can change what a tool says and does after somebody approved it; what is not pinned is taken as it comes",
        Example {
            yaml: YAML,
            files: &[("portcullis.lock", "{\"version\": 1, \"servers\": {\"docs\": {\"tools\": {\"search\": {}}}}}\n")],
        },
        Example {
            yaml: YAML,
            files: &[(
                "portcullis.lock",
                "{\"version\": 1, \"servers\": {\"docs\": {\"tools\": {\"search\": {}}}, \"mail\": {\"tools\": {\"send\": {}}}}}\n",
            )],
        },
    )
};

impl Check for InventoryDrift {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        // Of a file that is broken nobody knows what it does not pin.
        let whole = subject.reach.is_some();
        for (name, server) in subject.servers() {
            let pinned = subject.lock.and_then(|lock| lock.server(name));
            let drift = server.drift(pinned.is_some());
            if drift == Drift::Allow {
                continue;
            }
            match pinned {
                Some(pinned) => {
                    let seen = subject.live.and_then(|live| live.get(name));
                    let changes = seen.map(|seen| compare::server(Some(pinned), seen)).unwrap_or_default();
                    findings.extend(changes.iter().map(|change| drifted(name, pinned, change)));
                }
                None if !whole => {}
                None if server.drift == Some(Drift::Refuse) => {
                    let message =
                        format!("`{name}` is not in portcullis.lock, and `drift: refuse` lets nothing of it be used");
                    findings.push(ABOUT.at(&server.place, message));
                }
                None if subject.lock.is_some() => {
                    let message = format!("`{name}` is not in portcullis.lock: what it offers is taken as it comes");
                    findings.push(ABOUT.at(&server.place, message));
                }
                // Nothing is pinned at all, which is a choice.
                None => {}
            }
        }
    }
}

/// What is said of one difference, at what was pinned.
fn drifted(server: &ServerName, pinned: &Offered, change: &Change) -> Diagnostic {
    let what = match &change.subject {
        Of::Instructions => "its instructions".to_owned(),
        Of::Entry(part, name) => format!("the {} `{name}`", part.word()),
    };
    let place: &Place = match &change.subject {
        Of::Instructions => &pinned.place,
        Of::Entry(part, name) => pinned.entry(*part, name).map_or(&pinned.place, |(_, place)| place),
    };
    let message = match change.how {
        How::Added => format!("`{server}` offers {what}, which nobody pinned"),
        How::Removed => format!("`{server}` no longer offers {what}"),
        How::Changed if change.subject == Of::Instructions => format!("`{server}` has changed {what}"),
        How::Changed => format!("`{server}` has changed {what}: {}", change.fields().join(", ")),
    };
    ABOUT.at(place, message).label(format!("{} since it was pinned", change.how.word()))
}
