//! The text of `portcullis.yaml` as the written form of every section.
//!
//! Two readers read the text (`read`, `agree`), an environment is laid over it (`lay`), variables
//! are put in (`substitute`), and the sections are read from the pruned tree (`deserialize`), so that
//! one mistake hides no other.
//!
//! To add a top-level key: a file in `section/` and a field of [`Document`].

mod agree;
mod deserialize;
mod lay;
mod node;
mod path;
mod read;
mod scalar;
mod substitute;
mod unbuilt;
mod written;

use std::{collections::BTreeSet, sync::Arc};

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use lay::lay;
pub(super) use node::entry;
pub(crate) use node::{Node, Value};
pub(super) use substitute::Variables;
pub(crate) use substitute::is_variable;
pub(crate) use written::{Json, ListOr, Named, TextOr, Written};

use super::{
    findings,
    section::{
        audit::AuditSection,
        cors::CorsSection,
        encryption::EncryptionSection,
        grants::GrantSection,
        headers::{HeaderSection, HeadersSection},
        lint::LintSection,
        listen::ListenSection,
        oauth::OAuthSection,
        rates::RateSection,
        rules::RuleSection,
        servers::ServerSection,
        store::StoreSection,
        tags::TagSection,
        validation::ValidationSection,
        views::ViewSection,
    },
};
use crate::diagnostic::{Class, Diagnostic, Place, Placed};

/// A Portcullis configuration: who may reach which MCP server, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Portcullis configuration")]
pub(crate) struct Document {
    /// The version of this format. There is one: `1`.
    #[schemars(extend("const" = 1))]
    pub(crate) version: Written<u64>,
    /// Where the gateway listens, under which URL it is known, and what one connection may cost.
    pub(crate) listen: Option<Written<ListenSection>>,
    /// The labels of servers and tools, by name. Each is one OAuth scope `tag:NAME`.
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z0-9_-]{1,64}$" }))]
    pub(crate) tags: Option<Written<Named<TextOr<TagSection>>>>,
    /// The MCP servers behind the gateway, by name.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9-]{0,30}$" }))]
    pub(crate) servers: Option<Written<Named<ServerSection>>>,
    /// Filters by tags with an endpoint of their own, `/mcp/@NAME`: what `?tags=` is for one request.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9-]{0,30}$" }))]
    pub(crate) views: Option<Written<Named<ViewSection>>>,
    /// The most that may be granted to whom. The consent page offers nothing above it.
    pub(crate) grants: Option<Written<Vec<Written<GrantSection>>>>,
    /// What is forbidden although the tags would allow it.
    pub(crate) rules: Option<Written<Vec<Written<RuleSection>>>>,
    /// How often who may ask what, by the names of the tiers. A request draws from every tier that holds for it.
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9-]{0,62}$" }))]
    pub(crate) rates: Option<Written<Named<RateSection>>>,
    /// Which header fields answers carry: own entries over the preset `strict`, or a map that says more
    /// of the preset and holds the entries under `rules`.
    pub(crate) headers: Option<Written<ListOr<HeaderSection, HeadersSection>>>,
    /// Pages of which origins may call the gateway from a browser.
    pub(crate) cors: Option<Written<CorsSection>>,
    /// What is done about what looks like an attack: `deny`, `report` or `off`, for each detector.
    pub(crate) validation: Option<Written<ValidationSection>>,
    /// Whether callers need a token of the gateway.
    pub(crate) oauth: Option<Written<OAuthSection>>,
    /// Where the audit trail is written.
    pub(crate) audit: Option<Written<AuditSection>>,
    /// Where grants and tokens are kept.
    pub(crate) store: Option<Written<StoreSection>>,
    /// Where the master key is kept.
    pub(crate) encryption: Option<Written<EncryptionSection>>,
    /// Files of hand-written Cedar policies: paths relative to this file, `*` in the last part.
    pub(crate) policies: Option<Written<Vec<Written<String>>>>,
    /// What `check` looks for, how grave it is, and which findings are answered for.
    pub(crate) lint: Option<Written<LintSection>>,
}

/// What a tree says.
pub(super) struct Reading {
    /// The written forms, as far as they could be read.
    pub(super) document: Option<Document>,
    /// Places of values that the environment went into.
    pub(super) from_env: Vec<Place>,
    /// Places of values that a variable without a value stands in, where that is allowed.
    pub(super) missing: BTreeSet<Place>,
}

/// Reads a text that is no configuration into its tree. Variables are not put in. Nothing where the
/// text is empty.
pub(crate) fn read_tree(file: &Arc<str>, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    read::read(file, text, &mut Vec::new(), &mut Vec::new(), findings)
}

/// Reads a text that is no configuration (a test file) into its written form. Variables are not put in.
/// Nothing where the text is empty or no map.
pub(crate) fn read_as<T: serde::de::DeserializeOwned>(
    file: &Arc<str>,
    text: &str,
    findings: &mut Vec<Diagnostic>,
) -> Option<T> {
    let (root, mut found) = by_two_readers(file, text, agree::disagreement, &mut Vec::new(), &mut Vec::new());
    findings.append(&mut found);
    let root = root?;
    if !matches!(root.value, node::Value::Map(_)) {
        findings.push(findings::WRONG_TYPE.at(&root.place, format!("the file must be a map, not {}", root.shown(""))));
        return None;
    }
    deserialize::read(&root, findings)
}

/// Reads a text into a tree; what is wrong with it goes to `findings`. Every comment is kept, without
/// its `#`, and the place of every value that is not to be shown.
pub(super) fn tree(
    file: &Arc<str>,
    text: &str,
    hidden: &mut Vec<Place>,
    comments: &mut Vec<Placed<String>>,
    findings: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let (root, mut found) = by_two_readers(file, text, agree::disagreement, hidden, comments);
    if root.is_none() && found.is_empty() {
        let help = "write at least `version: 1` and a server under `servers`";
        found.push(empty(file, "the configuration is empty").help(help));
    }
    findings.append(&mut found);
    root
}

/// Reads a text of JSON into a tree; what is wrong with it goes to `findings`.
pub(crate) fn tree_of(file: &Arc<str>, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let (root, mut found) = by_two_readers(file, text, agree::with_json, &mut Vec::new(), &mut Vec::new());
    // What a program wrote is not told how to write more clearly.
    found.retain(|finding| finding.class == Class::Error);
    if root.is_none() && found.is_empty() {
        found.push(empty(file, "the file is empty"));
    }
    findings.append(&mut found);
    root
}

/// What a text says, and what is wrong with it. The second reader is asked where the first finds no error.
fn by_two_readers(
    file: &Arc<str>,
    text: &str,
    second: fn(&Node, &str) -> Option<Diagnostic>,
    hidden: &mut Vec<Place>,
    comments: &mut Vec<Placed<String>>,
) -> (Option<Node>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let root = read::read(file, text, hidden, comments, &mut found);
    if let Some(root) = root.as_ref().filter(|_| found.iter().all(|finding| finding.class < Class::Error)) {
        found.extend(second(root, text));
    }
    (root, found)
}

fn empty(file: &Arc<str>, message: &str) -> Diagnostic {
    let place = Place { file: file.clone(), line: 1, column: 1, start: 0, end: 0 };
    findings::YAML_SYNTAX.at(&place, message)
}

/// Reads a tree, putting variables into it; what is wrong goes to `findings`.
pub(super) fn read(root: &mut Node, variables: &Variables<'_>, findings: &mut Vec<Diagnostic>) -> Reading {
    let (from_env, missing) = substitute::substitute(root, variables, findings);
    Reading { document: deserialize::read(root, findings), from_env, missing }
}

/// Reads a tree into the written form `T`; what is wrong with it goes to `findings`.
pub(crate) fn written<'de, T: Deserialize<'de>>(root: &'de Node, findings: &mut Vec<Diagnostic>) -> Option<T> {
    deserialize::read(root, findings)
}
