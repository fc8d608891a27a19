//! Hand-written Cedar: the same schema, the same checks, and limits of its own (design §3).
//!
//! Each policy has an `@id`, names its actions, all of one question, and uses `in` on actions only.
//! What could hold silently false is refused: it would be a forbid that does not forbid.

use super::findings::{self, CONDITION, IN_CONDITION, LIST_CALL, NAMELESS, OVERREACH};
use crate::{
    config::PolicyFile,
    diagnostic::{Diagnostic, Place},
    policy::{Actions, Effect, Policy, Verb},
};

/// What a bundle cannot be without; shipped in `policies/`.
const GUARD_RAILS: &str = include_str!("../../policies/guard-rails.cedar");

/// The policies of a file: those about *use*, and those about *grant*.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) uses: Vec<Policy>,
    pub(super) grants: Vec<Policy>,
}

/// The guard rails. Their places are not the author's, so they have none.
pub(super) fn guard_rails() -> Result<Vec<Policy>, String> {
    let parsed: cedar_policy::PolicySet =
        GUARD_RAILS.parse().map_err(|error: cedar_policy::ParseErrors| error.to_string())?;
    parsed
        .policies()
        .map(|policy| {
            let id = policy.annotation("id").ok_or("a guard rail has no `@id`")?.to_owned();
            Policy::of(&id, &policy.to_string(), policy.clone(), None, None)
        })
        .collect()
}

/// The policies of a file, or everything that is wrong with it.
pub(super) fn policies(file: &PolicyFile) -> Result<Written, Vec<Diagnostic>> {
    let parsed: cedar_policy::PolicySet = file.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors.iter().map(|error| CONDITION.at(&at(file, offset(error)), findings::said(error))).collect::<Vec<_>>()
    })?;
    let mut written = Written::default();
    let mut problems = Vec::new();
    if let Some(template) = parsed.templates().next() {
        let place = at(file, file.text.find(&template.to_string()).unwrap_or_default());
        problems.push(CONDITION.at(&place, "templates are not used: write the policy out"));
    }
    for policy in parsed.policies() {
        let text = policy.to_string();
        let place = at(file, file.text.find(&text).unwrap_or_default());
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()) else {
            problems.push(NAMELESS.at(&place, "this policy has no `@id`"));
            continue;
        };
        if let Some(taken) = ["server/", "rule/", "grant/", "guard/"].into_iter().find(|taken| id.starts_with(taken)) {
            problems.push(
                NAMELESS
                    .at(&place, format!("`{id}`: ids that begin with `{taken}` are the compiler's"))
                    .help("choose another id"),
            );
            continue;
        }
        match Policy::of(id, &text, policy.clone(), Some(place.clone()), None) {
            Ok(policy) => match problems_of(&policy, &place) {
                wrong if wrong.is_empty() => {
                    if policy.verbs.is_empty() {
                        written.grants.push(policy)
                    } else {
                        written.uses.push(policy)
                    }
                }
                wrong => problems.extend(wrong),
            },
            Err(error) => problems.push(CONDITION.at(&place, error)),
        }
    }
    if problems.is_empty() { Ok(written) } else { Err(problems) }
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
    let grants = named.iter().any(|action| action == "grant");
    if grants && named.len() > 1 {
        problems.push(
            OVERREACH
                .at(place, "this policy speaks to two questions: *grant* and *use*")
                .help("write one policy for each"),
        );
    }
    if grants && shape.effect == Effect::Permit {
        let help = "write the ceiling under `grants:`; hand-written policies may only forbid a grant";
        problems.push(OVERREACH.at(place, "this policy permits a grant").help(help));
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
