//! Mending what was found: the edits of fixes made in the text, round by round, until nothing more
//! can be mended.
//!
//! Fixes are edits of spans, so comments and layout stay. What is mended is read and checked again
//! before it counts; a fix after which more would be allowed is not made (`guard`).
//!
//! INVARIANT: only findings that count are mended, and only in the one file that is given.
//!
//! SPEC: `requirements/lint-rules.md` §3.4.

mod guard;

use std::{collections::BTreeSet, sync::Arc};

pub use guard::{Refused, Standing};

use super::mend;
use crate::diagnostic::{Diagnostic, Edit, Fix, Safety};

/// A fix that was made, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The code of the rule.
    pub code: &'static str,
    /// What the finding says.
    pub message: String,
    /// What the fix does.
    pub title: String,
    /// The line, in the text as it was then.
    pub line: u32,
}

/// A text with what could be mended in it.
#[derive(Debug)]
pub struct Mended {
    /// The text.
    pub text: String,
    /// What was done.
    pub made: Vec<Attempt>,
    /// What would have allowed more, or broken something, and was not done.
    pub refused: Vec<(Attempt, Refused)>,
    /// Whether some of it could not be compared, since the text could not be used before.
    pub uncompared: bool,
}

/// Rounds at most: each makes every fix that does not stand in the way of another.
const ROUNDS: usize = 20;

/// Mends `text`, the file named `file`. `stand` reads and checks a text of that file.
#[must_use]
pub fn fix(file: &str, text: &str, safety: Safety, stand: &dyn Fn(&str) -> Standing) -> Mended {
    let mut mended = Mended { text: text.to_owned(), made: Vec::new(), refused: Vec::new(), uncompared: false };
    let mut standing = stand(text);
    let mut refused: BTreeSet<(&'static str, String, String)> = BTreeSet::new();
    let mut seen: BTreeSet<String> = BTreeSet::from([text.to_owned()]);
    for _ in 0..ROUNDS {
        let mut chosen = choose(file, &standing.judged.findings, safety, &refused);
        let mut round = attempt(&mended.text, &standing, &chosen, stand);
        if round.is_err() && chosen.len() > 1 {
            // One of them spoils it for all: each for itself says which.
            let alone = |candidate: &Candidate| {
                let one = std::slice::from_ref(candidate);
                match attempt(&mended.text, &standing, one, stand) {
                    Ok(_) => true,
                    Err(why) => {
                        refused.insert(candidate.key());
                        mended.refused.push((candidate.attempt(), why));
                        false
                    }
                }
            };
            chosen.retain(alone);
            round = attempt(&mended.text, &standing, &chosen, stand);
            if round.is_err() {
                // They spoil it together only: the next rounds see to the others.
                chosen.truncate(1);
                round = attempt(&mended.text, &standing, &chosen, stand);
            }
        }
        match round {
            Ok((text, after)) => {
                if chosen.is_empty() || !seen.insert(text.clone()) {
                    break;
                }
                mended.uncompared |= !standing.is_whole();
                mended.made.extend(chosen.iter().map(Candidate::attempt));
                (mended.text, standing) = (text, after);
            }
            Err(why) => {
                for candidate in &chosen {
                    refused.insert(candidate.key());
                    mended.refused.push((candidate.attempt(), why.clone()));
                }
            }
        }
    }
    mended
}

/// A fix that may be made.
#[derive(Debug, Clone)]
struct Candidate {
    finding: Diagnostic,
    fix: Fix,
}

impl Candidate {
    fn attempt(&self) -> Attempt {
        Attempt {
            code: self.finding.code,
            message: self.finding.message.clone(),
            title: self.fix.title.clone(),
            line: self.finding.place().map_or(1, |place| place.line),
        }
    }

    /// What it is known by in the next round, when lines may have moved.
    fn key(&self) -> (&'static str, String, String) {
        (self.finding.code, self.finding.message.clone(), self.fix.title.clone())
    }
}

/// The fixes that can be made together: the first that fits of each finding, by place.
fn choose(
    file: &str,
    findings: &[Diagnostic],
    safety: Safety,
    refused: &BTreeSet<(&'static str, String, String)>,
) -> Vec<Candidate> {
    let mut chosen: Vec<Candidate> = Vec::new();
    let mut taken: Vec<Edit> = Vec::new();
    for finding in findings {
        let fits = |fix: &&Fix| {
            fix.safety <= safety && !fix.edits.is_empty() && fix.edits.iter().all(|edit| &*edit.place.file == file)
        };
        for fix in finding.fixes.iter().filter(fits) {
            let candidate = Candidate { finding: finding.clone(), fix: fix.clone() };
            let clashes = fix.edits.iter().any(|edit| taken.iter().any(|other| overlap(edit, other)));
            if refused.contains(&candidate.key()) {
                continue;
            }
            if !clashes {
                taken.extend(fix.edits.iter().cloned());
                chosen.push(candidate);
            }
            break;
        }
    }
    chosen
}

fn overlap(a: &Edit, b: &Edit) -> bool {
    let (a, b) = (&a.place, &b.place);
    a.start == b.start || (a.start < b.end && b.start < a.end)
}

/// The text with fixes made, and how it stands then.
fn attempt(
    text: &str,
    before: &Standing,
    chosen: &[Candidate],
    stand: &dyn Fn(&str) -> Standing,
) -> Result<(String, Standing), Refused> {
    let edits: Vec<Edit> = chosen.iter().flat_map(|candidate| candidate.fix.edits.iter().cloned()).collect();
    let text = mend(text, &edits).map_err(|unfit| Refused::Unfit(Arc::from(unfit.to_string())))?;
    let after = stand(&text);
    guard::compare(before, &after)?;
    Ok((text, after))
}
