//! One environment's file laid over the configuration: maps merge, everything else is replaced.
//!
//! Every value keeps the place where it is written. Nothing can be removed: a value of nothing is a
//! finding, so that no guard disappears without being seen in the file that holds it.

use std::collections::HashMap;

use super::node::{Entry, Node, Value};
use crate::{
    config::{findings, secrecy},
    diagnostic::Diagnostic,
};

/// Lays `over` over `base`; what may not stand there goes to `findings`.
pub(in crate::config) fn lay(base: &mut Node, mut over: Node, findings: &mut Vec<Diagnostic>) {
    if !matches!(over.value, Value::Map(_)) {
        if !matches!(over.value, Value::Bad) {
            let message = format!("an environment must be a map, not {}", over.shown(""));
            findings.push(findings::WRONG_TYPE.at(&over.place, message).help("write what differs, as in the base"));
        }
        return;
    }
    version(base, &mut over, findings);
    Laying { path: Vec::new(), findings }.merge(base, over);
}

/// The version is the base's to say; an environment may repeat it.
fn version(base: &Node, over: &mut Node, findings: &mut Vec<Diagnostic>) {
    let Value::Map(entries) = &mut over.value else { return };
    let Some(at) = entries.iter().position(|entry| entry.key == "version") else { return };
    let said = entries.remove(at).value;
    let Some(first) = base.get("version") else { return };
    let same = match (&said.value, &first.value) {
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Bad, _) => true,
        _ => false,
    };
    if !same {
        let message = format!("`version` is {} here and {} in the base", said.shown(""), first.shown(""));
        let finding = findings::UNSUPPORTED_VERSION.at(&said.place, message).label("not the same");
        let finding = finding.also(&first.place, "the base says this");
        findings.push(finding.help("remove it here: an environment has the version of its base"));
    }
}

struct Laying<'a> {
    path: Vec<String>,
    findings: &'a mut Vec<Diagnostic>,
}

impl Laying<'_> {
    fn merge(&mut self, base: &mut Node, over: Node) {
        if !matches!((&base.value, &over.value), (Value::Map(_), Value::Map(_))) {
            if let Some(over) = self.given(over) {
                *base = over;
            }
            return;
        }
        let (Value::Map(entries), Value::Map(new)) = (&mut base.value, over.value) else { return };
        let mut known = Known::of(entries);
        for entry in new {
            self.path.push(entry.key.clone());
            match known.find(&entry, entries.len()) {
                Found::Here(at) => {
                    if let Some(there) = entries.get_mut(at) {
                        self.merge(&mut there.value, entry.value);
                    }
                }
                found => {
                    if let Found::Alike(at) = found
                        && let Some(there) = entries.get(at)
                    {
                        self.findings.push(alike(there, &entry));
                    }
                    let Entry { key, place, value } = entry;
                    // What has its finding stays, so that what is missing with it is not found again.
                    let value = match self.given(value) {
                        Some(value) => value,
                        None => Node { place: place.clone(), value: Value::Bad, from_env: false },
                    };
                    entries.push(Entry { key, place, value });
                }
            }
            self.path.pop();
        }
    }

    /// What an environment gives; nothing where it gives nothing, or what has its finding.
    fn given(&mut self, mut over: Node) -> Option<Node> {
        match &mut over.value {
            Value::Bad => return None,
            Value::Null => {
                let message = format!("`{}` has no value, and an environment removes nothing", self.path.join("."));
                self.findings.push(findings::WRONG_TYPE.at(&over.place, message).label("nothing is given here").help(
                    "give it a value; what some environments are to be without, take out of the base and write into those that have it",
                ));
                return None;
            }
            Value::Map(entries) => {
                for entry in entries {
                    self.path.push(entry.key.clone());
                    self.clean(&mut entry.value);
                    self.path.pop();
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.clean(item)),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {}
        }
        Some(over)
    }

    fn clean(&mut self, node: &mut Node) {
        let empty = Node { place: node.place.clone(), value: Value::Bad, from_env: false };
        let over = std::mem::replace(node, empty);
        if let Some(over) = self.given(over) {
            *node = over;
        }
    }
}

/// The keys of a map, exactly and without their case.
struct Known {
    exact: HashMap<String, usize>,
    folded: HashMap<String, usize>,
}

enum Found {
    Here(usize),
    Alike(usize),
    Nowhere,
}

impl Known {
    fn of(entries: &[Entry]) -> Self {
        let each = || entries.iter().enumerate();
        Self {
            exact: each().map(|(at, entry)| (entry.key.clone(), at)).collect(),
            folded: each().map(|(at, entry)| (entry.key.to_lowercase(), at)).collect(),
        }
    }

    /// Where the key is; one that is not is known from now on, at `next`.
    fn find(&mut self, entry: &Entry, next: usize) -> Found {
        if let Some(at) = self.exact.get(&entry.key) {
            return Found::Here(*at);
        }
        self.exact.insert(entry.key.clone(), next);
        match self.folded.insert(entry.key.to_lowercase(), next) {
            Some(at) if at < next => Found::Alike(at),
            _ => Found::Nowhere,
        }
    }
}

fn alike(there: &Entry, new: &Entry) -> Diagnostic {
    let (known, key) = (secrecy::shown("", &there.key), secrecy::shown("", &new.key));
    let message = format!("the keys `{known}` and `{key}` differ only in their case");
    findings::DUPLICATE_KEY_CASE.at(&new.place, message).label("this one").also(&there.place, "and this one")
}
