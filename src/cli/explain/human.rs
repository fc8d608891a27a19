//! An explanation as a tree: the decision, each gate, the policies with what they read, what would
//! turn it.
//!
//! INVARIANT: nothing that a caller or a file said reaches a terminal as a control or direction character.

use std::fmt::Write as _;

use annotate_snippets::normalize_untrusted_str as safe;
use clap::builder::styling::{AnsiColor, Style};

use crate::{
    diagnostic::Place,
    explain::{Answered, Determining, Examined, Explanation, Gate, Passed, Past, Unasked},
    policy::{Because, Clause, Decision, Effect, Fact, Holds},
};

/// The near misses that are printed; JSON has all.
const MOST_NEAR: usize = 5;

/// An explanation.
pub(super) fn explanation(explanation: &Explanation, colour: bool) -> String {
    let mut tree = Tree { text: String::new(), colour };
    tree.explanation(explanation);
    tree.text
}

/// A decision of the past, and what today's policies say, who have this digest.
pub(super) fn past(
    past: &Past,
    bundle: &str,
    today: &Result<(Explanation, Vec<&'static str>), Unasked>,
    colour: bool,
) -> String {
    let mut tree = Tree { text: String::new(), colour };
    let allowed = past.decision.verdict == "allow";
    tree.then_and_today(allowed, today.as_ref().ok().map(|(today, _)| today.decision.is_allow()));
    tree.verdict(allowed, &format!("{} ({})", past.question(), past.decision.because));
    tree.line(&format!("      as recorded at {}, {}", safe(&past.ts), past.id));
    let same = past.policy.as_ref().map(|policy| policy.bundle == bundle);
    match &past.policy {
        Some(policy) => {
            let words = if same == Some(true) { "which are today's" } else { "which are not today's" };
            tree.line(&format!("      by the policies {}, {words}", safe(&policy.bundle)));
        }
        None => tree.line("      by no policies: none were loaded"),
    }
    for determining in &past.decision.determining {
        let place = determining.place.as_ref().map_or_else(
            || "ships with portcullis".to_owned(),
            |place| format!("{}:{}:{}", place.file, place.line, place.column),
        );
        let Determining { effect, policy, place: _ } = determining;
        tree.line(&format!("      {}", safe(&format!("{effect} {policy}   {place}"))));
    }
    past.decision.errors.iter().for_each(|error| tree.line(&format!("      error  {}", safe(error))));
    if !past.decision.missing.is_empty() {
        tree.line(&format!("      missing {}", safe(&past.decision.missing.join(" "))));
    }
    if let Some(beyond) = past.beyond() {
        tree.line(&format!("      {}", safe(&beyond)));
    }
    match today {
        Err(why) => tree.line(&format!("\nit cannot be asked again: {}", safe(&why.0))),
        Ok((today, unknown)) => {
            for unknown in unknown {
                tree.line(&format!("      the record does not hold {unknown}"));
            }
            let answer = if same == Some(true) { "the same policies" } else { "today's policies" };
            tree.line(&format!("\nasked again, {answer} say:\n"));
            tree.explanation(today);
            if same == Some(true) && allowed != today.decision.is_allow() {
                tree.line("\nthe same policies answered otherwise then: it hung on what the record does not hold");
            }
        }
    }
    tree.text
}

struct Tree {
    text: String,
    colour: bool,
}

impl Tree {
    fn explanation(&mut self, explanation: &Explanation) {
        let Explanation {
            principal,
            action,
            target,
            args,
            decision,
            gates,
            questions,
            limits,
            determining,
            near,
            turn,
            changes,
            command: _,
        } = explanation;
        self.verdict(decision.is_allow(), &format!("{principal}: {action} on {target} ({})", decision.because));
        if let Some(args) = args {
            self.line(&format!("      with the arguments {}", safe(&args.to_string())));
        }
        self.line("");
        for gate in gates {
            self.gate(gate);
            if gate.gate == "limit" && gate.passed == Passed::NotDecided {
                for limit in limits {
                    let place = placed(limit.place.as_ref());
                    self.line(&format!("        draws from {}   {place}", safe(&limit.to_string())));
                }
            }
            for (nth, answered) in gate.questions.iter().filter_map(|nth| Some((nth, questions.get(*nth)?))) {
                let last = nth + 1 == questions.len();
                self.answered(answered, if last { determining } else { &[] });
            }
        }
        if !near.is_empty() {
            self.line("\nnearest permits:");
            for miss in near.iter().take(MOST_NEAR) {
                let clauses = if miss.clauses.len() == 1 { "clause" } else { "clauses" };
                let words = format!("{} of {} {clauses} fail", miss.failing, miss.clauses.len());
                self.line(&format!("  permit {}   {}   {words}", miss.policy, placed(miss.place.as_ref())));
                miss.clauses.iter().for_each(|clause| self.clause(clause));
            }
            if let Some(more) = near.len().checked_sub(MOST_NEAR).filter(|more| *more > 0) {
                self.line(&format!("  and {more} more, farther off; `--format json` has them"));
            }
        }
        // What a person did not agree to needs no scope that they do not have.
        if !decision.missing.is_empty() && decision.consent.is_none() {
            let scopes: Vec<String> = decision.missing.iter().map(|scope| format!("`{scope}`")).collect();
            self.line(&format!("\nwould be allowed with: {}", scopes.join(" ")));
        }
        for change in changes {
            self.line(&format!("\nwould be allowed {}", safe(change)));
        }
        if let Some(turn) = turn {
            self.line(&format!("\nwhat would turn it: {}", safe(turn)));
        } else if target.contains('/') {
            self.line(&format!("\nno server was asked: only `serve` knows whether there is a `{}`", safe(target)));
        }
    }

    fn gate(&mut self, gate: &Gate) {
        let (mark, style) = match gate.passed {
            Passed::Pass => ("pass", AnsiColor::Green.on_default()),
            Passed::Fail => ("FAIL", AnsiColor::Red.on_default().bold()),
            Passed::Odd => ("odd ", AnsiColor::Yellow.on_default()),
            Passed::NotReached | Passed::NotDecided => ("-   ", Style::new().dimmed()),
        };
        let mark = self.styled(style, mark);
        self.line(&format!("  {mark}  {:<11} {}", gate.gate, safe(&gate.why)));
    }

    fn answered(&mut self, answered: &Answered, determining: &[Examined]) {
        let decision = &answered.decision;
        for reason in &*decision.reasons {
            let effect = effect(reason.effect);
            let about = if answered.question == "grant" { format!("   for {}", answered.about) } else { String::new() };
            self.line(&format!("        {effect} {}   {}{about}", reason.policy, placed(reason.place.as_ref())));
            let examined = determining.iter().find(|examined| *examined.policy == *reason.policy);
            examined.iter().flat_map(|examined| &examined.clauses).for_each(|clause| self.clause(clause));
        }
        for error in &decision.errors {
            self.line(&format!("        error  {error}"));
        }
        self.silence(decision);
    }

    /// What to say where no policy determined a denial.
    fn silence(&mut self, decision: &Decision) {
        let silent = decision.reasons.is_empty() && decision.errors.is_empty();
        if let Some(misfit) = &decision.misfit {
            self.line(&format!("        {}", safe(&misfit.to_string())));
        } else if silent && decision.because != Because::UnknownServer {
            self.line("        no policy permits it");
        }
    }

    fn clause(&mut self, clause: &Clause) {
        let (mark, style) = match clause.holds {
            Holds::Yes => ("yes  ", AnsiColor::Green.on_default()),
            Holds::No => ("no   ", AnsiColor::Red.on_default()),
            Holds::Error => ("error", AnsiColor::Red.on_default()),
            Holds::Depends => ("?    ", AnsiColor::Yellow.on_default()),
            Holds::NotRead => ("-    ", Style::new().dimmed()),
        };
        let mark = self.styled(style, mark);
        self.line(&format!("          {mark}  {}", safe(&clause.text)));
        // What a clause says of itself need not be said again.
        let said = |name: &str, value: Option<&str>| {
            clause.holds == Holds::Yes && value.is_some_and(|value| clause.text == format!("{name} == {value}"))
        };
        let facts = clause.reads.iter().filter(|Fact { name, value }| !said(name, value.as_deref()));
        let facts: Vec<String> = facts
            .map(|Fact { name, value }| match value {
                Some(value) => format!("{name} = {value}"),
                None => format!("{name} is not there"),
            })
            .collect();
        if !facts.is_empty() {
            let facts = self.styled(Style::new().dimmed(), &safe(&facts.join(", ")));
            self.line(&format!("                 {facts}"));
        }
    }

    /// Both answers in one line, so that nobody takes the one that is told first for the one that counts.
    fn then_and_today(&mut self, then: bool, today: Option<bool>) {
        let word = |allowed| if allowed { "allowed" } else { "denied" };
        self.line(&match today {
            Some(today) if today == then => format!("{} then, and {} today\n", word(then), word(today)),
            Some(today) => format!("{} then, but {} today, which the exit status tells\n", word(then), word(today)),
            None => format!("{} then; what today's policies say cannot be told\n", word(then)),
        });
    }

    fn verdict(&mut self, allowed: bool, words: &str) {
        let (verdict, colour) = if allowed { ("ALLOW", AnsiColor::Green) } else { ("DENY ", AnsiColor::Red) };
        let verdict = self.styled(colour.on_default().bold(), verdict);
        self.line(&format!("{verdict} {}", safe(words)));
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn line(&mut self, line: &str) {
        // Writing to a string does not fail.
        _ = writeln!(self.text, "{line}");
    }
}

fn placed(place: Option<&Place>) -> String {
    place.map_or_else(|| "ships with portcullis".to_owned(), ToString::to_string)
}

const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Permit => "permit",
        Effect::Forbid => "forbid",
    }
}
