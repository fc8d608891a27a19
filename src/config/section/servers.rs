//! `servers:`: what stands behind the gateway, how each is reached and which tags it wears.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    diagnostic::{Place, Placed},
    name::{Pattern, TagName},
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
