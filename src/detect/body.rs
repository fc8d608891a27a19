//! The strings and keys of a JSON body, heard while it is read.
//!
//! Nothing is parsed a second time: [`strict`](crate::mcp) walks over every value anyway and tells
//! whoever listens.

use std::cell::Cell;

use serde_json::Value;

use super::{
    Detector, Detectors,
    pollution::{CONSTRUCTOR, PROTO, PROTOTYPE},
    text::argument,
};
use crate::mcp::Listener;

/// How deep values are nested in anything ordinary.
const DEEPEST: u32 = 48;
/// How many values there are in anything ordinary.
const MOST: u32 = 50_000;

/// How deep the arguments of a call stand in their message.
const OF_ARGUMENTS: u32 = 3;

/// Listens to a body that is read.
#[derive(Debug)]
pub struct Body {
    wanted: Detectors,
    found: Cell<Detectors>,
    values: Cell<u32>,
    /// How deep the object stands whose last key was `constructor`.
    constructor: Cell<Option<u32>>,
}

impl Body {
    /// Listens for these.
    #[must_use]
    pub const fn new(wanted: Detectors) -> Self {
        Self { wanted, found: Cell::new(Detectors::NONE), values: Cell::new(0), constructor: Cell::new(None) }
    }

    /// What was found.
    #[must_use]
    pub const fn found(&self) -> Detectors {
        self.found.get()
    }

    /// Hears a value that was read already, as deep as the arguments of a call stand in their message.
    pub fn hear(&self, value: &Value) {
        self.hear_at(value, OF_ARGUMENTS);
    }

    fn hear_at(&self, value: &Value, depth: u32) {
        Listener::value(self, depth);
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => Listener::text(self, text),
            Value::Array(values) => values.iter().for_each(|value| self.hear_at(value, depth + 1)),
            Value::Object(members) => {
                for (key, value) in members {
                    Listener::key(self, depth, key);
                    self.hear_at(value, depth + 1);
                }
            }
        }
    }

    fn note(&self, detector: Detector, found: bool) {
        if found && self.wanted.contains(detector) {
            self.found.set(self.found.get().with(Detectors::one(detector)));
        }
    }
}

impl Listener for Body {
    fn value(&self, depth: u32) {
        self.values.set(self.values.get().saturating_add(1));
        self.note(Detector::Oversized, depth > DEEPEST || self.values.get() > MOST);
    }

    fn key(&self, depth: u32, key: &str) {
        let of_constructor = self.constructor.get().is_some_and(|of| of + 1 == depth) && key == PROTOTYPE;
        self.note(Detector::PrototypePollution, key == PROTO || of_constructor);
        match self.constructor.get() {
            _ if key == CONSTRUCTOR => self.constructor.set(Some(depth)),
            Some(of) if depth <= of => self.constructor.set(None),
            Some(_) | None => {}
        }
        self.text(key);
    }

    fn text(&self, text: &str) {
        let wanted = self.wanted.without(self.found.get());
        if !wanted.is_empty() {
            self.found.set(self.found.get().with(argument(text, wanted)));
        }
    }
}
