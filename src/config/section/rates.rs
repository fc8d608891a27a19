//! `rates:`: how often who may ask what.
//!
//! A tier says how many requests of one key are let through, and at which endpoints, servers and tools it
//! is drawn from. What stands under `on` is a word for endpoints, else a server; a server that is called
//! like a word cannot be meant here, and says so.

use std::{collections::BTreeMap, fmt, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::amount::{Count, Span};
use crate::{
    config::{
        document::{Named, Written},
        findings,
        resolve::{Resolver, good},
    },
    diagnostic::{Place, Placed, nearest},
    name::{EntryId, Pattern, ServerName},
    policy::{By, EndpointClass, Penalty},
};

/// One tier.
#[derive(Debug, Clone)]
pub struct Rate {
    /// How many in a window.
    pub limit: u64,
    /// The window; whole seconds.
    pub window: Duration,
    /// How many at once, where it then goes on at the pace of the limit.
    pub burst: Option<u64>,
    /// By what it tells callers apart.
    pub by: By,
    /// Where it is drawn from; nothing is everywhere but at the health endpoints.
    pub on: Option<Vec<Placed<Site>>>,
    /// A Cedar expression: it is drawn from only where it is true.
    pub when: Option<Placed<String>>,
    /// How it tightens after failures.
    pub penalty: Option<Penalty>,
    /// Where its name is written.
    pub place: Place,
}

/// Where a tier is drawn from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    /// Endpoints, by their word: `oauth`, `mcp`, `token`.
    Endpoints(Box<str>, Vec<EndpointClass>),
    /// What is asked of a server.
    Server(ServerName),
    /// Calls of tools of a server.
    Tool(ServerName, Pattern),
}

/// A tier: how many requests of one key, and where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateSection {
    /// How many requests of one key are let through in a window.
    limit: Written<Count>,
    /// The window, in whole seconds: `1s`, `15m`, `1h`. It slides: no stretch of this length holds more
    /// than `limit`.
    window: Written<Span>,
    /// How many at once. With it requests come at the pace of `limit` in `window`, and what was not used
    /// is saved up to so many.
    burst: Option<Written<Count>>,
    /// What one count is kept for: the sender's address (IPv6 by its network of 64 bits), the OAuth client,
    /// the user, the token, the server or the tool. Where there is no user it is the client, and
    /// the address where there is nobody. Default: `address`.
    by: Option<Written<BySection>>,
    /// Where it is drawn from: `oauth`, `mcp`, one endpoint such as `token`, a server, or tools as
    /// `SERVER/PATTERN`. Default: everywhere but at `health`.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    on: Option<Written<Vec<Written<String>>>>,
    /// A Cedar expression: it is drawn from only where it is true.
    when: Option<Written<String>>,
    /// How it tightens for a key that fails.
    penalty: Option<Written<PenaltySection>>,
}

/// What one count is kept for.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum BySection {
    /// The address that a request comes from.
    Address,
    /// The OAuth client.
    Client,
    /// The user.
    User,
    /// The token.
    Token,
    /// The server that is asked, for all callers together.
    Server,
    /// The tool that is called, for all callers together.
    Tool,
}

/// How a tier tightens for a key that fails: a token that is not good, a scope that is missing,
/// something that is denied.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PenaltySection {
    /// By what limit and burst are divided, at least `2`. One request is always left.
    #[schemars(extend("minimum" = 2))]
    factor: Written<Count>,
    /// For how long after the last failure, in whole seconds.
    time: Written<Span>,
    /// After how many failures, each within `time` of the one before. Default: `5`.
    after: Option<Written<Count>>,
}

/// The most tiers: each request looks at all it draws from.
const MOST: usize = 64;
/// Failures that are forgiven, and one.
const AFTER: u64 = 5;
/// Words for several endpoints.
const WORDS: [&str; 1] = ["oauth"];
/// The name of the policy that draws from nothing.
const NONE: &str = "none";

pub(crate) fn resolve(section: Option<Written<Named<RateSection>>>, cx: &mut Resolver<'_>) -> BTreeMap<EntryId, Rate> {
    let Some(Written { place, value }) = section else { return BTreeMap::new() };
    let Named(entries) = value.unwrap_or_default();
    if entries.len() > MOST {
        let finding =
            findings::WRONG_TYPE.at(&place, format!("`rates` has {} tiers, and {MOST} at most", entries.len()));
        cx.find(finding.help("join tiers that say the same of several endpoints: `on` is a list"));
    }
    let mut rates = BTreeMap::new();
    for (name, written) in entries {
        let Some(name) = cx.name::<EntryId>(&name) else { continue };
        if name.value.as_str() == NONE {
            let finding = findings::INVALID_IDENTIFIER.at(&name.place, "no tier may be called `none`");
            cx.find(finding.help("rename it: `rate/none` is the policy that draws from no tier"));
            continue;
        }
        if let Some(rate) = written.value.and_then(|section| Rate::resolve(section, name.place, cx)) {
            rates.insert(name.value, rate);
        }
    }
    rates
}

impl Rate {
    fn resolve(section: RateSection, place: Place, cx: &mut Resolver<'_>) -> Option<Self> {
        let RateSection { limit, window, burst, by, on, when, penalty } = section;
        let limit = limit.value.map(number);
        let window = seconds("window", window, cx);
        let burst = optional(burst, |burst| burst.value.map(number));
        let by = optional(by, |by| by.placed());
        let on = optional(on, |on| sites(on, cx));
        let when = optional(when, |when| super::rules::condition("when", Some(when), cx));
        let penalty = optional(penalty, |penalty| tightening(penalty, cx));
        let (by, on) = (by?, on?);
        if let Some(by) = &by {
            within_reach(by, on.as_deref(), cx);
        }
        let by = by.map_or(By::Address, |by| by.value.into());
        Some(Self { limit: limit?, window: window?, burst: burst?, by, on, when: when?, penalty: penalty?, place })
    }
}

/// What is not written is nothing; what is written and has a finding is no value at all.
fn optional<T, U>(written: Option<T>, read: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    match written {
        None => Some(None),
        Some(written) => read(written).map(Some),
    }
}

fn number(Count(count): Count) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}

/// A duration in whole seconds: what goes out in headers is no finer.
fn seconds(key: &str, written: Written<Span>, cx: &mut Resolver<'_>) -> Option<Duration> {
    let Written { place, value } = written;
    let Span(span) = value?;
    if span.subsec_nanos() > 0 {
        let finding = findings::WRONG_TYPE.at(&place, format!("`{key}` must be whole seconds"));
        cx.find(finding.help("write `1s` or more, such as `10s`, `15m` or `1h`"));
        return None;
    }
    Some(span)
}

fn tightening(written: Written<PenaltySection>, cx: &mut Resolver<'_>) -> Option<Penalty> {
    let PenaltySection { factor, time, after } = written.value?;
    let time = seconds("time", time, cx);
    let after = optional(after, |after| after.value.map(number));
    let Written { place, value } = factor;
    let factor = number(value?);
    if factor < 2 {
        let finding = findings::WRONG_TYPE.at(&place, "a factor of `1` tightens nothing");
        cx.find(finding.help("write `2` or more, or remove `penalty`"));
        return None;
    }
    Some(Penalty { after: after?.unwrap_or(AFTER), factor, time: time? })
}

fn sites(written: Written<Vec<Written<String>>>, cx: &mut Resolver<'_>) -> Option<Vec<Placed<Site>>> {
    let Written { place, value } = written;
    let items = value?;
    if items.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, "`on` is empty, so this limits nothing");
        cx.find(finding.help("name endpoints, servers or tools, or remove `on`: the tier then holds everywhere"));
        return None;
    }
    let count = items.len();
    let found: Vec<Placed<Site>> =
        good(items).into_iter().filter_map(|item| site(item, "so this limits nothing", cx)).collect();
    // A tier that lost a site to a finding must not be taken for a narrower one.
    (found.len() == count).then(|| cx.distinct(found))
}

/// One word of `on`; `outcome` says what comes of one that names nothing.
pub(super) fn site(written: Placed<String>, outcome: &str, cx: &mut Resolver<'_>) -> Option<Placed<Site>> {
    let Placed { value: name, place } = written;
    let site = match (EndpointClass::of_word(&name), name.split_once('/')) {
        (Some(classes), _) => {
            if let Some(there) = cx.server_place(&name) {
                let message = format!("`{name}` is an endpoint here, and a server is called like it");
                let finding = findings::INVALID_IDENTIFIER.at(&place, message).label("the endpoint is meant");
                let finding = finding.also(&there, "the server");
                cx.find(finding.help(format!("rename the server; its tools alone could be named, as `{name}/*`")));
                return None;
            }
            Site::Endpoints(name.into(), classes)
        }
        (None, Some((server, pattern))) => {
            let server = cx.server(server, &place, outcome);
            let pattern = cx.named(&place, pattern.parse::<Pattern>());
            Site::Tool(server?, pattern?.value)
        }
        (None, None) => {
            let near = nearest(&name, WORDS.into_iter().chain(EndpointClass::ALL.map(EndpointClass::as_str)));
            if let Some(near) = near.filter(|_| cx.server_place(&name).is_none()) {
                let finding =
                    findings::FORBID_NEVER_DENIES.at(&place, format!("no endpoint or server is called `{name}`"));
                let finding = finding.label(format!("did you mean `{near}`?"));
                cx.find(finding.help(format!("write `{near}`, or declare `{name}` under `servers`")));
                return None;
            }
            Site::Server(cx.server(&name, &place, "and no endpoint is called like that")?)
        }
    };
    Some(Placed::new(site, place))
}

/// A count by server or tool says nothing where there is none.
fn within_reach(by: &Placed<BySection>, on: Option<&[Placed<Site>]>, cx: &mut Resolver<'_>) {
    let word = match by.value {
        BySection::Server => "server",
        BySection::Tool => "tool",
        BySection::Address | BySection::Client | BySection::User | BySection::Token => return,
    };
    let of_servers = |site: &Placed<Site>| match &site.value {
        Site::Endpoints(_, classes) => classes.contains(&EndpointClass::Mcp),
        Site::Server(_) | Site::Tool(..) => true,
    };
    if on.is_some_and(|on| !on.iter().any(of_servers)) {
        let message = format!("this is counted by {word}, and no endpoint under `on` has one");
        let finding = findings::EMPTY_SELECTOR.at(&by.place, message).label("so this limits nothing");
        cx.find(finding.help(format!("count by `address` or `client`, or name `mcp` or a {word} under `on`")));
    }
}

impl From<BySection> for By {
    fn from(by: BySection) -> Self {
        match by {
            BySection::Address => Self::Address,
            BySection::Client => Self::Client,
            BySection::User => Self::User,
            BySection::Token => Self::Token,
            BySection::Server => Self::Server,
            BySection::Tool => Self::Tool,
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoints(word, _) => f.write_str(word),
            Self::Server(server) => write!(f, "{server}"),
            Self::Tool(server, pattern) => write!(f, "{server}/{pattern}"),
        }
    }
}
