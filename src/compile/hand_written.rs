//! Hand-written Cedar: the same schema, the same checks, and limits of its own (design §3).
//!
//! Each policy has an `@id`, names its actions, all of one question, and uses `in` on actions only.
//! What could hold silently false is refused: it would be a forbid that does not forbid.

use super::findings::{self, CONDITION, EMPTY, IN_CONDITION, LIST_CALL, NAMELESS, OVERREACH};
use std::{collections::BTreeSet, sync::LazyLock};

use crate::{
    config::PolicyFile,
    diagnostic::{Diagnostic, Place},
    policy::{Actions, Effect, Notes, Policy, QuestionKind, Verb},
};

/// What a bundle cannot be without; shipped in `policies/`.
const SHIPPED: [&str; 2] =
    [include_str!("../../policies/guard-rails.cedar"), include_str!("../../policies/admission.cedar")];

/// What ships, read once. Its places are not the author's, so it has none.
static READ: LazyLock<Result<Vec<Policy>, String>> = LazyLock::new(|| {
    let parsed: cedar_policy::PolicySet =
        SHIPPED.concat().parse().map_err(|error: cedar_policy::ParseErrors| error.to_string())?;
    let mut policies = Vec::new();
    for policy in parsed.policies() {
        let id = id(policy).ok_or("a policy that ships has no `@id`")?;
        let text = policy.to_string();
        policies.push(Policy::of(id, &text, policy.clone(), None, None)?.out_of(text.as_str().into()));
    }
    Ok(policies)
});

/// What ships.
pub(super) fn shipped() -> Result<&'static [Policy], String> {
    READ.as_ref().map(Vec::as_slice).map_err(Clone::clone)
}

/// What the ids of compiled policies begin with.
const TAKEN: [&str; 9] = ["admit/", "check/", "cors/", "grant/", "guard/", "header/", "rate/", "rule/", "server/"];

/// The policies of a file, or everything that is wrong with it.
pub(super) fn policies(file: &PolicyFile) -> Result<Vec<Policy>, Vec<Diagnostic>> {
    let parsed: cedar_policy::PolicySet = file.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors.iter().map(|error| CONDITION.at(&at(file, offset(error)), findings::said(error))).collect::<Vec<_>>()
    })?;
    let mut written = Vec::new();
    let mut problems = Vec::new();
    if parsed.is_empty() {
        // Half written, or emptied by mistake: what it forbade would be allowed.
        problems.push(EMPTY.at(&file.place, format!("`{}` holds no policy", file.path)));
    }
    if let Some(template) = parsed.templates().next() {
        let place = at(file, file.text.find(&template.to_string()).unwrap_or_default());
        problems.push(CONDITION.at(&place, "templates are not used: write the policy out"));
    }
    for policy in parsed.policies() {
        let text = policy.to_string();
        let place = at(file, file.text.find(&text).unwrap_or_default());
        let Some(id) = id(policy).filter(|id| !id.is_empty()) else {
            problems.push(NAMELESS.at(&place, "this policy has no `@id`"));
            continue;
        };
        if let Some(taken) = TAKEN.into_iter().find(|taken| id.starts_with(taken)) {
            problems.push(
                NAMELESS
                    .at(&place, format!("`{id}`: ids that begin with `{taken}` are the compiler's"))
                    .help("choose another id"),
            );
            continue;
        }
        match Policy::of(id, &text, policy.clone(), Some(place.clone()), None) {
            Ok(policy) => match problems_of(&policy, &place) {
                wrong if wrong.is_empty() => written.push(policy),
                wrong => problems.extend(wrong),
            },
            Err(error) => problems.push(CONDITION.at(&place, error)),
        }
    }
    if problems.is_empty() { Ok(written) } else { Err(problems) }
}

/// What its `@id` says.
fn id(policy: &cedar_policy::Policy) -> Option<&str> {
    policy.annotations().find(|(name, _)| *name == "id").map(|(_, id)| id)
}

fn problems_of(policy: &Policy, place: &Place) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let shape = policy.shape();
    let named: &[String] = match &shape.actions {
        Actions::Any => {
            problems.push(OVERREACH.at(place, "this policy names no action, and so speaks to every question"));
            &[]
        }
        Actions::Exactly(action) => {
            if action == "tools/call" {
                let problem = "`action == …\"tools/call\"` would miss calls whose arguments are typed";
                problems
                    .push(IN_CONDITION.at(place, problem).help("write `action in Portcullis::Action::\"tools/call\"`"));
            }
            std::slice::from_ref(action)
        }
        Actions::In(actions) => actions,
    };
    let kinds: BTreeSet<QuestionKind> = named.iter().map(|action| QuestionKind::of_action(action)).collect();
    if kinds.len() > 1 {
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("*{kind}*")).collect();
        let problem = format!("this policy speaks to {} questions: {}", kinds.len(), kinds.join(" and "));
        problems.push(OVERREACH.at(place, problem).help("write one policy for each"));
    }
    match (policy.of, shape.effect) {
        (QuestionKind::Grant, Effect::Permit) => {
            let help = "write the ceiling under `grants:`; hand-written policies may only forbid a grant";
            problems.push(OVERREACH.at(place, "this policy permits a grant").help(help));
        }
        (QuestionKind::Admit, Effect::Permit) => {
            let help = "everything is admitted that no policy forbids; write what it should not be as a `forbid`";
            problems.push(OVERREACH.at(place, "this policy permits a request to come in").help(help));
        }
        (QuestionKind::Charge | QuestionKind::Emit, Effect::Forbid) => {
            let problem = format!("this policy forbids, and *{}* is answered by permits alone", policy.of);
            let help = "a permit that does not hold says no: put the condition there";
            problems.push(OVERREACH.at(place, problem).help(help));
        }
        (QuestionKind::Admit | QuestionKind::Grant, Effect::Forbid)
        | (QuestionKind::Charge | QuestionKind::Emit, Effect::Permit)
        | (QuestionKind::Use, _) => {}
    }
    if policy.of != QuestionKind::Use && policy.of != QuestionKind::Grant {
        problems.extend(Notes::of(policy).err().map(|problem| {
            NAMELESS.at(place, problem).help("see `portcullis compile` for what the compiler writes itself")
        }));
    }
    if shape.uses_in {
        problems.push(
            IN_CONDITION.at(place, "`in` on a principal or resource is silently false where the entity is unknown"),
        );
    }
    let pairs = [
        (Verb::ToolsCall, Verb::ToolsList),
        (Verb::PromptsGet, Verb::PromptsList),
        (Verb::ResourcesRead, Verb::ResourcesList),
    ];
    for (verb, shown_by) in pairs {
        let (acts, shows) = (policy.verbs.contains(&verb), policy.verbs.contains(&shown_by));
        let mismatch = match shape.effect {
            Effect::Permit => acts && !shows,
            Effect::Forbid => shows && !acts,
        };
        if mismatch {
            let problem = format!(
                "what this policy says of `{}` and of `{verb}` differs: something could be callable but not listed",
                shown_by
            );
            problems.push(LIST_CALL.at(place, problem));
        }
    }
    problems
}

/// The byte offset at which Cedar says that an error stands.
fn offset(error: &dyn miette::Diagnostic) -> usize {
    error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset())
}

/// The place of a byte offset.
fn at(file: &PolicyFile, offset: usize) -> Place {
    let before = file.text.get(..offset).unwrap_or_default();
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let end =
        file.text.get(offset..).and_then(|rest| rest.find('\n')).map_or(file.text.len(), |length| offset + length);
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Place { file: file.path.clone(), line: number(line), column: number(column), start: offset, end }
}
