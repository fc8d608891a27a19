//! `portcullis.yaml`: found, read twice, and turned into what it means.
//!
//! The path of a file: `source` (bytes and text) → `document` (two readers, variables, written
//! forms) → `resolve` and `section/` (what it means). Everything that is wrong is gathered, each
//! with its place; a configuration exists only where nothing grave was found.

mod document;
pub(crate) mod findings;
pub(crate) mod json_schema;
mod resolve;
pub(crate) mod secrecy;
mod section;
mod source;
pub(crate) mod url;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use sha2::{Digest, Sha256};

#[cfg(feature = "cli")]
pub(crate) use document::is_variable;
pub(crate) use document::{Json, Named, Node, TextOr, Written, read_as, written};
pub use json_schema::json_schema;
#[cfg(feature = "cli")]
pub(crate) use section::transport::may_be_set;
pub use section::{
    audit::Audit,
    encryption::Encryption,
    grants::{Grant, Grantee},
    listen::{Limits, Listen},
    oauth::OAuth,
    policies::PolicyFile,
    rules::{Rule, Selector},
    secret::{SecretRef, Text},
    servers::{Exception, Require, Server},
    store::Store,
    tags::Tag,
    transport::{Http, Stdio, Transport},
};
pub use source::Sources;

use crate::{
    diagnostic::{Class, Diagnostic, Level, Place, Placed},
    name::{ServerName, TagName},
};

/// The most findings that are kept: nobody reads more, and a hostile file can make very many.
const MOST_FINDINGS: usize = 1_000;

/// Reads and resolves the configuration at `path`. The environment is asked through `env`.
#[must_use]
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    match source::bytes(path) {
        Ok(bytes) => load_bytes(path, bytes, env),
        Err(error) => {
            let message = format!("cannot read `{}`: {}", path.display(), source::reason(&error));
            let finding = findings::YAML_SYNTAX.at(&Place::of_file(path), message);
            let finding = finding.help("name the configuration with `--config`, or with `PORTCULLIS_CONFIG`");
            Loaded { findings: vec![finding], ..Loaded::default() }
        }
    }
}

/// Reads and resolves a text as if it stood in the file `name`. For tests.
#[must_use]
pub fn load_text(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    load_bytes(Path::new(name), text.as_bytes().to_vec(), env)
}

/// The text of a file that stands beside a configuration, kept in `sources` under its path.
///
/// # Errors
/// A finding: it cannot be read, or is no text.
pub(crate) fn text_of(path: &Path, sources: &mut Sources) -> Result<Arc<str>, Diagnostic> {
    let file = resolve::file_name(path);
    let bytes = source::bytes(path).map_err(|error| {
        let message = format!("cannot read `{}`: {}", path.display(), source::reason(&error));
        findings::YAML_SYNTAX.at(&Place::of_file(path), message).help("mend the path")
    })?;
    match source::text(&file, bytes) {
        Ok(text) => {
            sources.keep(file, text.clone());
            Ok(text)
        }
        Err(refused) => {
            let (text, finding) = *refused;
            sources.keep(file, text);
            Err(finding)
        }
    }
}

fn load_bytes(path: &Path, bytes: Vec<u8>, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    let file: Arc<str> = resolve::file_name(path);
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut loaded = Loaded { readable: true, ..Loaded::default() };
    let text = match source::text(&file, bytes) {
        Ok(text) => text,
        Err(refused) => {
            let (text, finding) = *refused;
            loaded.sources.keep(file, text);
            loaded.findings.push(finding);
            return loaded;
        }
    };
    loaded.sources.keep(file.clone(), text.clone());
    let reading = document::read(&file, &text, env, &mut loaded.findings);
    let document::Reading { document, root, comments, from_env, hidden } = reading;
    loaded.sources.hide(hidden);
    let place = root.as_ref().map(|root| root.place.clone());
    (loaded.tree, loaded.comments) = (root, comments);
    if let (Some(document), Some(place)) = (document, place) {
        let base = path.parent().unwrap_or(Path::new(""));
        let origin = resolve::Origin { base, digest, place, from_env };
        loaded.config = resolve::resolve(document, origin, &mut loaded.sources, &mut loaded.findings);
    }
    loaded.lock = lock(path.parent().unwrap_or(Path::new("")), &mut loaded.sources, &mut loaded.findings);
    if loaded.findings.iter().any(|finding| finding.class >= Class::Security(Level::Critical)) {
        loaded.part = loaded.config.take();
    }
    secrecy::scrub(&mut loaded.findings);
    loaded.findings.sort_by(|a, b| (a.place(), a.code).cmp(&(b.place(), b.code)));
    loaded.findings.truncate(MOST_FINDINGS);
    loaded
}

/// The tree of the inventory that stands beside the configuration, if one does.
fn lock(base: &Path, sources: &mut Sources, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let path = base.join("portcullis.lock");
    let bytes = match source::bytes(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            let message = format!("cannot read `{}`: {}", path.display(), source::reason(&error));
            let finding = findings::YAML_SYNTAX.at(&Place::of_file(&path), message);
            findings.push(finding.help("make the file readable, or remove it"));
            return None;
        }
    };
    let file = resolve::file_name(&path);
    match source::text(&file, bytes) {
        Ok(text) => {
            sources.keep(file.clone(), text.clone());
            document::tree(&file, &text, findings)
        }
        Err(refused) => {
            let (text, finding) = *refused;
            sources.keep(file, text);
            findings.push(finding);
            None
        }
    }
}

/// A configuration as far as it could be read, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What it means; there exactly when no finding is an error or a critical one.
    pub config: Option<Config>,
    /// What it means as far as it could be read, where it is not sound.
    pub(crate) part: Option<Config>,
    /// What is written, as a tree with places; what has a finding is pruned.
    pub(crate) tree: Option<Node>,
    /// What is written in `portcullis.lock`, if it stands beside the configuration.
    pub(crate) lock: Option<Node>,
    /// Every comment, without its `#`.
    pub(crate) comments: Vec<Placed<String>>,
    /// Everything that was found, by place.
    pub findings: Vec<Diagnostic>,
    /// The texts that the findings point into.
    pub sources: Sources,
    /// Whether the file could be read at all.
    pub readable: bool,
}

/// What a configuration means, every reference resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub digest: String,
    /// Places of values that environment variables went into: not to be shown.
    pub from_env: BTreeSet<Place>,
    /// Where the gateway listens.
    pub listen: Listen,
    /// Every tag.
    pub tags: BTreeMap<TagName, Tag>,
    /// Every server.
    pub servers: BTreeMap<ServerName, Server>,
    /// Every ceiling, in the order of the file.
    pub grants: Vec<Grant>,
    /// Every rule, in the order of the file.
    pub rules: Vec<Rule>,
    /// Whether callers need a token.
    pub oauth: OAuth,
    /// Where the audit trail goes.
    pub audit: Audit,
    /// Where tokens are kept.
    pub store: Store,
    /// Where the master key is kept.
    pub encryption: Encryption,
    /// Hand-written Cedar, sorted by path.
    pub policies: Vec<PolicyFile>,
}
