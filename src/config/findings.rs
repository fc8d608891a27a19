//! Every rule that reading a configuration can raise.
//!
//! They stand here and not beside the checks because `check` is declared below `config`; the
//! catalogue of `check` takes them from [`RAISED`].
//!
//! SPEC: `requirements/lint-rules.md` §2. Codes and names are permanent.
//! To add a rule: its `About`, and a line in [`RAISED`].

use crate::diagnostic::{About, Class, Level};

/// Every rule of this file, by code.
pub(crate) const RAISED: &[&About] = &[
    &YAML_SYNTAX,
    &DUPLICATE_KEY,
    &DUPLICATE_KEY_CASE,
    &UNKNOWN_FIELD,
    &WRONG_TYPE,
    &AMBIGUOUS_SCALAR,
    &MERGE_KEY,
    &UNSUPPORTED_VERSION,
    &UNDEFINED_ENV,
    &MULTI_DOCUMENT,
    &CONFUSABLE_NAME,
    &INVALID_IDENTIFIER,
    &UNKNOWN_TAG,
    &POLICY_REDUNDANT,
    &FORBID_NEVER_DENIES,
    &EMPTY_SELECTOR,
    &PUBLIC_BIND_NO_AUTH,
    &PLAINTEXT_SECRET,
];

pub(crate) const YAML_SYNTAX: About = About {
    code: "PC001",
    name: "yaml-syntax",
    class: Class::Error,
    summary: "the file cannot be read as one plain YAML document",
    help: "mend the YAML at this place; nothing after it was read",
};

pub(crate) const DUPLICATE_KEY: About = About {
    code: "PC002",
    name: "duplicate-key",
    class: Class::Error,
    summary: "a key, or the id of an entry, is written twice",
    help: "keep one of the two; a second one never replaces the first",
};

pub(crate) const DUPLICATE_KEY_CASE: About = About {
    code: "PC003",
    name: "duplicate-key-case",
    class: Class::Warning,
    summary: "two keys of one map differ only in upper and lower case",
    help: "names are compared with their case; rename one of the two",
};

pub(crate) const UNKNOWN_FIELD: About = About {
    code: "PC004",
    name: "unknown-field",
    class: Class::Error,
    summary: "a key that does not exist, or that this version does not build",
    help: "remove the key or mend its spelling",
};

pub(crate) const WRONG_TYPE: About = About {
    code: "PC005",
    name: "wrong-type",
    class: Class::Error,
    summary: "a value of the wrong kind, or a key that is missing",
    help: "write a value of the kind that this key takes",
};

pub(crate) const AMBIGUOUS_SCALAR: About = About {
    code: "PC006",
    name: "yaml-ambiguous-scalar",
    class: Class::Warning,
    summary: "an unquoted value or key that readers of YAML 1.1 take for something else",
    help: "put it in quotes",
};

pub(crate) const MERGE_KEY: About = About {
    code: "PC007",
    name: "merge-key-ignored",
    class: Class::Error,
    summary: "a YAML merge key `<<`",
    help: "write the merged keys out; what guards access is read where it stands",
};

pub(crate) const UNSUPPORTED_VERSION: About = About {
    code: "PC008",
    name: "unsupported-version",
    class: Class::Error,
    summary: "the file is of another version of the format, or names none",
    help: "write `version: 1`, the only version there is",
};

pub(crate) const UNDEFINED_ENV: About = About {
    code: "PC009",
    name: "undefined-env",
    class: Class::Error,
    summary: "`${NAME}` without a value, malformed, or where it is not allowed",
    help: "set the variable, or give a default as in `${NAME:-default}`",
};

pub(crate) const MULTI_DOCUMENT: About = About {
    code: "PC010",
    name: "multi-document",
    class: Class::Error,
    summary: "a second YAML document in the file",
    help: "keep one document; a configuration is one file and one document",
};

pub(crate) const CONFUSABLE_NAME: About = About {
    code: "PC011",
    name: "confusable-name",
    class: Class::Security(Level::Medium),
    summary: "a character that looks like another one, or that is not seen at all",
    help: "write it in the letters that it seems to be written in, and remove what is not seen",
};

pub(crate) const INVALID_IDENTIFIER: About = About {
    code: "PC012",
    name: "invalid-identifier",
    class: Class::Error,
    summary: "a name that does not fit its grammar",
    help: "rename it",
};

pub(crate) const UNKNOWN_TAG: About = About {
    code: "PC101",
    name: "unknown-tag",
    class: Class::Error,
    summary: "a tag or scope that `tags` does not declare",
    help: "declare the tag under `tags`, or mend its spelling",
};

pub(crate) const POLICY_REDUNDANT: About = About {
    code: "PC106",
    name: "policy-redundant",
    class: Class::Suggestion,
    summary: "something said twice, to no effect",
    help: "remove the repetition",
};

pub(crate) const FORBID_NEVER_DENIES: About = About {
    code: "PC107",
    name: "forbid-never-denies",
    class: Class::Error,
    summary: "a rule that forbids nothing, since what it names does not exist",
    help: "name a server of `servers`",
};

pub(crate) const EMPTY_SELECTOR: About = About {
    code: "PC113",
    name: "empty-selector",
    class: Class::Error,
    summary: "an empty list where one means nothing at all",
    help: "name at least one, or remove the key: empty means nothing, never everything",
};

pub(crate) const PUBLIC_BIND_NO_AUTH: About = About {
    code: "PC201",
    name: "public-bind-no-auth",
    class: Class::Security(Level::Critical),
    summary: "other machines can reach the gateway, and nobody needs a token",
    help: "listen on a loopback address such as `127.0.0.1:3050`, or turn `oauth.enabled` on",
};

pub(crate) const PLAINTEXT_SECRET: About = About {
    code: "PC401",
    name: "plaintext-secret",
    class: Class::Security(Level::Critical),
    summary: "a secret is written in the file",
    help: "write `{env: NAME}` or `{file: PATH}` in its place, and replace the secret: it has been seen",
};
