//! `headers:`: which header fields answers carry, besides those that say what an answer is.
//!
//! Two forms. A list holds own entries, over the preset `strict`. A map says more of the preset, and
//! holds the entries under `rules`:
//!
//! ```yaml
//! headers:
//!   preset: strict
//!   hsts: true
//!   rules:
//!     - {set: {Cache-Control: "public, max-age=300"}, on: [metadata]}
//! ```
//!
//! INVARIANT: no entry sets a field that frames an answer, that is one's own connection's (PC216), or
//! that another part of the gateway decides, `cors:` among them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::grants::entry_id;
use crate::{
    config::{
        document::{ListOr, Named, Written},
        findings,
        resolve::{Resolver, good},
    },
    diagnostic::{Place, Placed, nearest},
    name::EntryId,
    policy::{EndpointClass, Unfit, unsendable},
};

/// Which header fields answers carry.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// What is set without being written.
    pub preset: Preset,
    /// Where that is written, where it is.
    pub preset_place: Option<Place>,
    /// Whether `X-XSS-Protection` has the value that old browsers take, and not `0`.
    pub legacy_xss: Option<Placed<bool>>,
    /// Whether `Strict-Transport-Security` goes to those who come by TLS; without a word, where the
    /// preset is strict.
    pub hsts: Option<Placed<bool>>,
    /// Own entries, in the order of the file. Of two that set one field, the later is sent.
    pub rules: Vec<HeaderRule>,
}

/// What is set without being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// What a browser needs to be told of an API and its pages.
    #[default]
    Strict,
    /// Nothing.
    None,
}

/// One entry: what it sets and removes, and on which answers.
#[derive(Debug, Clone)]
pub struct HeaderRule {
    /// Its own name, if it has one.
    pub id: Option<EntryId>,
    /// The endpoints it is about. Empty where it is about all of them.
    pub on: BTreeSet<EndpointClass>,
    /// The fields it sets, as written; no name twice in any case.
    pub set: Vec<(Placed<String>, Placed<String>)>,
    /// The fields that are not sent, as written; no name twice in any case.
    pub remove: Vec<Placed<String>>,
    /// A Cedar expression: the entry holds only where it is true.
    pub when: Option<Placed<String>>,
    /// Where the entry is written.
    pub place: Place,
}

/// What `on` may name: the classes of endpoints, and `oauth` for all of the authorization server.
fn endpoint_words() -> Vec<&'static str> {
    let mut words: Vec<&str> = EndpointClass::ALL.into_iter().map(EndpointClass::as_str).chain(["oauth"]).collect();
    words.sort_unstable();
    words
}

/// Which header fields answers carry: a preset, and own entries over it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadersSection {
    /// What is set without being written: `strict` for what a browser needs to be told, or `none`.
    /// Default: `strict`.
    preset: Option<Written<Preset>>,
    /// Whether `X-XSS-Protection` is `1; mode=block`, for browsers that still filter, and not `0`.
    /// Default: `false`.
    #[serde(rename = "legacy-xss")]
    legacy_xss: Option<Written<bool>>,
    /// Whether `Strict-Transport-Security` (one year, with subdomains) goes to callers that come by TLS,
    /// ended here or by a trusted proxy. Default: with the preset `strict`.
    hsts: Option<Written<bool>>,
    /// Own entries. Of two that set one field on one answer, the later is sent.
    rules: Option<Written<Vec<Written<HeaderSection>>>>,
}

/// One entry: what it sets and removes, and on which answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderSection {
    /// Its own name, by which findings and policies call it.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,62}$"))]
    id: Option<Written<String>>,
    /// The endpoints it is about: `mcp`, `health`, `elsewhere`, `oauth` for the whole authorization
    /// server, or one of its parts. Default: all.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true, "items" = { "enum": endpoint_words() }))]
    on: Option<Written<Vec<Written<String>>>>,
    /// Fields with their values, as in `{X-Robots-Tag: noindex}`.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }))]
    set: Option<Written<Named<String>>>,
    /// Fields of the preset, or of entries before this one, that are not sent.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    remove: Option<Written<Vec<Written<String>>>>,
    /// A Cedar expression over `context.tls`, `context.oauth` and `context.page`: the entry holds only
    /// where it is true.
    when: Option<Written<String>>,
}

impl Headers {
    pub(crate) fn resolve(
        section: Option<Written<ListOr<HeaderSection, HeadersSection>>>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let empty = HeadersSection { preset: None, legacy_xss: None, hsts: None, rules: None };
        let section = match section {
            None => empty,
            Some(Written { place, value }) => match value? {
                ListOr::Map(section) => section,
                ListOr::List(rules) => HeadersSection { rules: Some(Written { place, value: Some(rules) }), ..empty },
            },
        };
        let HeadersSection { preset, legacy_xss, hsts, rules } = section;
        let mut ids = BTreeMap::new();
        let rules = rules.and_then(|rules| rules.value).unwrap_or_default();
        let preset_place = preset.as_ref().map(|preset| preset.place.clone());
        Some(Self {
            preset: match preset {
                Some(preset) => preset.value?,
                None => Preset::default(),
            },
            preset_place,
            legacy_xss: read(legacy_xss)?,
            hsts: read(hsts)?,
            rules: rules.into_iter().filter_map(|rule| HeaderRule::resolve(rule, &mut ids, cx)).collect(),
        })
    }
}

/// A value that may be left out; nothing at all where a finding says what is wrong with it.
fn read<T>(written: Option<Written<T>>) -> Option<Option<Placed<T>>> {
    match written {
        Some(written) => written.placed().map(Some),
        None => Some(None),
    }
}

impl HeaderRule {
    fn resolve(
        entry: Written<HeaderSection>,
        ids: &mut BTreeMap<EntryId, Place>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let Written { place, value } = entry;
        let HeaderSection { id, on, set, remove, when } = value?;
        let id = id.and_then(Written::placed).and_then(|id| entry_id(&id, ids, cx));
        if set.is_none() && remove.is_none() {
            let finding = findings::EMPTY_SELECTOR.at(&place, "this entry sets and removes nothing");
            cx.find(finding.help("say what it does with `set: {NAME: VALUE}` or `remove: [NAME]`"));
            return None;
        }
        let on = match on {
            Some(on) => endpoints(on, cx)?,
            None => BTreeSet::new(),
        };
        let mut seen = BTreeMap::new();
        let set = set.map_or_else(Vec::new, |set| fields(set, &mut seen, cx));
        let remove = remove.map_or_else(Vec::new, |remove| names(remove, cx));
        let when = when.and_then(|when| super::rules::condition("when", Some(when), cx));
        Some(Self { id, on, set, remove, when, place })
    }
}

/// The endpoints that an entry names.
fn endpoints(written: Written<Vec<Written<String>>>, cx: &mut Resolver<'_>) -> Option<BTreeSet<EndpointClass>> {
    let Written { place, value } = written;
    let items = value?;
    if items.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, "`on` is empty, so this entry is about nothing");
        cx.find(finding.help("name endpoints, as in `on: [mcp]`, or remove the key: the entry is then about all"));
        return None;
    }
    let whole = items.iter().all(|item| item.value.is_some());
    let names = cx.distinct(good(items));
    let mut classes = BTreeSet::new();
    let mut known = whole;
    for name in names {
        if let Some(named) = EndpointClass::of_word(&name.value) {
            classes.extend(named);
            continue;
        }
        known = false;
        let words = endpoint_words();
        let list: Vec<String> = words.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("`{}` is no endpoint", cx.shown("on", &name));
        let finding = findings::INVALID_IDENTIFIER.at(&name.place, message);
        let finding = match nearest(&name.value, words) {
            Some(near) => finding.label(format!("did you mean `{near}`?")),
            None => finding,
        };
        cx.find(finding.help(format!("name one of {}", list.join(", "))));
    }
    // One that could not be read must not leave an entry about all of them.
    known.then_some(classes)
}

/// The fields that an entry sets.
fn fields(
    written: Written<Named<String>>,
    seen: &mut BTreeMap<String, Place>,
    cx: &mut Resolver<'_>,
) -> Vec<(Placed<String>, Placed<String>)> {
    let Written { place, value } = written;
    let Some(Named(entries)) = value else { return Vec::new() };
    if entries.is_empty() {
        cx.find(findings::EMPTY_SELECTOR.at(&place, "`set` is empty, so it sets nothing"));
    }
    let mut fields = Vec::new();
    for (name, value) in entries {
        let (Some(name), Some(value)) = (field(name, cx), value.placed().and_then(|value| sendable(value, cx))) else {
            continue;
        };
        let lower = name.value.to_ascii_lowercase();
        if let Some(first) = seen.get(&lower) {
            let finding = findings::DUPLICATE_KEY.at(&name.place, format!("the header `{lower}` is written twice"));
            let finding = finding.label("again here").also(first, "its first value");
            cx.find(finding.help("keep one: header names have no case"));
            continue;
        }
        seen.insert(lower.clone(), name.place.clone());
        // PC216 says so; what is written there is never sent.
        if Unfit::of(&lower).is_none() {
            fields.push((name, value));
        }
    }
    fields
}

/// The fields that an entry removes.
fn names(written: Written<Vec<Written<String>>>, cx: &mut Resolver<'_>) -> Vec<Placed<String>> {
    let Written { place, value } = written;
    let Some(items) = value else { return Vec::new() };
    if items.is_empty() {
        cx.find(findings::EMPTY_SELECTOR.at(&place, "`remove` is empty, so it removes nothing"));
    }
    let mut kept: Vec<Placed<String>> = Vec::new();
    for name in good(items) {
        let Some(name) = field(name, cx) else { continue };
        match kept.iter().find(|first| first.value.eq_ignore_ascii_case(&name.value)) {
            Some(first) => {
                let finding = findings::POLICY_REDUNDANT.at(&name.place, format!("`{}` is listed twice", name.value));
                cx.find(finding.label("again here").also(&first.place, "first here"));
            }
            None => kept.push(name),
        }
    }
    kept
}

/// A field's name that an entry may speak of. What belongs to the connection has a finding of its own.
fn field(name: Placed<String>, cx: &mut Resolver<'_>) -> Option<Placed<String>> {
    let finding = match Unfit::of(&name.value) {
        None | Some(Unfit::OfTheConnection) => return Some(name),
        Some(unfit @ Unfit::NoName) => {
            let message = format!("`{}` {}", cx.shown("header", &name), unfit.problem());
            findings::INVALID_IDENTIFIER.at(&name.place, message).help("header names are letters, digits and `-`")
        }
        Some(unfit @ Unfit::OfCors) => {
            let finding = findings::WRONG_TYPE.at(&name.place, format!("`{}` {}", name.value, unfit.problem()));
            finding.help("list the origins under `cors.origins`")
        }
        Some(unfit @ Unfit::OfTheAnswer) => {
            let finding = findings::WRONG_TYPE.at(&name.place, format!("`{}` {}", name.value, unfit.problem()));
            finding.help("remove it: it says what the answer is")
        }
    };
    cx.find(finding);
    None
}

/// A value that can be sent. One of several lines is PC214's, and an error here, so that it never is.
fn sendable(value: Placed<String>, cx: &mut Resolver<'_>) -> Option<Placed<String>> {
    let Some(problem) = unsendable(&value.value) else { return Some(value) };
    cx.find(findings::WRONG_TYPE.at(&value.place, format!("the value {problem}")).help("write one line of plain text"));
    None
}
