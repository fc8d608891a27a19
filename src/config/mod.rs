//! `portcullis.yaml`: found, read twice, and turned into what it means.
//!
//! The path of a file: `source` (bytes and text; `environment` says of which files) → `document` (two
//! readers, variables, written forms; `overrides` are laid over it) → `resolve` and `section/` (what it means). Everything that is wrong is gathered, each
//! with its place; a configuration exists only where nothing grave was found.

mod document;
mod environment;
pub(crate) mod findings;
pub(crate) mod json_schema;
pub(crate) mod look_alike;
mod overrides;
mod redirect_uri;
mod resolve;
pub(crate) mod secrecy;
mod section;
pub(crate) mod source;
pub(crate) mod url;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use document::Variables;
#[cfg(feature = "cli")]
pub(crate) use document::is_variable;
pub(crate) use document::{Json, Named, Node, TextOr, Value, Written, read_as, read_tree, tree_of, written};
use environment::Overlay;
pub use environment::{Environments, Wanted, environments, file_of};
pub use json_schema::json_schema;
pub use overrides::{Overridable, Override};
pub use redirect_uri::{RedirectKind, RedirectUri};
pub(crate) use section::amount::{Size, Span};
#[cfg(feature = "cli")]
pub(crate) use section::transport::may_be_set;
pub use section::{
    audit::Audit,
    cors::Cors,
    encryption::{Algorithm, Encryption},
    failure_delay::FailureDelay,
    grants::{Grant, Grantee},
    headers::{HeaderRule, Headers, Preset},
    limits::Limits,
    lint::{Ignore, Lint, LintLevel, Profile},
    listen::Listen,
    oauth::{
        AuthMethod, Authorization, ConfiguredClient, Documents, GrantType, Lifetimes, Login, OAuth, Redirects,
        Registration, ScopeDrift, Trust,
    },
    policies::PolicyFile,
    rates::{Rate, Site},
    rules::{Rule, Selector},
    secret::{SecretRef, Text},
    servers::{Drift, EraChoice, Exception, Require, Server},
    store::Store,
    tags::Tag,
    transport::{Http, Stdio, Transport},
    validation::{Exempt, Mode, Scope, Validation},
    views::View,
    way::{TlsFiles, Way},
};
pub use source::Sources;

use crate::{
    diagnostic::{Class, Diagnostic, Level, Place, Placed},
    endpoint::Endpoint,
    name::{EntryId, EnvironmentName, ServerName, TagName, ViewName},
};

/// The most findings that are kept: nobody reads more, and a hostile file can make very many.
const MOST_FINDINGS: usize = 1_000;

/// Reads and resolves the configuration at `path`, no environment laid over it. Variables are asked
/// through `env`.
#[must_use]
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    load_wanted(&Wanted::of(path), env)
}

/// Reads and resolves a configuration. Variables are asked through `env`.
#[must_use]
pub fn load_wanted(wanted: &Wanted, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    let Wanted { path, bytes, environments, overrides, allow_missing } = wanted;
    let unreadable = |finding| Loaded { findings: vec![finding], ..Loaded::default() };
    let bytes = match bytes.as_ref().map_or_else(|| source::bytes(path), |bytes| Ok(bytes.to_vec())) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("cannot read `{}`: {}", path.display(), source::reason(&error));
            let finding = findings::YAML_SYNTAX.at(&Place::of_file(path), message);
            let help = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "`portcullis init` writes a first one; `--config` or `PORTCULLIS_CONFIG` names another"
                }
                std::io::ErrorKind::PermissionDenied => "let whoever runs this read the file and enter its directory",
                _ => "name the configuration with `--config`, or with `PORTCULLIS_CONFIG`",
            };
            return unreadable(finding.help(help));
        }
    };
    let overlay = match environments {
        Environments::None => None,
        Environments::All => return environment::all(wanted, env),
        Environments::One(name) => match Overlay::read(path, name) {
            Ok(overlay) => Some(overlay),
            Err(finding) => return unreadable(*finding),
        },
    };
    load_bytes(path, bytes, overlay, overrides, &Variables { env, allow_missing: *allow_missing })
}

/// What a stream holds, to be read as [`Wanted::bytes`].
///
/// # Errors
/// When the stream cannot be read, or holds more than is bearable.
pub fn read_stream(stream: &mut dyn io::Read) -> io::Result<Arc<[u8]>> {
    source::bounded(stream).map(Arc::from)
}

/// Reads and resolves a text as if it stood in the file `name`. For tests.
#[must_use]
pub fn load_text(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    load_bytes(Path::new(name), text.as_bytes().to_vec(), None, &[], &Variables { env, allow_missing: false })
}

/// The text of a file that stands beside a configuration, kept in `sources` under its path.
///
/// # Errors
/// A finding: it cannot be read, or is no text.
#[cfg(feature = "cli")]
pub(crate) fn text_of(path: &Path, sources: &mut Sources) -> Result<Arc<str>, Box<Diagnostic>> {
    let file = resolve::file_name(path);
    let bytes = source::bytes(path).map_err(|error| {
        let message = format!("cannot read `{}`: {}", path.display(), source::reason(&error));
        Box::new(findings::YAML_SYNTAX.at(&Place::of_file(path), message).help("mend the path"))
    })?;
    match source::text(&file, bytes) {
        Ok(text) => {
            sources.keep(file, text.clone());
            Ok(text)
        }
        Err(refused) => {
            let (text, finding) = *refused;
            sources.keep(file, text);
            Err(Box::new(finding))
        }
    }
}

fn load_bytes(
    path: &Path,
    bytes: Vec<u8>,
    overlay: Option<Overlay>,
    overrides: &[Override],
    variables: &Variables<'_>,
) -> Loaded {
    let overridden: Vec<&'static str> = overrides.iter().map(Override::by).collect();
    let mut loaded = Loaded { readable: true, overridden: overridden.clone(), ..Loaded::default() };
    let digest = overrides::digest(environment::digest(&bytes, overlay.as_ref()), overrides);
    let base = tree(path, bytes, &mut loaded);
    let over = overlay.map(|overlay| {
        loaded.environment = Some(overlay.name);
        tree(&overlay.path, overlay.bytes, &mut loaded)
    });
    let mut tree = match (base, over) {
        (Some(base), None) => base,
        (Some(mut base), Some(Some(mut over))) => {
            // A map and a list of headers are one thing written in two forms.
            if over.get("headers").is_some() {
                overrides::opened(&mut base);
                overrides::opened(&mut over);
            }
            document::lay(&mut base, over, &mut loaded.findings);
            base
        }
        (None, _) | (_, Some(None)) => return loaded.finished(),
    };
    for said in overrides {
        if said.is_of_headers() {
            overrides::opened(&mut tree);
        }
        document::lay(&mut tree, said.tree(&mut loaded.sources), &mut loaded.findings);
    }
    let place = tree.place.clone();
    let document::Reading { document, from_env, missing } = document::read(&mut tree, variables, &mut loaded.findings);
    loaded.tree = Some(tree);
    if let Some(document) = document {
        let base = path.parent().unwrap_or(Path::new(""));
        let origin = resolve::Origin { base, digest, place, from_env, overridden };
        loaded.config = resolve::resolve(document, origin, &mut loaded.sources, &mut loaded.lint, &mut loaded.findings);
    }
    loaded.lock = lock_at(&lock_of(path), &mut loaded.sources, &mut loaded.findings);
    loaded.missing = missing;
    loaded.finished()
}

/// What is written in a file; what is wrong with it is found.
fn tree(path: &Path, bytes: Vec<u8>, loaded: &mut Loaded) -> Option<Node> {
    let file = resolve::file_name(path);
    match source::text(&file, bytes) {
        Ok(text) => {
            loaded.sources.keep(file.clone(), text.clone());
            let mut hidden = Vec::new();
            let tree = document::tree(&file, &text, &mut hidden, &mut loaded.comments, &mut loaded.findings);
            loaded.sources.hide(hidden);
            tree
        }
        Err(refused) => {
            let (text, finding) = *refused;
            loaded.sources.keep(file, text);
            loaded.findings.push(finding);
            None
        }
    }
}

impl Loaded {
    /// The same, its findings in order, and its meaning only where nothing grave was found.
    fn finished(mut self) -> Self {
        if self.findings.iter().any(|finding| finding.class >= Class::Security(Level::Critical)) {
            self.part = self.config.take();
        }
        // What is not kept may be as grave as anything.
        self.broken =
            self.findings.iter().any(|finding| finding.class == Class::Error) || self.findings.len() > MOST_FINDINGS;
        let mut findings = std::mem::take(&mut self.findings);
        findings.retain(|finding| !self.of_missing(finding));
        self.findings = findings;
        secrecy::scrub(&mut self.findings);
        self.findings.sort_by(|a, b| (a.place(), a.code).cmp(&(b.place(), b.code)));
        self.findings.truncate(MOST_FINDINGS);
        self
    }

    /// Whether a finding is about a value that nobody knows, since a variable is missing: the missing
    /// variable has a finding of its own.
    pub(crate) fn of_missing(&self, finding: &Diagnostic) -> bool {
        finding.code != findings::UNDEFINED_ENV.code
            && finding.place().is_some_and(|place| self.missing.contains(place))
    }
}

/// Where the inventory of the servers of a configuration stands.
#[must_use]
pub fn lock_of(configuration: &Path) -> PathBuf {
    configuration.with_file_name("portcullis.lock")
}

/// Whether a file holds just this text already.
#[cfg(feature = "serve")]
pub(crate) fn is_text_of(path: &Path, text: &str) -> bool {
    source::bytes(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// The tree of an inventory, if there is one.
pub(crate) fn lock_at(path: &Path, sources: &mut Sources, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let bytes = match source::bytes(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            let message = format!("cannot read `{}`: {}", path.display(), source::reason(&error));
            let finding = findings::YAML_SYNTAX.at(&Place::of_file(path), message);
            findings.push(finding.help("make the file readable, or remove it"));
            return None;
        }
    };
    let file = resolve::file_name(path);
    match source::text(&file, bytes) {
        Ok(text) => {
            sources.keep(file.clone(), text.clone());
            tree_of(&file, &text, findings)
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
    /// Whether that lacks anything: whether there are errors, or more findings than are kept.
    broken: bool,
    /// What is written, as a tree with places; what has a finding is pruned.
    pub(crate) tree: Option<Node>,
    /// What is written in `portcullis.lock`, if it stands beside the configuration.
    pub(crate) lock: Option<Node>,
    /// Every comment, without its `#`.
    pub(crate) comments: Vec<Placed<String>>,
    /// What the author says about findings, as far as it could be read.
    pub lint: Lint,
    /// Everything that was found, by place.
    pub findings: Vec<Diagnostic>,
    /// Places of values that a variable without a value stands in, where that is allowed.
    pub(crate) missing: BTreeSet<Place>,
    /// The flags and variables that say something instead of the file.
    pub(crate) overridden: Vec<&'static str>,
    /// The environment that was laid over the file.
    pub environment: Option<EnvironmentName>,
    /// The same file with each environment laid over it, where all were asked for.
    pub others: Vec<Loaded>,
    /// The texts that the findings point into.
    pub sources: Sources,
    /// Whether the file could be read at all.
    pub readable: bool,
}

impl Loaded {
    /// What it means where no finding is an error; something critical may have been found all the same.
    #[must_use]
    pub fn whole(&self) -> Option<&Config> {
        self.config.as_ref().or_else(|| self.part.as_ref().filter(|_| !self.broken))
    }
}

/// What a configuration means, every reference resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// SHA-256 of the file's bytes, and of what is laid over it, in hexadecimal.
    pub digest: String,
    /// The flags and variables that say something instead of the file.
    pub overridden: Vec<&'static str>,
    /// Places of values that environment variables went into: not to be shown.
    pub from_env: BTreeSet<Place>,
    /// Where the gateway listens.
    pub listen: Listen,
    /// Every tag.
    pub tags: BTreeMap<TagName, Tag>,
    /// Every server.
    pub servers: BTreeMap<ServerName, Server>,
    /// Every view.
    pub views: BTreeMap<ViewName, View>,
    /// Every ceiling, in the order of the file.
    pub grants: Vec<Grant>,
    /// Every rule, in the order of the file.
    pub rules: Vec<Rule>,
    /// Every rate tier.
    pub rates: BTreeMap<EntryId, Rate>,
    /// Which header fields answers carry.
    pub headers: Headers,
    /// Whose pages may call the gateway.
    pub cors: Cors,
    /// What is done about what looks like an attack.
    pub validation: Validation,
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

impl Config {
    /// Whether there is what an endpoint stands for.
    #[must_use]
    pub fn has(&self, endpoint: &Endpoint) -> bool {
        match endpoint {
            Endpoint::All => true,
            Endpoint::One(server) => self.servers.contains_key(server),
            Endpoint::View(view) => self.views.contains_key(view),
        }
    }
}
