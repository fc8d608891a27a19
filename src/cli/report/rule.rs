//! What a rule is: its page for people, for programs and for `docs/rules.md`, and the list of all.
//!
//! A rule without a page is listed and described by its identity alone.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use serde::Serialize;

use super::{Links, Style, json::value};
use crate::{
    check::{CHECKS, Example, Fixable, Page, Profile, catalogue},
    diagnostic::{About, nearest},
};

/// The release that first had every rule there is. A rule that comes later will say so on its page.
const SINCE: &str = "0.1.0";

/// A rule and its page.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What it is.
    pub about: &'static About,
    /// What more there is to say.
    pub page: Option<&'static Page>,
}

/// Every rule, by code.
#[must_use]
pub fn all() -> Vec<Rule> {
    let page = |about: &About| CHECKS.iter().find(|check| check.about().code == about.code).map(|check| check.page());
    catalogue().into_iter().map(|about| Rule { about, page: page(about) }).collect()
}

/// The rule of a code or name, in any case.
///
/// # Errors
/// When there is none; says what may have been meant.
pub fn named(word: &str) -> Result<Rule, String> {
    let rules = all();
    let is = |rule: &&Rule| rule.about.code.eq_ignore_ascii_case(word) || rule.about.name.eq_ignore_ascii_case(word);
    if let Some(rule) = rules.iter().find(is) {
        return Ok(*rule);
    }
    let meant = nearest(word, rules.iter().flat_map(|rule| [rule.about.code, rule.about.name]));
    let meant = meant.map_or_else(
        || "`portcullis check --list-rules` lists them".into(),
        |meant| format!("did you mean `{meant}`?"),
    );
    Err(format!("there is no rule `{}`; {meant}", word.escape_debug()))
}

#[derive(Serialize)]
struct Wire {
    #[serde(flatten)]
    about: &'static About,
    since: &'static str,
    url: Option<String>,
    page: Option<&'static Page>,
}

fn wire(rule: &Rule, links: &Links) -> Wire {
    let Rule { about, page } = *rule;
    Wire { about, since: SINCE, url: links.url(about.code), page }
}

/// Writes the page of a rule: for people, as JSON or as Markdown.
///
/// # Errors
/// When `out` cannot be written to.
pub fn explain(out: &mut dyn Write, style: Style, rule: &Rule, links: &Links) -> io::Result<()> {
    match style {
        Style::Json => value(out, &wire(rule, links)),
        Style::Markdown => write!(out, "# {} {}\n\n{}", rule.about.code, rule.about.name, markdown(rule)),
        _ => write!(out, "{}", human(rule, links)),
    }
}

/// Writes every rule: a line each for people, all of it as JSON, a table as Markdown.
///
/// # Errors
/// When `out` cannot be written to.
pub fn list(out: &mut dyn Write, style: Style, links: &Links) -> io::Result<()> {
    let rules = all();
    match style {
        Style::Json => value(out, &rules.iter().map(|rule| wire(rule, links)).collect::<Vec<_>>()),
        Style::Markdown => out.write_all(table(&rules).as_bytes()),
        _ => {
            let width = rules.iter().map(|rule| rule.about.name.len()).max().unwrap_or_default();
            rules.iter().try_for_each(|Rule { about, page: _ }| {
                let class = about.class.to_string();
                writeln!(out, "{}  {:width$}  {class:17}  {}", about.code, about.name, about.summary)
            })
        }
    }
}

/// The text of `docs/rules.md`.
#[must_use]
pub fn pages() -> String {
    let rules = all();
    let mut text = String::from(
        "# Rules\n\nWhat `portcullis check` looks for. Made of the rules themselves; `INSTA_UPDATE=always cargo test \
         --test integration rules_md` writes it anew.\n\nA rule goes by its code or by its name, wherever one is named. \
         `portcullis check --explain PC101` prints a page\nof this file without a network. Rules of profile `strict` and \
         `audit` run only where that profile is asked for.\n\n",
    );
    text.push_str(&table(&rules));
    for rule in &rules {
        let About { code, name, .. } = rule.about;
        _ = write!(text, "\n## {code}\n\n`{name}`\n\n{}", markdown(rule));
    }
    text
}

fn table(rules: &[Rule]) -> String {
    let mut text = String::from("| Rule | Name | Class | Profile | Fix | Finds |\n|---|---|---|---|---|---|\n");
    for Rule { about: About { code, name, class, summary, help: _ }, page } in rules {
        let (profile, fix) = page.map_or(("", ""), |page| (profile(page.profile), fix(page.fix)));
        let summary = summary.replace('|', "\\|");
        let link = code.to_lowercase();
        _ = writeln!(text, "| [{code}](#{link}) | `{name}` | {class} | {profile} | {fix} | {summary} |");
    }
    text
}

/// The page as Markdown, without a heading.
pub(super) fn markdown(rule: &Rule) -> String {
    let Rule { about, page } = rule;
    let mut text = format!("{}.\n\n- Class: {}\n", capital(about.summary), about.class);
    if let Some(page) = page {
        _ = writeln!(text, "- Confidence: {}", format!("{:?}", page.confidence).to_lowercase());
        _ = writeln!(text, "- Profile: {}", profile(page.profile));
        _ = writeln!(text, "- Fix: {}", fix(page.fix));
    }
    _ = writeln!(text, "- Since: {SINCE}");
    if let Some(page) = page.filter(|page| !page.tags.is_empty()) {
        _ = writeln!(text, "- Tags: {}", page.tags.join(", "));
    }
    if let Some(page) = page {
        _ = write!(text, "\n**Why.** {}.\n", capital(page.why));
        _ = write!(text, "\n**Avoid**\n\n{}", fenced(&page.bad));
        _ = write!(text, "\n**Prefer**\n\n{}", fenced(&page.good));
    }
    _ = write!(text, "\n**What to do.** {}.\n", capital(about.help));
    text
}

fn fenced(example: &Example) -> String {
    let mut text = format!("```yaml\n{}\n```\n", example.yaml.trim_end());
    for (path, content) in example.files {
        _ = write!(text, "\nand in `{path}`\n\n```\n{}\n```\n", content.trim_end());
    }
    text
}

fn human(rule: &Rule, links: &Links) -> String {
    let Rule { about, page } = rule;
    let mut text = format!("{} {}: {}\n\n", about.code, about.name, about.summary);
    _ = writeln!(text, "  class       {}", about.class);
    if let Some(page) = page {
        _ = writeln!(text, "  confidence  {}", format!("{:?}", page.confidence).to_lowercase());
        _ = writeln!(text, "  profile     {}", profile(page.profile));
        _ = writeln!(text, "  fix         {}", fix(page.fix));
    }
    _ = writeln!(text, "  since       {SINCE}");
    if let Some(page) = page {
        if !page.tags.is_empty() {
            _ = writeln!(text, "  tags        {}", page.tags.join(", "));
        }
        _ = write!(text, "\nWhy: {}\n", page.why);
        _ = write!(text, "\nAvoid:\n\n{}", indented(&page.bad));
        _ = write!(text, "\nPrefer:\n\n{}", indented(&page.good));
    }
    _ = write!(text, "\nWhat to do: {}\n", about.help);
    if let Some(url) = links.url(about.code) {
        _ = write!(text, "\nSee {url}\n");
    }
    text
}

fn indented(example: &Example) -> String {
    let lines = |text: &str| text.trim_end().lines().map(|line| format!("    {line}\n")).collect::<String>();
    let mut text = lines(example.yaml);
    for (path, content) in example.files {
        _ = write!(text, "  {path}:\n{}", lines(content));
    }
    text
}

const fn profile(profile: Profile) -> &'static str {
    match profile {
        Profile::Default => "default",
        Profile::Strict => "strict",
        Profile::Audit => "audit",
    }
}

const fn fix(fix: Fixable) -> &'static str {
    match fix {
        Fixable::No => "none",
        Fixable::Safe => "safe, by `--fix`",
        Fixable::Unsafe => "unsafe, by `--fix=all`",
    }
}

/// The sentence with a capital, unless it begins with something quoted.
fn capital(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
