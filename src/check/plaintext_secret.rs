//! PC401 `plaintext-secret`: a secret that is written in the file.
//!
//! Configurations are copied, reviewed and kept in version control (CWE-798). What an environment
//! variable put into a value is not in the file, and no finding.
//!
//! INVARIANT: at most four characters of the value are printed.

use super::{Check, Example, Fixable, Page, Subject};
use crate::{
    config::{Http, Stdio, Text, Transport, findings, secrecy},
    diagnostic::{About, Diagnostic, Placed},
};

pub(super) struct PlaintextSecret;

const PAGE: Page = Page {
    tags: &["CWE-798"],
    fix: Fixable::Unsafe,
    ..Page::new(
        "configurations are copied, reviewed and kept in version control: who may read the file has the secret",
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\", headers: {Authorization: \"Bearer ghp_0123456789abcdefABCDEF0123456789abcd\"}}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
        Example::of(
            "version: 1\ntags: {web: Pages}\nservers:\n  a:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\", headers: {Authorization: {env: DOCS_TOKEN}}}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n",
        ),
    )
};

impl Check for PlaintextSecret {
    fn about(&self) -> &'static About {
        &findings::PLAINTEXT_SECRET
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(config) = subject.config else { return };
        for server in config.servers.values() {
            let named = match &server.transport {
                Transport::Http(Http { url: _, headers, allow_private: _ }) => headers,
                Transport::Stdio(Stdio { command, env, cwd: _ }) => {
                    findings.extend(
                        arguments(command)
                            .filter(|finding| finding.place().is_none_or(|place| !config.from_env.contains(place))),
                    );
                    env
                }
            };
            for (name, Placed { value, place }) in named {
                let Text::Plain(value) = value else { continue };
                if secrecy::is_secret(name, value) && !config.from_env.contains(place) {
                    let message = format!("the value of `{name}` looks like a secret: `{}`", secrecy::masked(value));
                    findings.push(findings::PLAINTEXT_SECRET.at(place, message));
                }
            }
        }
    }
}

fn arguments(command: &[Placed<String>]) -> impl Iterator<Item = Diagnostic> {
    let flags = std::iter::once(None).chain(command.iter().map(Some));
    command.iter().zip(flags).filter_map(|(part, before)| {
        let (key, value) = secrecy::argument(before.map(|before| before.value.as_str()), &part.value);
        secrecy::is_secret(key, value).then(|| {
            let message = format!("an argument looks like a secret: `{}`", secrecy::masked(value));
            findings::PLAINTEXT_SECRET.at(&part.place, message).help(
                "give the server its secret by `env: {NAME: {env: NAME}}`: arguments show in the list of processes",
            )
        })
    })
}
