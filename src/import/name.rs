//! Names of other programs, made to fit the grammar of ours. No two become one.

use std::collections::BTreeSet;

use crate::name::{ServerName, TagName};

/// A name for each of `wanted`, in their order. What fits already is kept.
pub(super) fn servers(wanted: &[&str]) -> Vec<ServerName> {
    let mut taken: BTreeSet<ServerName> = wanted.iter().filter_map(|name| name.parse().ok()).collect();
    let mut kept: BTreeSet<ServerName> = BTreeSet::new();
    let mut names = Vec::new();
    for wanted in wanted {
        let own = wanted.parse::<ServerName>().ok().filter(|name| !kept.contains(name));
        let name = own.or_else(|| free(&kebab(wanted, 31), 31, &|name: &ServerName| taken.contains(name)));
        if let Some(name) = name {
            taken.insert(name.clone());
            kept.insert(name.clone());
            names.push(name);
        }
    }
    names
}

/// A tag as 1MCP means it: case does not count there.
pub(super) fn tag(wanted: &str) -> Option<TagName> {
    let fit: String = wanted
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .take(64)
        .collect();
    if fit.contains(|c: char| c.is_ascii_alphanumeric()) { fit.parse().ok() } else { None }
}

/// The tag of a server that has none: its own name, unless others wear that.
pub(super) fn own_tag(server: &ServerName, taken: &BTreeSet<TagName>) -> Option<TagName> {
    let name = server.as_str();
    let own = name.parse().ok().filter(|tag| !taken.contains(tag));
    own.or_else(|| free(&format!("{name}-server"), 64, &|tag: &TagName| taken.contains(tag)))
}

/// The name of an environment variable: `api-key` is `API_KEY`.
pub(super) fn variable(wanted: &str) -> String {
    let mut name = String::new();
    let mut before = 'a';
    for c in wanted.chars() {
        // `apiKey` is two words.
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() && !name.is_empty() {
            name.push('_');
        }
        before = c;
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    }
    let name = name.trim_matches('_');
    let name: String = name.chars().take(100).collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) { format!("VALUE_{name}") } else { name }
}

/// Lower case, every run of other characters one hyphen.
fn kebab(text: &str, longest: usize) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.trim_matches('-').chars().take(longest).collect();
    if name.is_empty() { "server".to_owned() } else { name.trim_end_matches('-').to_owned() }
}

/// The first of `name`, `name-2`, `name-3`, … that is not taken.
fn free<T: std::str::FromStr>(name: &str, longest: usize, taken: &dyn Fn(&T) -> bool) -> Option<T> {
    let numbered = (2_u32..).map(|number| {
        let ending = format!("-{number}");
        let head: String = name.chars().take(longest.saturating_sub(ending.len())).collect();
        format!("{head}{ending}")
    });
    std::iter::once(name.to_owned()).chain(numbered).map_while(|name| name.parse().ok()).find(|name| !taken(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_where_they_fit_and_never_shared() {
        let long = "a very long name indeed for a server";
        let names = servers(&["My Docs", "my-docs", "my_docs", "é", "", long, long, "ab", "ab"]);
        let names: Vec<&str> = names.iter().map(ServerName::as_str).collect();
        let wanted = [
            "my-docs-2",
            "my-docs",
            "my-docs-3",
            "server",
            "server-2",
            "a-very-long-name-indeed-for-a-s",
            "a-very-long-name-indeed-for-a-2",
            "ab",
            "ab-2",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn tags_and_variables_fit_their_grammars() {
        assert_eq!(tag(" Local Data ").unwrap().as_str(), "local-data");
        assert_eq!(tag("v1.0").unwrap().as_str(), "v1-0");
        assert!(tag("мобильный").is_none() && tag("").is_none());
        for (text, name) in [("api-key", "API_KEY"), ("apiKey", "API_KEY"), ("1st", "VALUE_1ST"), ("Ключ", "VALUE_")]
        {
            assert_eq!(variable(text), name);
        }
    }
}
