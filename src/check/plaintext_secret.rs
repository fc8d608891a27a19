//! PC401 `plaintext-secret`: a secret that is written in the file.
//!
//! Reads the headers, variables and arguments of `servers`, and every value of the sections that hold
//! credentials. Configurations are copied, reviewed and kept in version control (CWE-798). What an
//! environment variable put into a value is not in the file, and no finding.
//!
//! INVARIANT: at most four characters of the value are printed.

use super::{Check, Fixable, Page, Subject, page::server, written};
use crate::{
    config::{Node, findings, secrecy},
    diagnostic::{About, Diagnostic, Safety},
};

pub(super) struct PlaintextSecret;

const PAGE: Page = Page {
    tags: &["CWE-798"],
    fix: Fixable::Unsafe,
    ..Page::new(
        "configurations are copied, reviewed and kept in version control: who may read the file has the secret",
        server!(
            r#"    http: {url: "https://docs.example.com/mcp", headers: {X-Api-Key: ghp_0123456789abcdefABCDEF0123456789abcd}}"#
        ),
        server!(r#"    http: {url: "https://docs.example.com/mcp", headers: {X-Api-Key: {env: DOCS_X_API_KEY}}}"#),
    )
};

/// Sections besides `servers` in which credentials may stand. `encryption.key` is judged where it is read.
const SECTIONS: &[&str] = &["admin", "audit", "oauth", "store", "telemetry"];

impl Check for PlaintextSecret {
    fn about(&self) -> &'static About {
        &findings::PLAINTEXT_SECRET
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        for server in tree.get("servers").map(Node::entries).unwrap_or_default() {
            for map in [["http", "headers"], ["stdio", "env"]].iter().filter_map(|keys| server.value.at(keys)) {
                let named = map.entries().iter();
                findings.extend(named.filter_map(|entry| value(&[&server.key, &entry.key], &entry.value)));
            }
            let command = server.value.at(&["stdio", "command"]).map(Node::items).unwrap_or_default();
            findings.extend(arguments(command));
        }
        for section in SECTIONS {
            let Some(node) = tree.get(section) else { continue };
            written::walk(node, &mut |path, node| {
                let path: Vec<&str> = std::iter::once(*section).chain(path.iter().copied()).collect();
                findings.extend(value(&path, node));
            });
        }
    }
}

/// What is found of a value at the end of keys.
fn value(path: &[&str], node: &Node) -> Option<Diagnostic> {
    let (key, text) = (path.last()?, node.text()?);
    // Reading finds that a client's is written out, whatever it looks like.
    let read = matches!(path, ["oauth", "clients", _, "secret"]);
    if read || node.from_env || !secrecy::is_secret(key, text) {
        return None;
    }
    let (name, masked) = (secrecy::shown("", key), secrecy::masked(text));
    let finding =
        findings::PLAINTEXT_SECRET.at(&node.place, format!("the value of `{name}` looks like a secret: `{masked}`"));
    let Some(variable) = variable(path) else { return Some(finding) };
    let title = format!("read it from the environment variable `{variable}`");
    Some(finding.fix(Safety::Unsafe, title, &node.place, format!("{{env: {variable}}}")))
}

/// A variable named after what it is for; none where that is a secret itself.
fn variable(path: &[&str]) -> Option<String> {
    let name = path.join("_").to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    let secret = path.iter().any(|key| secrecy::is_secret(key, key));
    (!secret && name.len() <= 64).then(|| if digit { format!("_{name}") } else { name })
}

fn arguments(command: &[Node]) -> impl Iterator<Item = Diagnostic> {
    let flags = std::iter::once(None).chain(command.iter().map(Some));
    command.iter().zip(flags).filter_map(|(part, before)| {
        let (key, value) = secrecy::argument(before.and_then(Node::text), part.text()?);
        (!part.from_env && secrecy::is_secret(key, value)).then(|| {
            let message = format!("an argument looks like a secret: `{}`", secrecy::masked(value));
            findings::PLAINTEXT_SECRET.at(&part.place, message).help(
                "give the server its secret by `env: {NAME: {env: NAME}}`: arguments show in the list of processes",
            )
        })
    })
}
