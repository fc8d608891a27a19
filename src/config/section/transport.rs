//! `http:` and `stdio:` of a server: how it is spoken to.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::secret::{SecretSection, Text, text};
use crate::{
    config::{
        document::{Named, TextOr, Written, is_variable},
        findings,
        resolve::{Resolver, good},
        url::Url,
    },
    diagnostic::Placed,
};

/// How a server is spoken to.
#[derive(Debug, Clone)]
pub enum Transport {
    /// A child process, one JSON message a line.
    Stdio(Stdio),
    /// An endpoint over HTTP.
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
    /// Whether its name may resolve to an address of the operator's own networks.
    pub allow_private: bool,
    /// Whether it speaks the older HTTP+SSE of 2024-11-05.
    pub sse: bool,
}

/// A server over HTTP.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpSection {
    /// Its MCP endpoint, `https`, or `http` on a network that is trusted.
    url: Written<String>,
    /// Header fields sent with every request: a text, or `{env: NAME}` or `{file: PATH}` for a secret.
    headers: Option<Written<Named<TextOr<SecretSection>>>>,
    /// The host is a name inside your own networks: it may resolve to a private address. A private
    /// address, or `localhost`, written in the URL needs no leave. Default: false.
    allow_private: Option<Written<bool>>,
    /// `sse` for a server that speaks only the deprecated HTTP+SSE of 2024-11-05: `url` is then where
    /// its stream of events is. Default: `streamable`.
    transport: Option<Written<TransportSection>>,
}

/// How messages travel over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TransportSection {
    /// Streamable HTTP.
    Streamable,
    /// HTTP+SSE of 2024-11-05, deprecated.
    Sse,
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

/// The one way in which a server is reached.
pub(super) fn transport(
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
        let HttpSection { url, headers, allow_private, transport } = section;
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
        let allow_private = allow_private.and_then(|allow| allow.value).unwrap_or(false);
        let sse = transport.and_then(|written| written.value) == Some(TransportSection::Sse);
        Some(Self { url: url?, headers: fields, allow_private, sse })
    }
}

/// Whether a name, in lower case, is a header that a configuration may set.
#[cfg(feature = "cli")]
pub(crate) fn may_be_set(name: &str) -> bool {
    is_header(name) && !OURS.contains(&name)
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
