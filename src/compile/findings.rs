//! What the compiler says of rules, conditions and hand-written policies: the entries of the
//! catalogue that only it can raise.

use crate::{
    config::findings::{EMPTY_SELECTOR, INVALID_IDENTIFIER, WRONG_TYPE},
    diagnostic::{About, Class, Level},
};

/// A condition or policy that does not parse or does not fit the schema.
pub(crate) const CONDITION: About = About {
    help: "write Cedar over `principal`, `resource` (`server`, and `name` or `uri`) and `context` (`scopes`, `groups`, `client?`, `named`, `filtered`, `oauth`, `address`, `now`, `tls`; of calls also `findings`, `drifted`, and of tools whose arguments rules read `args`)",
    ..WRONG_TYPE
};

/// A condition of an entry under `headers`.
pub(crate) const HEADER_CONDITION: About = About {
    help: "write Cedar over `context.tls`, `context.page` and `context.oauth`; the endpoint is `resource`, and `on` names it",
    ..WRONG_TYPE
};

/// A pinned schema that arguments cannot be held against.
pub(crate) const SCHEMA: About = About {
    help: "ask for the server to be mended, or pin another version of it: nothing is fetched to check arguments",
    ..WRONG_TYPE
};

/// A field that does not exist where it is read.
pub(crate) const ARGUMENTS: About = About {
    code: "PC125",
    name: "stage-unavailable-field",
    class: Class::Error,
    summary: "a condition reads a field that does not exist at its stage, so the rule could never hold",
    help: "remove the condition; forbid the tool, or ask for a tag of its own",
};

/// A policy that can never apply.
pub(crate) const IMPOSSIBLE: About = About {
    code: "PC103",
    name: "policy-never-matches",
    class: Class::Error,
    summary: "a condition that can never be true under the schema, so the rule has no effect",
    help: "mend the condition, or remove it",
};

/// A use of `in` that fails open.
pub(crate) const IN_CONDITION: About = About {
    code: "PC108",
    name: "forbid-can-error",
    class: Class::Security(Level::High),
    summary: "a condition that can silently fail to hold",
    help: "compare with `resource.server == …`, or `context.groups.contains(\"IDP/NAME\")`",
};

/// A hand-written policy without a name of its own.
pub(crate) const NAMELESS: About =
    About { help: "give it one line above: `@id(\"what-it-does\")`", ..INVALID_IDENTIFIER };

/// A file of policies without any.
pub(crate) const EMPTY: About =
    About { help: "write the policy again, or remove the file from `policies`", ..EMPTY_SELECTOR };

/// A hand-written policy that says more than such a policy may.
pub(crate) const OVERREACH: About = About {
    code: "PC115",
    name: "policy-always-allows",
    class: Class::Security(Level::Critical),
    summary: "a policy that allows more than can be reviewed",
    help: "name its actions, all of one question, and what it is about",
};

/// A listing and an acting decision that could differ.
pub(crate) const LIST_CALL: About = About {
    code: "PC122",
    name: "list-call-mismatch",
    class: Class::Security(Level::Medium),
    summary: "something could be callable but hidden, or listed but never callable",
    help: "name the listing and the acting action together, as in `action in [Portcullis::Action::\"tools/call\", Portcullis::Action::\"tools/list\"]`",
};

/// Every entry above.
pub(crate) const ALL: [&About; 10] = [
    &EMPTY,
    &CONDITION,
    &HEADER_CONDITION,
    &SCHEMA,
    &ARGUMENTS,
    &IMPOSSIBLE,
    &IN_CONDITION,
    &NAMELESS,
    &OVERREACH,
    &LIST_CALL,
];

/// What Cedar says, as one line in our manner.
pub(super) fn said(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let line: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    line.join("; ")
}
