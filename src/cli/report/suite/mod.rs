//! Tests as people and programs read them.

mod coverage;
mod junit;
mod machine;
mod tree;

pub(in crate::cli) use coverage::{coverage, coverage_page};
pub(in crate::cli) use junit::junit;
pub(in crate::cli) use machine::{json, tap};
pub(in crate::cli) use tree::{list, tree};

use crate::suite::{Case, Ran};

/// How many passed, failed and were skipped, in words.
fn summary(ran: &[Ran]) -> String {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (p, f, s) in ran.iter().map(Ran::counts) {
        passed += p;
        failed += f;
        skipped += s;
    }
    format!("{passed} passed, {failed} failed, {skipped} skipped in {}", super::counted(ran.len(), "suite"))
}

/// The whole name of a case.
fn full_name(case: &Case) -> String {
    if case.name.is_empty() { case.test.clone() } else { format!("{} > {}", case.test, case.name) }
}
