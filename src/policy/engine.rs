//! Whether a question is answered with allow, and by which policies.
//!
//! Cedar walks every policy it is given, so a question is asked of a *shard*: the policies of its
//! server and verb, and those that pin no server. A shard answers as the full set would, in decision
//! and reasons; a property test holds that.
//!
//! INVARIANT: an allow with any evaluation error is a deny. Cedar skips a policy that errors, so a
//! `forbid` that errors would stop forbidding.
//! INVARIANT: nothing is allowed to be done whose arguments are not known, or do not fit.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use cedar_policy::{
    Authorizer, Context, EntityUid, PolicyId, PolicySet, Request, Response, RestrictedExpression, Schema,
    validate_scope_variables,
};
use jiff::Timestamp;

use super::{
    allowed::Allowed,
    argument::{Arguments, Record},
    bundle::{Bundle, Needs, Policy},
    consent::{self, Consent, Later},
    decision::{Because, Decision, Effect, Reason, Verdict},
    entity::{self, Inventory},
    front::Front,
    question::{Moment, Standing, Target, Verb},
    shard::{Breadth, Grants, Shard, Shards, Tool},
};
use crate::{
    mcp::Misfit,
    name::{ClientId, GroupId, ScopeName, ServerName},
    principal::Principal,
};

/// One question of the kind *use*.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub asker: &'a Asker,
    /// What they want to do.
    pub verb: Verb,
    /// To what.
    pub target: &'a Target,
    /// What the target's server offers.
    pub inventory: &'a Inventory,
    /// What is true of this request alone.
    pub moment: &'a Moment,
    /// What is known of the arguments of a call.
    pub arguments: Arguments<'a>,
}

/// Why a question cannot be put.
#[derive(Debug)]
pub(super) enum Unput {
    /// Its arguments are no facts.
    Misfit(Misfit),
    /// Cedar does not take it, in words.
    Refused(String),
}

impl From<String> for Unput {
    fn from(words: String) -> Self {
        Self::Refused(words)
    }
}

impl Question<'_> {
    /// The question that must be answered with allow as well.
    fn besides(&self) -> Option<Self> {
        Some(Self { verb: self.verb.besides(self.target)?, ..*self })
    }
}

/// A caller's standing, made ready to ask with: its part of the context is built once.
#[derive(Debug)]
pub struct Asker {
    standing: Standing,
    principal: EntityUid,
    showing: Option<Context>,
    acting: Option<Context>,
    /// What a person agreed to, where one was asked.
    consent: Option<Consent>,
}

impl Asker {
    /// The same asker, held to what a person agreed to.
    #[must_use]
    pub fn consented(mut self, consent: Option<Consent>) -> Self {
        self.consent = consent;
        self
    }

    /// Who it is and what it may use.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }
}

/// By which scopes something is allowed.
#[derive(Debug, Default)]
struct Shown<'s> {
    /// Any of these may have shown it to the person who granted them.
    under: BTreeSet<&'s ScopeName>,
    /// These must be granted again to have it.
    needed: BTreeSet<&'s ScopeName>,
}

impl<'s> Shown<'s> {
    fn by_all(&mut self, scopes: &'s BTreeSet<ScopeName>, held: &BTreeSet<ScopeName>) {
        self.under.extend(scopes.iter().filter(|scope| held.contains(*scope)));
        self.needed.extend(scopes.iter().filter(|scope| held.contains(*scope)));
    }

    fn by_any(&mut self, scopes: &'s BTreeSet<ScopeName>, held: &BTreeSet<ScopeName>) {
        self.under.extend(scopes.iter().filter(|scope| held.contains(*scope)));
        self.needed.extend(scopes.iter().find(|scope| held.contains(*scope)));
    }
}

/// An answer without its reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Allowed.
    Allowed,
    /// Denied since no permit holds, and every policy could be evaluated.
    Unpermitted,
    /// Denied by a forbid, or since a policy could not be evaluated.
    Denied,
}

/// The decision core over one bundle.
#[derive(Debug)]
pub struct Engine {
    bundle: Arc<Bundle>,
    pub(super) authorizer: Authorizer,
    shards: HashMap<ServerName, Shards>,
    grants: Grants,
    pub(super) front: Front,
    reasons: HashMap<PolicyId, Arc<[Reason]>>,
    actions: [EntityUid; Verb::ALL.len()],
    /// Which of [`VOLATILE`] some policy reads: the schema declares these and no other.
    volatile: [bool; VOLATILE.len()],
    /// Whether some policy reads what was found in a message.
    findings: bool,
}

/// The facts that differ from request to request of one token; see [`Moment`].
pub const VOLATILE: [&str; 3] = ["address", "now", "tls"];

impl Engine {
    /// Makes a bundle ready to be asked.
    ///
    /// # Errors
    /// When two policies share an id, or an annotation cannot be read; the compiler does not make such bundles.
    pub fn new(bundle: Arc<Bundle>) -> Result<Self, String> {
        let mut reasons = HashMap::new();
        for policy in bundle.policies() {
            let reason = Arc::from([policy.reason.clone()]);
            if reasons.insert(PolicyId::new(policy.id()), reason).is_some() {
                return Err(format!("two policies share the id `{}`", policy.id()));
            }
        }
        Ok(Self {
            shards: Shards::plan(&bundle),
            volatile: VOLATILE.map(|fact| bundle.reads(fact)),
            findings: bundle.reads("findings"),
            actions: Verb::ALL.map(entity::action),
            authorizer: Authorizer::new(),
            grants: Grants::plan(&bundle),
            front: Front::plan(&bundle)?,
            reasons,
            bundle,
        })
    }

    /// The bundle it decides by.
    #[must_use]
    pub const fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// Makes a caller's standing ready to ask with. With OAuth off everyone is anonymous and has
    /// every scope: that is what the local mode means, and all it means.
    ///
    /// # Errors
    /// When Cedar refuses the facts or they are not of the schema's types, in words.
    pub fn asker(&self, standing: Standing) -> Result<Asker, String> {
        let mut asker = self.asker_of_one(standing);
        if !self.is_volatile() {
            let showing = self.context(&asker.standing, false, None, None)?;
            let acting = self.context(&asker.standing, true, None, None)?;
            for (verb, action) in Verb::ALL.iter().zip(&self.actions) {
                let context = if verb.acts() { &acting } else { &showing };
                context.validate(&self.bundle.schema, action).map_err(|error| error.to_string())?;
            }
            (asker.showing, asker.acting) = (Some(showing), Some(acting));
        }
        Ok(asker)
    }

    /// An asker of one question: nothing is built and typed for others.
    fn asker_of_one(&self, mut standing: Standing) -> Asker {
        if !self.bundle.oauth {
            standing = Standing {
                principal: Principal::Anonymous,
                client: None,
                groups: BTreeSet::new(),
                scopes: self.bundle.scopes.clone(),
                named: standing.named,
            };
        }
        let principal = entity::principal(&standing.principal);
        Asker { standing, principal, showing: None, acting: None, consent: None }
    }

    /// Takes note of what a server offers.
    ///
    /// # Errors
    /// When Cedar refuses the entities, in words.
    pub fn inventory(
        &self,
        server: &ServerName,
        targets: impl IntoIterator<Item = Target>,
    ) -> Result<Inventory, String> {
        Inventory::build(&self.bundle.schema, server, targets)
    }

    /// Allows `inner`, or says why not. The only way to an [`Allowed`].
    ///
    /// # Errors
    /// The denial, with what would turn it.
    pub fn allow<T>(&self, question: &Question<'_>, inner: T) -> Result<Allowed<T>, Decision> {
        if !matches!(question.arguments, Arguments::Given(_)) {
            return Err(failed("the arguments are not known".into()));
        }
        let decision = self.decide(question);
        if decision.is_allow() { Ok(Allowed::new(inner, decision)) } else { Err(decision) }
    }

    /// Answers a question, with the policies that determined the answer and, for a denial, what would
    /// turn it.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        if let Some(first) = question.besides().map(|first| self.decide(&first)).filter(|first| !first.is_allow()) {
            return first;
        }
        let shard = match self.shard(question) {
            Ok(shard) => shard,
            Err(because) => return Decision::deny(because),
        };
        let decision = match self.request(question) {
            Ok(request) => self.answer(&request, &shard.set, &question.inventory.store),
            Err(Unput::Refused(error)) => failed(error),
            Err(Unput::Misfit(misfit)) => {
                // Who may not call it with any arguments is told why, and not what they should have been.
                let best = self.decide(&Question { arguments: Arguments::Best, ..*question });
                return if best.is_allow() { Decision::unfit(misfit) } else { best };
            }
        };
        self.finish(question, shard, decision)
    }

    /// What the policies answer, held against what is pinned and agreed to; a denial is explained.
    fn finish(&self, question: &Question<'_>, shard: &Shard, decision: Decision) -> Decision {
        if decision.is_allow() {
            return match self.check(question) {
                Ok(()) => self.held_to_consent(question, shard, decision),
                Err(misfit) => Decision::unfit(misfit),
            };
        }
        if decision.errors.is_empty() { self.explain_denial(question, shard, decision) } else { decision }
    }

    /// Whether the answer is allow. For entries of lists: nothing is said about why.
    #[must_use]
    pub fn allows(&self, question: &Question<'_>) -> bool {
        if question.besides().is_some_and(|first| !self.allows(&first)) {
            return false;
        }
        let Some(consent) = question.asker.consent.as_ref().filter(|consent| consent.later == Later::Denied) else {
            return self.permits(question) && self.check(question).is_ok();
        };
        let Ok(shard) = self.shard(question) else { return false };
        let Some(response) = self.permitted(question, shard) else { return false };
        let allows = |id: &str| response.diagnostics().reason().any(|reason| AsRef::<str>::as_ref(reason) == id);
        let agreed = self.beyond(question, consent, shard, allows).is_none();
        agreed && self.check(question).is_ok()
    }

    /// Whether the policies allow it, whatever `portcullis.lock` pins of the arguments.
    pub(crate) fn permits(&self, question: &Question<'_>) -> bool {
        self.answers(question) == Answer::Allowed
    }

    /// The policies that allow it, where they do.
    fn permitted(&self, question: &Question<'_>, shard: &Shard) -> Option<Response> {
        let request = self.request(question).ok()?;
        let response = self.authorizer.is_authorized(&request, &shard.set, &question.inventory.store);
        let allowed =
            response.decision() == cedar_policy::Decision::Allow && response.diagnostics().errors().next().is_none();
        allowed.then_some(response)
    }

    /// The scopes by which these policies allow something that the person who granted them was not shown;
    /// nothing where it was shown, or needs no scope.
    fn beyond<'s>(
        &'s self,
        question: &Question<'s>,
        consent: &Consent,
        shard: &Shard,
        allows: impl Fn(&str) -> bool,
    ) -> Option<Shown<'s>> {
        let Question { asker, target, inventory, .. } = *question;
        let held = &asker.standing.scopes;
        let mut shown = Shown::default();
        for policy in shard.policies(&self.bundle.policies) {
            match (&policy.needs, policy.shape.effect) {
                (_, Effect::Permit) if !allows(policy.id()) => {}
                (Some(Needs::All(scopes)), Effect::Permit) => shown.by_all(scopes, held),
                (Some(Needs::Any(scopes)), Effect::Permit) => shown.by_any(scopes, held),
                (None, Effect::Permit) if policy.shape.reads("scopes") => shown.by_all(held, held),
                (None, Effect::Permit) => return None,
                (Some(Needs::All(scopes) | Needs::Any(scopes)), Effect::Forbid) => {
                    if policy.patterns.iter().any(|pattern| pattern.matches(target.name())) {
                        shown.by_all(scopes, held);
                    }
                }
                (None, Effect::Forbid) => {}
            }
        }
        let covered = consent.covers(&shown.under, target.server(), inventory.risk(target));
        (!covered && !shown.under.is_empty()).then_some(shown)
    }

    /// An allow, held against what the person agreed to.
    fn held_to_consent(&self, question: &Question<'_>, shard: &Shard, decision: Decision) -> Decision {
        let Some(consent) = &question.asker.consent else { return decision };
        let allows = |id: &str| decision.reasons.iter().any(|reason| &*reason.policy == id);
        let Some(shown) = self.beyond(question, consent, shard, allows) else { return decision };
        let Question { target, inventory, .. } = *question;
        let beyond = Some(consent.beyond(target.server(), inventory.risk(target)));
        match consent.later {
            Later::Noted => {
                let reasons = decision.reasons.iter().cloned().chain([consent::reason(Effect::Permit)]);
                let mut reasons: Vec<Reason> = reasons.collect();
                reasons.sort_unstable_by(|a, b| a.policy.cmp(&b.policy));
                Decision { reasons: reasons.into(), consent: beyond, ..decision }
            }
            Later::Denied => {
                let needed: Vec<ScopeName> = shown.needed.into_iter().cloned().collect();
                let reasons = Arc::from([consent::reason(Effect::Forbid)]);
                let missing = needed.clone();
                Decision { reasons, missing, needed, consent: beyond, ..Decision::deny(Because::MissingScope) }
            }
        }
    }

    /// Whether policies read the arguments of a call of this.
    #[must_use]
    pub fn reads_arguments(&self, verb: Verb, target: &Target) -> bool {
        self.tool(verb, target).is_some_and(|tool| tool.typed().is_some())
    }

    /// Whether `portcullis.lock` says which arguments a tool has.
    #[must_use]
    pub fn pins_arguments(&self, target: &Target) -> bool {
        self.tool(Verb::ToolsCall, target).is_some_and(|tool| tool.expected.schema.is_some())
    }

    /// What policies read of the arguments of a call, where they read any.
    pub(crate) fn arguments_of(&self, target: &Target) -> Option<&Record> {
        self.tool(Verb::ToolsCall, target)?.typed().map(|(record, _)| record)
    }

    /// Holds the arguments of a call against what `portcullis.lock` pins of them, where it does.
    fn check(&self, question: &Question<'_>) -> Result<(), Misfit> {
        match (question.arguments, self.tool(question.verb, question.target)) {
            (Arguments::Given(given), Some(tool)) => tool.expected.check(given),
            (Arguments::Given(_) | Arguments::Best | Arguments::Worst, _) => Ok(()),
        }
    }

    /// What is expected of a call of this, if anything is.
    fn tool(&self, verb: Verb, target: &Target) -> Option<&Tool> {
        match target {
            Target::Tool(server, tool) if verb == Verb::ToolsCall => self.shards.get(server)?.tool(tool),
            Target::Tool(..) | Target::Server(_) | Target::Prompt(..) | Target::Resource(..) => None,
        }
    }

    /// Whether the answer is allow, and if not, whether anything speaks against it.
    pub(crate) fn answers(&self, question: &Question<'_>) -> Answer {
        let Ok(shard) = self.shard(question) else { return Answer::Unpermitted };
        let Ok(request) = self.request(question) else { return Answer::Denied };
        let response = self.authorizer.is_authorized(&request, &shard.set, &question.inventory.store);
        let (decision, diagnostics) = (response.decision(), response.diagnostics());
        match decision {
            _ if diagnostics.errors().next().is_some() => Answer::Denied,
            cedar_policy::Decision::Allow => Answer::Allowed,
            cedar_policy::Decision::Deny if diagnostics.reason().next().is_none() => Answer::Unpermitted,
            cedar_policy::Decision::Deny => Answer::Denied,
        }
    }

    /// Answers a question by the full policy set, unsharded. The oracle that shards are tested against.
    #[must_use]
    pub fn decide_unsharded(&self, question: &Question<'_>) -> Decision {
        let first = question.besides().map(|first| self.decide_unsharded(&first));
        if let Some(first) = first.filter(|first| !first.is_allow()) {
            return first;
        }
        let shard = match self.shard(question) {
            Ok(shard) => shard,
            Err(because) => return Decision::deny(because),
        };
        let full = Shard::of(&self.bundle.policies, (0..self.bundle.policies.len()).collect());
        let decision = match self.request(question) {
            Ok(request) => self.answer(&request, &full.set, &question.inventory.store),
            Err(Unput::Refused(error)) => failed(error),
            Err(Unput::Misfit(_)) => return self.decide(question),
        };
        self.finish(question, shard, decision)
    }

    /// Which entries of a list are decided alike: two names with the same class get the same answer
    /// to the same asker. `None` where the answer may differ from name to name or request to request,
    /// and must not be kept.
    #[must_use]
    pub fn class(&self, verb: Verb, target: &Target) -> Option<u64> {
        if self.is_volatile() {
            None
        } else {
            self.shards.get(target.server())?.class(&self.bundle.policies, verb, target.name())
        }
    }

    /// The policies that some question of this verb about this server is asked of, sorted by id.
    pub(crate) fn policies_of(&self, server: &ServerName, verb: Verb) -> impl Iterator<Item = &Policy> {
        let policies = &self.bundle.policies;
        let members = self.shards.get(server).map(|shards| shards.all(policies, verb)).unwrap_or_default();
        members.into_iter().filter_map(|member| policies.get(member))
    }

    /// Like [`Engine::class`], for who asks at the same moment: two names with the same class get the
    /// same answer to the same asker then.
    pub(crate) fn class_at_once(&self, verb: Verb, target: &Target) -> Option<u64> {
        if self.reads_arguments(verb, target) {
            return None;
        }
        self.shards.get(target.server())?.class(&self.bundle.policies, verb, target.name())
    }

    /// Whether a scope may be granted: the question *grant*.
    #[must_use]
    pub fn may_grant(
        &self,
        principal: &Principal,
        client: Option<&ClientId>,
        groups: &BTreeSet<GroupId>,
        scope: &ScopeName,
    ) -> Decision {
        if !self.bundle.scopes.contains(scope) {
            return Decision::deny(Because::NoMatchingGrant);
        }
        let groups = RestrictedExpression::new_set(groups.iter().map(|group| text(group.as_str())));
        let mut facts = vec![("groups".to_owned(), groups)];
        let caller = entity::principal(principal);
        facts.extend(client.map(|client| ("client".to_owned(), text(client.as_str()))));
        let request = Context::from_pairs(facts).map_err(|error| error.to_string()).and_then(|context| {
            let parts = (caller.clone(), entity::plain_action("grant"), entity::scope(scope));
            Request::new(parts.0, parts.1, parts.2, context, Some(&self.bundle.schema))
                .map_err(|error| error.to_string())
        });
        match request {
            Ok(request) => {
                let grants = self.grants.of(&self.bundle, &caller, scope);
                let mut decision = self.answer(&request, grants, &cedar_policy::Entities::empty());
                if decision.because == Because::ExplicitForbid {
                    decision.because = Because::NoMatchingGrant;
                }
                decision
            }
            Err(error) => failed(error),
        }
    }

    pub(super) fn shard(&self, question: &Question<'_>) -> Result<&Shard, Because> {
        let target = question.target;
        let shards = self.shards.get(target.server()).ok_or(Because::UnknownServer)?;
        if question.inventory.server != *target.server()
            || !question.verb.takes(target.kind())
            || !question.inventory.knows(target)
        {
            return Err(Because::UnknownTool);
        }
        let standing = &question.asker.standing;
        let breadth = Breadth {
            wide: standing.principal == Principal::Anonymous || standing.named.is_some(),
            found: !question.moment.findings.is_empty(),
        };
        let policies = &self.bundle.policies;
        let typed = match target {
            Target::Tool(_, tool) if question.verb == Verb::ToolsCall => {
                shards.of_call(policies, tool, question.arguments, breadth)
            }
            Target::Tool(..) | Target::Server(_) | Target::Prompt(..) | Target::Resource(..) => None,
        };
        Ok(typed.unwrap_or_else(|| shards.of(policies, question.verb, breadth)))
    }

    /// The question as Cedar takes it; where its arguments are no facts, without them.
    pub(super) fn putting(&self, question: &Question<'_>) -> Result<Request, String> {
        self.request(question).or_else(|unput| match unput {
            Unput::Refused(words) => Err(words),
            Unput::Misfit(_) => match self.request(&Question { arguments: Arguments::Best, ..*question }) {
                Ok(request) => Ok(request),
                Err(Unput::Refused(words)) => Err(words),
                Err(Unput::Misfit(misfit)) => Err(misfit.to_string()),
            },
        })
    }

    /// Whether a question is about arguments that are not known, or no facts.
    pub(super) fn lacks_arguments(&self, question: &Question<'_>) -> bool {
        self.reads_arguments(question.verb, question.target)
            && (!matches!(question.arguments, Arguments::Given(_)) || self.request(question).is_err())
    }

    fn request(&self, question: &Question<'_>) -> Result<Request, Unput> {
        let Question { asker, verb, target, inventory, moment, arguments } = *question;
        let acts = verb.acts();
        let ready = if acts { &asker.acting } else { &asker.showing };
        let plain = moment.findings.is_empty() && !moment.drifted;
        let known = |part: Option<&EntityUid>, words: &str| part.cloned().ok_or_else(|| Unput::from(words.to_owned()));
        let resource = known(inventory.find(target), "the target is not in the inventory")?;
        let typed = self.tool(verb, target).and_then(Tool::typed);
        let action = typed.map(|(_, action)| action).or_else(|| self.actions.get(verb as usize));
        let action = known(action, "the verb has no action")?;
        let args = match (typed, arguments) {
            (Some((record, _)), Arguments::Given(given)) => Some(record.facts(given).map_err(Unput::Misfit)?),
            (Some(_) | None, Arguments::Given(_) | Arguments::Best | Arguments::Worst) => None,
        };
        let principal = asker.principal.clone();
        // A context that was built with the asker was typed then, and nothing was added since; what
        // is left to be typed is who does what to what.
        if let Some(context) = ready.as_ref().filter(|_| args.is_none() && (plain || !acts)) {
            if acts {
                validate_scope_variables(&principal, &action, &resource, &self.bundle.schema)
                    .map_err(|error| error.to_string())?;
            }
            let request = Request::new(principal, action, resource, context.clone(), None);
            return request.map_err(|error| error.to_string().into());
        }
        // Of arguments that are not known there are no facts, which the schema asks for.
        let whole = typed.is_none() || args.is_some();
        let context = self.context(&asker.standing, acts, Some(moment), args)?;
        let schema: Option<&Schema> = (acts && whole).then_some(&self.bundle.schema);
        Request::new(principal, action, resource, context, schema).map_err(|error| error.to_string().into())
    }

    /// Whether some policy reads what was found in a message.
    #[must_use]
    pub const fn reads_findings(&self) -> bool {
        self.findings
    }

    /// Whether some policy reads when or whence a request comes, and so may answer two alike unlike.
    #[must_use]
    pub const fn reads_the_moment(&self) -> bool {
        self.is_volatile()
    }

    /// Whether some policy reads what differs from request to request of one token.
    const fn is_volatile(&self) -> bool {
        let [address, now, tls] = self.volatile;
        address || now || tls
    }

    fn context(
        &self,
        standing: &Standing,
        acts: bool,
        moment: Option<&Moment>,
        args: Option<RestrictedExpression>,
    ) -> Result<Context, String> {
        let scopes = |scopes: &BTreeSet<ScopeName>| {
            RestrictedExpression::new_set(scopes.iter().map(|scope| text(scope.as_str())))
        };
        let nothing = BTreeSet::new();
        let mut facts = vec![
            ("filtered".to_owned(), RestrictedExpression::new_bool(standing.named.is_some())),
            (
                "groups".to_owned(),
                RestrictedExpression::new_set(standing.groups.iter().map(|group| text(group.as_str()))),
            ),
            ("named".to_owned(), scopes(standing.named.as_ref().unwrap_or(&nothing))),
            ("oauth".to_owned(), RestrictedExpression::new_bool(self.bundle.oauth)),
            ("scopes".to_owned(), scopes(&standing.scopes)),
        ];
        facts.extend(standing.client.as_ref().map(|client| ("client".to_owned(), text(client.as_str()))));
        facts.extend(args.map(|args| ("args".to_owned(), args)));
        if acts {
            let findings = moment.map(|moment| &moment.findings).into_iter().flatten();
            facts.push(("findings".to_owned(), RestrictedExpression::new_set(findings.map(|finding| text(finding)))));
            facts.push((
                "drifted".to_owned(),
                RestrictedExpression::new_bool(moment.is_some_and(|moment| moment.drifted)),
            ));
        }
        if self.is_volatile() {
            let moment = moment.ok_or("the moment is read by a policy and was not given")?;
            let values = [address(moment.address), datetime(moment.now), RestrictedExpression::new_bool(moment.tls)];
            let known = VOLATILE.iter().zip(values).zip(self.volatile).filter(|(_, read)| *read);
            facts.extend(known.map(|((fact, value), _)| ((*fact).to_owned(), value)));
        }
        Context::from_pairs(facts).map_err(|error| error.to_string())
    }

    pub(super) fn answer(&self, request: &Request, set: &PolicySet, store: &cedar_policy::Entities) -> Decision {
        let response = self.authorizer.is_authorized(request, set, store);
        let diagnostics = response.diagnostics();
        let mut errors: Vec<String> = diagnostics.errors().map(ToString::to_string).collect();
        errors.sort_unstable();
        let reasons = self.reasons_of(diagnostics.reason());
        let (verdict, because) = match response.decision() {
            _ if !errors.is_empty() => (Verdict::Deny, Because::PolicyError),
            cedar_policy::Decision::Allow => (Verdict::Allow, Because::Permitted),
            cedar_policy::Decision::Deny if reasons.is_empty() => (Verdict::Deny, Because::NoMatchingGrant),
            cedar_policy::Decision::Deny => (Verdict::Deny, Because::ExplicitForbid),
        };
        Decision {
            verdict,
            because,
            reasons,
            errors,
            missing: Vec::new(),
            needed: Vec::new(),
            misfit: None,
            consent: None,
        }
    }

    /// The reasons of a decision, sorted by id: Cedar gives them in no order.
    fn reasons_of<'p>(&self, ids: impl Iterator<Item = &'p PolicyId>) -> Arc<[Reason]> {
        let mut found: Vec<&Arc<[Reason]>> = ids.filter_map(|id| self.reasons.get(id)).collect();
        match found.as_slice() {
            [one] => Arc::clone(one),
            _ => {
                found.sort_unstable_by(|a, b| {
                    a.first().map(|reason| &reason.policy).cmp(&b.first().map(|reason| &reason.policy))
                });
                found.into_iter().flat_map(|reason| reason.iter().cloned()).collect()
            }
        }
    }

    /// Says what kind of denial it is and which scopes would turn it.
    fn explain_denial(&self, question: &Question<'_>, shard: &Shard, mut decision: Decision) -> Decision {
        let standing = &question.asker.standing;
        if standing.principal == Principal::Anonymous && self.bundle.oauth {
            decision.because = Because::Unauthenticated;
            return decision;
        }
        let (missing, needed) = self.missing(question, shard);
        if missing.is_empty() {
            if decision.because == Because::ExplicitForbid && !decision.checks().is_empty() {
                decision.because = Because::ValidationFailed;
            } else if decision.because == Because::ExplicitForbid && self.depends_on_request(&decision) {
                decision.because = Because::ConditionFailed;
            }
            return decision;
        }
        let obtainable =
            |scope| self.may_grant(&standing.principal, standing.client.as_ref(), &standing.groups, scope).is_allow();
        decision.because =
            if missing.iter().all(obtainable) { Because::MissingScope } else { Because::NoMatchingGrant };
        decision.missing = missing.into_iter().collect();
        decision.needed = needed.into_iter().collect();
        decision
    }

    /// Whether some determining forbid reads what differs from request to request.
    fn depends_on_request(&self, decision: &Decision) -> bool {
        let determining: BTreeSet<&str> = decision.reasons.iter().map(|reason| &*reason.policy).collect();
        let of_request = ["args", "findings", "drifted", "*"].into_iter().chain(VOLATILE);
        let of_request: Vec<&str> = of_request.collect();
        self.bundle.policies.iter().any(|policy| {
            determining.contains(policy.id()) && of_request.iter().any(|fact| policy.shape.facts.contains(*fact))
        })
    }

    /// The scopes that would turn a denial, all of them at once, and with them those that count
    /// already; empty where no scope would.
    ///
    /// Found by asking again, for each permit in turn, with what it needs and what the forbids need that stand
    /// against whoever has no scope at all. Of the sets that turn the answer the smallest counts: first of what
    /// the caller cannot get, then of what it lacks, then of all.
    fn missing(&self, question: &Question<'_>, shard: &Shard) -> (BTreeSet<ScopeName>, BTreeSet<ScopeName>) {
        let standing = &question.asker.standing;
        let obtainable = |scope: &ScopeName| {
            self.may_grant(&standing.principal, standing.client.as_ref(), &standing.groups, scope).is_allow()
        };
        let with = |scopes: BTreeSet<ScopeName>| self.asker_of_one(Standing { scopes, ..standing.clone() });
        let bare = with(BTreeSet::new());
        let bare = Question { asker: &bare, ..*question };
        let (mut always, mut permits) = (BTreeSet::new(), Vec::new());
        for policy in shard.policies(&self.bundle.policies) {
            match (policy.shape.effect, &policy.needs) {
                (Effect::Permit, needs) => permits.push(needs),
                (Effect::Forbid, Some(Needs::All(scopes))) if self.holds(policy, &bare) => always.extend(scopes),
                (Effect::Forbid, _) => {}
            }
        }
        let turning = permits.into_iter().filter_map(|needs| {
            let mut needed: BTreeSet<ScopeName> = always.iter().copied().cloned().collect();
            match needs {
                Some(Needs::All(scopes)) => needed.extend(scopes.iter().cloned()),
                Some(Needs::Any(scopes)) => {
                    let one = scopes.iter().find(|scope| standing.scopes.contains(*scope));
                    let one = one.or_else(|| scopes.iter().find(|scope| obtainable(scope)));
                    needed.extend(one.or_else(|| scopes.first()).cloned());
                }
                None => {}
            }
            let missing: BTreeSet<ScopeName> = needed.difference(&standing.scopes).cloned().collect();
            if missing.is_empty() {
                return None;
            }
            let asker = with(&standing.scopes | &needed);
            let turns = self.permits(&Question { asker: &asker, ..*question });
            let beyond = missing.iter().filter(|scope| !obtainable(scope)).count();
            turns.then_some(((beyond, missing.len(), needed.len()), missing, needed))
        });
        let smallest = turning.min_by(|(one, _, first), (other, _, second)| (one, first).cmp(&(other, second)));
        smallest.map(|(_, missing, needed)| (missing, needed)).unwrap_or_default()
    }

    /// Whether a policy, asked alone, is satisfied.
    pub(crate) fn holds(&self, policy: &Policy, question: &Question<'_>) -> bool {
        let alone = Shard::alone(policy, question.arguments);
        self.putting(question)
            .is_ok_and(|request| !self.answer(&request, &alone.set, &question.inventory.store).reasons.is_empty())
    }
}

pub(super) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

pub(super) fn address(address: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(address.to_string())
}

pub(super) fn datetime(moment: Timestamp) -> RestrictedExpression {
    RestrictedExpression::new_datetime(moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// The answer to a question that could not even be put.
pub(super) fn failed(error: String) -> Decision {
    Decision { errors: vec![error], ..Decision::deny(Because::PolicyError) }
}
