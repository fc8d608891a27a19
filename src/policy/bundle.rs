//! What `compile` makes: policies, schema, provenance and a digest, immutable.
//!
//! Places live beside the policies and not in them: the same meaning has the same bytes and the same
//! digest, wherever it stands in the file.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use cedar_policy::pst::{ActionConstraint, StaticPolicy};
use sha2::{Digest, Sha256};

use super::{
    argument::Expected,
    decision::Reason,
    question::{QuestionKind, Verb},
    shape::{Actions, Shape, evaluated},
};
use crate::{
    diagnostic::Place,
    name::{Pattern, ScopeName, ServerName, ToolName, ViewName},
};

/// What the action of a call with typed arguments begins with; then comes `SERVER/TOOL`.
pub const TYPED: &str = "tools/call:";

/// One Cedar policy with what is known of it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What it contributes to a decision: id, effect, place.
    pub(crate) reason: Reason,
    /// Its text, as `compile` prints it.
    pub(crate) text: Arc<str>,
    /// The policy itself, named by its id.
    pub(crate) cedar: cedar_policy::Policy,
    /// What can be said of it without asking it.
    pub(crate) shape: Shape,
    /// Which question it is of; of several, the first.
    pub(crate) of: QuestionKind,
    /// The verbs it applies to; empty for a policy of any question but *use*.
    pub(crate) verbs: BTreeSet<Verb>,
    /// Of calls, it applies to these alone, whose arguments are typed; empty where it applies to every
    /// call, or to none.
    typed: BTreeSet<Arc<str>>,
    /// The scopes that satisfy its scope condition, where it is one that scopes can satisfy.
    pub(crate) needs: Option<Needs>,
    /// The patterns by which it reads a target's name, where that is all it reads of it.
    pub(crate) patterns: Vec<Pattern>,
    /// The scopes that it speaks of, where it is one of *grant* that says nothing of others.
    pub(crate) gives: BTreeSet<ScopeName>,
    /// What its text has in common with others, where the compiler wrote all of it: the types of its literals
    /// do not depend on what they are.
    pub(crate) mold: Option<Arc<str>>,
    /// See [`Policy::of_any_action`].
    of_any_action: OnceLock<cedar_policy::Policy>,
}

impl Policy {
    /// Parses a policy and reads its shape.
    ///
    /// # Errors
    /// What Cedar says of a text that is not one policy.
    pub fn parse(id: &str, text: &str, place: Option<Place>, needs: Option<Needs>) -> Result<Self, String> {
        let cedar = cedar_policy::Policy::parse(Some(cedar_policy::PolicyId::new(id)), text)
            .map_err(|error| error.to_string())?;
        Self::of(id, text, cedar, place, needs)
    }

    /// Takes a parsed policy, naming it `id`.
    ///
    /// # Errors
    /// When Cedar cannot give its JSON form.
    pub fn of(
        id: &str,
        text: &str,
        cedar: cedar_policy::Policy,
        place: Option<Place>,
        needs: Option<Needs>,
    ) -> Result<Self, String> {
        let cedar = cedar.new_id(cedar_policy::PolicyId::new(id));
        let shape = Shape::of(&cedar)?;
        Ok(Self::known(id, text, (cedar, shape), place, needs))
    }

    /// Takes a policy of this id whose shape is known.
    pub(crate) fn known(
        id: &str,
        text: &str,
        (cedar, shape): (cedar_policy::Policy, Shape),
        place: Option<Place>,
        needs: Option<Needs>,
    ) -> Self {
        let (verbs, typed) = applies_to(&shape.actions);
        Self {
            reason: Reason { policy: id.into(), effect: shape.effect, place },
            text: text.into(),
            cedar,
            of: QuestionKind::of(&shape.actions),
            verbs,
            shape,
            typed,
            needs,
            patterns: Vec::new(),
            gives: BTreeSet::new(),
            mold: None,
            of_any_action: OnceLock::new(),
        }
    }

    /// The same policy, known to read a target's name by these patterns alone.
    #[must_use]
    pub fn by_patterns(mut self, patterns: Vec<Pattern>) -> Self {
        self.patterns = patterns;
        self
    }

    /// The same policy, known to give these scopes and to say nothing of others; of any where there are none.
    #[must_use]
    pub(crate) fn giving(mut self, scopes: BTreeSet<ScopeName>) -> Self {
        self.gives = scopes;
        self
    }

    /// The same policy, known to have this text in common with others.
    #[must_use]
    pub(crate) fn out_of(mut self, mold: Arc<str>) -> Self {
        self.mold = Some(mold);
        self
    }

    /// The same policy without its action scope, for a set that is only ever asked about actions it
    /// applies to: there the scope always holds, and costs as much as the rest of the policy to
    /// evaluate. Where Cedar cannot make it, the policy as it is, which says the same.
    pub(super) fn of_any_action(&self) -> &cedar_policy::Policy {
        self.of_any_action.get_or_init(|| {
            let without = evaluated(&self.cedar).to_pst().ok().and_then(|tree| {
                let mut body = tree.body().clone();
                body.action = ActionConstraint::Any;
                // They say nothing to whoever evaluates it, and each name of one is parsed.
                body.annotations.clear();
                cedar_policy::Policy::from_pst(StaticPolicy::try_from(body).ok()?.into()).ok()
            });
            without.unwrap_or_else(|| self.cedar.clone())
        })
    }

    /// Whether it applies to a verb; of a call whose arguments are typed, `typed` is the action.
    pub(super) fn applies_to(&self, verb: Verb, typed: Option<&str>) -> bool {
        self.verbs.contains(&verb)
            && (verb != Verb::ToolsCall
                || self.typed.is_empty()
                || typed.is_some_and(|action| self.typed.contains(action)))
    }

    /// Its id, as in `server/files`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.reason.policy
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it comes from; guard rails that ship with the product have no place.
    #[must_use]
    pub const fn place(&self) -> Option<&Place> {
        self.reason.place.as_ref()
    }

    /// What can be said of it without asking it.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// The verbs that an action scope takes in, action groups resolved, and where it takes in no call but
/// those with typed arguments, their actions.
fn applies_to(actions: &Actions) -> (BTreeSet<Verb>, BTreeSet<Arc<str>>) {
    let named = match actions {
        Actions::Any => return (Verb::ALL.into(), BTreeSet::new()),
        Actions::Exactly(one) => std::slice::from_ref(one),
        Actions::In(many) => many.as_slice(),
    };
    if named.iter().any(|action| action == "use") {
        return (Verb::ALL.into(), BTreeSet::new());
    }
    let mut verbs: BTreeSet<Verb> = named.iter().filter_map(|action| Verb::of_action(action)).collect();
    let mut typed = BTreeSet::new();
    if !verbs.contains(&Verb::ToolsCall) {
        typed.extend(named.iter().filter(|action| action.starts_with(TYPED)).map(|action| Arc::from(action.as_str())));
        if !typed.is_empty() {
            verbs.insert(Verb::ToolsCall);
        }
    }
    (verbs, typed)
}

/// The scopes that satisfy a policy's scope condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Each of them.
    All(BTreeSet<ScopeName>),
    /// One of them.
    Any(BTreeSet<ScopeName>),
}

/// What is compiled, checked, explained and enforced.
#[derive(Debug)]
pub struct Bundle {
    pub(crate) schema: Arc<cedar_policy::Schema>,
    pub(crate) schema_text: String,
    /// The policies of the question *use*, sorted by id.
    pub(crate) policies: Vec<Policy>,
    /// The policies of the question *grant*, sorted by id.
    pub(crate) grants: Vec<Policy>,
    /// The policies of the questions *admit*, *charge* and *emit*, sorted by question and id.
    pub(crate) fronts: Vec<Policy>,
    pub(crate) servers: BTreeSet<ServerName>,
    pub(crate) scopes: BTreeSet<ScopeName>,
    pub(crate) oauth: bool,
    /// What each view names.
    views: BTreeMap<ViewName, BTreeSet<ScopeName>>,
    /// What is expected of the arguments of tools, as far as something is.
    pub(crate) expected: BTreeMap<ServerName, BTreeMap<ToolName, Arc<Expected>>>,
    digest: String,
}

impl Bundle {
    /// Puts the parts together and computes the digest. The policies are shared out among the questions and
    /// sorted here, so that their order says nothing.
    #[must_use]
    pub fn new(
        (schema, schema_text): (Arc<cedar_policy::Schema>, String),
        all: Vec<Policy>,
        servers: BTreeSet<ServerName>,
        scopes: BTreeSet<ScopeName>,
        oauth: bool,
        expected: BTreeMap<ServerName, BTreeMap<ToolName, Arc<Expected>>>,
    ) -> Self {
        let (mut policies, mut grants, mut fronts) = (Vec::new(), Vec::new(), Vec::new());
        for policy in all {
            match policy.of {
                QuestionKind::Use => policies.push(policy),
                QuestionKind::Grant => grants.push(policy),
                QuestionKind::Admit | QuestionKind::Charge | QuestionKind::Emit => fronts.push(policy),
            }
        }
        policies.sort_by(|a, b| a.id().cmp(b.id()));
        grants.sort_by(|a, b| a.id().cmp(b.id()));
        fronts.sort_by(|a, b| (a.of, a.id()).cmp(&(b.of, b.id())));
        let mut digest = Sha256::new();
        let mut part = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        };
        part("portcullis.bundle.v1");
        part(if oauth { "oauth" } else { "open" });
        part(&schema_text);
        servers.iter().for_each(|server| part(server.as_str()));
        scopes.iter().for_each(|scope| part(scope.as_str()));
        for policy in policies.iter().chain(&grants).chain(&fronts) {
            part(policy.id());
            part(policy.text());
        }
        for (server, tools) in &expected {
            for (tool, expected) in tools.iter().filter(|(_, expected)| expected.schema.is_some()) {
                part(server.as_str());
                part(tool.as_str());
                part(&expected.pinned);
            }
        }
        let digest = format!("sha256:{}", hex(&digest.finalize()));
        let views = BTreeMap::new();
        Self { schema, schema_text, policies, grants, fronts, servers, scopes, oauth, views, expected, digest }
    }

    /// The same bundle, deciding under these views as well.
    #[must_use]
    pub fn with_views(mut self, views: BTreeMap<ViewName, BTreeSet<ScopeName>>) -> Self {
        if !views.is_empty() {
            let parts = views.iter().flat_map(|(view, scopes)| {
                let scopes = scopes.iter().map(ScopeName::as_str);
                ["@", view.as_str()].into_iter().chain(scopes)
            });
            self.digest = redigested("portcullis.bundle.views.v1", &self.digest, parts);
        }
        self.views = views;
        self
    }

    /// The same bundle, deciding by an inventory of this digest as well.
    #[must_use]
    pub fn with_inventory(mut self, inventory: &str) -> Self {
        self.digest = redigested("portcullis.bundle.inventory.v1", &self.digest, [inventory]);
        self
    }

    /// `sha256:` and the hexadecimal digest of everything that decides.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The Cedar schema that the policies were checked against.
    #[must_use]
    pub fn schema_text(&self) -> &str {
        &self.schema_text
    }

    /// Every policy: those of *use*, of *grant*, then of *admit*, *charge* and *emit*, each part sorted by id.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.access().chain(&self.fronts)
    }

    /// The policies that say who may do what: those of *use* and of *grant*.
    pub(crate) fn access(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter().chain(&self.grants)
    }

    /// Every server.
    #[must_use]
    pub const fn servers(&self) -> &BTreeSet<ServerName> {
        &self.servers
    }

    /// Every scope that a tag stands behind.
    #[must_use]
    pub const fn scopes(&self) -> &BTreeSet<ScopeName> {
        &self.scopes
    }

    /// The scopes of the tags that a view names, if there is such a view.
    #[must_use]
    pub fn view(&self, view: &ViewName) -> Option<&BTreeSet<ScopeName>> {
        self.views.get(view)
    }

    /// Every view.
    pub fn views(&self) -> impl Iterator<Item = &ViewName> {
        self.views.keys()
    }

    /// Whether callers need a token.
    #[must_use]
    pub const fn oauth(&self) -> bool {
        self.oauth
    }

    /// Whether some policy of *use* reads this attribute of the context.
    #[must_use]
    pub fn reads(&self, fact: &str) -> bool {
        self.policies.iter().any(|policy| policy.shape.facts.contains(fact) || policy.shape.facts.contains("*"))
    }
}

/// A digest of more than was digested before.
fn redigested<'p>(what: &'p str, before: &'p str, more: impl IntoIterator<Item = &'p str>) -> String {
    let mut digest = Sha256::new();
    for part in [what, before].into_iter().chain(more) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    format!("sha256:{}", hex(&digest.finalize()))
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
