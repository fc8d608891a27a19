//! `oauth.failure_delay`: how long answers that fail are held up, at random.
//!
//! SPEC: SM-27.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::amount::Span;

/// Between what and what a failing answer is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureDelay {
    /// The least.
    pub least: Duration,
    /// The most; not less.
    pub most: Duration,
}

impl Default for FailureDelay {
    fn default() -> Self {
        Self { least: Duration::from_millis(10), most: Duration::from_millis(50) }
    }
}

/// The longest that an answer may be held up: each one holds a connection.
const LONGEST: Duration = Duration::from_secs(5);
const WANTED: &str = "must be a range such as `10ms-50ms`, `{min: 10ms, max: 50ms}`, or `0` for none; at most 5s";

/// As written: a range, a map, or 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FailureDelaySection(pub(super) Option<FailureDelay>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FailureDelayBounds {
    /// The least, such as `10ms`.
    min: Span,
    /// The most, such as `50ms`.
    max: Span,
}

impl FailureDelaySection {
    fn of(least: Duration, most: Duration) -> Result<Self, &'static str> {
        if least <= most && most <= LONGEST { Ok(Self(Some(FailureDelay { least, most }))) } else { Err(WANTED) }
    }

    /// Reads `10ms-50ms`, `10-50ms` or `0`.
    fn read(text: &str) -> Result<Self, &'static str> {
        if text == "0" {
            return Ok(Self(None));
        }
        let (min, max) = text.split_once('-').ok_or(WANTED)?;
        let (min, max) = (min.trim(), max.trim());
        let unit = max.trim_start_matches(|c: char| c.is_ascii_digit());
        let span = |text: &str| text.parse::<Span>().map(|Span(span)| span).map_err(|_| WANTED);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let least = if digits(min) { span(&format!("{min}{unit}"))? } else { span(min)? };
        Self::of(least, span(max)?)
    }
}

impl<'de> Deserialize<'de> for FailureDelaySection {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = FailureDelaySection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WANTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                FailureDelaySection::read(text).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let FailureDelayBounds { min: Span(min), max: Span(max) } =
                    FailureDelayBounds::deserialize(MapAccessDeserializer::new(map))?;
                FailureDelaySection::of(min, max).map_err(A::Error::custom)
            }
        }

        from.deserialize_any(Shape)
    }
}

impl JsonSchema for FailureDelaySection {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FailureDelay".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bounds = generator.subschema_for::<FailureDelayBounds>();
        let range = r"^([0-9]+(ms|s)?-[0-9]+(ms|s)|0|\$\{.*)$";
        schemars::json_schema!({ "anyOf": [{ "const": 0 }, { "type": "string", "pattern": range }, bounds] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm27_a_range_is_two_times_and_zero_is_none() {
        let range = |least, most| {
            let millis = Duration::from_millis;
            Ok(FailureDelaySection(Some(FailureDelay { least: millis(least), most: millis(most) })))
        };
        for (text, read) in [
            ("10ms-50ms", range(10, 50)),
            ("10-50ms", range(10, 50)),
            ("10ms - 1s", range(10, 1000)),
            ("20ms-20ms", range(20, 20)),
            ("0", Ok(FailureDelaySection(None))),
        ] {
            assert_eq!(FailureDelaySection::read(text), read, "{text}");
        }
        for bad in ["", "-", "10ms", "50ms-10ms", "10ms-6s", "10-50", "-10ms", "a-b", "1h-2h", "0-0", "10ms-50ms-60ms"]
        {
            assert_eq!(FailureDelaySection::read(bad), Err(WANTED), "{bad}");
        }
    }
}
