//! The page on which a person decides what a client may do.
//!
//! It shows what is asked, by whom, where the answer goes and what each scope opens now, the worst first.
//! Denying comes first in the order of the keyboard, so that a stray Enter allows nothing. What comes
//! back is no more than ticks and a choice: what they mean is in the sealed handle.
//!
//! SPEC: oauth §5.3, §5.4; SM-12; OA-92, OA-95 to OA-98, T-063, T-065, T-070; AS-24, AS-33.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use askama::Template;

use super::{
    client::{Client, Destination, KnownBy},
    field,
    frame::{Frame, Html},
    lasting::lasting,
    path,
    shown::Shown,
};
use crate::{
    config::ScopeDrift,
    lock::Hints,
    name::{ScopeName, ServerName, ToolName},
    policy::Risk,
    secret::Secret,
};

/// The most tools of one server that are listed under one scope; the rest is counted.
const LISTED: usize = 50;
/// Up to so many tools in all, the lists are open from the start.
const OPEN: usize = 12;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Consent<'a> {
    /// The secret without which the form is not taken.
    pub(crate) csrf: &'a Secret<String>,
    /// The sealed request.
    pub(crate) handle: &'a Secret<String>,
    /// Who asks.
    pub(crate) client: Client,
    /// Where the answer goes.
    pub(crate) destination: Destination,
    /// The resource that the tokens are good for.
    pub(crate) resource: Shown,
    /// What may be granted; what is offered and not asked for is not ticked.
    pub(crate) offers: Vec<Offer>,
    /// What is asked for and may not be granted to this person.
    pub(crate) beyond: Vec<ScopeName>,
    /// How long it lasts.
    pub(crate) lifetime: Lifetime,
    /// What becomes of servers that join its tags later.
    pub(crate) drift: ScopeDrift,
}

/// A scope that may be granted.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The scope.
    pub(crate) scope: ScopeName,
    /// What the configuration says of its tag.
    pub(crate) description: Option<Shown>,
    /// Whether the configuration calls it sensitive.
    pub(crate) sensitive: bool,
    /// Whether the client asks for it by name; only then it is ticked.
    pub(crate) asked: bool,
    /// Whether it is added to what the person allowed this client before.
    pub(crate) new: bool,
    /// What it opens now.
    pub(crate) opens: Vec<Opens>,
}

/// What a scope opens of one server.
#[derive(Debug, Clone)]
pub(crate) struct Opens {
    /// The server.
    pub(crate) server: ServerName,
    /// Its tools; nothing where they are not known now.
    pub(crate) tools: Option<Vec<Tool>>,
    /// How many prompts.
    pub(crate) prompts: usize,
    /// How many resources and templates of resources.
    pub(crate) resources: usize,
}

/// A tool that a scope opens.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: ToolName,
    /// What its server calls it.
    pub(crate) title: Option<Shown>,
    /// What its server says that it does.
    pub(crate) effect: Effect,
    /// The scopes that are needed besides.
    pub(crate) besides: BTreeSet<ScopeName>,
    /// Whether the policies forbid it to this person whatever is granted.
    pub(crate) forbidden: bool,
}

/// What a tool does to data, by what its server says. The worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// It may destroy something, or its server does not say.
    Destroys,
    /// It changes something.
    Changes,
    /// It reads only.
    Reads,
}

/// How long a grant lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    /// An access token.
    pub(crate) access: Duration,
    /// How it is renewed, where it is.
    pub(crate) renews: Option<Renewal>,
}

/// How a grant is renewed without asking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renewal {
    /// It ends when it is not used for so long.
    pub(crate) idle: Duration,
    /// It ends after so long in any case.
    pub(crate) most: Duration,
}

impl From<Hints> for Effect {
    fn from(hints: Hints) -> Self {
        match hints.risk() {
            Risk::Read => Self::Reads,
            Risk::Write => Self::Changes,
            Risk::Destructive => Self::Destroys,
        }
    }
}

impl Effect {
    const ALL: [Self; 3] = [Self::Destroys, Self::Changes, Self::Reads];

    const fn words(self) -> &'static str {
        match self {
            Self::Destroys => "can destroy",
            Self::Changes => "changes",
            Self::Reads => "reads",
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Destroys => "danger",
            Self::Changes => "caution",
            Self::Reads => "calm",
        }
    }
}

/// The page on which a person decides what a client may do.
pub(crate) fn consent(frame: &Frame<'_>, consent: &Consent<'_>) -> Html {
    let Consent { csrf, handle, client, destination, resource, offers, beyond, lifetime, drift } = consent;
    let tools: usize =
        offers.iter().flat_map(|offer| &offer.opens).flat_map(|opens| opens.tools.iter().flatten()).count();
    Html::of(&Page {
        frame,
        csrf: csrf.expose(),
        handle: handle.expose(),
        client,
        destination,
        resource,
        named: offers.iter().any(|offer| offer.asked),
        rows: offers.iter().map(Row::of).collect(),
        beyond,
        lasts: lifetime.words(),
        joins: joins(*drift),
        open: tools <= OPEN,
    })
}

/// What becomes of servers that join a tag later.
const fn joins(drift: ScopeDrift) -> &'static str {
    match drift {
        ScopeDrift::Reconsent => "A server that joins a tag later stays closed until you are asked again.",
        ScopeDrift::Allow => "A server that joins a tag later is open at once.",
        ScopeDrift::Notify => {
            "A server that joins a tag later is open at once, and its use is noted in the audit trail."
        }
    }
}

impl Lifetime {
    fn words(self) -> String {
        let Self { access, renews } = self;
        match renews {
            None => format!("{}. After that it has to ask you again.", lasting(access)),
            Some(Renewal { idle, most }) if idle < most => format!(
                "Until you revoke it, at most {}. It renews itself without asking you, and ends after {} without use.",
                lasting(most),
                lasting(idle)
            ),
            Some(Renewal { idle: _, most }) => {
                format!("Until you revoke it, at most {}. It renews itself without asking you.", lasting(most))
            }
        }
    }
}

#[derive(Template)]
#[template(path = "consent.html", config = "src/http/page/askama.toml")]
struct Page<'a> {
    frame: &'a Frame<'a>,
    csrf: &'a str,
    handle: &'a str,
    client: &'a Client,
    destination: &'a Destination,
    resource: &'a Shown,
    /// Whether the client names what it wants.
    named: bool,
    rows: Vec<Row<'a>>,
    beyond: &'a [ScopeName],
    lasts: String,
    joins: &'static str,
    open: bool,
}

/// One scope.
struct Row<'a> {
    offer: &'a Offer,
    summary: String,
    servers: Vec<Server<'a>>,
}

/// One server under a scope.
struct Server<'a> {
    name: &'a ServerName,
    /// Whether its tools are known.
    known: bool,
    groups: Vec<Group<'a>>,
    /// What is not listed.
    more: Option<String>,
    /// What it offers besides tools.
    other: Option<String>,
}

/// The tools that need the same scopes besides.
struct Group<'a> {
    besides: Vec<&'a ScopeName>,
    tools: Vec<&'a Tool>,
}

impl<'a> Row<'a> {
    fn of(offer: &'a Offer) -> Self {
        Self { offer, summary: summary(&offer.opens), servers: offer.opens.iter().map(Server::of).collect() }
    }
}

impl<'a> Server<'a> {
    fn of(opens: &'a Opens) -> Self {
        let Opens { server, tools, prompts, resources } = opens;
        let mut all: Vec<&Tool> = tools.iter().flatten().collect();
        all.sort_by_key(|tool| (tool.forbidden, tool.effect, &tool.name));
        let unlisted = all.split_off(all.len().min(LISTED));
        let mut groups: BTreeMap<_, Vec<&Tool>> = BTreeMap::new();
        for tool in all {
            groups.entry(&tool.besides).or_default().push(tool);
        }
        let groups = groups.into_iter().map(|(besides, tools)| Group { besides: besides.iter().collect(), tools });
        let more = format!("and {} more: {}", count(unlisted.len(), "tool"), effects(unlisted.iter().copied()));
        let other: Vec<String> = [(*prompts, "prompt"), (*resources, "resource")]
            .into_iter()
            .filter(|(how_many, _)| *how_many > 0)
            .map(|(how_many, what)| count(how_many, what))
            .collect();
        Self {
            name: server,
            known: tools.is_some(),
            groups: groups.collect(),
            more: (!unlisted.is_empty()).then_some(more),
            other: (!other.is_empty()).then(|| other.join(", ")),
        }
    }
}

/// What a scope opens, in one line.
fn summary(opens: &[Opens]) -> String {
    let names: Vec<&str> = opens.iter().map(|opens| opens.server.as_str()).collect();
    let servers = match *names.as_slice() {
        [] => return "Opens nothing at present".to_owned(),
        [one] => one.to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, .., _] => format!("{one}, {two} and {} more servers", names.len() - 2),
    };
    let tools: Vec<&Tool> = opens.iter().flat_map(|opens| opens.tools.iter().flatten()).collect();
    let unknown =
        if opens.iter().any(|opens| opens.tools.is_none()) { ", and tools that are not known now" } else { "" };
    match tools.as_slice() {
        [] if !unknown.is_empty() => format!("Opens {servers}, whose tools are not known now"),
        [] if names.len() == 1 => format!("Opens {servers}, which offers no tools"),
        [] => format!("Opens {servers}, which offer no tools"),
        tools => {
            let of_them = effects(tools.iter().copied());
            format!("Opens {servers}: {} ({of_them}){unknown}", count(tools.len(), "tool"))
        }
    }
}

/// How many tools do what.
fn effects<'a>(tools: impl Iterator<Item = &'a Tool>) -> String {
    let mut counts: BTreeMap<Option<Effect>, usize> = BTreeMap::new();
    for tool in tools {
        *counts.entry((!tool.forbidden).then_some(tool.effect)).or_default() += 1;
    }
    let said = Effect::ALL.into_iter().filter_map(|effect| {
        let how_many = counts.get(&Some(effect))?;
        let one = *how_many == 1;
        Some(match effect {
            Effect::Destroys => format!("{how_many} can destroy"),
            Effect::Changes => format!("{how_many} change{}", if one { "s" } else { "" }),
            Effect::Reads => format!("{how_many} read{}", if one { "s" } else { "" }),
        })
    });
    let forbidden = counts.get(&None).map(|how_many| format!("{how_many} forbidden to you"));
    said.chain(forbidden).collect::<Vec<_>>().join(", ")
}

fn count(how_many: usize, what: &str) -> String {
    format!("{how_many} {what}{}", if how_many == 1 { "" } else { "s" })
}
