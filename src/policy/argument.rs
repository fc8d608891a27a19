//! The arguments of a call as typed facts: exactly those that some policy reads.
//!
//! A value that is absent where it is required, of another type, or not to be had exactly in Cedar's
//! types (null, a fraction where a whole number is meant, a number beyond 64 bits, a list of several
//! types) is a misfit, and a misfit denies. Nothing is rounded, cut or taken for something else.
//!
//! INVARIANT: facts that are made have the type that [`Record::cedar`] declares.
//! SPEC: design §4 "Typed arguments". To add a type: a variant of [`Kind`], then follow the compiler.

use std::{collections::BTreeMap, fmt, sync::Arc};

use cedar_policy::RestrictedExpression;
use serde_json::value::RawValue;

use crate::mcp::{self, InputSchema, Misfit, Object, SchemaError};

/// The most items of a list that policies are asked about.
const MOST_ITEMS: usize = 10_000;

/// What is known of a call's arguments when it is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Arguments<'a> {
    /// These; nothing means that the call has none.
    Given(Option<&'a RawValue>),
    /// Not known: the answer is allow where it could be, with the best of them.
    Best,
    /// Not known: the answer is allow where it must be, with the worst of them.
    Worst,
}

impl Arguments<'_> {
    /// There are none.
    pub const NONE: Self = Self::Given(None);
}

/// What is expected of the arguments of one tool.
#[derive(Debug)]
pub struct Expected {
    /// What policies read of them; nothing where none does.
    pub(super) facts: Option<Record>,
    /// What `portcullis.lock` pins of them.
    pub(super) schema: Option<InputSchema>,
    /// The same as text.
    pub(super) pinned: String,
}

impl Expected {
    /// What policies read, and the JSON Schema that is pinned.
    ///
    /// # Errors
    /// When the schema is no JSON Schema, or refers to another document.
    pub fn new(facts: Option<Record>, pinned: Option<&serde_json::Value>) -> Result<Self, SchemaError> {
        Ok(Self {
            facts,
            schema: pinned.map(InputSchema::compile).transpose()?,
            pinned: pinned.map(ToString::to_string).unwrap_or_default(),
        })
    }

    /// Holds a call's arguments against the pinned schema.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub(super) fn check(&self, given: Option<&RawValue>) -> Result<(), Misfit> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let json = given.map_or("{}", RawValue::get);
        // Where policies read them, they were found to be clear when the facts were made.
        if self.facts.is_none() {
            mcp::check(json).map_err(|error| Misfit::new("", format!("clear JSON, but {error}")))?;
        }
        let value = serde_json::from_str(json).map_err(|_| Misfit::new("", "JSON"))?;
        schema.check(&value)
    }
}

/// Arguments by name, or what is in one that is an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record(pub BTreeMap<Arc<str>, Argument>);

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its type.
    pub kind: Kind,
    /// Whether a call must have it.
    pub required: bool,
}

/// The type of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number of 64 bits.
    Whole,
    /// A number with at most four digits behind the point: Cedar's `decimal`.
    Decimal,
    /// True or false.
    Truth,
    /// A list of one type, without its order.
    Set(Box<Kind>),
    /// An object: what policies read of it.
    Record(Record),
}

impl Record {
    /// The type in a Cedar schema.
    #[must_use]
    pub fn cedar(&self) -> String {
        let fields: Vec<String> = self
            .0
            .iter()
            .map(|(name, Argument { kind, required })| {
                format!("\"{}\"{}: {}", name.escape_debug(), if *required { "" } else { "?" }, kind.cedar())
            })
            .collect();
        if fields.is_empty() { "{}".into() } else { format!("{{ {} }}", fields.join(", ")) }
    }

    /// The facts of a call with these arguments.
    ///
    /// # Errors
    /// The first thing that cannot be a fact.
    pub(super) fn facts(&self, given: Option<&RawValue>) -> Result<RestrictedExpression, Misfit> {
        let json = given.map_or("{}", RawValue::get);
        mcp::check(json).map_err(|error| Misfit::new("", format!("clear JSON, but {error}")))?;
        self.of(json)
    }

    fn of(&self, json: &str) -> Result<RestrictedExpression, Misfit> {
        let object = Object::read(json).map_err(|_| Misfit::new("", "the type object"))?;
        let mut fields = Vec::with_capacity(self.0.len());
        for (name, Argument { kind, required }) in &self.0 {
            match object.get(name) {
                Some(value) => {
                    let fact = kind.of(value.get().trim()).map_err(|misfit| misfit.within(name))?;
                    fields.push((name.to_string(), fact));
                }
                None if *required => return Err(Misfit::new("", format!("also `{name}`"))),
                None => {}
            }
        }
        RestrictedExpression::new_record(fields).map_err(|_| Misfit::new("", "each name once"))
    }
}

impl Kind {
    /// The type in a Cedar schema.
    fn cedar(&self) -> String {
        match self {
            Self::Text => "String".into(),
            Self::Whole => "Long".into(),
            Self::Decimal => "decimal".into(),
            Self::Truth => "Bool".into(),
            Self::Set(of) => format!("Set<{}>", of.cedar()),
            Self::Record(record) => record.cedar(),
        }
    }

    /// Whether two arguments may be read by one condition.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Set(one), Self::Set(other)) => one.is_like(other),
            (Self::Record(one), Self::Record(other)) => {
                one.0.len() == other.0.len()
                    && one
                        .0
                        .iter()
                        .zip(&other.0)
                        .all(|((name, one), (other_name, other))| name == other_name && one.kind.is_like(&other.kind))
            }
            (one, other) => one == other,
        }
    }

    fn of(&self, json: &str) -> Result<RestrictedExpression, Misfit> {
        let fact = match self {
            Self::Text => serde_json::from_str(json).ok().map(RestrictedExpression::new_string),
            Self::Whole => json.parse().ok().map(RestrictedExpression::new_long),
            Self::Decimal => decimal(json).map(RestrictedExpression::new_decimal),
            Self::Truth => json.parse().ok().map(RestrictedExpression::new_bool),
            Self::Set(of) => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(json).map_err(|_| Misfit::new("", self.to_string()))?;
                if items.len() > MOST_ITEMS {
                    return Err(Misfit::new("", format!("at most {MOST_ITEMS} items")));
                }
                let facts = items
                    .iter()
                    .enumerate()
                    .map(|(nth, item)| of.of(item.get().trim()).map_err(|misfit| misfit.within(&nth.to_string())));
                Some(RestrictedExpression::new_set(facts.collect::<Result<Vec<_>, _>>()?))
            }
            Self::Record(record) => return record.of(json),
        };
        fact.ok_or_else(|| Misfit::new("", self.to_string()))
    }
}

/// As it is said to a caller.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::Whole => "a whole number of 64 bits",
            Self::Decimal => "a number with at most four digits behind its point",
            Self::Truth => "true or false",
            Self::Set(_) => "a list",
            Self::Record(_) => "an object",
        })
    }
}

/// A JSON number as Cedar writes a decimal, if it is one exactly.
fn decimal(json: &str) -> Option<String> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 4 {
        return None;
    }
    // Ten thousandths in 64 bits is what a decimal holds.
    let sign = if digits.len() == json.len() { "" } else { "-" };
    format!("{sign}{whole}{fraction:0<4}").parse::<i64>().ok()?;
    Some(format!("{sign}{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[(&str, Kind, bool)]) -> Record {
        let field = |(name, kind, required): &(&str, Kind, bool)| {
            (Arc::from(*name), Argument { kind: kind.clone(), required: *required })
        };
        Record(fields.iter().map(field).collect())
    }

    fn said(record: &Record, json: &str) -> Result<String, String> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        record.facts(Some(&raw)).map(|facts| format!("{facts:?}")).map_err(|misfit| misfit.to_string())
    }

    #[test]
    fn what_is_not_read_is_not_looked_at() {
        let of = record(&[("path", Kind::Text, true)]);
        assert_eq!(of.cedar(), r#"{ "path": String }"#);
        assert!(said(&of, r#" {"path": "abc", "more": [null, 1.5, {}]} "#).unwrap().contains("abc"));
    }

    #[test]
    fn what_cannot_be_a_fact_exactly_is_a_misfit() {
        let cases = [
            (Kind::Text, vec![r#""a\u0041\n""#, r#""""#], vec!["null", "1", "true", "[]", "{}"]),
            (
                Kind::Whole,
                vec!["0", "-5", "9223372036854775807", "-9223372036854775808"],
                vec!["null", "1.0", "1.5", "1e2", "9223372036854775808", "18446744073709551615", r#""1""#, "true"],
            ),
            (
                Kind::Decimal,
                vec!["0", "-1.5", "3.1415", "922337203685477.5807"],
                vec!["null", "1.00001", "1e2", "922337203685477.5808", "1e40", r#""1.0""#],
            ),
            (Kind::Truth, vec!["true", "false"], vec!["null", "0", "1", r#""true""#]),
            (
                Kind::Set(Box::new(Kind::Text)),
                vec!["[]", r#"["a","b"]"#],
                vec!["null", r#"["a",1]"#, r#"["a",null]"#, r#""a""#],
            ),
            (
                Kind::Record(record(&[("n", Kind::Whole, true), ("o", Kind::Truth, false)])),
                vec![r#"{"n":1}"#, r#"{"n":1,"o":true,"x":null}"#],
                vec!["null", "{}", r#"{"n":"1"}"#, r#"{"n":1,"o":null}"#, "[]"],
            ),
        ];
        for (kind, good, bad) in cases {
            let of = record(&[("a", kind.clone(), true)]);
            for value in good {
                said(&of, &format!(r#"{{"a": {value}}}"#)).unwrap_or_else(|error| panic!("{kind}: {value}: {error}"));
            }
            for value in bad {
                let error = said(&of, &format!(r#"{{"a": {value}}}"#)).expect_err(value);
                assert!(error.starts_with("the argument \"/a") && error.contains("expected"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_required_must_be_there_and_what_is_optional_may_be() {
        let of = record(&[("a", Kind::Text, true), ("b", Kind::Text, false)]);
        assert_eq!(said(&of, r#"{"b": "x"}"#).unwrap_err(), "the arguments do not fit: expected also `a`");
        assert!(said(&of, r#"{"a": "x"}"#).is_ok());
        assert!(of.facts(None).is_err() && record(&[]).facts(None).is_ok());
        assert_eq!(said(&of, "[]").unwrap_err(), "the arguments do not fit: expected the type object");
    }

    #[test]
    fn t020_an_argument_that_stands_twice_is_refused_at_every_depth() {
        let of = record(&[("a", Kind::Text, true)]);
        for bad in
            [r#"{"a": "x", "a": "x"}"#, r#"{"a": "x", "\u0061": "y"}"#, r#"{"a": "x", "more": {"b": 1, "b": 2}}"#]
        {
            assert!(said(&of, bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_decimal_is_cedars_own(json in "-?[0-9]{1,18}(\\.[0-9]{1,6})?") {
            if let Some(text) = decimal(&json) {
                let facts = [("a".to_owned(), RestrictedExpression::new_decimal(text))];
                proptest::prop_assert!(cedar_policy::Context::from_pairs(facts).is_ok(), "{}", json);
            }
        }
    }
}
