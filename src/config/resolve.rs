//! From what is written to what is meant: every reference looked up, every problem gathered.
//!
//! Each section resolves itself ([`super::section`]); here is what they share, and the order in
//! which they do it: tags and servers are known before anything names them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use super::{
    Audit, Config, Cors, Encryption, Headers, Lint, Listen, OAuth, Store, Validation,
    document::{Document, Named, Written},
    findings, look_alike, secrecy,
    section::{grants, policies, rates, rules, servers, tags, views},
    source::Sources,
};
use crate::{
    diagnostic::{About, Diagnostic, Place, Placed, Safety, nearest, slip_of},
    name::{NameError, ScopeName, ServerName, TagName},
};

/// What resolving needs besides the document.
pub(super) struct Origin<'a> {
    /// The directory of the configuration file.
    pub(super) base: &'a Path,
    /// The file's digest.
    pub(super) digest: String,
    /// The whole document's place.
    pub(super) place: Place,
    /// Values that the environment went into.
    pub(super) from_env: Vec<Place>,
    /// The flags and variables that say something instead of the file.
    pub(super) overridden: Vec<&'static str>,
}

/// What the document means. Findings say what is wrong with it; without any grave one, it is whole.
pub(super) fn resolve(
    document: Document,
    origin: Origin<'_>,
    sources: &mut Sources,
    lint: &mut Lint,
    findings: &mut Vec<Diagnostic>,
) -> Option<Config> {
    let Document {
        version,
        listen,
        tags,
        servers,
        views,
        grants,
        rules,
        rates,
        headers,
        cors,
        validation,
        oauth,
        audit,
        store,
        encryption,
        policies,
        lint: written_lint,
    } = document;
    let Origin { base, digest, place, from_env, overridden } = origin;
    let mut cx = Resolver {
        base,
        place,
        from_env: from_env.into_iter().collect(),
        tags: declared(tags.as_ref()),
        servers: declared(servers.as_ref()),
        findings,
    };
    cx.version(&version);
    *lint = Lint::resolve(written_lint, &mut cx);
    let tags = tags::resolve(tags, &mut cx);
    let servers = servers::resolve(servers, &mut cx);
    let views = views::resolve(views, &mut cx);
    let grants = grants::resolve(grants, &mut cx);
    let rules = rules::resolve(rules, &mut cx);
    let rates = rates::resolve(rates, &mut cx);
    let oauth = OAuth::resolve(oauth, &mut cx);
    let headers = Headers::resolve(headers, &mut cx);
    let cors = Cors::resolve(cors, oauth.as_ref(), &mut cx);
    let validation = Validation::resolve(validation, &mut cx);
    let listen = Listen::resolve(listen, oauth.as_ref(), &mut cx);
    let audit = Audit::resolve(audit, &mut cx);
    let store = Store::resolve(store, &mut cx);
    let encryption = Encryption::resolve(encryption, &mut cx);
    let policies = policies::resolve(policies, sources, &mut cx);
    Some(Config {
        digest,
        overridden,
        from_env: cx.from_env,
        listen: listen?,
        tags,
        servers,
        views,
        grants,
        rules,
        rates,
        headers: headers?,
        cors: cors?,
        validation: validation?,
        oauth: oauth?,
        audit: audit?,
        store: store?,
        encryption: encryption?,
        policies,
    })
}

/// What the sections share while they resolve themselves.
pub(crate) struct Resolver<'a> {
    base: &'a Path,
    place: Place,
    from_env: BTreeSet<Place>,
    tags: BTreeMap<String, Place>,
    servers: BTreeMap<String, Place>,
    findings: &'a mut Vec<Diagnostic>,
}

impl<'a> Resolver<'a> {
    /// One for a section alone, where these tags are declared.
    #[cfg(test)]
    pub(crate) fn for_test(tags: &[&str], findings: &'a mut Vec<Diagnostic>) -> Self {
        let place = Place::of_file(Path::new("test.yaml"));
        let tags = tags.iter().map(|tag| ((*tag).to_owned(), place.clone())).collect();
        Self { base: Path::new(""), place, from_env: BTreeSet::new(), tags, servers: BTreeMap::new(), findings }
    }
}

impl Resolver<'_> {
    /// Puts a finding on record.
    pub(crate) fn find(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// The place of what is not written: the document's first character.
    pub(crate) fn nowhere(&self) -> Place {
        Place { end: self.place.start, ..self.place.clone() }
    }

    /// A path relative to the configuration file's directory.
    pub(crate) fn path(&self, written: &str) -> PathBuf {
        self.base.join(written)
    }

    /// The directory of the configuration file.
    pub(crate) fn base(&self) -> &Path {
        self.base
    }

    /// A written path; an empty one is a finding.
    pub(crate) fn file(&mut self, key: &str, written: Placed<String>) -> Option<PathBuf> {
        if written.value.is_empty() || written.value.contains('\0') {
            self.find(findings::WRONG_TYPE.at(&written.place, format!("`{key}` must be a path")));
            return None;
        }
        Some(self.path(&written.value))
    }

    /// A value as a message may show it: not if it is a secret or came from the environment.
    pub(crate) fn shown(&self, key: &str, written: &Placed<String>) -> String {
        if self.is_from_env(&written.place) {
            return "…".into();
        }
        secrecy::shown(key, &written.value)
    }

    /// Whether the environment went into the value that stands there.
    pub(crate) fn is_from_env(&self, place: &Place) -> bool {
        self.from_env.contains(place)
    }

    /// A name, or PC012.
    pub(crate) fn name<T: FromStr<Err = NameError>>(&mut self, written: &Placed<String>) -> Option<Placed<T>> {
        self.named(&written.place, written.value.parse())
    }

    /// A name that was parsed already, or PC012.
    pub(crate) fn named<T>(&mut self, place: &Place, parsed: Result<T, NameError>) -> Option<Placed<T>> {
        match parsed {
            Ok(name) => Some(Placed::new(name, place.clone())),
            Err(error) => {
                let finding = findings::INVALID_IDENTIFIER.at(place, error.to_string());
                let finding = match look_alike::first(error.text()) {
                    Some(what) => finding.label(what),
                    None => finding,
                };
                self.find(
                    finding.help("rename it: names are compared character by character, so their alphabet is small"),
                );
                None
            }
        }
    }

    /// A tag that `tags` declares.
    pub(crate) fn tag(&mut self, written: &Placed<String>) -> Option<Placed<TagName>> {
        if let Some(bare) = written.value.strip_prefix("tag:")
            && self.tags.contains_key(bare)
        {
            let finding = findings::INVALID_IDENTIFIER
                .at(&written.place, format!("`{}` is a scope; here a tag is meant", written.value));
            self.find(finding.help(format!("write `{bare}`")));
            return None;
        }
        let tag = self.name::<TagName>(written)?;
        self.declared_tag(tag.value.as_str(), &tag.place, &format!("unknown tag `{}`", tag.value), "").then_some(tag)
    }

    /// A scope whose tag `tags` declares.
    pub(crate) fn scope(&mut self, written: &Placed<String>) -> Option<Placed<ScopeName>> {
        if self.tags.contains_key(&written.value) {
            let message = format!("`{}` is a tag; here a scope is meant", written.value);
            let finding = findings::INVALID_IDENTIFIER.at(&written.place, message);
            self.find(finding.help(format!("write `tag:{}`", written.value)));
            return None;
        }
        let scope = self.name::<ScopeName>(written)?;
        let tag = scope.value.tag();
        self.declared_tag(
            tag.as_str(),
            &scope.place,
            &format!("no tag is declared for the scope `{}`", scope.value),
            "tag:",
        )
        .then_some(scope)
    }

    fn declared_tag(&mut self, tag: &str, place: &Place, message: &str, prefix: &str) -> bool {
        if self.tags.contains_key(tag) {
            return true;
        }
        let finding = unknown(&findings::UNKNOWN_TAG, place, message, prefix, tag, &self.tags, "tags");
        self.find(finding);
        false
    }

    /// Where a server is declared.
    pub(crate) fn server_place(&self, name: &str) -> Option<Place> {
        self.servers.get(name).cloned()
    }

    /// A server that `servers` declares, or PC107, which says what comes of it.
    pub(crate) fn server(&mut self, name: &str, place: &Place, outcome: &str) -> Option<ServerName> {
        let server = self.named::<ServerName>(place, name.parse())?.value;
        if self.servers.contains_key(name) {
            return Some(server);
        }
        let message = format!("unknown server `{name}`, {outcome}");
        let finding = unknown(&findings::FORBID_NEVER_DENIES, place, &message, "", name, &self.servers, "servers");
        self.find(finding);
        None
    }

    /// The list sorted, a repetition found and dropped.
    pub(crate) fn distinct<T: Ord + std::fmt::Display>(&mut self, list: Vec<Placed<T>>) -> Vec<Placed<T>> {
        let mut kept: BTreeMap<T, Place> = BTreeMap::new();
        for Placed { value, place } in list {
            if let Some(first) = kept.get(&value) {
                let finding = findings::POLICY_REDUNDANT.at(&place, format!("`{value}` is listed twice"));
                self.find(finding.label("again here").also(first, "first here"));
                continue;
            }
            kept.insert(value, place);
        }
        kept.into_iter().map(|(value, place)| Placed::new(value, place)).collect()
    }

    fn version(&mut self, written: &Written<u64>) {
        if let Some(version) = written.value
            && version != 1
        {
            self.find(findings::UNSUPPORTED_VERSION.at(&written.place, format!("version {version} is not supported")));
        }
    }
}

/// Values of a list that are good.
pub(crate) fn good<T>(list: Vec<Written<T>>) -> Vec<Placed<T>> {
    list.into_iter().filter_map(Written::placed).collect()
}

/// The names that a section declares, whether or not what they stand for is sound.
fn declared<T>(section: Option<&Written<Named<T>>>) -> BTreeMap<String, Place> {
    let entries = section.and_then(|section| section.value.as_ref()).map(|Named(entries)| entries.as_slice());
    entries.unwrap_or_default().iter().map(|(name, _)| (name.value.clone(), name.place.clone())).collect()
}

fn unknown(
    about: &About,
    place: &Place,
    message: &str,
    prefix: &str,
    name: &str,
    known: &BTreeMap<String, Place>,
    section: &str,
) -> Diagnostic {
    let finding = about.at(place, message);
    match nearest(name, known.keys().map(String::as_str)) {
        Some(near) => {
            let finding = finding.label(format!("did you mean `{prefix}{near}`?"));
            let meant =
                slip_of(name, known.keys().map(String::as_str)).filter(|_| about.code == findings::UNKNOWN_TAG.code);
            let finding = match meant {
                Some(meant) => {
                    finding.fix(Safety::Safe, format!("write `{prefix}{meant}`"), place, format!("\"{prefix}{meant}\""))
                }
                None => finding,
            };
            let finding = finding.help(format!("write `{prefix}{near}`, or declare `{name}` under `{section}`"));
            match known.get(near) {
                Some(there) => finding.also(there, format!("`{near}` is declared here")),
                None => finding,
            }
        }
        None if known.is_empty() => finding.help(format!("declare `{name}` under `{section}`, which has no entries")),
        None => {
            let some: Vec<String> = known.keys().take(12).map(|name| format!("`{prefix}{name}`")).collect();
            let more = if known.len() > some.len() { ", …" } else { "" };
            finding.help(format!("declare `{name}` under `{section}`, or name one of {}{more}", some.join(", ")))
        }
    }
}

/// The file's name as the author would write it.
pub(super) fn file_name(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}
