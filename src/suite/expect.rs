//! What is expected: of pairs of a principal and a request, and of lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    ask::Ask,
    file::{BecauseWord, DecisionWord, ExpectSection, ListSection, ListWord, TestSection},
    read::Cx,
    who::{Names, Who, listed},
};
use crate::{
    config::Written,
    diagnostic::{Place, Placed},
    name::{PromptName, ResourceUri, ScopeName, ServerName, ToolName, ViewName},
    policy::{Because, Target, Verb},
};

/// Principals × requests.
#[derive(Debug)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// Every pair.
    pub pairs: Vec<Pair>,
    /// Why it is skipped, if it is.
    pub skip: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// One principal and one request.
#[derive(Debug)]
pub struct Pair {
    /// Who asks.
    pub who: Arc<Who>,
    /// What.
    pub ask: Arc<Ask>,
    /// What is expected.
    pub expected: Arc<Expected>,
}

/// What is expected of a decision. What is not said is not compared.
#[derive(Debug)]
pub struct Expected {
    /// Whether it is allowed.
    pub allow: bool,
    /// The reason code.
    pub because: Option<Because>,
    /// The scopes that would turn it.
    pub missing: Option<BTreeSet<ScopeName>>,
    /// Policies that determine it.
    pub by: Vec<String>,
    /// The HTTP status.
    pub status: Option<u64>,
    /// The JSON-RPC code.
    pub jsonrpc: Option<i128>,
    /// How many policies could not be evaluated.
    pub errors: Option<u64>,
    /// Where it is written; the test itself where the pair is not listed.
    pub place: Place,
    /// Whether the pair is listed.
    pub listed: bool,
}

/// What one list shows to some principals.
#[derive(Debug)]
pub struct ListTest {
    /// What it shows.
    pub name: String,
    /// To whom.
    pub whos: Vec<Arc<Who>>,
    /// The verb that shows an entry.
    pub verb: Verb,
    /// Whose list.
    pub server: ServerName,
    /// The view that the request goes through.
    pub view: Option<ViewName>,
    /// The scopes of the tags that the request names.
    pub named: Option<BTreeSet<ScopeName>>,
    /// What is expected.
    pub shown: Shown,
    /// Why it is skipped, if it is.
    pub skip: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// What is expected of a list.
#[derive(Debug, Default)]
pub struct Shown {
    /// All that it shows.
    pub exactly: Option<Vec<Target>>,
    /// Some of what it shows.
    pub contains: Vec<Target>,
    /// What it does not show.
    pub lacks: Vec<Target>,
}

pub(super) fn tests(
    section: Option<Written<Vec<Written<TestSection>>>>,
    names: &Names,
    requests: &BTreeMap<String, Arc<Ask>>,
    cx: &mut Cx<'_>,
) -> Vec<Test> {
    let entries = section.and_then(|section| section.value).unwrap_or_default();
    let mut tests = Vec::new();
    for (index, Written { place, value }) in entries.into_iter().enumerate() {
        let Some(TestSection { name, principals, requests: asked, expect, skip, skip_reason }) = value else {
            continue;
        };
        let name = name.and_then(|name| cx.filled("name", name));
        let skip = cx.skip(&place, skip, skip_reason);
        let principals = cx.names("principals", principals);
        let whos = names.all(&principals, cx);
        let asked = cx.names("requests", asked);
        let asks = asks(&asked, requests, cx);
        let unlisted = Arc::new(Expected::denied(&place));
        let mut pairs: Vec<Pair> = whos
            .iter()
            .flat_map(|who| asks.iter().map(move |ask| (who.clone(), ask.clone())))
            .map(|(who, ask)| Pair { who, ask, expected: unlisted.clone() })
            .collect();
        let expect = expect.and_then(|expect| expect.value).unwrap_or_default();
        for entry in expect {
            expected(entry, &mut pairs, names, requests, cx);
        }
        let name = name.map_or_else(|| format!("test {}", index + 1), |name| name.value);
        tests.push(Test { name, pairs, skip, place });
    }
    tests
}

pub(super) fn asks(names: &[Placed<String>], requests: &BTreeMap<String, Arc<Ask>>, cx: &mut Cx<'_>) -> Vec<Arc<Ask>> {
    let mut found: Vec<Arc<Ask>> = Vec::new();
    for name in names {
        match requests.get(&name.value) {
            Some(ask) if found.iter().any(|other| Arc::ptr_eq(other, ask)) => {}
            Some(ask) => found.push(ask.clone()),
            None => cx.unknown("request", "requests", name, requests.keys().map(String::as_str)),
        }
    }
    found
}

/// Puts one entry of `expect` onto the pairs that it names.
fn expected(
    entry: Written<ExpectSection>,
    pairs: &mut [Pair],
    names: &Names,
    requests: &BTreeMap<String, Arc<Ask>>,
    cx: &mut Cx<'_>,
) {
    let Written { place, value } = entry;
    let Some(ExpectSection { principal, request, decision, because, missing, by, status, jsonrpc, errors }) = value
    else {
        return;
    };
    let principal = cx.names("principal", principal);
    let whos = names.all(&principal, cx);
    let request = cx.names("request", request);
    let asked = asks(&request, requests, cx);
    let Some(decision) = decision.value else { return };
    let missing = missing.map(|missing| listed(Some(missing)).iter().filter_map(|scope| cx.scope(scope)).collect());
    let allow = decision == DecisionWord::Allow;
    let because = because.and_then(|because| because.value).map(BecauseWord::because);
    if because.is_some_and(|because| (because == Because::Permitted) != allow) {
        cx.wrong(&place, "`because` does not go with `decision`: `permitted` is the one reason to allow");
    }
    let expected = Arc::new(Expected {
        allow,
        because,
        missing,
        by: by.map(|by| cx.names("by", by)).unwrap_or_default().into_iter().map(|by| by.value).collect(),
        status: status.and_then(|status| status.value),
        jsonrpc: jsonrpc.and_then(|jsonrpc| jsonrpc.value),
        errors: errors.and_then(|errors| errors.value),
        place: place.clone(),
        listed: true,
    });
    for who in &whos {
        for ask in &asked {
            let pair = pairs.iter_mut().find(|pair| Arc::ptr_eq(&pair.who, who) && Arc::ptr_eq(&pair.ask, ask));
            match pair {
                None => cx.wrong(
                    &place,
                    format!(
                        "this test does not ask `{}` for `{}`: name both in `principals` and `requests`",
                        ask.name, who.name
                    ),
                ),
                Some(pair) if pair.expected.listed => {
                    cx.wrong(&place, format!("`{}` for `{}` is expected twice", ask.name, who.name));
                }
                Some(pair) => pair.expected = expected.clone(),
            }
        }
    }
}

impl Expected {
    /// What is expected of a pair that is not listed.
    fn denied(place: &Place) -> Self {
        Self {
            allow: false,
            because: None,
            missing: None,
            by: Vec::new(),
            status: None,
            jsonrpc: None,
            errors: None,
            place: place.clone(),
            listed: false,
        }
    }
}

pub(super) fn lists(
    section: Option<Written<Vec<Written<ListSection>>>>,
    names: &Names,
    cx: &mut Cx<'_>,
) -> Vec<ListTest> {
    let entries = section.and_then(|section| section.value).unwrap_or_default();
    entries.into_iter().filter_map(|entry| list(entry, names, cx)).collect()
}

fn list(entry: Written<ListSection>, names: &Names, cx: &mut Cx<'_>) -> Option<ListTest> {
    let Written { place, value } = entry;
    let ListSection { name, principal, method, server, view, tags, exactly, contains, lacks, skip, skip_reason } =
        value?;
    let name = name.and_then(|name| cx.filled("name", name));
    let skip = cx.skip(&place, skip, skip_reason);
    let principal = cx.names("principal", principal);
    let whos = names.all(&principal, cx);
    let word = method.map_or(Some(ListWord::Tools), |method| method.value);
    let server: Option<ServerName> = cx.name(server);
    let view = view.and_then(|view| cx.view(view));
    let named = tags.map(|tags| listed(Some(tags)).iter().filter_map(|tag| cx.tag(tag)).collect());
    if exactly.is_none() && contains.is_none() && lacks.is_none() {
        cx.wrong(&place, "this expects nothing of the list: say what it shows by `exactly`, `contains` or `lacks`");
    }
    let (word, server) = (word?, server?);
    let mut targets = |section: Option<Written<Vec<Written<String>>>>| -> Vec<Target> {
        listed(section).into_iter().filter_map(|name| target(word, &server, &name, cx)).collect()
    };
    let exactly = exactly.map(|exactly| targets(Some(exactly)));
    let shown = Shown { exactly, contains: targets(contains), lacks: targets(lacks) };
    let verb = word.verb();
    let name = name.map_or_else(|| format!("{verb} of {server}"), |name| name.value);
    Some(ListTest { name, whos, verb, server, view, named, shown, skip, place })
}

fn target(word: ListWord, server: &ServerName, name: &Placed<String>, cx: &mut Cx<'_>) -> Option<Target> {
    let server = server.clone();
    Some(match word {
        ListWord::Tools => Target::Tool(server, cx.named(&name.place, name.value.parse::<ToolName>())?),
        ListWord::Prompts => Target::Prompt(server, cx.named(&name.place, name.value.parse::<PromptName>())?),
        ListWord::Resources => Target::Resource(server, cx.named(&name.place, name.value.parse::<ResourceUri>())?),
    })
}

impl ListWord {
    const fn verb(self) -> Verb {
        match self {
            Self::Tools => Verb::ToolsList,
            Self::Prompts => Verb::PromptsList,
            Self::Resources => Verb::ResourcesList,
        }
    }
}

impl BecauseWord {
    const fn because(self) -> Because {
        match self {
            Self::Permitted => Because::Permitted,
            Self::Unauthenticated => Because::Unauthenticated,
            Self::MissingScope => Because::MissingScope,
            Self::ExplicitForbid => Because::ExplicitForbid,
            Self::ConditionFailed => Because::ConditionFailed,
            Self::NoMatchingGrant => Because::NoMatchingGrant,
            Self::UnknownServer => Because::UnknownServer,
            Self::UnknownTool => Because::UnknownTool,
            Self::ValidationFailed => Because::ValidationFailed,
            Self::PolicyError => Because::PolicyError,
        }
    }
}
