//! One entry of `mcpServers`, as a server of ours.
//!
//! INVARIANT: every key of the entry is carried over or noted.

use super::{
    Notes,
    command::{Line, one_text, through_shell},
    json::{Entry, Node, Value},
    reference,
    value::{Owner, Text, Variables, is_random},
};
use crate::{
    config::{is_variable, may_be_set, secrecy::is_marked},
    name::{Pattern, ServerName, TagName, ToolName},
};

/// A server as it is going to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) tags: Vec<TagName>,
    pub(super) transport: Transport,
    pub(super) denied: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transport {
    Stdio { command: Vec<String>, env: Vec<(String, Text)>, cwd: Option<String> },
    Http { url: String, headers: Vec<(String, Text)> },
}

/// Keys that mean something, and why it is not carried over.
const LEFT: &[(&[&str], &str)] = &[
    (
        &["timeout", "connectionTimeout", "requestTimeout", "initTimeout", "startupTimeout"],
        "single servers have no time limits of their own yet",
    ),
    (
        &["autoApprove", "alwaysAllow", "autoAllow", "trust"],
        "to confirm calls is the client's affair; what may be called at all is said by `grants`, `tools` and `rules`",
    ),
    (
        &["allowedTools", "includeTools", "enabledTools", "tools"],
        "write `deny` or more tags for the other tools: what is not listed needs the tags of its server alone",
    ),
    (&["envFile"], "write what it holds under `env`, secrets as `{env: NAME}`"),
    (&["inheritParentEnv", "envFilter"], "a server gets a short list of harmless variables and those under `env`"),
    (&["restartOnExit", "maxRestarts", "restartDelay"], "the gateway starts servers again by rules of its own"),
    (&["oauth", "auth", "authorization"], "the gateway does not sign in to servers yet: send a token by `headers`"),
];

/// Keys that are read, by whatever client writes them.
const READ: &[&str] = &[
    "command",
    "args",
    "env",
    "cwd",
    "url",
    "serverUrl",
    "httpUrl",
    "headers",
    "type",
    "transport",
    "transportType",
    "tags",
    "disabled",
    "enabled",
    "disabledTools",
    "excludeTools",
];

/// Whether the client does not use it.
pub(super) fn is_off(entry: &Node) -> bool {
    let says = |key: &str, word: bool| matches!(entry.get(key).map(|node| &node.value), Some(Value::Bool(said)) if *said == word);
    says("disabled", true) || says("enabled", false)
}

/// Reads an entry. Nothing where it cannot be a server, which the notes say.
pub(super) fn read(name: &ServerName, entry: &Entry, variables: &mut Variables, notes: &mut Notes) -> Option<Server> {
    let (written, node) = entry;
    let Some(entries) = node.entries() else {
        notes.add(&written.place, format!("`{}` is no object, so no server", written.value));
        return None;
    };
    for (key, value) in entries.iter().filter(|(key, _)| !READ.contains(&key.value.as_str())) {
        let why = LEFT
            .iter()
            .find(|(keys, _)| keys.contains(&key.value.as_str()))
            .map_or("it has no counterpart", |(_, why)| why);
        if !matches!(value.value, Value::Null) {
            notes.add(&key.place, format!("`{}` of `{}`: {why}", key.value, written.value));
        }
    }
    let mut foreign = Vec::new();
    node.texts(&mut |text| foreign.extend(reference::parts(text)));
    for part in foreign {
        if let reference::Part::Foreign(inside) = part {
            notes.add(
                &written.place,
                format!("`${{{inside}}}` in `{}` means something to its client alone", written.value),
            );
        }
    }
    let mut reading = Reading { name, variables, notes };
    let transport = reading.transport(node, &written.value, entry)?;
    Some(Server { tags: reading.tags(node), transport, denied: reading.denied(node) })
}

struct Reading<'a> {
    name: &'a ServerName,
    variables: &'a mut Variables,
    notes: &'a mut Notes,
}

impl Reading<'_> {
    fn transport(&mut self, node: &Node, written: &str, entry: &Entry) -> Option<Transport> {
        let kind = ["type", "transport", "transportType"].iter().find_map(|key| node.get(key)?.text());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        let url = ["url", "serverUrl", "httpUrl"].iter().find_map(|key| node.get(key));
        let command = node.get("command");
        match (url, command) {
            (Some(url), None) => self.http(url, node, &kind),
            (None, Some(command)) => self.stdio(command, node),
            (Some(url), Some(command)) if kind == "stdio" => {
                self.notes.add(&url.place, format!("the URL of `{written}`, which is a program by its `type`"));
                self.stdio(command, node)
            }
            (Some(url), Some(command)) => {
                self.notes.add(&command.place, format!("the command of `{written}`, which also has a URL"));
                self.http(url, node, &kind)
            }
            (None, None) => {
                self.notes.add(&entry.0.place, format!("`{written}` has neither a command nor a URL, and is left out"));
                None
            }
        }
    }

    fn http(&mut self, url: &Node, node: &Node, kind: &str) -> Option<Transport> {
        let Some(text) = url.text() else {
            self.notes.add(&url.place, format!("the URL of `{}` is no text; the server is left out", self.name));
            return None;
        };
        if kind == "sse" {
            let note = format!(
                "`{}` speaks the old transport over SSE by its `type`; it is asked by Streamable HTTP, see whether its URL answers that",
                self.name
            );
            self.notes.tell(&url.place, note);
        }
        for key in ["args", "env", "cwd"] {
            if let Some(node) = node.get(key) {
                self.notes.add(&node.place, format!("`{key}` of `{}`, which is spoken to over HTTP", self.name));
            }
        }
        let url = self.url(text, url);
        let headers = node.get("headers").map(|headers| self.headers(headers)).unwrap_or_default();
        Some(Transport::Http { url, headers })
    }

    /// A URL, its query looked at one by one. A user name and password are left out.
    fn url(&mut self, text: &str, node: &Node) -> String {
        let owner = Owner { server: self.name, place: &node.place };
        let mut text = text.to_owned();
        if let Some((scheme, rest)) = text.split_once("://") {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            if let Some((authority, path)) = rest.split_at_checked(end)
                && let Some((_, host)) = authority.rsplit_once('@')
            {
                let note = format!("the user name and password in the URL of `{}`: send them by `headers`", self.name);
                self.notes.add(&node.place, note);
                text = format!("{scheme}://{host}{path}");
            }
        }
        let (path, query) = text.split_once('?').map_or((text.as_str(), None), |(path, query)| (path, Some(query)));
        let segments: Vec<String> = path.split('/').map(|part| self.variables.inline("URL", part, owner).0).collect();
        let mut url = segments.join("/");
        for (nth, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
            url.push(if nth == 0 { '?' } else { '&' });
            match pair.split_once('=') {
                Some((key, value)) => url.push_str(&format!("{key}={}", self.variables.inline(key, value, owner).0)),
                None => url.push_str(&self.variables.inline("", pair, owner).0),
            }
        }
        url
    }

    fn headers(&mut self, node: &Node) -> Vec<(String, Text)> {
        let mut headers: Vec<(String, Text)> = Vec::new();
        for (name, value) in node.entries().unwrap_or_default() {
            let lower = name.value.to_ascii_lowercase();
            let known = headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&lower));
            match value.scalar() {
                Some(text) if may_be_set(&lower) && !known => {
                    let owner = Owner { server: self.name, place: &name.place };
                    headers.push((name.value.clone(), self.variables.text(&name.value, &text, owner)));
                }
                _ if may_be_set(&lower) => {
                    self.notes.add(
                        &name.place,
                        format!("the header `{}` of `{}`, which has no one value", name.value, self.name),
                    );
                }
                _ => self.notes.add(
                    &name.place,
                    format!("the header `{}` of `{}`: the gateway sets it itself", name.value, self.name),
                ),
            }
        }
        headers
    }

    fn stdio(&mut self, command: &Node, node: &Node) -> Option<Transport> {
        if let Some(headers) = node.get("headers") {
            self.notes.add(&headers.place, format!("`headers` of `{}`, which is a program", self.name));
        }
        let arguments = node.get("args").and_then(Node::items);
        let mut parts: Vec<String> = match (command.text(), command.items()) {
            (Some(program), _) => vec![program.to_owned()],
            (None, Some(items)) => items.iter().filter_map(Node::scalar).collect(),
            (None, None) => Vec::new(),
        };
        let mut extra = Vec::new();
        let mut cwd = None;
        let line = match (parts.as_slice(), arguments) {
            ([one], None) => one_text(one),
            _ => None,
        };
        parts.extend(arguments.unwrap_or_default().iter().filter_map(Node::scalar));
        if let Some(Line { parts: inside, env, cwd: folder }) = line.or_else(|| through_shell(&parts)) {
            self.notes
                .tell(&command.place, format!("`{}` is started without a shell: {}", self.name, program_of(&inside)));
            (parts, extra, cwd) = (inside, env, folder);
        }
        if parts.first().is_none_or(String::is_empty) || parts.iter().any(|part| part.contains('\0')) {
            self.notes.add(
                &command.place,
                format!("the command of `{}` cannot be started; the server is left out", self.name),
            );
            return None;
        }
        let owner = Owner { server: self.name, place: &command.place };
        let mut env: Vec<(String, Text)> =
            extra.iter().map(|(name, value)| (name.clone(), self.variables.text(name, value, owner))).collect();
        if let Some(node) = node.get("env") {
            self.env(node, &mut env);
        }
        let cwd = match (cwd, node.get("cwd").and_then(Node::text)) {
            (Some(inside), _) => Some(self.variables.inline("cwd", &inside, owner).0),
            (None, Some(cwd)) if !cwd.is_empty() => Some(self.variables.inline("cwd", cwd, owner).0),
            (None, _) => None,
        };
        let command = self.arguments(&parts, command);
        Some(Transport::Stdio { command, env, cwd })
    }

    fn env(&mut self, node: &Node, env: &mut Vec<(String, Text)>) {
        // 1MCP also takes `["NAME=value", "NAME"]`.
        let listed = node.items().unwrap_or_default().iter().filter_map(|item| {
            let (name, value) =
                item.text()?.split_once('=').map_or((item.text()?, None), |(name, value)| (name, Some(value)));
            Some((name.to_owned(), Some(value.map_or_else(|| format!("${{{name}}}"), str::to_owned)), &item.place))
        });
        let named = node
            .entries()
            .unwrap_or_default()
            .iter()
            .map(|(name, value)| (name.value.clone(), value.scalar(), &name.place));
        for (name, value, place) in listed.chain(named) {
            match value {
                // Who wrote a secret where a name belongs is not to have it copied.
                _ if is_marked(&name) => self
                    .notes
                    .add(place, format!("a variable of `{}`, which has a secret in the place of its name", self.name)),
                Some(value) if is_variable(&name) && !env.iter().any(|(known, _)| *known == name) => {
                    let owner = Owner { server: self.name, place };
                    env.push((name.clone(), self.variables.text(&name, &value, owner)));
                }
                _ => self
                    .notes
                    .add(place, format!("the variable `{name}` of `{}`, which no program could be given", self.name)),
            }
        }
    }

    fn arguments(&mut self, parts: &[String], node: &Node) -> Vec<String> {
        let owner = Owner { server: self.name, place: &node.place };
        let mut hidden = false;
        let mut written = Vec::new();
        let mut before = "";
        for part in parts {
            let (head, key, value) = argument(before, part);
            before = part;
            let (text, secret) = self.variables.inline(key, value, owner);
            hidden |= secret;
            written.push(format!("{}{text}", head.replace("${", "$${")));
        }
        if hidden {
            let note = format!(
                "a secret stood among the arguments of `{}`; it is a variable now, but arguments still show in the list of processes",
                self.name
            );
            self.notes.tell(&node.place, note);
        }
        written
    }

    fn tags(&mut self, node: &Node) -> Vec<TagName> {
        let mut tags: Vec<TagName> = Vec::new();
        for item in node.get("tags").and_then(Node::items).unwrap_or_default() {
            let Some(written) = item.text() else { continue };
            match super::name::tag(written).filter(|_| !is_marked(written) && !is_random(written)) {
                Some(tag) => {
                    if tag.as_str() != written {
                        self.notes.tell(&item.place, format!("the tag `{written}` is `{tag}` here"));
                    }
                    if !tags.contains(&tag) {
                        tags.push(tag);
                    }
                }
                None => self
                    .notes
                    .add(&item.place, format!("the tag `{written}` of `{}`, which can be no scope", self.name)),
            }
        }
        tags
    }

    fn denied(&mut self, node: &Node) -> Vec<Pattern> {
        let mut denied: Vec<Pattern> = Vec::new();
        for key in ["disabledTools", "excludeTools"] {
            for item in node.get(key).and_then(Node::items).unwrap_or_default() {
                match item.text().filter(|text| is_tool(text)).and_then(|text| text.parse::<Pattern>().ok()) {
                    Some(tool) if !denied.contains(&tool) => denied.push(tool),
                    Some(_) => {}
                    None => self.notes.add(
                        &item.place,
                        format!("an entry of `{key}` of `{}`, which is no name of a tool", self.name),
                    ),
                }
            }
        }
        denied
    }
}

/// Whether it can be the name of a tool, or a pattern of such names; what looks like a secret is none.
fn is_tool(text: &str) -> bool {
    text.replace('*', "a").parse::<ToolName>().is_ok() && !is_marked(text)
}

/// What an argument is called and what it says; and what stands before that in it.
fn argument<'a>(before: &'a str, text: &'a str) -> (&'a str, &'a str, &'a str) {
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    for separator in ["=", ": ", ":"] {
        if let Some((key, value)) = text.split_once(separator)
            && word(key)
            && (separator != ":" || before.to_ascii_lowercase().contains("header"))
            && let Some(head) = text.get(..key.len() + separator.len())
        {
            return (head, key.trim_start_matches('-'), value);
        }
    }
    let flag = if before.starts_with('-') && !before.contains('=') { before.trim_start_matches('-') } else { "" };
    ("", if text.starts_with('-') { "" } else { flag }, text)
}

/// The program of a command, for a note: arguments may hold secrets.
fn program_of(parts: &[String]) -> String {
    parts.first().map(|program| format!("`{program}` is the program")).unwrap_or_default()
}
