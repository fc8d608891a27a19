//! A request to explain as JSON: what `--request` reads, and what a command line says by it.
//!
//! Every problem is found, each with its place; a key that does not exist is one of them, for a
//! request that is half understood would be answered wrongly.
//!
//! To add a key: [`KEYS`], [`read`] and [`json`].

use std::{fmt, str::FromStr, sync::Arc};

use serde_json::{Map, Value, json};

use super::{Agreed, HERE, Supposed};
use crate::{
    config::{self, Node},
    diagnostic::{Place, nearest},
    name::{ClientId, GroupId, ScopeName, ServerName, TagName, UserId, ViewName},
    policy::{Target, Verb},
    principal::Principal,
};

/// Every key, sorted.
const KEYS: [&str; 19] = [
    "address",
    "anonymous",
    "args",
    "client",
    "drifted",
    "findings",
    "groups",
    "method",
    "no_user",
    "now",
    "prompt",
    "scopes",
    "server",
    "tags",
    "tls",
    "tool",
    "uri",
    "user",
    "view",
];

/// What is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Reads a request from JSON; `file` is what its places are named by.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn read(file: &str, text: &str) -> Result<Supposed, Vec<Problem>> {
    let file: Arc<str> = file.into();
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let place =
            Place { file: file.clone(), line: number(error.line()), column: number(error.column()), start: 0, end: 0 };
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        vec![Problem { place, message: format!("this is no JSON: {words}") }]
    })?;
    let mut findings = Vec::new();
    let tree = config::read_tree(&file, text, &mut findings);
    let mut reader = Reader { problems: Vec::new(), place: Place { file, line: 1, column: 1, start: 0, end: 0 } };
    for finding in findings {
        let place = finding.place().unwrap_or(&reader.place).clone();
        reader.problems.push(Problem { place, message: finding.message });
    }
    let (Some(tree), Value::Object(map)) = (tree, value) else {
        reader.say(None, "a request must be a JSON object");
        return Err(reader.problems);
    };
    reader.place = tree.place.clone();
    let supposed = reader.request(&tree, map);
    reader.problems.sort_by_key(|problem| problem.place.start);
    match supposed {
        Some(supposed) if reader.problems.is_empty() => Ok(supposed),
        _ => Err(reader.problems),
    }
}

struct Reader {
    problems: Vec<Problem>,
    /// The whole request's.
    place: Place,
}

impl Reader {
    fn request(&mut self, tree: &Node, mut map: Map<String, Value>) -> Option<Supposed> {
        for entry in tree.entries().iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
            let help = nearest(&entry.key, KEYS).map_or_else(
                || format!("the keys are {}", KEYS.map(|key| format!("`{key}`")).join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.problems
                .push(Problem { place: entry.place.clone(), message: format!("unknown key `{}`: {help}", entry.key) });
        }
        let anonymous = self.flag(tree, &map, "anonymous");
        let no_user = self.flag(tree, &map, "no_user");
        let user = self.one(tree, &map, "user", UserId::written);
        let client = self.one(tree, &map, "client", str::parse::<ClientId>);
        let groups = self.many(tree, &map, "groups", GroupId::written);
        let scopes = self.many(tree, &map, "scopes", str::parse::<ScopeName>);
        let view = self.one(tree, &map, "view", str::parse::<ViewName>);
        let tags = self.many(tree, &map, "tags", |tag| tag.parse::<TagName>().map(|tag| tag.scope()));
        let findings =
            self.many(tree, &map, "findings", |finding| Ok::<_, std::convert::Infallible>(finding.to_owned()));
        let now = self.one(tree, &map, "now", jiff::Timestamp::from_str);
        let address = self.one(tree, &map, "address", std::net::IpAddr::from_str);
        let tls = self.flag(tree, &map, "tls");
        let drifted = self.flag(tree, &map, "drifted");
        let args = match map.remove("args") {
            Some(Value::Object(args)) => Some(Value::Object(args)),
            None => None,
            Some(_) => {
                self.say(tree.get("args"), "`args` must be an object");
                None
            }
        };
        if anonymous {
            for key in
                ["user", "client", "groups", "scopes", "no_user"].into_iter().filter(|key| tree.get(key).is_some())
            {
                self.say(tree.get(key), &format!("`{key}` cannot stand beside `anonymous`: nobody known has none"));
            }
        } else if no_user {
            if client.is_none() {
                self.say(tree.get("no_user"), "`no_user` needs a `client`, who acts for itself");
            }
            if user.is_some() {
                self.say(tree.get("user"), "`user` cannot stand beside `no_user`");
            }
        }
        let asked = self.asked(tree, &map);
        let principal = match (anonymous, no_user, &client) {
            (true, ..) => Principal::Anonymous,
            (false, true, Some(client)) => Principal::Client(client.clone()),
            _ => Principal::User(user.or_else(|| UserId::written(super::OWNER).ok())?),
        };
        let (verb, target) = asked?;
        Some(Supposed {
            principal,
            client,
            groups: groups.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
            view,
            named: map.contains_key("tags").then(|| tags.into_iter().collect()),
            verb,
            target,
            now,
            address: address.unwrap_or(HERE),
            tls,
            findings: findings.into_iter().collect(),
            drifted,
            args,
            agreed: Agreed::Unknown,
        })
    }

    fn asked(&mut self, tree: &Node, map: &Map<String, Value>) -> Option<(Verb, Target)> {
        let server = self.one(tree, map, "server", str::parse::<ServerName>);
        let tool = self.one(tree, map, "tool", str::parse);
        let prompt = self.one(tree, map, "prompt", str::parse);
        let uri = self.one(tree, map, "uri", str::parse);
        let methods = || Verb::ALL.map(|verb| format!("`{verb}`")).join(", ");
        for key in ["method", "server"].into_iter().filter(|key| tree.get(key).is_none()) {
            self.say(None, &format!("the key `{key}` is missing"));
        }
        let verb = self.one(tree, map, "method", |method| {
            Verb::of_action(method).ok_or_else(|| match nearest(method, Verb::ALL.map(Verb::action)) {
                Some(near) => format!("no method `{method}` is decided; did you mean `{near}`?"),
                None => format!("no method `{method}` is decided; those are {}", methods()),
            })
        })?;
        let keys = [("Tool", "tool"), ("Prompt", "prompt"), ("Resource", "uri")];
        let mut keys = keys.into_iter().filter(|(kind, _)| verb.takes(kind)).map(|(_, key)| key);
        let (first, second) = (keys.next(), keys.next());
        // A verb of two kinds of thing is asked of the one that is named.
        let key = second.filter(|key| tree.get(key).is_some()).or(first);
        for other in ["tool", "prompt", "uri"].into_iter().filter(|other| Some(*other) != key) {
            if let Some(node) = tree.get(other) {
                self.say(Some(node), &format!("`{other}` says nothing beside the method `{verb}`"));
            }
        }
        if let Some(key) = key.filter(|key| tree.get(key).is_none()) {
            self.say(tree.get("method"), &format!("`{verb}` needs the key `{key}`"));
        }
        let server = server?;
        let target = match key {
            Some("tool") => Target::Tool(server, tool?),
            Some("prompt") => Target::Prompt(server, prompt?),
            Some("uri") => Target::Resource(server, uri?),
            _ => Target::Server(server),
        };
        Some((verb, target))
    }

    fn say(&mut self, node: Option<&Node>, message: &str) {
        let place = node.map_or(&self.place, |node| &node.place).clone();
        self.problems.push(Problem { place, message: message.to_owned() });
    }

    fn flag(&mut self, tree: &Node, map: &Map<String, Value>, key: &str) -> bool {
        let value = map.get(key);
        let flag = value.map_or(Some(false), Value::as_bool);
        if flag.is_none() {
            self.say(tree.get(key), &format!("`{key}` must be true or false"));
        }
        flag.unwrap_or_default()
    }

    fn one<T, E: fmt::Display>(
        &mut self,
        tree: &Node,
        map: &Map<String, Value>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.parsed(tree.get(key), map.get(key)?, key, parse)
    }

    fn many<T, E: fmt::Display>(
        &mut self,
        tree: &Node,
        map: &Map<String, Value>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let Some(value) = map.get(key) else { return Vec::new() };
        let node = tree.get(key);
        let Some(items) = value.as_array() else {
            self.say(node, &format!("`{key}` must be a list"));
            return Vec::new();
        };
        let nodes = node.map(Node::items).unwrap_or_default();
        let mut parsed = Vec::new();
        for (nth, item) in items.iter().enumerate() {
            parsed.extend(self.parsed(nodes.get(nth), item, key, &parse));
        }
        parsed
    }

    fn parsed<T, E: fmt::Display>(
        &mut self,
        node: Option<&Node>,
        value: &Value,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(text) = value.as_str() else {
            self.say(node, &format!("`{key}` must be text"));
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.say(node, &format!("`{key}`: {error}"));
                None
            }
        }
    }
}

/// The request as JSON that [`read`] reads back.
pub(super) fn json(supposed: &Supposed) -> String {
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
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| {
        map.insert(key.to_owned(), value);
    };
    match principal {
        Principal::Anonymous => put("anonymous", true.into()),
        Principal::User(user) => put("user", bare(user.as_str()).into()),
        Principal::Client(_) => put("no_user", true.into()),
    }
    if *principal != Principal::Anonymous {
        let client = if let Principal::Client(client) = principal { Some(client) } else { client.as_ref() };
        client.into_iter().for_each(|client| put("client", client.as_str().into()));
        put("groups", json!(groups.iter().map(|group| bare(group.as_str())).collect::<Vec<_>>()));
        put("scopes", json!(scopes));
    }
    view.iter().for_each(|view| put("view", view.as_str().into()));
    if let Some(named) = named {
        put("tags", json!(named.iter().map(ScopeName::tag).collect::<Vec<_>>()));
    }
    put("method", verb.action().into());
    put("server", target.server().as_str().into());
    match target {
        Target::Server(_) => {}
        Target::Tool(_, tool) => put("tool", tool.as_str().into()),
        Target::Prompt(_, prompt) => put("prompt", prompt.as_str().into()),
        Target::Resource(_, uri) => put("uri", uri.as_str().into()),
    }
    now.iter().for_each(|now| put("now", now.to_string().into()));
    put("address", address.to_string().into());
    put("tls", (*tls).into());
    put("findings", json!(findings));
    put("drifted", (*drifted).into());
    args.iter().for_each(|args| put("args", args.clone()));
    Value::Object(map).to_string()
}

/// A person or group as people write it: `local/` need not be said.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("local/").filter(|rest| !rest.contains('/')).unwrap_or(name)
}
