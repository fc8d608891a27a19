//! `servers:`: what stands behind the gateway, how each is reached and which tags it wears.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        document::{Named, TextOr, Written, is_variable},
        findings,
        resolve::{Resolver, good},
        secrecy,
        url::Url,
    },
    diagnostic::{Place, Placed},
    name::{Pattern, ServerName, TagName},
};

/// A server behind the gateway.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its tags, sorted, no repeats.
    pub tags: Vec<Placed<TagName>>,
    /// How many of its tags a caller needs.
    pub require: Require,
    /// Whether any caller with a token of ours may reach it without a tag.
    pub public: bool,
    /// How it is spoken to.
    pub transport: Transport,
    /// What is said of some of its tools, by pattern, sorted.
    pub tools: BTreeMap<Pattern, Exception>,
    /// What is said of some of its prompts.
    pub prompts: BTreeMap<Pattern, Exception>,
    /// What is said of some of its resources, by pattern of their URI.
    pub resources: BTreeMap<Pattern, Exception>,
    /// Where its name is written.
    pub place: Place,
}

/// How many of a server's tags a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Every tag.
    All,
    /// At least one tag.
    Any,
}

/// What is said of the tools, prompts or resources that a pattern fits.
#[derive(Debug, Clone)]
pub enum Exception {
    /// These tags are needed besides the server's. Sorted, not empty.
    Tags(Vec<Placed<TagName>>, Place),
    /// Nobody may.
    Deny(Place),
}

/// How a server is spoken to.
#[derive(Debug, Clone)]
pub enum Transport {
    /// A child process, one JSON message a line.
    Stdio(Stdio),
    /// Streamable HTTP.
    Http(Http),
}

/// A child process of ours.
#[derive(Debug, Clone)]
pub struct Stdio {
    /// Program and arguments; never a shell. Not empty.
    pub command: Vec<Placed<String>>,
    /// Variables it gets besides the allow-list.
    pub env: BTreeMap<String, Placed<Text>>,
    /// Its working directory; relative paths are the configuration file's.
    pub cwd: Option<PathBuf>,
}

/// A server over HTTP.
#[derive(Debug, Clone)]
pub struct Http {
    /// Its MCP endpoint, `http` or `https`.
    pub url: Placed<String>,
    /// Header fields sent with every request, names in lower case.
    pub headers: BTreeMap<String, Placed<Text>>,
}

/// A text that is written in the file, or a secret that the file only names.
#[derive(Debug, Clone)]
pub enum Text {
    /// As written.
    Plain(String),
    /// Kept elsewhere.
    Secret(SecretRef),
}

/// Where a secret is kept. Reading it is `server/secret`'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `{env: NAME}`
    Env(String),
    /// `{file: PATH}`; relative paths are the configuration file's.
    File(PathBuf),
}

/// An MCP server behind the gateway: what it is tagged with, and how it is spoken to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerSection {
    /// Its tags, each declared under `tags`. A server without tags is reachable by nobody, unless
    /// it is `public`.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    tags: Option<Written<Vec<Written<String>>>>,
    /// How many of its tags a caller needs. Default: `all`.
    require: Option<Written<RequireSection>>,
    /// Whether any caller with a token may reach it without a tag. Default: `false`.
    public: Option<Written<bool>>,
    /// It is spoken to over HTTP. Exactly one of `http` and `stdio`.
    http: Option<Written<HttpSection>>,
    /// It is a program that the gateway starts. Exactly one of `http` and `stdio`.
    stdio: Option<Written<StdioSection>>,
    /// What is said of some of its tools, by name; `*` in a name stands for any characters.
    tools: Option<Written<Named<TextOr<ExceptionSection>>>>,
    /// What is said of some of its prompts, by name.
    prompts: Option<Written<Named<TextOr<ExceptionSection>>>>,
    /// What is said of some of its resources, by URI.
    resources: Option<Written<Named<TextOr<ExceptionSection>>>>,
}

/// How many of a server's tags a caller needs.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RequireSection {
    /// Every tag.
    All,
    /// At least one tag.
    Any,
}

/// A server over HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpSection {
    /// Its MCP endpoint, `https`, or `http` on a network that is trusted.
    url: Written<String>,
    /// Header fields sent with every request: a text, or `{env: NAME}` or `{file: PATH}` for a secret.
    headers: Option<Written<Named<TextOr<SecretSection>>>>,
}

/// A program that the gateway starts and speaks to over its standard input and output.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StdioSection {
    /// The program and its arguments. There is no shell: each part arrives as it is written.
    #[schemars(extend("minItems" = 1))]
    command: Written<Vec<Written<String>>>,
    /// Variables it gets besides a short list of harmless ones: a text, or `{env: NAME}` or
    /// `{file: PATH}` for a secret.
    env: Option<Written<Named<TextOr<SecretSection>>>>,
    /// Its working directory, relative to this file. Default: the gateway's own.
    cwd: Option<Written<String>>,
}

/// Where a secret is kept: exactly one of `env` and `file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct SecretSection {
    /// The environment variable that holds it.
    env: Option<Written<String>>,
    /// The file that holds it, relative to this file.
    file: Option<Written<String>>,
}

/// What is said of the tools, prompts or resources that a pattern fits: `deny`, or more tags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExceptionSection {
    /// Tags that are needed besides the server's; they only narrow.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    tags: Written<Vec<Written<String>>>,
}

pub(crate) fn resolve(
    section: Option<Written<Named<ServerSection>>>,
    cx: &mut Resolver<'_>,
) -> BTreeMap<ServerName, Server> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut servers = BTreeMap::new();
    for (name, written) in entries {
        let parsed = cx.name::<ServerName>(&name);
        let server = written.value.and_then(|section| Server::resolve(section, &name, cx));
        if let (Some(name), Some(server)) = (parsed, server) {
            servers.insert(name.value, server);
        }
    }
    servers
}

impl Server {
    fn resolve(section: ServerSection, name: &Placed<String>, cx: &mut Resolver<'_>) -> Option<Self> {
        let ServerSection { tags, require, public, http, stdio, tools, prompts, resources } = section;
        let tags = match tags {
            Some(tags) => known_tags(tags, &format!("servers.{}.tags", name.value), cx),
            None => Some(Vec::new()),
        };
        let require = match require.and_then(|written| written.value) {
            Some(RequireSection::Any) => Require::Any,
            Some(RequireSection::All) | None => Require::All,
        };
        let transport = transport(http, stdio, name, cx);
        let tools = exceptions(tools, cx);
        let prompts = exceptions(prompts, cx);
        let resources = exceptions(resources, cx);
        Some(Self {
            tags: tags?,
            require,
            public: public.and_then(|written| written.value).unwrap_or_default(),
            transport: transport?,
            tools,
            prompts,
            resources,
            place: name.place.clone(),
        })
    }
}

fn transport(
    http: Option<Written<HttpSection>>,
    stdio: Option<Written<StdioSection>>,
    name: &Placed<String>,
    cx: &mut Resolver<'_>,
) -> Option<Transport> {
    match (http, stdio) {
        (Some(http), None) => Http::resolve(http.value?, cx).map(Transport::Http),
        (None, Some(stdio)) => Stdio::resolve(stdio.value?, cx).map(Transport::Stdio),
        (Some(http), Some(stdio)) => {
            let message = format!("`servers.{}` has both `http` and `stdio`", name.value.escape_debug());
            let finding = findings::WRONG_TYPE.at(&name.place, message);
            let finding = finding.also(&http.place, "one way to reach it").also(&stdio.place, "another");
            cx.find(finding.help("keep one of the two"));
            None
        }
        (None, None) => {
            let message = format!("`servers.{}` has neither `http` nor `stdio`", name.value.escape_debug());
            let help = "add `http: {url: \"https://…\"}`, or `stdio: {command: [PROGRAM, ARGUMENT]}`";
            cx.find(findings::WRONG_TYPE.at(&name.place, message).help(help));
            None
        }
    }
}

impl Http {
    fn resolve(section: HttpSection, cx: &mut Resolver<'_>) -> Option<Self> {
        let HttpSection { url, headers } = section;
        let url = url.placed().and_then(|url| match Url::parse(&url.value) {
            Ok(_) => Some(url),
            Err(problem) => {
                let finding = findings::WRONG_TYPE.at(&url.place, format!("`http.url` {problem}"));
                cx.find(finding.help("write the server's MCP endpoint, as in `https://docs.example.com/mcp`"));
                None
            }
        });
        let mut fields = BTreeMap::<String, Placed<Text>>::new();
        let Named(entries) = headers.and_then(|headers| headers.value).unwrap_or_default();
        for (name, written) in entries {
            let lower = name.value.to_ascii_lowercase();
            let Some(text) = text(written, &name.value, cx) else { continue };
            if !is_header(&lower) {
                let finding = findings::INVALID_IDENTIFIER
                    .at(&name.place, format!("`{}` is no header name", lower.escape_debug()));
                cx.find(finding.help("header names are letters, digits and `-`"));
            } else if OURS.contains(&lower.as_str()) {
                let finding =
                    findings::WRONG_TYPE.at(&name.place, format!("the header `{lower}` is set by the gateway itself"));
                cx.find(finding.help("remove it"));
            } else if let Some(first) = fields.get(&lower) {
                let finding = findings::DUPLICATE_KEY.at(&name.place, format!("the header `{lower}` is written twice"));
                let first = first.place.clone();
                cx.find(
                    finding
                        .label("again here")
                        .also(&first, "its first value")
                        .help("keep one: header names have no case"),
                );
            } else {
                fields.insert(lower, text);
            }
        }
        Some(Self { url: url?, headers: fields })
    }
}

/// Header fields that frame the request, which only the gateway knows.
const OURS: &[&str] =
    &["connection", "content-length", "content-type", "host", "te", "trailer", "transfer-encoding", "upgrade"];

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl Stdio {
    fn resolve(section: StdioSection, cx: &mut Resolver<'_>) -> Option<Self> {
        let StdioSection { command, env, cwd } = section;
        let place = command.place;
        let command = command.value.and_then(|parts| {
            if parts.is_empty() {
                let finding = findings::EMPTY_SELECTOR.at(&place, "`command` is empty, so there is nothing to start");
                cx.find(finding.help("write the program and its arguments, as in `[npx, -y, \"package@1.2.3\"]`"));
            }
            let whole = parts.iter().all(|part| part.value.is_some());
            let parts = good(parts);
            for part in parts.iter().filter(|part| part.value.contains('\0')) {
                cx.find(findings::WRONG_TYPE.at(&part.place, "an argument must not hold a NUL character"));
            }
            if let Some(program) = parts.first().filter(|program| program.value.is_empty()) {
                cx.find(
                    findings::WRONG_TYPE
                        .at(&program.place, "the program has no name")
                        .help("name the program to start"),
                );
            }
            (whole && !parts.is_empty()).then_some(parts)
        });
        let mut variables = BTreeMap::new();
        let Named(entries) = env.and_then(|env| env.value).unwrap_or_default();
        for (name, written) in entries {
            let value = text(written, &name.value, cx);
            if !is_variable(&name.value) {
                let finding = findings::INVALID_IDENTIFIER
                    .at(&name.place, format!("`{}` is no variable name", name.value.escape_debug()));
                cx.find(finding.help("variable names are letters, digits and `_`, and begin with no digit"));
            } else if let Some(value) = value {
                variables.insert(name.value, value);
            }
        }
        let cwd = match cwd {
            Some(cwd) => Some(cx.file("cwd", cwd.placed()?)?),
            None => None,
        };
        Some(Self { command: command?, env: variables, cwd })
    }
}

impl SecretSection {
    /// Where the secret is kept; `what` is what the secret is for, for messages.
    pub(super) fn resolve(self, place: &Place, what: &str, cx: &mut Resolver<'_>) -> Option<SecretRef> {
        let Self { env, file } = self;
        match (env, file) {
            (Some(name), None) => {
                let name = name.placed()?;
                if secrecy::is_marked(&name.value) {
                    let message = format!("`{what}` holds a secret where the name of a variable belongs");
                    let help = "put the secret into a variable and write the variable's name; replace the secret: it has been seen";
                    cx.find(findings::PLAINTEXT_SECRET.at(&name.place, message).help(help));
                    return None;
                }
                if !is_variable(&name.value) {
                    let message = format!("`{}` is no variable name", cx.shown(what, &name));
                    let help = "`env` takes the name of a variable, never a secret itself: letters, digits and `_`";
                    cx.find(findings::INVALID_IDENTIFIER.at(&name.place, message).help(help));
                    return None;
                }
                Some(SecretRef::Env(name.value))
            }
            (None, Some(file)) => Some(SecretRef::File(cx.file("file", file.placed()?)?)),
            _ => {
                let finding =
                    findings::WRONG_TYPE.at(place, format!("`{what}` must hold exactly one of `env` and `file`"));
                cx.find(finding.help("write `{env: NAME}` or `{file: PATH}`"));
                None
            }
        }
    }
}

/// A text or a secret's whereabouts, fit for a header field or a variable.
fn text(written: Written<TextOr<SecretSection>>, name: &str, cx: &mut Resolver<'_>) -> Option<Placed<Text>> {
    let Written { place, value } = written;
    let text = match value? {
        TextOr::Map(secret) => Text::Secret(secret.resolve(&place, name, cx)?),
        TextOr::Text(plain) if plain.chars().any(|c| c.is_control() && c != '\t') => {
            let message = format!("the value of `{}` holds a line break or control character", name.escape_debug());
            cx.find(findings::WRONG_TYPE.at(&place, message).help("write it in one line"));
            return None;
        }
        TextOr::Text(plain) => Text::Plain(plain),
    };
    Some(Placed::new(text, place))
}

fn exceptions(
    section: Option<Written<Named<TextOr<ExceptionSection>>>>,
    cx: &mut Resolver<'_>,
) -> BTreeMap<Pattern, Exception> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut exceptions = BTreeMap::new();
    for (name, Written { place, value }) in entries {
        let pattern = cx.named(&name.place, name.value.parse::<Pattern>());
        let exception = match value {
            None => None,
            Some(TextOr::Text(word)) if word == "deny" => Some(Exception::Deny(name.place)),
            Some(TextOr::Text(word)) => {
                let word = cx.shown(&name.value, &Placed::new(word, place.clone()));
                let finding =
                    findings::WRONG_TYPE.at(&place, format!("`{word}` is neither `deny` nor a map with `tags`"));
                cx.find(
                    finding.help("write `deny`, or `{tags: [NAME]}`; what is not listed needs the server's tags alone"),
                );
                None
            }
            Some(TextOr::Map(ExceptionSection { tags })) => {
                known_tags(tags, "tags", cx).map(|tags| Exception::Tags(tags, name.place))
            }
        };
        if let (Some(pattern), Some(exception)) = (pattern, exception) {
            exceptions.insert(pattern.value, exception);
        }
    }
    exceptions
}

/// A list of declared tags, sorted; an empty one is a finding.
fn known_tags(list: Written<Vec<Written<String>>>, key: &str, cx: &mut Resolver<'_>) -> Option<Vec<Placed<TagName>>> {
    let Written { place, value } = list;
    let listed = value?;
    if listed.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, format!("`{key}` is empty"));
        cx.find(finding.help("name at least one tag, or remove the key: an empty list opens nothing"));
        return None;
    }
    let tags = good(listed).iter().filter_map(|tag| cx.tag(tag)).collect();
    Some(cx.distinct(tags))
}
