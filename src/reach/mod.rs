//! What can be reached, and by whom: enumerated by asking the engine, never by a second model.
//!
//! The space of decisions is finite but for the facts of a moment: kinds of caller × servers × what
//! they offer × sets of scopes. Grants add up, so of the sets only the *minimal* ones are wanted, and
//! names that no policy tells apart are asked about once. No solver is needed.
//!
//! | To know | Ask |
//! |---|---|
//! | who there is | [`Reach::callers`] (a row of the matrix each), [`Reach::widest`] (people in every group, through every client), [`Reach::caller`] (one to order) |
//! | the most a caller can hold | [`Reach::ceiling`] |
//! | what there is on a server | [`Reach::aims`]: what `portcullis.lock` pins, what the configuration names, one name for each pattern, and one for all others |
//! | what a tool says of its effects | [`Reach::hints`] |
//! | the answer with these scopes | [`Reach::letter`], and with the most there can be [`Reach::at_most`] |
//! | the whole answer, with its policies | [`Reach::decision`] |
//! | whether anybody may, and if not, why | [`Reach::access`], [`Reach::access_to`] a server |
//! | the fewest scopes that suffice | [`Reach::minimal`]: an antichain, and whether it is known to be whole |
//! | a set of scopes with another answer | [`Reach::find`]: what `never` and `always` ask |
//! | what scopes open of a server to somebody | [`Reach::opened`]: what the page of consent shows |
//!
//! ```text
//! // `never: {principal: {scopes_subset_of: [tag:read]}, tool: {annotations: {destructiveHint: true}}}`
//! for caller in reach.callers() {
//!     for aim in reach.aims(server, Verb::ToolsCall) {
//!         if reach.hints(&aim.target).is_some_and(|hints| hints.destroys()) {
//!             match reach.find(caller, Verb::ToolsCall, &aim.target, &nothing, &read, Letter::opens) {
//!                 Found::Witness(scopes) => …, // violated: with these
//!                 Found::Nowhere => …,         // holds
//!                 Found::Unknown => …,         // undecided, never counted as holding
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! What a moment has (findings, address, time, TLS, drift) is tried at the values that the policies
//! name, and just beside them (`moment`); an answer that differs among them is [`Letter::Sometimes`].
//!
//! Arguments are not tried but left unknown (`policy/unknown`): what may be called with some is
//! [`Letter::Sometimes`] where the worst of them would be denied.
//!
//! INVARIANT: every answer is the engine's own for some question.

mod access;
mod aim;
mod argument;
mod caller;
mod letter;
mod literal;
mod minimal;
mod moment;
mod opens;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock},
};

pub use access::Access;
use aim::Scene;
pub use aim::{Aim, Known};
pub use caller::{Caller, Who};
pub use letter::Letter;
use literal::Literals;
pub use minimal::{Extent, Found, MOST_RELEVANT, Minimal};
pub use opens::{Opens, Way};

use crate::{
    config::Config,
    lock::{Hints, Lock},
    name::{ScopeName, ServerName, ViewName},
    policy::{Asker, Bundle, Engine, Policy, Target, Verb},
};

/// A sound configuration with the engine that decides by it.
#[derive(Debug)]
pub struct Reach<'c> {
    config: &'c Config,
    lock: Option<&'c Lock>,
    engine: Held<'c>,
    /// What the view names through which everybody asks, if they ask through one.
    view: Option<BTreeSet<ScopeName>>,
    literals: OnceLock<HashMap<Arc<str>, Literals>>,
    named: OnceLock<caller::Named>,
    callers: OnceLock<Vec<Caller>>,
    widest: OnceLock<Vec<Caller>>,
    kinds: OnceLock<Vec<caller::Kind>>,
    scenes: HashMap<ServerName, OnceLock<Option<Scene>>>,
    askers: Mutex<HashMap<AskerKey, Arc<Asker>>>,
    letters: Mutex<HashMap<LetterKey, Letter>>,
}

/// An engine of its own, or one that is at work elsewhere.
#[derive(Debug)]
enum Held<'c> {
    Own(Box<Engine>),
    Lent(&'c Engine),
}

impl std::ops::Deref for Held<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        match self {
            Self::Own(engine) => engine,
            Self::Lent(engine) => engine,
        }
    }
}

/// The caller, what is asked, of which server, and the class of the name.
type LetterKey = (Arc<str>, Verb, ServerName, u64);
/// The caller and its scopes.
type AskerKey = (Arc<str>, BTreeSet<ScopeName>);

impl<'c> Reach<'c> {
    /// Makes a configuration ready to be enumerated, with what was pinned where something was.
    ///
    /// # Errors
    /// When the engine refuses the bundle, in words.
    pub fn new(config: &'c Config, bundle: Arc<Bundle>, lock: Option<&'c Lock>) -> Result<Self, String> {
        Ok(Self::with(config, Held::Own(Box::new(Engine::new(bundle)?)), lock))
    }

    /// The same of an engine that decides already.
    #[must_use]
    pub fn of(config: &'c Config, engine: &'c Engine, lock: Option<&'c Lock>) -> Self {
        Self::with(config, Held::Lent(engine), lock)
    }

    fn with(config: &'c Config, engine: Held<'c>, lock: Option<&'c Lock>) -> Self {
        let scenes = engine.bundle().servers().iter().map(|name| (name.clone(), OnceLock::new())).collect();
        Self {
            config,
            lock,
            engine,
            view: None,
            literals: OnceLock::new(),
            named: OnceLock::new(),
            callers: OnceLock::new(),
            widest: OnceLock::new(),
            kinds: OnceLock::new(),
            scenes,
            askers: Mutex::default(),
            letters: Mutex::default(),
        }
    }

    /// The same, where everybody with everything that they can hold asks through this view; nothing where
    /// there is no such view.
    #[must_use]
    pub fn through(self, view: &ViewName) -> Option<Self> {
        let view = Some(self.engine.bundle().view(view)?.clone());
        Some(Self { view, ..self })
    }

    /// What the configuration means.
    #[must_use]
    pub const fn config(&self) -> &'c Config {
        self.config
    }

    /// What was pinned, if anything was.
    #[must_use]
    pub const fn lock(&self) -> Option<&'c Lock> {
        self.lock
    }

    /// The engine that is asked.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Every server, by name.
    pub fn servers(&self) -> impl Iterator<Item = &ServerName> {
        self.engine.bundle().servers().iter()
    }

    /// What a pinned tool says of its effects; nothing of a tool that is not pinned.
    #[must_use]
    pub fn hints(&self, target: &Target) -> Option<Hints> {
        match target {
            Target::Tool(server, tool) => self.lock?.tool(server, tool).map(|tool| tool.hints),
            Target::Server(_) | Target::Prompt(..) | Target::Resource(..) => None,
        }
    }

    /// The scopes that a policy names.
    pub(crate) fn scopes_in(&self, policy: &Policy) -> impl Iterator<Item = &ScopeName> {
        self.literals(policy).into_iter().flat_map(|literals| &literals.scopes)
    }

    /// What the policy's text names.
    fn literals(&self, policy: &Policy) -> Option<&Literals> {
        self.literals
            .get_or_init(|| {
                let bundle = self.engine.bundle();
                bundle.access().map(|policy| (Arc::from(policy.id()), Literals::of(policy))).collect()
            })
            .get(policy.id())
    }
}
