//! Which header fields an answer may be given by policies, and what can stand in one.
//!
//! What frames an answer or belongs to one connection, what says what the answer is, and whose pages may
//! read it are not theirs to say.
//!
//! SPEC: RFC 9110 §5.5, §5.6.2, §7.6.1; T-129, T-132.

/// Why a field may not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is no name of a field.
    NoName,
    /// It is one connection's own, or frames what is sent on it.
    OfTheConnection,
    /// It says what the answer is: who makes the answer knows.
    OfTheAnswer,
    /// It says whose pages may read the answer, which `cors` decides.
    OfCors,
}

impl Unfit {
    /// What is wrong, after the field's name.
    pub(crate) const fn problem(self) -> &'static str {
        match self {
            Self::NoName => "is no header name",
            Self::OfTheConnection => "belongs to the connection, or frames the answer",
            Self::OfTheAnswer => "is set by the gateway itself",
            Self::OfCors => "is not set here: `cors` says whose pages may call the gateway",
        }
    }

    /// Why a field of this name, in any case, may not be given; nothing where it may.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        if lower.is_empty() || lower.len() > 64 || !lower.bytes().all(is_token) {
            Some(Self::NoName)
        } else if OF_THE_CONNECTION.contains(&lower.as_str()) {
            Some(Self::OfTheConnection)
        } else if lower.starts_with("access-control-") {
            Some(Self::OfCors)
        } else if OF_THE_ANSWER.contains(&lower.as_str()) || lower.starts_with("mcp-") || lower.starts_with("ratelimit")
        {
            Some(Self::OfTheAnswer)
        } else {
            None
        }
    }
}

/// What is wrong with a value, after the word "the value"; nothing where it can be sent.
pub(crate) fn unsendable(value: &str) -> Option<&'static str> {
    let inner = value.trim_matches([' ', '\t']);
    if inner.is_empty() {
        Some("is empty")
    } else if value.len() > 4096 {
        Some("is longer than 4096 characters")
    } else if value.bytes().any(|b| !matches!(b, b' '..=b'~' | b'\t')) {
        Some("holds characters that no header can: only visible ASCII and spaces are sent")
    } else if inner.len() != value.len() {
        Some("begins or ends with a space, which is not sent")
    } else {
        None
    }
}

const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const OF_THE_ANSWER: &[&str] = &[
    "allow",
    "content-encoding",
    "content-range",
    "content-type",
    "date",
    "location",
    "retry-after",
    "set-cookie",
    "vary",
    "www-authenticate",
];

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t132_values_are_one_line_of_visible_ascii() {
        for value in ["a", "max-age=1; b", "a\tb", "default-src 'none'"] {
            assert_eq!(unsendable(value), None, "{value:?}");
        }
        for value in ["", " ", " a", "a ", "a\r\nb", "a\nb", "a\0", "a\u{7f}", "caf\u{e9}", "\u{1}", &"a".repeat(4097)]
        {
            assert!(unsendable(value).is_some(), "{value:?}");
        }
    }

    #[test]
    fn t129_what_frames_an_answer_or_says_what_it_is_is_not_given() {
        for (name, unfit) in [
            ("X-Frame-Options", None),
            ("Cache-Control", None),
            ("Transfer-Encoding", Some(Unfit::OfTheConnection)),
            ("CONTENT-LENGTH", Some(Unfit::OfTheConnection)),
            ("Content-Type", Some(Unfit::OfTheAnswer)),
            ("Mcp-Session-Id", Some(Unfit::OfTheAnswer)),
            ("RateLimit-Policy", Some(Unfit::OfTheAnswer)),
            ("Access-Control-Allow-Origin", Some(Unfit::OfCors)),
            ("", Some(Unfit::NoName)),
            ("a b", Some(Unfit::NoName)),
            ("a:", Some(Unfit::NoName)),
            ("caf\u{e9}", Some(Unfit::NoName)),
            ("a\r\nb", Some(Unfit::NoName)),
        ] {
            assert_eq!(Unfit::of(name), unfit, "{name:?}");
        }
    }
}
