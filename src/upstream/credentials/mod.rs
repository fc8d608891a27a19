//! What a server was given to prove itself with, and taking it out of what the server says went wrong.
//!
//! A server that fails likes to repeat what it was asked with: the header fields of a request, the
//! URL it connects to, a variable. Such a text reaches a caller, who must not learn what we prove
//! ourselves with. Its errors, the results of tools that say that they failed, its log lines, its error
//! output and what of its output is no message come through here, each in one place; any other result
//! is passed on unread, byte for byte.
//!
//! A value is found as it is, as JSON, percent-encoded, and in base64 wherever it stands in what was
//! encoded. One of fewer than eight bytes ([`SHORTEST_PART`]; of fewer than [`SHORTEST`] where its name says that
//! it is one) is not looked for: it would be found in every sentence.
//!
//! SPEC: threat T-105; ASVS 16.5.1, PX-21.

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use super::{Reply, about::error_code};
use crate::{
    config::secrecy,
    mcp::{code, envelope},
    secret::Secret,
};

/// The fewest bytes of what is looked for.
const SHORTEST: usize = 4;
/// The fewest bytes of a value whose name says nothing, of one line of many, and of a piece of base64.
const SHORTEST_PART: usize = 8;
/// What stands in the place of a credential.
const MARK: &str = "[credential]";

/// What one server was given.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// Every form that one may be repeated in.
    forms: Secret<BTreeSet<Vec<u8>>>,
    longest: usize,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        let Self { forms, longest } = self;
        *forms.expose() == *other.forms.expose() && *longest == other.longest
    }
}

impl Credentials {
    /// What is given under these names. A value is a secret where the file only names it, and where it
    /// looks like one.
    pub(super) fn new<'g>(given: impl IntoIterator<Item = Given<'g>>) -> Self {
        let mut values = BTreeSet::new();
        for Given { name, value, kept } in given {
            let named = secrecy::names_a_secret(name) || name == "cookie";
            // What is kept elsewhere may also be `info` or `8080`, which is in many a sentence.
            let least = if named && kept { SHORTEST } else { SHORTEST_PART };
            if (kept || named || secrecy::is_secret(name, value)) && value.len() >= least {
                parts(name, value, &mut values);
            }
            // A URL with a password in it may have any name.
            userinfo(value, &mut values);
        }
        let forms: BTreeSet<Vec<u8>> = values.iter().flat_map(|value| forms(value)).collect();
        let longest = forms.iter().map(Vec::len).max().unwrap_or_default();
        Self { forms: Secret::new(forms), longest }
    }

    /// The longest form, in bytes: so much more has to be read of a text to cut it well.
    pub(super) const fn longest(&self) -> usize {
        self.longest
    }

    /// An answer as it may be passed on.
    pub(super) fn withhold(&self, reply: Reply) -> Reply {
        if self.longest == 0 {
            return reply;
        }
        match reply {
            Reply::Error(error) => self.hidden_in(&error).map_or_else(
                || {
                    let code = error_code(&error).unwrap_or(code::INTERNAL);
                    Reply::Error(envelope::error_object(code, "the server failed", None).into())
                },
                Reply::Error,
            ),
            Reply::Result(result) if says_it_failed(&result) => self.hidden_in(&result).map_or_else(
                || Reply::Error(envelope::error_object(code::INTERNAL, "the server failed", None).into()),
                Reply::Result,
            ),
            Reply::Result(_) | Reply::InputRequired(_) => reply,
        }
    }

    /// JSON without them, its very bytes where there are none in it; nothing where it cannot be read.
    pub(super) fn hidden_in(&self, json: &Bytes) -> Option<Bytes> {
        // What holds no escape says what it says.
        if self.longest == 0 || (memchr::memchr(b'\\', json).is_none() && self.found_in(json).is_empty()) {
            return Some(json.clone());
        }
        let mut value: Value = serde_json::from_slice(json).ok()?;
        let mut found = false;
        self.hide_in(&mut value, &mut found);
        Some(if found { value.to_string().into() } else { json.clone() })
    }

    /// A text without them.
    pub(super) fn hide<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        self.hide_before(text, text.len())
    }

    /// What of a text stands before `end`, without them; one that crosses `end` is whole in `text`.
    pub(super) fn hide_before<'t>(&self, text: &'t [u8], end: usize) -> Cow<'t, [u8]> {
        let end = end.min(text.len());
        let text = text.get(..end.saturating_add(self.longest)).unwrap_or(text);
        let part = |range: Range<usize>| text.get(range).unwrap_or_default();
        let mut out = Vec::new();
        let mut from = 0;
        for Range { start, end: after } in self.found_in(text) {
            if start >= end {
                break;
            }
            out.extend_from_slice(part(from..start));
            out.extend_from_slice(MARK.as_bytes());
            from = after;
        }
        if from == 0 {
            return Cow::Borrowed(part(0..end));
        }
        out.extend_from_slice(part(from.min(end)..end));
        Cow::Owned(out)
    }

    fn hide_in(&self, value: &mut Value, found: &mut bool) {
        match value {
            Value::String(text) => {
                if let Some(shown) = self.hide_text(text) {
                    *text = shown;
                    *found = true;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_in(value, found)),
            Value::Object(fields) => {
                let hidden: Vec<(String, String)> =
                    fields.keys().filter_map(|key| Some((key.clone(), self.hide_text(key)?))).collect();
                for (key, shown) in hidden {
                    *found = true;
                    if let Some(value) = fields.remove(&key) {
                        fields.insert(shown, value);
                    }
                }
                fields.values_mut().for_each(|value| self.hide_in(value, found));
            }
            // A number that is one is one in this form too.
            Value::Number(number) => {
                if let Some(shown) = self.hide_text(&number.to_string()) {
                    *value = Value::String(shown);
                    *found = true;
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn hide_text(&self, text: &str) -> Option<String> {
        match self.hide(text.as_bytes()) {
            Cow::Borrowed(_) => None,
            Cow::Owned(shown) => Some(String::from_utf8_lossy(&shown).into_owned()),
        }
    }

    /// Where in a text any of them stands, those that touch as one.
    fn found_in(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for form in self.forms.expose() {
            found.extend(memmem::find_iter(text, form).map(|at| at..at + form.len()));
        }
        found.sort_unstable_by_key(|range| range.start);
        found.dedup_by(|next, last| {
            let touch = next.start <= last.end;
            if touch {
                last.end = last.end.max(next.end);
            }
            touch
        });
        found
    }
}

impl Default for Secret<BTreeSet<Vec<u8>>> {
    fn default() -> Self {
        Self::new(BTreeSet::new())
    }
}

/// One thing that a server is given.
#[derive(Clone, Copy)]
pub(super) struct Given<'g> {
    /// A header field in lower case, a variable, a parameter of the URL or an argument.
    pub(super) name: &'g str,
    pub(super) value: &'g str,
    /// Whether the file only names where it is kept.
    pub(super) kept: bool,
}

/// The value and what in it is a credential by itself.
fn parts(name: &str, value: &str, to: &mut BTreeSet<String>) {
    let mut add = |part: &str| {
        if part.len() >= SHORTEST {
            to.insert(part.to_owned());
        }
    };
    add(value);
    // The lines of a key are told one by one.
    value.lines().filter(|line| line.len() >= SHORTEST_PART && line.len() < value.len()).for_each(&mut add);
    if name == "cookie" {
        value.split(';').filter_map(|pair| pair.split_once('=')).for_each(|(_, value)| add(value.trim()));
    }
    // `Bearer TOKEN`: a server that repeats it may leave the scheme out.
    let Some((scheme, rest)) = value.split_once(' ') else { return };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') || rest.contains(char::is_whitespace) {
        return;
    }
    add(rest);
    let decoded = BASE64_STANDARD.decode(rest).ok().and_then(|decoded| String::from_utf8(decoded).ok());
    if let Some(pair) = decoded.filter(|_| scheme.eq_ignore_ascii_case("basic")) {
        add(&pair);
        add(pair.split_once(':').map_or("", |(_, password)| password));
    }
}

/// The user and the password of every URL in a value.
fn userinfo(value: &str, to: &mut BTreeSet<String>) {
    for userinfo in secrecy::userinfos(value).filter_map(|range| value.get(range)) {
        for part in [userinfo, userinfo.split_once(':').map_or("", |(_, password)| password)] {
            if part.len() >= SHORTEST {
                to.insert(part.to_owned());
            }
        }
    }
}

/// What a value may be repeated as.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![value.as_bytes().to_vec()];
    let json = Value::from(value).to_string();
    forms.extend(json.get(1..json.len().saturating_sub(1)).map(|inner| inner.as_bytes().to_vec()));
    // Writers of URLs differ in what they leave as it is, and in the case of what they do not.
    for plain in ["", "!*'()", "!*'();,/?:@&=+$#[]"] {
        let upper = percent(value, plain);
        forms.push(lower(&upper));
        forms.push(upper.replace("%20", "+").into_bytes());
        forms.push(upper.into_bytes());
    }
    for engine in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
        forms.push(engine.encode(value).into_bytes());
        // Where it stands among other text, what is left and right of it changes its first and last sign.
        for before in 0..3 {
            let encoded = engine.encode([vec![0; before].as_slice(), value.as_bytes()].concat()).into_bytes();
            let (first, last) = ((before * 8).div_ceil(6), (before + value.len()) * 8 / 6);
            let inside = encoded.get(first..last).unwrap_or_default();
            if inside.len() >= SHORTEST_PART {
                forms.push(inside.to_vec());
            }
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// Percent-encoded but for letters, digits, `-._~` and these.
fn percent(value: &str, plain: &str) -> String {
    value.bytes().fold(String::with_capacity(value.len() * 3), |mut out, byte| {
        let kept = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(kept) || (byte.is_ascii() && plain.contains(kept)) {
            out.push(kept);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// The same with its escapes in lower case.
fn lower(percent: &str) -> Vec<u8> {
    let mut escape = 0_u8;
    let lowered = percent.bytes().map(|byte| {
        let inside = escape > 0;
        escape = if byte == b'%' { 2 } else { escape.saturating_sub(1) };
        if inside { byte.to_ascii_lowercase() } else { byte }
    });
    lowered.collect()
}

/// Whether the result of a tool says of itself that the tool failed. Nothing else of it is read.
fn says_it_failed(result: &[u8]) -> bool {
    const FLAG: &[u8] = b"\"isError\"";
    memmem::find_iter(result, FLAG).any(|at| {
        let rest = result.get(at + FLAG.len()..).unwrap_or_default().trim_ascii_start();
        rest.strip_prefix(b":").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"true"))
    })
}

#[cfg(test)]
mod tests;
