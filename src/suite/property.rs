//! What never, or always, holds: of a kind of principal and a kind of thing.

use std::collections::BTreeSet;

use super::{
    file::{AnnotationsSection, MethodWord, PropertySection, WhatSection, WhoSection},
    read::Cx,
    who::listed,
};
use crate::{
    config::{TextOr, Written},
    diagnostic::Place,
    name::{Pattern, ScopeName, ServerName},
    policy::Verb,
};

/// Whether what it names must be denied or allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whoever is meant is denied whatever is meant.
    Never,
    /// Whoever is meant is allowed whatever is meant.
    Always,
}

/// A property over the whole space of requests.
#[derive(Debug)]
pub struct Property {
    /// What it says.
    pub name: String,
    /// Never or always.
    pub kind: Kind,
    /// Of whom.
    pub who: WhoKind,
    /// Of what.
    pub what: What,
    /// Why it is skipped, if it is.
    pub skip: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// A kind of principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoKind {
    /// Everybody, with any token or none.
    Any,
    /// Nobody known.
    Anonymous,
    /// Everybody whose token has these scopes at most.
    SubsetOf(BTreeSet<ScopeName>),
    /// Everybody whose token has none of these scopes.
    Without(BTreeSet<ScopeName>),
}

/// A kind of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct What {
    /// What is done.
    pub verb: Verb,
    /// Of which server; all where nothing is said.
    pub server: Option<ServerName>,
    /// Of which names.
    pub names: Option<Pattern>,
    /// With which hints, by their names in the protocol.
    pub hints: Vec<(Hint, bool)>,
}

/// A hint of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// `readOnlyHint`
    ReadOnly,
    /// `destructiveHint`
    Destructive,
    /// `idempotentHint`
    Idempotent,
    /// `openWorldHint`
    OpenWorld,
}

pub(super) fn read(
    kind: Kind,
    section: Option<Written<Vec<Written<PropertySection>>>>,
    cx: &mut Cx<'_>,
) -> Vec<Property> {
    let entries = section.and_then(|section| section.value).unwrap_or_default();
    let entries = entries.into_iter().enumerate();
    entries.filter_map(|(index, entry)| property(kind, index, entry, cx)).collect()
}

fn property(kind: Kind, index: usize, entry: Written<PropertySection>, cx: &mut Cx<'_>) -> Option<Property> {
    let Written { place, value } = entry;
    let PropertySection { name, principal, tool, server, method, skip, skip_reason } = value?;
    let name = name.and_then(|name| cx.filled("name", name));
    let skip = cx.skip(&place, skip, skip_reason);
    let Written { place: who_place, value: who } = principal;
    let who = who.and_then(|who| who_kind(who, &who_place, cx));
    let server = server.map(|server| cx.name::<ServerName>(server));
    let what = what(tool, server, method, &place, cx);
    let word = match kind {
        Kind::Never => "never",
        Kind::Always => "always",
    };
    let name = name.map_or_else(|| format!("{word} {}", index + 1), |name| name.value);
    Some(Property { name, kind, who: who?, what: what?, skip, place })
}

fn who_kind(section: WhoSection, place: &Place, cx: &mut Cx<'_>) -> Option<WhoKind> {
    let WhoSection { any, anonymous, scopes_subset_of, without } = section;
    let said = [any.is_some(), anonymous.is_some(), scopes_subset_of.is_some(), without.is_some()];
    if said.into_iter().filter(|is| *is).count() != 1 {
        cx.wrong(place, "a kind of principal is exactly one of `any`, `anonymous`, `scopes_subset_of` and `without`");
        return None;
    }
    for (key, flag) in [("any", &any), ("anonymous", &anonymous)] {
        if let Some(Written { place, value: Some(false) }) = flag {
            cx.wrong(place, format!("`{key}` is only ever `true`"));
            return None;
        }
    }
    if let Some(scopes) = scopes_subset_of {
        return Some(WhoKind::SubsetOf(listed(Some(scopes)).iter().filter_map(|scope| cx.scope(scope)).collect()));
    }
    if let Some(scopes) = without {
        let scopes = cx.names("without", scopes);
        return Some(WhoKind::Without(scopes.iter().filter_map(|scope| cx.scope(scope)).collect()));
    }
    Some(if any.is_some() { WhoKind::Any } else { WhoKind::Anonymous })
}

/// What is meant; `server` is twice nothing where none is named, once where its name is wrong.
fn what(
    tool: Option<Written<TextOr<WhatSection>>>,
    server: Option<Option<ServerName>>,
    method: Option<Written<MethodWord>>,
    place: &Place,
    cx: &mut Cx<'_>,
) -> Option<What> {
    let method = match method {
        None => None,
        Some(method) => Some(method.value?.verb()),
    };
    let server = match server {
        None => None,
        Some(server) => Some(server?),
    };
    let Some(tool) = tool else {
        if server.is_none() && method.is_none() {
            cx.wrong(place, "this says nothing of what is meant: name a `tool`, a `server` or a `method`");
            return None;
        }
        return Some(What { verb: method.unwrap_or(Verb::ToolsCall), server, names: None, hints: Vec::new() });
    };
    let verb = method.unwrap_or(Verb::ToolsCall);
    if !verb.takes("Tool") {
        cx.wrong(&tool.place, format!("`{verb}` is not done to a tool"));
        return None;
    }
    let (names, hints) = match tool.value? {
        TextOr::Text(text) => (Some((text, tool.place.clone())), Vec::new()),
        TextOr::Map(WhatSection { name, annotations }) => {
            let hints = annotations.and_then(|annotations| annotations.value).map(hints).unwrap_or_default();
            if name.is_none() && hints.is_empty() {
                cx.wrong(&tool.place, "`tool` says nothing: name a `name` or `annotations`");
                return None;
            }
            (name.and_then(Written::placed).map(|name| (name.value, name.place)), hints)
        }
    };
    let Some((text, place)) = names else { return Some(What { verb, server, names: None, hints }) };
    let (server, pattern) = match (server, text.split_once('/')) {
        (None, Some((server, pattern))) => (Some(cx.named(&place, server.parse())?), pattern.to_owned()),
        (server, _) => (server, text),
    };
    Some(What { verb, server, names: Some(cx.named(&place, pattern.parse())?), hints })
}

fn hints(section: AnnotationsSection) -> Vec<(Hint, bool)> {
    let AnnotationsSection { read_only_hint, destructive_hint, idempotent_hint, open_world_hint } = section;
    let said = [
        (Hint::ReadOnly, read_only_hint),
        (Hint::Destructive, destructive_hint),
        (Hint::Idempotent, idempotent_hint),
        (Hint::OpenWorld, open_world_hint),
    ];
    said.into_iter().filter_map(|(hint, written)| Some((hint, written?.value?))).collect()
}
