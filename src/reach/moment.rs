//! The moments at which a question is asked: an uneventful one, and every one that the policies could
//! tell from it.
//!
//! Policies compare the facts of a moment with what they name, so to try each named value, and what
//! lies just before and after it, is to try them all. Where that makes too many moments, each fact is
//! varied alone.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use jiff::{SignedDuration, Timestamp};

use super::literal::Literals;
use crate::policy::{Moment, Policy};

/// The facts that a moment has.
pub(super) const FACTS: [&str; 5] = ["address", "drifted", "findings", "now", "tls"];

/// The most moments at which one question is asked.
const MOST: usize = 96;

/// 2026-01-01T12:00:00Z: any moment will do where no policy names one.
const NOON: i64 = 1_767_268_800;

/// Nothing was found, nothing has drifted, and the request came from this machine.
pub(super) fn uneventful() -> Moment {
    Moment {
        now: Timestamp::from_second(NOON).unwrap_or_default(),
        address: Ipv4Addr::LOCALHOST.into(),
        tls: false,
        findings: BTreeSet::new(),
        drifted: false,
    }
}

/// The moments that these policies tell apart, the uneventful one first. What guards every
/// configuration is not varied: it says nothing of this one. Nor are the checks of detectors, which say
/// nothing of who may do what: any caller may send what looks like an attack.
pub(super) fn moments<'p>(policies: impl Iterator<Item = (&'p Policy, &'p Literals)>) -> Vec<Moment> {
    let base = uneventful();
    let mut axes = [const { BTreeSet::new() }; 5];
    for (policy, literals) in
        policies.filter(|(policy, _)| policy.place().is_some() && !policy.id().starts_with("check/"))
    {
        let facts = &policy.shape.facts;
        let reads = |fact: &str| facts.contains(fact) || facts.contains("*");
        let [tls, drifted, addresses, instants, findings] = &mut axes;
        if reads("tls") {
            tls.insert(Change::Tls);
        }
        if reads("drifted") {
            drifted.insert(Change::Drifted);
        }
        if reads("address") {
            let others = [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            addresses.extend(literals.addresses().chain(others).map(Change::Address));
        }
        if reads("findings") {
            let each = literals.strings.iter().map(|one| BTreeSet::from([one.clone()]));
            let other = BTreeSet::from(["some-finding".to_owned()]);
            findings.extend(each.chain([literals.strings.clone(), other]).map(Change::Findings));
        }
        if reads("now") {
            let midnight = base.now.checked_sub(SignedDuration::from_hours(12)).unwrap_or(base.now);
            let after = |span| midnight.checked_add(span).ok();
            let hours = (0..24).filter_map(|hour| after(SignedDuration::from_hours(hour)));
            let named = literals.instants().chain(literals.spans().filter_map(after)).flat_map(beside);
            instants.extend(named.chain(hours).map(Change::Now));
        }
    }
    let whole = axes.iter().map(|axis| axis.len() + 1).product::<usize>() <= MOST;
    let mut moments = vec![base.clone()];
    for axis in axes {
        let from = if whole { moments.clone() } else { vec![base.clone()] };
        moments.extend(axis.iter().flat_map(|change| from.iter().map(|moment| change.made(moment))));
    }
    moments
}

/// One fact that differs from the uneventful.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Tls,
    Drifted,
    Address(IpAddr),
    Now(Timestamp),
    Findings(BTreeSet<String>),
}

impl Change {
    fn made(&self, moment: &Moment) -> Moment {
        let moment = moment.clone();
        match self {
            Self::Tls => Moment { tls: true, ..moment },
            Self::Drifted => Moment { drifted: true, ..moment },
            Self::Address(address) => Moment { address: *address, ..moment },
            Self::Now(now) => Moment { now: *now, ..moment },
            Self::Findings(findings) => Moment { findings: findings.clone(), ..moment },
        }
    }
}

/// An instant, and what lies just before and after it.
fn beside(instant: Timestamp) -> impl Iterator<Item = Timestamp> {
    [-1, 0, 1].into_iter().filter_map(move |by| instant.checked_add(SignedDuration::from_millis(by)).ok())
}
