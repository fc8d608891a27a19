//! The parameters of a request, in a query or a form: each at most once, an empty one as if it were not there.
//!
//! Stricter than the usual readers, which pass over what they cannot decode: a text that two readers could read
//! differently is refused. Parameters that nobody asks for are not looked at.
//!
//! INVARIANT: of a parameter that is given twice, neither is taken.
//! SPEC: RFC 6749 §3.1, §3.2, appendix B; OA-10, OA-11, OA-20; T-088.

use std::borrow::Cow;

use super::error::{ErrorCode, OAuthError, Why};

/// The longest text of parameters that is read, in bytes.
pub const LONGEST_FORM: usize = 64 * 1024;
/// The most parameters.
const MOST: usize = 100;

/// Parameters.
#[derive(Debug, Default)]
pub struct Form {
    pairs: Vec<(String, String)>,
}

/// A parameter that is given more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated(pub &'static str);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// `invalid_request`, when it is too long or does not decode to UTF-8.
    pub fn read(text: &[u8]) -> Result<Self, OAuthError> {
        let bad = |what: &str| Err(OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what));
        if text.len() > LONGEST_FORM {
            return bad("the parameters are too long");
        }
        let mut pairs = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return bad("the parameters are not encoded as application/x-www-form-urlencoded in UTF-8");
            };
            if pairs.len() == MOST {
                return bad("there are too many parameters");
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// A parameter, if it is given and not empty.
    ///
    /// # Errors
    /// When it is given more than once, be it empty.
    pub fn get(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        let mut values = self.pairs.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
            (_, Some(_)) => Err(Repeated(name)),
        }
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request`, when it is not, or is given more than once.
    pub fn need(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name)?.ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidRequest,
                Why::ParameterMissing,
                format!("the parameter {name} is missing"),
            )
        })
    }

    /// Makes sure that none of these is given more than once, be it asked for or not.
    ///
    /// # Errors
    /// When one is.
    pub fn once(&self, names: &[&'static str]) -> Result<(), Repeated> {
        names.iter().try_for_each(|name| self.get(name).map(drop))
    }

    /// Every value of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

impl From<Repeated> for OAuthError {
    fn from(repeated: Repeated) -> Self {
        let Repeated(name) = repeated;
        let description = format!("the parameter {name} is given more than once");
        // RFC 8707 lets there be several resources; a token of ours is good at one.
        let code = if name == "resource" { ErrorCode::InvalidTarget } else { ErrorCode::InvalidRequest };
        Self::new(code, Why::ParameterRepeated, description)
    }
}

/// Decodes a name or value; nothing where it cannot be decoded.
pub(super) fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let high = digit()?;
                high << 4 | digit()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Encodes a value for a query, so that every reader decodes it to the same bytes.
pub(super) fn encode(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn oa10_oa11_of_what_is_given_twice_neither_is_taken_and_empty_is_not_there() {
        let form = Form::read(b"a=1&b=&c=x+y%2Bz&d=1&d=1&e=&e=2&&f").unwrap();
        assert_eq!(form.get("a"), Ok(Some("1")));
        assert_eq!((form.get("b"), form.get("f"), form.get("g")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(form.get("c"), Ok(Some("x y+z")));
        assert_eq!((form.get("d"), form.get("e")), (Err(Repeated("d")), Err(Repeated("e"))));
        assert_eq!(OAuthError::from(Repeated("state")).code(), ErrorCode::InvalidRequest);
        assert_eq!(OAuthError::from(Repeated("resource")).code(), ErrorCode::InvalidTarget);
        assert_eq!(form.need("b").unwrap_err().why(), Why::ParameterMissing);
        assert_eq!((form.once(&["a", "b", "g"]), form.once(&["a", "e", "d"])), (Ok(()), Err(Repeated("e"))));
    }

    #[test]
    fn oa20_what_does_not_decode_is_refused_whole() {
        for bad in ["a=%zz", "a=%", "a=%4", "%g1=a", "a=%+1", "a=%ff", "a=%c3%28"] {
            assert_eq!(Form::read(bad.as_bytes()).unwrap_err().code(), ErrorCode::InvalidRequest, "{bad}");
        }
        assert!(Form::read(&b"a=1&".repeat(20_000)).is_err());
        assert!(Form::read("a=1&".repeat(101).as_bytes()).is_err());
        assert!(Form::read(b"a=\xff").is_err());
    }

    proptest! {
        #[test]
        fn oa13_what_is_encoded_decodes_to_the_same_bytes(text in ".*") {
            let form = format!("state={}", encode(&text));
            prop_assert!(form.bytes().all(|b| b.is_ascii_graphic()));
            let read = Form::read(form.as_bytes()).unwrap();
            prop_assert_eq!(read.all("state").next(), Some(text.as_str()));
        }

        #[test]
        fn oa142_no_form_is_too_odd_to_be_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(Form::read(&text));
        }
    }
}
