//! What a scope opens now, to this person through this client: what the page of consent shows, and what is kept
//! with the grant, so that what joins later is told from it.
//!
//! What policies say is asked of `reach`. What servers have is what `portcullis.lock` pins, else what they list;
//! a server that does not list its tools in time is shown without. What a tool does is what its server says.
//!
//! SPEC: oauth §5.3, §5.4; AS-24, AS-33; OA-82.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Value, value::RawValue};

use super::{
    errand::Errand,
    page::{self, Effect, Lifetime, Renewal, Shown},
};
use crate::{
    endpoint::Endpoint,
    gateway::Revision,
    lock::{Hints, Lock},
    mcp::Kind,
    name::{ScopeName, ServerName, ToolName},
    oauth::{self, AuthorizationRequest, OAuthError, Session, client::Client},
    policy::{Arguments, Moment, Question, Standing, Target, Verb},
    principal::Principal,
    reach::{Opens, Reach, Way},
    store::{Opened, Opening, Risk},
};

/// How long servers may hold up the page.
const PATIENCE: Duration = Duration::from_secs(5);

/// What scopes open now.
#[derive(Debug)]
pub(super) struct Offered {
    servers: Vec<Server>,
}

/// A server that they open.
#[derive(Debug)]
struct Server {
    name: ServerName,
    has: Option<BTreeMap<ToolName, Tool>>,
    prompts: usize,
    resources: usize,
    opens: Opens,
}

/// A tool, as its server tells of it.
#[derive(Debug)]
struct Tool {
    title: Option<Shown>,
    hints: Hints,
}

/// What a server has.
#[derive(Debug, Default)]
struct Has {
    tools: Option<BTreeMap<ToolName, Tool>>,
    prompts: usize,
    resources: usize,
}

/// Who is to be granted what, and where.
#[derive(Debug, Clone)]
struct Asking {
    standing: Standing,
    endpoint: Endpoint,
}

impl Offered {
    /// What these scopes open at the endpoint of a request.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub(super) async fn of(
        errand: &Errand,
        session: &Session,
        client: &Client,
        request: &AuthorizationRequest,
        scopes: impl IntoIterator<Item = ScopeName>,
    ) -> Result<Self, OAuthError> {
        let standing = Standing {
            principal: Principal::User(session.person.user.clone()),
            client: Some(client.id.clone()),
            groups: session.person.groups.clone(),
            scopes: scopes.into_iter().collect(),
            named: None,
        };
        let asking = Asking { standing, endpoint: request.endpoint() };
        let revision = &errand.revision;
        let open = doors(errand, &asking).map_err(|error| unasked(&error))?;
        let has = join_all(open.into_iter().map(|server| async {
            let has = has(revision, &server).await;
            (server, has)
        }));
        let (has, revision) = (has.await, Arc::clone(revision));
        // It may take long where there is much, and nobody else is to wait for it.
        let work = tokio::task::spawn_blocking(move || enumerated(&revision, asking, has));
        work.await.map_err(|error| unasked(&error.to_string()))
    }

    /// What is shown of an offer.
    pub(super) fn view(&self, errand: &Errand, offer: &oauth::Offer) -> Vec<page::Offer> {
        let tags = &errand.revision.snapshot.config.tags;
        let shown = offer.scopes.iter().map(|offered| {
            let tag = tags.get(&offered.scope.tag());
            page::Offer {
                scope: offered.scope.clone(),
                description: tag.map(|tag| Shown::line(&tag.description)).filter(|text| !text.as_str().is_empty()),
                sensitive: tag.is_some_and(|tag| tag.sensitive),
                asked: offered.ticked,
                new: offered.new,
                opens: self.servers.iter().filter_map(|server| server.under(&offered.scope)).collect(),
            }
        });
        shown.collect()
    }

    /// Whether these open no more than they did: no other server, and none up to a higher risk.
    pub(super) fn is_within<'s>(&self, before: &Opened, scopes: impl IntoIterator<Item = &'s ScopeName>) -> bool {
        let all: Vec<ScopeName> = scopes.into_iter().cloned().collect();
        self.opened(&all).iter().all(|(scope, opened)| {
            let covers = |now: &Opening, then: &Opening| then.server == now.server && then.risk >= now.risk;
            let before = before.get(scope);
            opened.iter().all(|now| before.is_some_and(|before| before.iter().any(|then| covers(now, then))))
        })
    }

    /// A digest of what all of these open together.
    pub(super) fn digest<'s>(&self, scopes: impl IntoIterator<Item = &'s ScopeName>) -> [u8; 32] {
        let all: Vec<ScopeName> = scopes.into_iter().cloned().collect();
        let text = serde_json::to_vec(&self.opened(&all)).unwrap_or_default();
        *blake3::hash(&text).as_bytes()
    }

    /// What each of these opens, where they are granted together.
    pub(super) fn opened(&self, granted: &[ScopeName]) -> Opened {
        let all: BTreeSet<ScopeName> = granted.iter().cloned().collect();
        let of = |scope: &ScopeName| {
            let under = self.servers.iter().filter(|server| server.stands_under(scope));
            under.flat_map(|server| server.openings(&all)).collect::<BTreeSet<Opening>>()
        };
        granted.iter().map(|scope| (scope.clone(), of(scope))).collect()
    }
}

impl Server {
    /// What a scope opens of it.
    fn under(&self, scope: &ScopeName) -> Option<page::Opens> {
        if !self.stands_under(scope) {
            return None;
        }
        let tools = self.has.as_ref().map(|has| {
            let shown = self.opens.tools.iter().filter_map(|(name, way)| {
                let Tool { title, hints } = has.get(name)?;
                let (besides, forbidden) = match way {
                    Way::With(sets) => (besides(sets, scope)?, false),
                    Way::Forbidden if self.opens.door.contains(scope) => (BTreeSet::new(), true),
                    Way::Forbidden => return None,
                };
                let (name, title, effect) = (name.clone(), title.clone(), Effect::from(*hints));
                Some(page::Tool { name, title, effect, besides, forbidden })
            });
            shown.collect()
        });
        Some(page::Opens { server: self.name.clone(), tools, prompts: self.prompts, resources: self.resources })
    }

    /// Whether it is among what a scope opens: its door takes it, or one of its tools does.
    fn stands_under(&self, scope: &ScopeName) -> bool {
        let takes = |way: &Way| match way {
            Way::With(sets) => sets.iter().any(|set| set.contains(scope)),
            Way::Forbidden => false,
        };
        self.opens.door.contains(scope) || self.opens.tools.iter().any(|(_, way)| takes(way))
    }

    /// Up to which risk it opens to somebody who is granted all of these.
    fn openings(&self, granted: &BTreeSet<ScopeName>) -> [Opening; 2] {
        let opening = |risk| Opening { server: self.name.clone(), risk };
        let Some(has) = &self.has else { return [opening(Risk::Read), opening(Risk::Destructive)] };
        let risks = self.opens.tools.iter().filter_map(|(name, way)| match way {
            Way::With(sets) if sets.iter().any(|set| set.is_subset(granted)) => Some(has.get(name)?.hints.risk()),
            Way::With(_) | Way::Forbidden => None,
        });
        [opening(Risk::Read), opening(risks.max().unwrap_or(Risk::Read))]
    }
}

/// The fewest scopes that are needed besides one; nothing where it is not among those that are needed.
fn besides(sets: &[BTreeSet<ScopeName>], scope: &ScopeName) -> Option<BTreeSet<ScopeName>> {
    let set = sets.iter().find(|set| set.contains(scope))?;
    Some(set.iter().filter(|other| *other != scope).cloned().collect())
}

/// How long a grant of an offer lasts.
pub(super) fn lifetime(errand: &Errand, client: &Client, offer: &oauth::Offer) -> Lifetime {
    let lifetimes = &errand.revision.snapshot.config.oauth.authorization.lifetimes;
    let renews = offer.refreshes.then(|| Renewal { idle: lifetimes.refresh_idle, most: client.longest(lifetimes) });
    Lifetime { access: lifetimes.access_token, renews }
}

/// The servers of an endpoint whose doors open: one question each.
fn doors(errand: &Errand, Asking { standing, endpoint }: &Asking) -> Result<Vec<ServerName>, String> {
    let engine = &errand.revision.snapshot.engine;
    let view = endpoint.view().and_then(|view| engine.bundle().view(view));
    let asker = engine.asker(engine.narrowed(standing.clone(), view, None))?;
    let moment = Moment {
        now: errand.now(),
        address: errand.peer.address,
        tls: errand.tls,
        findings: BTreeSet::new(),
        drifted: false,
    };
    let mut open = Vec::new();
    for server in engine.bundle().servers() {
        if endpoint.server().is_some_and(|only| only != server) {
            continue;
        }
        let (target, inventory) = (Target::Server(server.clone()), engine.inventory(server, [])?);
        let (asker, verb, arguments) = (&asker, Verb::ServerDiscover, Arguments::NONE);
        let (target, inventory, moment) = (&target, &inventory, &moment);
        if engine.allows(&Question { asker, verb, target, inventory, moment, arguments }) {
            open.push(server.clone());
        }
    }
    Ok(open)
}

/// What a server has: what is pinned of it, else what it lists, if it does so in time.
async fn has(revision: &Revision, server: &ServerName) -> Has {
    if let Some(has) = revision.snapshot.lock.as_deref().and_then(|lock| pinned(lock, server)) {
        return has;
    }
    let Some(upstream) = revision.upstreams.get(server) else { return Has::default() };
    let list = match upstream.known(Kind::Tools) {
        Some(list) => Some(list),
        None => tokio::time::timeout(PATIENCE, Box::pin(upstream.list(Kind::Tools))).await.ok().and_then(Result::ok),
    };
    let count = |kind| upstream.known(kind).map_or(0, |list| list.entries().len());
    let tools = list.map(|list| {
        let tools = list.entries().iter().filter_map(|entry| Some((entry.key().parse().ok()?, told(entry.json())?)));
        tools.collect()
    });
    Has { tools, prompts: count(Kind::Prompts), resources: count(Kind::Resources) + count(Kind::Templates) }
}

fn pinned(lock: &Lock, server: &ServerName) -> Option<Has> {
    let offered = lock.server(server)?;
    let tools = offered.tools.iter().map(|(name, tool)| {
        let title = title(tool.said.value());
        (name.clone(), Tool { title, hints: tool.hints })
    });
    let (prompts, resources) = (offered.prompts.len(), offered.resources.len() + offered.templates.len());
    Some(Has { tools: Some(tools.collect()), prompts, resources })
}

/// What is shown of a tool as it was listed. Its schemas, most of it, are passed over.
fn told(tool: &str) -> Option<Tool> {
    let all: BTreeMap<String, &RawValue> = serde_json::from_str(tool).ok()?;
    let mut shown = serde_json::Map::new();
    for name in ["title", "annotations"] {
        if let Some(raw) = all.get(name) {
            shown.insert(name.to_owned(), serde_json::from_str(raw.get()).ok()?);
        }
    }
    let tool = Value::Object(shown);
    Some(Tool { title: title(&tool), hints: Hints::of_tool(&tool) })
}

fn title(tool: &Value) -> Option<Shown> {
    let of = |value: &Value| value.get("title").and_then(Value::as_str).map(Shown::line);
    of(tool).or_else(|| tool.get("annotations").and_then(of)).filter(|title| !title.as_str().is_empty())
}

/// What scopes open, by what policies say.
fn enumerated(revision: &Revision, asking: Asking, has: Vec<(ServerName, Has)>) -> Offered {
    let snapshot = &revision.snapshot;
    let reach = Reach::of(&snapshot.config, &snapshot.engine, snapshot.lock.as_deref());
    let Asking { standing: Standing { principal, client, groups, scopes, named: _ }, endpoint } = asking;
    let reach = match endpoint.view() {
        Some(view) => reach.through(view),
        None => Some(reach),
    };
    let Some(reach) = reach else { return Offered { servers: Vec::new() } };
    let caller = reach.caller(principal, client, groups);
    let servers = has.into_iter().filter_map(|(name, Has { tools, prompts, resources })| {
        let opens = reach.opened(&caller, &scopes, &name, tools.iter().flat_map(BTreeMap::keys))?;
        Some(Server { name, has: tools, prompts, resources, opens })
    });
    Offered { servers: servers.collect() }
}

fn unasked(error: &str) -> OAuthError {
    tracing::error!(%error, "what scopes open cannot be said");
    OAuthError::internal()
}
