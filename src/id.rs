//! The id of a record or a token: a UUID of version 7, so that ids sort by the time they were made.
//!
//! Time and randomness are arguments; nothing here asks the system.
//!
//! SPEC: RFC 9562 §5.7.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

/// A UUID of version 7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u128);

impl Id {
    /// The id of something made at `now`.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        // 48 bits of milliseconds; an instant before 1970 counts as 1970.
        let millis = u128::from(u64::try_from(now.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff);
        let random = random.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        let high = random >> 68; // 12 bits
        let low = random & 0x3fff_ffff_ffff_ffff; // 62 bits
        Self(millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand: every record has one, and the formatter takes its time over 128 bits.
        let mut text = String::with_capacity(36);
        for (at, byte) in self.0.to_be_bytes().into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 0xf] {
                text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }));
            }
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 32 hexadecimal digits in groups of 8-4-4-4-12")]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let grouped =
            text.len() == 36 && text.bytes().enumerate().all(|(at, b)| (b == b'-') == matches!(at, 8 | 13 | 18 | 23));
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u128::from_str_radix(&digits, 16).map_err(|_| NotAnId)?;
        if grouped && plain { Ok(Self(value)) } else { Err(NotAnId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_example_of_the_rfc() {
        // RFC 9562 appendix A.6.
        let now = Timestamp::from_millisecond(0x017F_22E2_79B0).unwrap();
        let random = 0xCC3_u128 << 68 | 0x18C4_DC0C_0C07_398F;
        let bytes: [u8; 10] = random.to_be_bytes()[6..].try_into().unwrap();
        let id = Id::new(now, bytes);
        assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn ids_sort_by_time_and_print_back() {
        let early = Id::new(Timestamp::from_millisecond(1).unwrap(), [255; 10]);
        let late = Id::new(Timestamp::from_millisecond(2).unwrap(), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
        for bad in [
            "",
            "x",
            "017f22e279b07cc398c4dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
            "+17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        ] {
            assert_eq!(bad.parse::<Id>(), Err(NotAnId), "{bad}");
        }
    }
}
