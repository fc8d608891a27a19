//! A supposed request as the command that explains it, ready for a shell.
//!
//! What has its default is left out, so that witnesses stay short. What no flag can say (a group with
//! a comma in its name) goes into `--request` as JSON, which says everything.
//!
//! INVARIANT: `sh` hands the command exactly the request that was supposed.

use std::borrow::Cow;

use super::{Supposed, request};
use crate::{name::ScopeName, policy::Target, principal::Principal};

/// The command line that asks about `supposed`, quoted for `sh`. The configuration is not named: that
/// is the caller's to add.
#[must_use]
pub fn command_line(supposed: &Supposed) -> String {
    let words = words(supposed).unwrap_or_else(|| vec!["--request".into(), request::json(supposed)]);
    let mut line = String::from("portcullis explain");
    for word in words {
        line.push(' ');
        // Only a NUL cannot be quoted, and no name holds one.
        line.push_str(&shlex::try_quote(&word).unwrap_or(Cow::Borrowed(&word)));
    }
    line
}

/// The flags; nothing where they cannot say it.
fn words(supposed: &Supposed) -> Option<Vec<String>> {
    let Supposed {
        principal,
        client,
        groups,
        scopes,
        view,
        named,
        verb,
        target,
        now,
        address,
        tls,
        findings,
        drifted,
        args,
        // A request does not say it; the audit record of one may.
        agreed: _,
    } = supposed;
    let mut words = Words::default();
    match (principal, client) {
        (Principal::Anonymous, _) => words.alone("--anonymous"),
        (Principal::User(user), client) => {
            words.pair("--user", request::bare(user.as_str()));
            client.iter().for_each(|client| words.pair("--client", client.as_str()));
        }
        (Principal::Client(client), _) => {
            words.pair("--client", client.as_str());
            words.alone("--no-user");
        }
    }
    if groups.iter().any(|group| group.as_str().contains(',')) || findings.iter().any(|finding| finding.contains(',')) {
        return None;
    }
    if *principal != Principal::Anonymous {
        words.list("--groups", groups.iter().map(|group| request::bare(group.as_str())));
        words.list("--scopes", scopes.iter().map(ScopeName::as_str));
    }
    view.iter().for_each(|view| words.pair("--view", view.as_str()));
    let tags: Vec<_> = named.iter().flatten().map(ScopeName::tag).collect();
    words.list("--tags", tags.iter().map(crate::name::TagName::as_str));
    let flag = match target {
        Target::Tool(..) => "--call",
        Target::Prompt(..) => "--get",
        Target::Resource(..) => "--read",
        Target::Server(_) => "--discover",
    };
    words.pair(flag, &target.to_string());
    if !verb.acts() && !matches!(target, Target::Server(_)) {
        words.alone("--listed");
    }
    words.list("--findings", findings.iter().map(String::as_str));
    if *address != super::HERE {
        words.pair("--address", &address.to_string());
    }
    if *tls {
        words.alone("--tls");
    }
    if *drifted {
        words.alone("--drifted");
    }
    now.iter().for_each(|now| words.pair("--now", &now.to_string()));
    args.iter().for_each(|args| words.pair("--args", &args.to_string()));
    Some(words.0)
}

#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn alone(&mut self, flag: &str) {
        self.0.push(flag.to_owned());
    }

    /// A value that looks like a flag is tied to its own.
    fn pair(&mut self, flag: &str, value: &str) {
        if value.starts_with('-') || value.is_empty() {
            self.0.push(format!("{flag}={value}"));
        } else {
            self.0.extend([flag.to_owned(), value.to_owned()]);
        }
    }

    fn list<'v>(&mut self, flag: &str, values: impl Iterator<Item = &'v str>) {
        let values: Vec<&str> = values.collect();
        if !values.is_empty() {
            self.pair(flag, &values.join(","));
        }
    }
}
