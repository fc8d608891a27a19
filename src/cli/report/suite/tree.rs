//! Tests for people: suite by suite, what failed told at the end.

use std::fmt::Write as _;

use super::{full_name, summary};
use crate::{
    policy::Effect,
    suite::{Case, Failure, Outcome, Ran},
};

/// Suites, their tests and their cases, then all that failed, then how many.
pub(in crate::cli) fn tree(ran: &[Ran]) -> String {
    let mut text = String::new();
    for suite in ran {
        // Writing to a string does not fail.
        _ = writeln!(text, "{}   {}", suite.suite, suite.file);
        let mut test = None;
        for case in &suite.cases {
            if case.name.is_empty() {
                _ = writeln!(text, "  {}  {}{}", mark(case), case.test, why(case));
                test = None;
                continue;
            }
            if test != Some(&case.test) {
                _ = writeln!(text, "  {}", case.test);
                test = Some(&case.test);
            }
            _ = writeln!(text, "    {}  {}{}", mark(case), case.name, why(case));
        }
        text.push('\n');
    }
    failures(&mut text, ran);
    _ = writeln!(text, "{}", summary(ran));
    text
}

/// A line for each case, then all that failed.
pub(in crate::cli) fn list(ran: &[Ran]) -> String {
    let mut text = String::new();
    for suite in ran {
        for case in &suite.cases {
            _ = writeln!(text, "{}  {} > {}{}", mark(case), suite.suite, full_name(case), why(case));
        }
    }
    text.push('\n');
    failures(&mut text, ran);
    _ = writeln!(text, "{}", summary(ran));
    text
}

fn mark(case: &Case) -> &'static str {
    match case.outcome {
        Outcome::Passed => "ok  ",
        Outcome::Failed(_) => "FAIL",
        Outcome::Skipped(_) => "skip",
    }
}

fn why(case: &Case) -> String {
    match &case.outcome {
        Outcome::Skipped(reason) => format!("   ({reason})"),
        Outcome::Passed | Outcome::Failed(_) => String::new(),
    }
}

fn failures(text: &mut String, ran: &[Ran]) {
    for suite in ran {
        for case in &suite.cases {
            let Outcome::Failed(failure) = &case.outcome else { continue };
            _ = writeln!(text, "FAIL  {} > {}   {}", suite.suite, full_name(case), case.place);
            for line in details(failure) {
                _ = writeln!(text, "  {line}");
            }
            text.push('\n');
        }
    }
}

/// All that a failure says, a line each.
pub(in crate::cli::report) fn details(failure: &Failure) -> Vec<String> {
    let Failure { differs, request, decision, status: _, jsonrpc: _, determining, nearest, explain } = failure;
    let mut lines = differs.clone();
    if !request.is_empty() {
        lines.push(format!("request   {request}"));
    }
    if let Some(decision) = decision {
        let verdict = if decision.is_allow() { "allow" } else { "deny" };
        let told = failure.told().map(|told| format!("; the caller is told {told}")).unwrap_or_default();
        lines.push(format!("decision  {verdict} ({}){told}", decision.because));
        lines.extend(decision.errors.iter().map(|error| format!("error     {error}")));
    }
    for policy in determining {
        let effect = match policy.effect {
            Effect::Permit => "permit",
            Effect::Forbid => "forbid",
        };
        let place = policy.place.as_ref().map_or_else(|| "ships with portcullis".to_owned(), ToString::to_string);
        lines.push(format!("policy    {effect} {}   {place}", policy.policy));
        lines.extend(policy.line.as_ref().map(|line| format!("          | {line}")));
    }
    lines.extend(nearest.iter().map(|nearest| format!("nearest   {nearest}")));
    lines.extend(explain.iter().map(|explain| format!("explain   {explain}")));
    lines
}
