//! How sizes, counts and durations are written: `4MiB`, `100`, `60s`.
//!
//! Values with an environment variable in them are text, so that each is read from text as well.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// A number of bytes: `1000`, `32KiB`, `4MiB`, `1GiB`. Not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

/// A number of things. Not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) usize);

/// A duration: `500ms`, `60s`, `15m`, `1h`. Not zero, at most a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// How long something is good: `90s`, `10m`, `14d`. Not zero, at most 90 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life(pub(crate) Duration);

const SIZE: &str = "must be a size such as `1000`, `32KiB` or `4MiB`, above zero and at most 1GiB";
const COUNT: &str = "must be a whole number from 1 to 1000000";
const SPAN: &str = "must be a duration such as `500ms`, `60s`, `15m` or `1h`, above zero and at most a week";
const LIFE: &str = "must be a duration such as `60s`, `10m`, `1h` or `14d`, of at least a second and at most 90 days";

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, unit) = parts(text);
        let factor = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(SIZE),
        };
        let bytes = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(factor)).ok_or(SIZE)?;
        if (1..=1 << 30).contains(&bytes) { Ok(Self(bytes)) } else { Err(SIZE) }
    }
}

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match parts(text) {
            (digits, "") => match digits.parse() {
                Ok(count @ 1..=1_000_000) => Ok(Self(count)),
                _ => Err(COUNT),
            },
            _ => Err(COUNT),
        }
    }
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = millis(text).ok_or(SPAN)?;
        if (1..=604_800_000).contains(&span) { Ok(Self(Duration::from_millis(span))) } else { Err(SPAN) }
    }
}

impl FromStr for Life {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let life = millis(text).ok_or(LIFE)?;
        if (1_000..=7_776_000_000).contains(&life) { Ok(Self(Duration::from_millis(life))) } else { Err(LIFE) }
    }
}

/// A number and a unit of time, in milliseconds.
fn millis(text: &str) -> Option<u64> {
    let (digits, unit) = parts(text);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Digits and what follows them.
fn parts(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Reads a text or a whole number by way of its text.
struct Amount<T> {
    wanted: &'static str,
    kind: std::marker::PhantomData<T>,
}

impl<'de, T: FromStr<Err = &'static str>> Visitor<'de> for Amount<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wanted)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<T, E> {
        Err(E::custom(self.wanted))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Err(E::custom(self.wanted))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Err(E::custom(self.wanted))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(A::Error::custom(self.wanted))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(A::Error::custom(self.wanted))
    }
}

macro_rules! amounts {
    ($($name:ident, $wanted:ident, $schema:tt;)+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Amount { wanted: $wanted, kind: std::marker::PhantomData })
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schemars::json_schema!($schema)
            }
        }
    )+};
}

amounts! {
    Size, SIZE, { "type": ["integer", "string"], "minimum": 1, "pattern": "^([0-9]+(B|KiB|MiB|GiB)?|\\$\\{.*)$" };
    Count, COUNT, { "type": ["integer", "string"], "minimum": 1, "pattern": "^([0-9]+|\\$\\{.*)$" };
    Life, LIFE, { "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d)|\\$\\{.*)$" };
    Span, SPAN, { "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d)|\\$\\{.*)$" };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_counts_and_durations() {
        for (text, bytes) in [("1000", 1000), ("32KiB", 32768), ("4MiB", 4 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for (text, millis) in [("500ms", 500), ("60s", 60_000), ("15m", 900_000), ("1h", 3_600_000)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "0", "4MB", "4 MiB", "-1", "1.5MiB", "2GiB", "99999999999999999999", "MiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for (text, good) in
            [("1s", true), ("90d", true), ("91d", false), ("999ms", false), ("0s", false), ("1w", false)]
        {
            assert_eq!(text.parse::<Life>().is_ok(), good, "{text}");
        }
        for text in ["", "60", "0s", "1w", "8d", "1h30m", "18446744073709551615h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert!("0".parse::<Count>().is_err() && "4096".parse::<Count>().is_ok());
    }
}
