//! The names of the product: parsed once at the edge, trusted afterwards.
//!
//! Each is a newtype over shared text with one way in (`FromStr`), so that a name that exists is a
//! name that fits its grammar. Cloning is a reference count.
//!
//! SPEC: RFC 6749 §3.3 (`scope-token`), design §2 "Names".
//! To add a name: a line in `names!` with its grammar.

use std::{fmt, str::FromStr, sync::Arc};

/// A text that does not fit the grammar of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` {problem}")]
pub struct NameError {
    what: &'static str,
    text: String,
    problem: &'static str,
}

impl NameError {
    /// What was written, as far as it can be shown.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the name would have to look like.
    #[must_use]
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $check:path;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                match $check(text) {
                    Ok(()) => Ok(Self(Arc::from(text))),
                    Err(problem) => Err(NameError { what: $what, text: shown(text), problem }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                <std::borrow::Cow<'de, str>>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

names! {
    /// A tag: `[A-Za-z0-9_-]{1,64}`.
    TagName, "tag", tag;
    /// An OAuth scope of ours: `tag:NAME`.
    ScopeName, "scope", scope;
    /// A server of `servers:`: `^[a-z0-9][a-z0-9-]{0,30}$`.
    ServerName, "server", server;
    /// A view of `views:`: as a server.
    ViewName, "view", server;
    /// An environment of a configuration: as a server, and neither `all` nor `test`.
    EnvironmentName, "environment", environment;
    /// A tool as its server names it: 1–128 of `[A-Za-z0-9_.-]`, and `/`.
    ToolName, "tool", tool;
    /// A prompt as its server names it: 1–128 visible characters.
    PromptName, "prompt", visible;
    /// A resource URI as its server gives it: 1–2048 visible characters.
    ResourceUri, "resource", uri;
    /// A person: `local/NAME`, `proxy/NAME` or `IDP/SUB`.
    UserId, "user", qualified;
    /// A group of people: `IDP/NAME`.
    GroupId, "group", qualified;
    /// An OAuth client: 1–256 visible characters.
    ClientId, "client", client;
    /// The name of an entry of `rules:` or `grants:`: `^[a-z0-9][a-z0-9-]{0,62}$`.
    EntryId, "id", entry;
}

impl TagName {
    /// The scope that stands for this tag.
    #[must_use]
    pub fn scope(&self) -> ScopeName {
        ScopeName(Arc::from(format!("tag:{}", self.0)))
    }
}

impl ScopeName {
    /// The tag behind the scope.
    #[must_use]
    pub fn tag(&self) -> TagName {
        TagName(Arc::from(self.0.strip_prefix("tag:").unwrap_or_default()))
    }
}

impl UserId {
    /// Reads a user as people write it: a bare name means `local/NAME`.
    ///
    /// # Errors
    /// When the name does not fit the grammar.
    pub fn written(text: &str) -> Result<Self, NameError> {
        if text.contains('/') { text.parse() } else { format!("local/{text}").parse() }
    }
}

impl GroupId {
    /// Reads a group as people write it: a bare name means `local/NAME`.
    ///
    /// # Errors
    /// When the name does not fit the grammar.
    pub fn written(text: &str) -> Result<Self, NameError> {
        if text.contains('/') { text.parse() } else { format!("local/{text}").parse() }
    }
}

/// A name with `*` standing for any run of characters. Everything else is literal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// A pattern of what people named freely: any text, blanks too.
    pub(crate) fn glob(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern is a plain name, without any `*`.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether `name` fits. Linear in both lengths for one `*`, never exponential.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

impl FromStr for Pattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match uri(text) {
            Ok(()) => Ok(Self(Arc::from(text))),
            Err(problem) => Err(NameError { what: "pattern", text: shown(text), problem }),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn tag(text: &str) -> Result<(), &'static str> {
    const PROBLEM: &str = "must be 1 to 64 of `A-Z a-z 0-9 _ -`";
    let fits =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(()) } else { Err(PROBLEM) }
}

fn scope(text: &str) -> Result<(), &'static str> {
    text.strip_prefix("tag:")
        .map(tag)
        .and_then(Result::ok)
        .ok_or("must be `tag:` and a tag of 1 to 64 of `A-Z a-z 0-9 _ -`; there are no wildcards")
}

fn server(text: &str) -> Result<(), &'static str> {
    const PROBLEM: &str = "must be 1 to 31 of `a-z 0-9 -` and not begin with `-`";
    if kebab(text, 31) { Ok(()) } else { Err(PROBLEM) }
}

/// `--env all` means every environment, and `portcullis.test.yaml` holds tests.
fn environment(text: &str) -> Result<(), &'static str> {
    match text {
        "all" | "test" => Err("is taken: an environment has another name than `all` and `test`"),
        _ => server(text),
    }
}

fn entry(text: &str) -> Result<(), &'static str> {
    const PROBLEM: &str = "must be 1 to 63 of `a-z 0-9 -` and not begin with `-`";
    if kebab(text, 63) { Ok(()) } else { Err(PROBLEM) }
}

fn kebab(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn tool(text: &str) -> Result<(), &'static str> {
    const PROBLEM: &str = "must be 1 to 128 of `A-Z a-z 0-9 _ . - /`";
    let fits = (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/'));
    if fits { Ok(()) } else { Err(PROBLEM) }
}

fn visible(text: &str) -> Result<(), &'static str> {
    let fits = (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err("must be 1 to 128 visible characters") }
}

fn uri(text: &str) -> Result<(), &'static str> {
    let fits = (1..=2048).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if fits { Ok(()) } else { Err("must be 1 to 2048 characters without spaces or control characters") }
}

fn qualified(text: &str) -> Result<(), &'static str> {
    const PROBLEM: &str = "must be `WHERE/NAME`, at most 256 visible characters, as in `local/ana`";
    let fits = text.len() <= 256
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace())
        && text.split_once('/').is_some_and(|(place, name)| kebab(place, 31) && !name.is_empty() && name != "*");
    if fits { Ok(()) } else { Err(PROBLEM) }
}

fn client(text: &str) -> Result<(), &'static str> {
    let fits = (1..=256).contains(&text.len()) && text != "*" && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(()) } else { Err("must be 1 to 256 visible ASCII characters") }
}

/// A text cut to what a message can hold, control characters shown as escapes.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SE-08: there is no scope that stands for others.
    #[test]
    fn sm05_scopes_are_tag_and_a_name_and_nothing_else() {
        for good in ["tag:a", "tag:A_b-9", &format!("tag:{}", "x".repeat(64))] {
            assert!(good.parse::<ScopeName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "tag:",
            "tag:*",
            "TAG:a",
            "tag: a",
            "tag:a b",
            "tag:a\0",
            "tag:тег",
            &format!("tag:{}", "x".repeat(65)),
        ] {
            assert!(bad.parse::<ScopeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn servers_are_short_lower_case_and_never_look_like_an_option() {
        for good in ["a", "files", "a-1", &"x".repeat(31)] {
            assert!(good.parse::<ServerName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a.b", "a/b", "@a", &"x".repeat(32)] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn environments_are_named_like_servers_and_never_all_or_test() {
        for good in ["production", "eu-1"] {
            assert!(good.parse::<EnvironmentName>().is_ok(), "{good}");
        }
        for bad in ["", "all", "test", "a.b", "../x", "Prod"] {
            assert!(bad.parse::<EnvironmentName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_user_is_local() {
        assert_eq!(UserId::written("ana").unwrap().as_str(), "local/ana");
        assert_eq!(UserId::written("okta/ana").unwrap().as_str(), "okta/ana");
        assert!(UserId::written("*").is_err());
    }

    #[test]
    fn t143_a_star_is_the_only_wildcard_and_matching_is_whole() {
        for (pattern, name, fits) in [
            ("delete_*", "delete_file", true),
            ("delete_*", "xdelete_file", false),
            ("*", "", true),
            ("*_file", "write_file", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("a**c", "abc", true),
            ("a", "ab", false),
            ("a?c", "abc", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().matches(name), fits, "{pattern} on {name}");
        }
    }
}
