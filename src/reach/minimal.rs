//! The fewest scopes that suffice, and sets of scopes with a given answer.
//!
//! Only scopes that some policy about the target names can change its answer. Of up to
//! [`MOST_RELEVANT`] of them every set is tried. Above that, sets are shrunk one scope at a time, which
//! finds all minimal sets where scopes only ever add, and some of them where they do not; what was
//! found then says so in its [`Extent`].

use std::collections::BTreeSet;

use super::{Caller, Letter, Reach};
use crate::{
    name::ScopeName,
    policy::{Target, Verb},
};

/// Of up to so many relevant scopes every set is tried.
pub const MOST_RELEVANT: usize = 12;
/// Above that, so many sets are tried at most.
const MOST_TRIED: usize = 1_000;

/// The fewest scopes that suffice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimal {
    /// Each suffices, none does without any of its scopes, and none holds another. Sorted by size, then
    /// by name. One empty set: nothing is needed. None: nothing suffices.
    pub sets: Vec<BTreeSet<ScopeName>>,
    /// Whether these are all.
    pub extent: Extent,
}

/// How much of what there is was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All: every set was tried.
    Whole,
    /// All, where a scope never takes away what others give.
    WholeIfMonotone,
    /// Some: there may be others.
    Part,
}

/// What came of looking for a set of scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// With these.
    Witness(BTreeSet<ScopeName>),
    /// With none: every set was tried.
    Nowhere,
    /// With none of those that were tried, which were not all.
    Unknown,
}

impl Reach<'_> {
    /// The scopes that can change an answer about this target.
    #[must_use]
    pub fn relevant(&self, verb: Verb, target: &Target) -> BTreeSet<ScopeName> {
        let known = self.engine.bundle().scopes();
        let named = self.policies(verb, target).filter_map(|policy| self.literals(policy));
        named.flat_map(|literals| &literals.scopes).filter(|scope| known.contains(*scope)).cloned().collect()
    }

    /// The minimal sets of scopes, none but from `most`, with which the caller is allowed.
    #[must_use]
    pub fn minimal(&self, caller: &Caller, verb: Verb, target: &Target, most: &BTreeSet<ScopeName>) -> Minimal {
        let free: Vec<ScopeName> = self.relevant(verb, target).intersection(most).cloned().collect();
        let opens = |scopes: &BTreeSet<ScopeName>| self.opens_with(caller, scopes, verb, target);
        let mut sets: Vec<BTreeSet<ScopeName>> = Vec::new();
        let mut extent = Extent::Whole;
        if free.len() <= MOST_RELEVANT {
            for set in subsets(&free) {
                if !sets.iter().any(|known| known.is_subset(&set)) && opens(&set) {
                    sets.push(set);
                }
            }
        } else {
            (sets, extent) = shrunk(&free, opens);
        }
        sets.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        Minimal { sets, extent }
    }

    /// A set of scopes that holds `least` and nothing but `most`, with which the caller gets an answer
    /// that is wanted.
    #[must_use]
    pub fn find(
        &self,
        caller: &Caller,
        verb: Verb,
        target: &Target,
        (least, most): (&BTreeSet<ScopeName>, &BTreeSet<ScopeName>),
        wanted: impl Fn(Letter) -> bool,
    ) -> Found {
        if !least.is_subset(most) {
            return Found::Nowhere;
        }
        let free: Vec<ScopeName> =
            self.relevant(verb, target).intersection(most).filter(|scope| !least.contains(*scope)).cloned().collect();
        let full = |set: &BTreeSet<ScopeName>| set.union(least).cloned().collect::<BTreeSet<_>>();
        let fits = |set: &BTreeSet<ScopeName>| wanted(self.letter(caller, set, verb, target));
        let whole = free.len() <= MOST_RELEVANT;
        let tried: Box<dyn Iterator<Item = BTreeSet<ScopeName>>> = if whole {
            Box::new(subsets(&free))
        } else {
            let all: BTreeSet<ScopeName> = free.iter().cloned().collect();
            let one = free.clone().into_iter().map(|scope| BTreeSet::from([scope]));
            let without = free.iter().map(|scope| all.iter().filter(|other| *other != scope).cloned().collect());
            let without: Vec<BTreeSet<ScopeName>> = without.collect();
            Box::new([BTreeSet::new(), all].into_iter().chain(one).chain(without))
        };
        match tried.map(|set| full(&set)).find(fits) {
            Some(witness) => Found::Witness(witness),
            None if whole => Found::Nowhere,
            None => Found::Unknown,
        }
    }
}

/// Every subset, the smallest first.
fn subsets(scopes: &[ScopeName]) -> impl Iterator<Item = BTreeSet<ScopeName>> {
    let mut masks: Vec<u32> = (0..1_u32 << scopes.len().min(MOST_RELEVANT)).collect();
    masks.sort_by_key(|mask| (mask.count_ones(), mask.reverse_bits().wrapping_neg()));
    masks.into_iter().map(|mask| {
        let held = scopes.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
        held.map(|(_, scope)| scope.clone()).collect()
    })
}

/// The minimal sets, found by leaving out one scope at a time: all of them where scopes only add. A
/// minimal set that differs from one that is known lacks one of its scopes.
fn shrunk(free: &[ScopeName], opens: impl Fn(&BTreeSet<ScopeName>) -> bool) -> (Vec<BTreeSet<ScopeName>>, Extent) {
    let (mut tried, mut extent) = (0_usize, Extent::WholeIfMonotone);
    let mut sets: Vec<BTreeSet<ScopeName>> = Vec::new();
    let mut seen: BTreeSet<BTreeSet<ScopeName>> = BTreeSet::new();
    let mut open = vec![free.iter().cloned().collect::<BTreeSet<_>>()];
    while let Some(universe) = open.pop() {
        if !seen.insert(universe.clone()) {
            continue;
        }
        if tried >= MOST_TRIED {
            extent = Extent::Part;
            break;
        }
        let known = sets.iter().find(|set| set.is_subset(&universe)).cloned();
        let found = match known {
            Some(known) => known,
            None => {
                tried += 1;
                if !opens(&universe) {
                    continue;
                }
                let set = fewest(universe.clone(), &mut tried, &opens);
                sets.push(set.clone());
                set
            }
        };
        open.extend(found.iter().map(|scope| universe.iter().filter(|other| *other != scope).cloned().collect()));
    }
    let smaller = sets.clone();
    sets.retain(|set| !smaller.iter().any(|other| other != set && other.is_subset(set)));
    (sets, extent)
}

/// An open set, without any scope that it is open without.
fn fewest(
    mut set: BTreeSet<ScopeName>,
    tried: &mut usize,
    opens: impl Fn(&BTreeSet<ScopeName>) -> bool,
) -> BTreeSet<ScopeName> {
    loop {
        let before = set.len();
        for scope in set.clone() {
            *tried += 1;
            let less: BTreeSet<ScopeName> = set.iter().filter(|other| **other != scope).cloned().collect();
            if opens(&less) {
                set = less;
            }
        }
        // Where a scope takes away, what was needed before may be needed no more.
        if set.len() == before {
            return set;
        }
    }
}
