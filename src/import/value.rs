//! Where the texts of other configurations go: as they are, or by way of a variable.
//!
//! INVARIANT: what looks like a secret, or stands under a key that is named for one, never comes out
//! of here. It is taken for one sooner than `check` would: a variable too many does no harm.

use std::collections::BTreeMap;

use super::{
    name,
    reference::{Part, parts},
};
use crate::{
    config::secrecy,
    diagnostic::{Place, Placed},
    name::ServerName,
};

/// A value of `env:` or `headers:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// As it stands in YAML, where `${NAME}` is a variable.
    Plain(String),
    /// `{env: NAME}`
    Env(String),
}

/// The variables that are needed, and what for.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    known: BTreeMap<String, Variable>,
    /// How many secrets were taken out of texts.
    secrets: usize,
}

#[derive(Debug, Clone)]
struct Variable {
    /// What it holds, told apart from what others hold.
    holds: String,
    /// What its value is to be, in words, and where that is said.
    about: Option<Placed<String>>,
}

/// Whose value it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) server: &'a ServerName,
    pub(super) place: &'a Place,
}

impl Variables {
    /// Keeps the names of variables that a text refers to for just these.
    pub(super) fn reserve(&mut self, text: &str) {
        for part in parts(text) {
            if let Part::Variable(name, _) = part {
                let holds = format!("${name}");
                self.known.entry(name).or_insert(Variable { holds, about: None });
            }
        }
    }

    /// Every variable that is needed, with what it is to hold.
    pub(super) fn needed(self) -> Vec<(String, Placed<String>)> {
        self.known.into_iter().filter_map(|(name, variable)| Some((name, variable.about?))).collect()
    }

    /// A value that may be `{env: NAME}`.
    pub(super) fn text(&mut self, key: &str, text: &str, owner: Owner<'_>) -> Text {
        let parts = parts(text);
        match parts.as_slice() {
            [Part::Variable(name, None)] => return Text::Env(self.referred(name, owner)),
            [Part::Input(id)] => return Text::Env(self.input(id, owner)),
            _ => {}
        }
        let line_breaks = text.chars().any(|c| c.is_control() && c != '\t');
        if line_breaks || is_secret(key, &parts) {
            let mut about = format!("`{key}` of `{}`", owner.server);
            if line_breaks {
                about.push_str(", which has more than one line");
            }
            if parts.iter().any(is_reference) {
                about.push_str(", whole, with what it refers to filled in");
            }
            return Text::Env(self.variable(key, text, about, owner));
        }
        Text::Plain(self.written(&parts, owner))
    }

    /// A value that can only be text: an argument, a URL, a folder. `key` is what it is called. And
    /// whether a secret was taken out of it.
    pub(super) fn inline(&mut self, key: &str, text: &str, owner: Owner<'_>) -> (String, bool) {
        let parts = parts(text);
        let secrets = self.secrets;
        if is_secret(key, &parts) && !parts.iter().any(is_reference) {
            let what = if key.is_empty() { "an argument".to_owned() } else { format!("`{key}`") };
            let key = if key.is_empty() { "secret" } else { key };
            let about = format!("{what} of `{}`", owner.server);
            return (format!("${{{}}}", self.variable(key, text, about, owner)), true);
        }
        (self.written(&parts, owner), self.secrets > secrets)
    }

    /// The text with its references as ours, and with nothing else that could be taken for one.
    fn written(&mut self, parts: &[Part], owner: Owner<'_>) -> String {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Plain(text) if secrecy::is_marked(text) || is_random(text) || has_password(text) => {
                    let about = format!("a part of a value of `{}`", owner.server);
                    out.push_str(&format!("${{{}}}", self.variable("secret", text, about, owner)));
                }
                Part::Plain(text) => out.push_str(&text.replace("${", "$${")),
                Part::Variable(name, default) => {
                    let name = self.referred(name, owner);
                    match default.as_deref().filter(|text| !is_random(text) && !secrecy::names_a_secret(&name)) {
                        Some(default) => out.push_str(&format!("${{{name}:-{}}}", default.replace("${", ""))),
                        None => out.push_str(&format!("${{{name}}}")),
                    }
                }
                Part::Input(id) => out.push_str(&format!("${{{}}}", self.input(id, owner))),
                Part::Foreign(inside) => out.push_str(&format!("$${{{}}}", inside.replace("${", ""))),
            }
        }
        out
    }

    fn referred(&mut self, name: &str, owner: Owner<'_>) -> String {
        let about = Placed::new(format!("as `{}` expects it", owner.server), owner.place.clone());
        let known = self.known.entry(name.to_owned());
        known.or_insert_with(|| Variable { holds: format!("${name}"), about: None }).about.get_or_insert(about);
        name.to_owned()
    }

    fn input(&mut self, id: &str, owner: Owner<'_>) -> String {
        let about = format!("what was asked for as `{id}`");
        self.keep(&name::variable(id), format!("input {id}"), about, owner)
    }

    fn variable(&mut self, key: &str, text: &str, about: String, owner: Owner<'_>) -> String {
        self.secrets += 1;
        // `GITHUB_TOKEN` is a name for all to use; what has another form is this server's own.
        let shared = key.contains('_') && !key.contains(|c: char| c.is_ascii_lowercase() || c == '-');
        let name = name::variable(key);
        let name = if shared { name } else { format!("{}_{name}", name::variable(owner.server.as_str())) };
        self.keep(&name, format!("={text}"), about, owner)
    }

    /// The variable that holds this: `wanted`, or the server's own where that holds something else.
    fn keep(&mut self, wanted: &str, holds: String, about: String, owner: Owner<'_>) -> String {
        let own = format!("{}_{wanted}", name::variable(owner.server.as_str()));
        let numbered = (2_u32..).map(|number| format!("{own}_{number}"));
        for name in [wanted.to_owned(), own.clone()].into_iter().chain(numbered) {
            match self.known.get(&name) {
                Some(known) if known.holds == holds => return name,
                Some(_) => {}
                None => {
                    let about = Some(Placed::new(about, owner.place.clone()));
                    self.known.insert(name.clone(), Variable { holds, about });
                    return name;
                }
            }
        }
        own
    }
}

fn is_reference(part: &Part) -> bool {
    matches!(part, Part::Variable(..) | Part::Input(_))
}

/// Whether a value is to be kept elsewhere.
fn is_secret(key: &str, parts: &[Part]) -> bool {
    let named = secrecy::names_a_secret(key) || key.eq_ignore_ascii_case("cookie");
    parts.iter().any(|part| match part {
        Part::Plain(text) => {
            secrecy::is_secret(key, text) || is_random(text) || has_password(text) || (named && !is_harmless(text))
        }
        // `Bearer ${TOKEN}`: the whole of it goes.
        Part::Variable(name, _) | Part::Input(name) => named || secrecy::names_a_secret(name),
        Part::Foreign(_) => false,
    })
}

/// What no secret is, whatever its key: nothing, a truth value, a small number.
fn is_harmless(text: &str) -> bool {
    text.trim().is_empty()
        || matches!(text, "true" | "false")
        || (text.len() <= 7 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether some word of it looks as only chance makes words: long, with digits, without a pause.
pub(super) fn is_random(text: &str) -> bool {
    // The digest of an image and the commit of a package are no secrets.
    let text = text.split("@sha256:").next().unwrap_or_default();
    let text = if text.starts_with("git+") { text.split('@').next().unwrap_or_default() } else { text };
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() >= 20
            && word.bytes().any(|b| b.is_ascii_digit())
            && word.bytes().any(|b| b.is_ascii_alphabetic())
            && secrecy::is_secret("key", word)
    })
}

/// Whether it is a URL with a password in it.
fn has_password(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(who, _)| who.contains(':'))
    })
}
