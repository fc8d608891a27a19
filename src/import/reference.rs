//! References in the texts of other programs: `${NAME}`, `${NAME:-default}`, `${env:NAME}`,
//! `$env:NAME`, `$NAME` alone, `${input:ID}`, and the words of editors such as `${workspaceFolder}`.

use crate::config::is_variable;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it is written.
    Plain(String),
    /// An environment variable, and what holds where it is not set.
    Variable(String, Option<String>),
    /// Something that an editor asks its user for.
    Input(String),
    /// A reference that means nothing outside the program that made it.
    Foreign(String),
}

/// A text taken apart.
pub(super) fn parts(text: &str) -> Vec<Part> {
    if let Some(name) = text.strip_prefix("$env:").or_else(|| text.strip_prefix('$'))
        && is_variable(name)
    {
        return vec![Part::Variable(name.to_owned(), None)];
    }
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        plain.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            plain.push_str("${");
            rest = after;
            continue;
        };
        rest = after;
        let part = match reference(inside) {
            Part::Plain(text) => {
                plain.push_str(&text);
                continue;
            }
            part @ (Part::Variable(..) | Part::Input(_) | Part::Foreign(_)) => part,
        };
        if !plain.is_empty() {
            parts.push(Part::Plain(std::mem::take(&mut plain)));
        }
        parts.push(part);
    }
    plain.push_str(rest);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Plain(plain));
    }
    parts
}

fn reference(inside: &str) -> Part {
    let (kind, rest) = inside.split_once(':').unwrap_or(("", inside));
    match (kind, rest) {
        ("input", id) if !id.is_empty() => Part::Input(id.to_owned()),
        ("env", name) if is_variable(name) => Part::Variable(name.to_owned(), None),
        ("", "workspaceFolder" | "workspaceRoot" | "cwd") => Part::Plain(".".into()),
        ("", "pathSeparator" | "/") => Part::Plain("/".into()),
        ("", "userHome") => Part::Variable("HOME".into(), None),
        ("", name) if is_variable(name) && !is_of_an_editor(name) => Part::Variable(name.to_owned(), None),
        (name, default) if is_variable(name) && default.starts_with('-') => {
            Part::Variable(name.to_owned(), default.strip_prefix('-').map(str::to_owned))
        }
        _ => Part::Foreign(inside.to_owned()),
    }
}

/// Editors write theirs as in `fileBasename`; no variable of an environment is written so.
fn is_of_an_editor(name: &str) -> bool {
    name == "file"
        || (name.starts_with(|c: char| c.is_ascii_lowercase()) && name.contains(|c: char| c.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_every_client_are_known() {
        let variable = |name: &str| Part::Variable(name.into(), None);
        let plain = |text: &str| Part::Plain(text.into());
        for (text, want) in [
            ("plain", vec![plain("plain")]),
            ("", vec![plain("")]),
            ("${TOKEN}", vec![variable("TOKEN")]),
            ("$TOKEN", vec![variable("TOKEN")]),
            ("$env:TOKEN", vec![variable("TOKEN")]),
            ("${env:TOKEN}", vec![variable("TOKEN")]),
            ("Bearer ${input:api-key}", vec![plain("Bearer "), Part::Input("api-key".into())]),
            ("${A:-b}/c", vec![Part::Variable("A".into(), Some("b".into())), plain("/c")]),
            ("${workspaceFolder}/data", vec![plain("./data")]),
            ("${userHome}/x", vec![variable("HOME"), plain("/x")]),
            ("${command:pick}", vec![Part::Foreign("command:pick".into())]),
            ("${fileBasename}", vec![Part::Foreign("fileBasename".into())]),
            ("$5 and ${", vec![plain("$5 and ${")]),
        ] {
            assert_eq!(parts(text), want, "{text}");
        }
    }
}
