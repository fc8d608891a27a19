//! What each server offers: fetched whole at first need, kept until it may have changed.
//!
//! A list is all pages of it, within caps; an entry whose name does not fit our grammar is left out
//! (T-182), and so is a second one of the same name. Callers who need a list at the same time wait
//! for one fetch; a fetch that failed is not repeated for a second. A list that its server says is
//! good for a while is kept no longer, yet for a second at least: callers at the same time share it.
//!
//! SPEC: PX-06, CA-06, CA-07, CL-10, TR lists; threats T-168, T-182, T-204.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{sync::Mutex, time::Instant};

use super::{Deadline, Reply, Trouble, Upstream, UpstreamError, about::plain, change::Changes};
use crate::{
    mcp::{Entry, Era, Id, Kind, Page, ParamHeader},
    name::{PromptName, ResourceUri, ToolName},
};

const MOST_PAGES: usize = 100;
const MOST_ENTRIES: usize = 10_000;
/// How long a failure stands for the next caller too.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// How long a list is kept at least, unless it is told to have changed.
const LEAST_AGE: Duration = Duration::from_secs(1);

/// Everything of one kind that a server offers, in its own order.
#[derive(Debug)]
pub struct List {
    kind: Kind,
    entries: Vec<Entry>,
    by_key: HashMap<Box<str>, usize>,
    param_headers: HashMap<Box<str>, Box<[ParamHeader]>>,
    ttl_ms: Option<u64>,
    public: bool,
}

impl List {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            entries: Vec::new(),
            by_key: HashMap::new(),
            param_headers: HashMap::new(),
            ttl_ms: None,
            public: false,
        }
    }

    /// What the list is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The entries, in the server's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a name or URI.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key).and_then(|at| self.entries.get(*at))
    }

    /// The parameters of a tool that travel in header fields too.
    #[must_use]
    pub fn param_headers(&self, tool: &str) -> &[ParamHeader] {
        self.param_headers.get(tool).map_or(&[], |headers| headers)
    }

    /// How long the server says it stays good; nothing where it does not say.
    #[must_use]
    pub fn ttl_ms(&self) -> Option<u64> {
        self.ttl_ms
    }

    /// Whether the server says of every page that it is the same for everybody.
    #[must_use]
    pub fn public(&self) -> bool {
        self.public
    }

    /// Takes an entry in, or says why not.
    fn add(&mut self, entry: Entry, era: Era) -> Result<(), String> {
        let fits = match self.kind {
            Kind::Tools => entry.key().parse::<ToolName>().is_ok(),
            Kind::Prompts => entry.key().parse::<PromptName>().is_ok(),
            Kind::Resources | Kind::Templates => entry.key().parse::<ResourceUri>().is_ok(),
        };
        if !fits {
            return Err("its name does not fit the grammar".into());
        }
        if entry.hides() {
            return Err("it hides text where that cannot be shown".into());
        }
        if self.by_key.contains_key(entry.key()) {
            return Err("an entry before it has the same name".into());
        }
        if self.kind == Kind::Tools {
            match entry.field("inputSchema").map_or(Ok(Vec::new()), |schema| ParamHeader::read(schema.get())) {
                Ok(headers) if headers.is_empty() => {}
                Ok(headers) => drop(self.param_headers.insert(entry.key().into(), headers.into())),
                Err(problem) if era == Era::Modern => return Err(problem.to_string()),
                // A server of the legacy era does not know the word, and means nothing by it.
                Err(_) => {}
            }
        }
        self.by_key.insert(entry.key().into(), self.entries.len());
        self.entries.push(entry);
        Ok(())
    }
}

/// The lists of one server.
#[derive(Debug)]
pub(super) struct Catalog {
    changes: Arc<Changes>,
    age: Option<Duration>,
    slots: [Slot; 4],
}

#[derive(Debug, Default)]
struct Slot {
    kept: ArcSwapOption<Kept>,
    fetching: Mutex<Option<Failure>>,
}

#[derive(Debug)]
struct Kept {
    list: Arc<List>,
    change: u64,
    at: Instant,
}

#[derive(Debug)]
struct Failure {
    error: UpstreamError,
    change: u64,
    at: Instant,
}

impl Catalog {
    /// An empty catalogue; `age` bounds how long a list is kept where changes are not told.
    pub(super) fn new(changes: Arc<Changes>, age: Option<Duration>) -> Self {
        Self { changes, age, slots: Default::default() }
    }

    /// The list that is kept, if it is still good.
    pub(super) fn fresh(&self, kind: Kind) -> Option<Arc<List>> {
        let kept = self.slot(kind).kept.load();
        let kept = kept.as_ref()?;
        let told = kept.list.ttl_ms.map(|ttl| Duration::from_millis(ttl).max(LEAST_AGE));
        let age = [self.age, told].into_iter().flatten().min();
        let young = age.is_none_or(|age| kept.at.elapsed() < age);
        (young && kept.change == self.changes.count(kind)).then(|| kept.list.clone())
    }

    /// The list as it was last fetched, good or not.
    pub(super) fn latest(&self, kind: Kind) -> Option<Arc<List>> {
        self.slot(kind).kept.load().as_ref().map(|kept| kept.list.clone())
    }

    /// The list, fetched if need be.
    pub(super) async fn list(&self, upstream: &Upstream, kind: Kind) -> Result<Arc<List>, UpstreamError> {
        if let Some(list) = self.fresh(kind) {
            return Ok(list);
        }
        let deadline = Deadline::after(upstream.setting.options.list_timeout);
        let slot = self.slot(kind);
        let mut failure = deadline.bound(slot.fetching.lock()).await.map_err(|why| upstream.trouble(why))?;
        if let Some(list) = self.fresh(kind) {
            return Ok(list);
        }
        if let Some(failed) = &*failure
            && failed.at.elapsed() < FAILED_FOR
            && failed.change == self.changes.count(kind)
        {
            return Err(failed.error.clone());
        }
        // Opening the session counts as a change, so it comes before the count is taken.
        let fetched = match upstream.about().await {
            Ok(about) => {
                let change = self.changes.count(kind);
                let list = if about.offers(kind) {
                    fetch(upstream, kind, about.era, deadline).await
                } else {
                    Ok(List::new(kind))
                };
                list.map(|list| (list, change))
            }
            Err(error) => Err(error),
        };
        match fetched {
            Ok((list, change)) => {
                let list = Arc::new(list);
                *failure = None;
                slot.kept.store(Some(Arc::new(Kept { list: list.clone(), change, at: Instant::now() })));
                Ok(list)
            }
            Err(error) => {
                let change = self.changes.count(kind);
                *failure = Some(Failure { error: error.clone(), change, at: Instant::now() });
                Err(error)
            }
        }
    }

    fn slot(&self, kind: Kind) -> &Slot {
        let [tools, prompts, resources, templates] = &self.slots;
        match kind {
            Kind::Tools => tools,
            Kind::Prompts => prompts,
            Kind::Resources => resources,
            Kind::Templates => templates,
        }
    }
}

/// All pages of a list.
async fn fetch(upstream: &Upstream, kind: Kind, era: Era, deadline: Deadline) -> Result<List, UpstreamError> {
    let mut list = List::new(kind);
    let mut cursors = HashSet::new();
    let mut cursor: Option<String> = None;
    for number in 0..MOST_PAGES {
        let page = page(upstream, kind, cursor.as_deref(), deadline).await?;
        if number == 0 {
            (list.ttl_ms, list.public) = (page.ttl_ms, page.public);
        } else {
            // The least that is said of any page is true of all.
            list.ttl_ms = list.ttl_ms.zip(page.ttl_ms).map(|(one, other)| one.min(other));
            list.public &= page.public;
        }
        for entry in page.entries {
            if list.entries.len() >= MOST_ENTRIES {
                return Err(upstream.trouble(Trouble::EndlessList));
            }
            let name: String = entry.key().chars().take(80).flat_map(char::escape_debug).collect();
            if let Err(problem) = list.add(entry, era) {
                tracing::warn!(server = %upstream.setting.server, kind = kind.field(), name, problem, "left out of the list");
            }
        }
        let Some(next) = page.next_cursor else { return Ok(list) };
        if !cursors.insert(next.clone()) {
            break;
        }
        cursor = Some(next);
    }
    Err(upstream.trouble(Trouble::EndlessList))
}

async fn page(
    upstream: &Upstream,
    kind: Kind,
    cursor: Option<&str>,
    deadline: Deadline,
) -> Result<Page, UpstreamError> {
    let mut params = Vec::new();
    if let Some(cursor) = cursor {
        params.extend_from_slice(b"{\"cursor\":");
        Id::Text(cursor.into()).write(&mut params);
        params.push(b'}');
    }
    let answer = upstream.link.request(&plain(kind.method(), params.into(), deadline), deadline).await;
    match answer.map_err(|why| upstream.trouble(why))? {
        Reply::Result(result) => std::str::from_utf8(&result)
            .ok()
            .and_then(|text| {
                Page::read(kind, text)
                    .inspect_err(|why| tracing::warn!(server = %upstream.setting.server, %why, "bad list"))
                    .ok()
            })
            .ok_or_else(|| upstream.trouble(Trouble::Garbage)),
        // A server that declares `resources` and knows no templates has none.
        Reply::Error(_) if kind == Kind::Templates => {
            Ok(Page { entries: Vec::new(), next_cursor: None, ttl_ms: None, public: false })
        }
        Reply::InputRequired(_) | Reply::Error(_) => Err(upstream.trouble(Trouble::Garbage)),
    }
}
