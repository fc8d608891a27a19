//! The path, the query and the header fields of an HTTP request.
//!
//! What stands there is short and has few forms, so detectors are stricter than over arguments: a line
//! break or a control character has no place here, nor has a step upwards. Percent signs are undone
//! twice, since who reads a value next may undo them again.
//!
//! Credentials and cookies are random, and header fields that mirror arguments of a tool hold whatever
//! these hold: of them only the letters are looked at. The arguments themselves are read in the body.
//!
//! What a client says to the authorization endpoint in parameters of OAuth is left to that endpoint: it takes
//! none but by their grammar, refuses in the words of the RFCs, and hands `state` back as it came (OA-13).

use std::borrow::Cow;

use super::{
    Detector, Detectors, command, field, letter, path as way,
    percent::{decoded, spaced},
    pollution, seen, sql,
};

/// The longest path, query and value of a header field that are ordinary.
const LONGEST_PATH: usize = 2048;
const LONGEST_QUERY: usize = 16 << 10;
const LONGEST_VALUE: usize = 8 << 10;
/// The most parameters of a query that are ordinary.
const MOST_PARAMETERS: usize = 128;

/// Where the parameters of OAuth are read, and which those are.
const AUTHORIZE: &str = "/oauth/authorize";
const OAUTH: [&[u8]; 11] = [
    b"client_id",
    b"code_challenge",
    b"code_challenge_method",
    b"redirect_uri",
    b"request",
    b"request_uri",
    b"resource",
    b"response_mode",
    b"response_type",
    b"scope",
    b"state",
];

/// What `wanted` find in the head of a request: its path, its query and its header fields.
#[must_use]
pub fn head<'f>(
    path: &str,
    query: Option<&str>,
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    wanted: Detectors,
) -> Detectors {
    if wanted.is_empty() {
        return wanted;
    }
    let found = query
        .map_or(Detectors::NONE, |query| parameters(query, wanted, path == AUTHORIZE))
        .with(self::path(path, wanted));
    fields.fold(found, |found, (name, value)| found.with(header(name, value, wanted)))
}

/// What `wanted` find in the path of a request, as it stands in the request line.
#[must_use]
pub fn path(path: &str, wanted: Detectors) -> Detectors {
    let mut found = Detectors::NONE;
    found.note(Detector::Oversized, path.len() > LONGEST_PATH);
    let levels = Levels::of(path.as_bytes());
    found.note(Detector::PathTraversal, levels.any(way::in_target));
    levels.letters(&mut found);
    // What follows the slash is a value of its own.
    for segment in path.as_bytes().split(|byte| *byte == b'/').filter(|segment| !is_plain(segment)) {
        Levels::of(segment).values(&mut found);
    }
    found.among(wanted)
}

/// What `wanted` find in the query of a request, without its `?`.
#[must_use]
pub fn query(query: &str, wanted: Detectors) -> Detectors {
    parameters(query, wanted, false)
}

/// The same; with `oauth`, of parameters that OAuth does not have.
fn parameters(query: &str, wanted: Detectors, oauth: bool) -> Detectors {
    let mut found = Detectors::NONE;
    let mut count = 0;
    for parameter in query.as_bytes().split(|byte| *byte == b'&') {
        count += 1;
        let (name, value) = match memchr::memchr(b'=', parameter) {
            Some(at) => (parameter.get(..at).unwrap_or_default(), parameter.get(at + 1..).unwrap_or_default()),
            None => (parameter, [].as_slice()),
        };
        if oauth && OAUTH.contains(&&*decoded(name)) {
            continue;
        }
        for part in [name, value].into_iter().filter(|part| !is_plain(part)) {
            let part = spaced(part);
            let levels = Levels::of(&part);
            found.note(Detector::PathTraversal, levels.any(way::in_target));
            levels.letters(&mut found);
            levels.values(&mut found);
        }
        let named = |name: &[u8]| matches!(name, b"__proto__") || pollution::is_path(name, seen::kinds_in(name));
        found.note(Detector::PrototypePollution, !name.is_empty() && Levels::of(name).any(named));
    }
    found.note(Detector::Oversized, query.len() > LONGEST_QUERY || count > MOST_PARAMETERS);
    found.among(wanted)
}

/// What `wanted` find in the value of a header field; its name is in lower case.
#[must_use]
pub fn header(name: &str, value: &[u8], wanted: Detectors) -> Detectors {
    let mut found = Detectors::NONE;
    let kinds = seen::kinds_in(value);
    found.note(Detector::InvalidUtf8, value.iter().any(|byte| *byte >= 0x80) && std::str::from_utf8(value).is_err());
    found.note(Detector::Bidirectional, letter::reverses(value, kinds));
    found.note(Detector::ControlCharacters, letter::unseen(value, kinds) && !found.contains(Detector::InvalidUtf8));
    found.note(Detector::NullByte, kinds & seen::NULL != 0);
    found.note(Detector::HeaderInjection, kinds & seen::BREAK != 0);
    if is_opaque(name) {
        return found.among(wanted);
    }
    found.note(Detector::Oversized, value.len() > LONGEST_VALUE);
    if kinds & !(seen::SPACE | seen::DOT | seen::SLASH | seen::UNDERSCORE) == 0
        && !has_steps(value)
        && !value.contains(&b'=')
    {
        return found.among(wanted);
    }
    let levels = Levels::of(value);
    found.note(Detector::PathTraversal, levels.any(way::in_target));
    found.note(Detector::HeaderInjection, levels.encoded().any(field::breaks));
    levels.values(&mut found);
    found.among(wanted)
}

/// Fields that hold a secret, or mirror an argument.
fn is_opaque(name: &str) -> bool {
    matches!(name, "authorization" | "cookie" | "mcp-name" | "mcp-session-id" | "proxy-authorization")
        || name.starts_with("mcp-param-")
}

fn has_steps(value: &[u8]) -> bool {
    memchr::memmem::find(value, b"..").is_some()
}

/// Whether there is nothing in it but letters, digits and a hyphen.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_')
}

/// A text as it is written, and with its percent signs undone once and twice.
struct Levels<'a>([Cow<'a, [u8]>; 3]);

impl<'a> Levels<'a> {
    fn of(text: &'a [u8]) -> Self {
        let once = decoded(text);
        let twice = match &once {
            Cow::Borrowed(text) => Cow::Borrowed(*text),
            Cow::Owned(once) => Cow::Owned(decoded(once).into_owned()),
        };
        Self([Cow::Borrowed(text), once, twice])
    }

    /// Those that differ from the one before.
    fn each(&self) -> impl Iterator<Item = &[u8]> {
        let Self([text, once, twice]) = self;
        let (first, second) = (once != text, twice != once);
        std::iter::once(&**text).chain(first.then_some(&**once)).chain(second.then_some(&**twice))
    }

    /// Those that were encoded.
    fn encoded(&self) -> impl Iterator<Item = &[u8]> {
        self.each().skip(1)
    }

    fn any(&self, of: impl Fn(&[u8]) -> bool) -> bool {
        self.each().any(of)
    }

    /// Letters that have no place in a request line.
    fn letters(&self, found: &mut Detectors) {
        for text in self.each() {
            let kinds = seen::kinds_in(text);
            let invalid = text.iter().any(|byte| *byte >= 0x80) && std::str::from_utf8(text).is_err();
            found.note(Detector::InvalidUtf8, invalid);
            found.note(Detector::Bidirectional, letter::reverses(text, kinds));
            let control = letter::unseen(text, kinds) && !invalid || kinds & seen::BLANK != 0;
            found.note(Detector::ControlCharacters, control);
            found.note(Detector::NullByte, kinds & seen::NULL != 0);
            found.note(Detector::HeaderInjection, kinds & seen::BREAK != 0);
        }
    }

    /// What goes on as something else.
    fn values(&self, found: &mut Detectors) {
        for text in self.each() {
            let kinds = seen::kinds_in(text);
            found.note(Detector::CommandInjection, command::continues(text, kinds));
            found.note(Detector::SqlInjection, sql::continues(text, kinds));
            found.note(Detector::PrototypePollution, pollution::is_path(text, kinds));
        }
    }
}
