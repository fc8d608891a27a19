//! The text of a configuration made from others: servers, their tags, and a grant to the owner.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    Notes,
    server::{Server, Transport},
    value::Text,
    yaml::{comment, list, scalar},
};
use crate::{
    config,
    diagnostic::{Class, Level, Placed},
    name::{ServerName, TagName},
};

/// Why a server would not load, if it would not.
pub(super) fn problem(name: &ServerName, server: &Server) -> Option<String> {
    let mut server = server.clone();
    if server.tags.is_empty() {
        server.tags.extend(name.as_str().parse());
    }
    let text = document(&[(name.clone(), server)]);
    let found = |value: &'static str| {
        let loaded = config::load_text("portcullis.yaml", &text, &move |_| Some(value.to_owned()));
        loaded.findings.into_iter().find(|finding| finding.class >= Class::Security(Level::Critical))
    };
    // A variable may stand for a word or for a number.
    match (found("x"), found("1")) {
        (Some(finding), Some(_)) => Some(finding.message),
        _ => None,
    }
}

/// The whole file.
pub(super) fn whole(
    sources: &[&str],
    servers: &[(ServerName, Server)],
    notes: &Notes,
    variables: &[(String, Placed<String>)],
) -> String {
    let mut out = String::from("#\n");
    let count = if servers.len() == 1 { "1 server".to_owned() } else { format!("{} servers", servers.len()) };
    say(&mut out, &format!("{count} from {}, made by `portcullis init --from`.", sources.join(" and ")));
    let section = |out: &mut String, title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            out.push_str("#\n");
            say(out, title);
            lines.iter().for_each(|line| say(out, &format!("  {line}")));
        }
    };
    let placed =
        |notes: &[Placed<String>]| notes.iter().map(|note| format!("{}: {}", note.place, note.value)).collect();
    let wanted = variables.iter().map(|(name, about)| format!("{name}: {} ({})", about.value, about.place)).collect();
    section(&mut out, "Secrets are not written here. Set these before `portcullis check` and `serve`:", wanted);
    section(&mut out, "Not as it was:", placed(&notes.changed));
    section(&mut out, "Not carried over:", placed(&notes.left));
    out.push_str(&document(servers));
    out
}

fn say(out: &mut String, line: &str) {
    _ = writeln!(out, "# {}", comment(line));
}

fn document(servers: &[(ServerName, Server)]) -> String {
    let mut out = String::from(
        "version: 1\n\n# Where agents connect: http://127.0.0.1:3050/mcp is all servers in one, /mcp/SERVER is one of them.\nlisten:\n  address: 127.0.0.1:3050\n\n# Every caller needs a token. `portcullis token issue` makes one.\noauth:\n  enabled: true\n\n# Each tag is an OAuth scope: `web` is `tag:web`.\ntags:\n",
    );
    let tags: BTreeSet<&TagName> = servers.iter().flat_map(|(_, server)| &server.tags).collect();
    for tag in &tags {
        let of: Vec<&str> =
            servers.iter().filter(|(_, s)| s.tags.contains(tag)).map(|(name, _)| name.as_str()).collect();
        _ = writeln!(out, "  {}: {}", scalar(tag.as_str()), scalar(&format!("Use {}", of.join(", "))));
    }
    out.push_str("\nservers:\n");
    for (name, server) in servers {
        one(&mut out, name, server);
    }
    out.push_str("\n# The most that a token may be given, and to whom. Everybody else gets nothing.\ngrants:\n");
    let scopes: Vec<String> = tags.iter().map(|tag| format!("tag:{tag}")).collect();
    if scopes.len() <= 6 {
        _ = writeln!(out, "  - {{to: {{user: owner}}, scopes: {}}}", list(&scopes));
    } else {
        out.push_str("  - to: {user: owner}\n    scopes:\n");
        scopes.iter().for_each(|scope| _ = writeln!(out, "      - {}", scalar(scope)));
    }
    out
}

fn one(out: &mut String, name: &ServerName, server: &Server) {
    let Server { tags, transport, denied } = server;
    _ = writeln!(
        out,
        "  {}:\n    tags: {}",
        scalar(name.as_str()),
        list(&tags.iter().map(TagName::as_str).collect::<Vec<_>>())
    );
    if tags.len() > 1 {
        out.push_str("    require: any   # one of its tags is enough, as it was in 1MCP\n");
    }
    match transport {
        Transport::Stdio { command, env, cwd } => {
            _ = writeln!(out, "    stdio:\n      command: {}", list(command));
            texts(out, "env", env);
            if let Some(cwd) = cwd {
                _ = writeln!(out, "      cwd: {}", scalar(cwd));
            }
        }
        Transport::Http { url, headers } => {
            _ = writeln!(out, "    http:\n      url: {}", scalar(url));
            texts(out, "headers", headers);
        }
    }
    if !denied.is_empty() {
        out.push_str("    tools:\n");
        denied.iter().for_each(|tool| _ = writeln!(out, "      {}: deny", scalar(tool.as_str())));
    }
}

fn texts(out: &mut String, key: &str, texts: &[(String, Text)]) {
    if texts.is_empty() {
        return;
    }
    _ = writeln!(out, "      {key}:");
    for (name, text) in texts {
        let value = match text {
            Text::Plain(text) => scalar(text),
            Text::Env(variable) => format!("{{env: {}}}", scalar(variable)),
        };
        _ = writeln!(out, "        {}: {value}", scalar(name));
    }
}
