//! What a client says of itself in JSON, be it sent or fetched: read as every reader would, each member of its kind.
//!
//! Most of it is kept by nobody: links, contacts and keys are not shown, fetched or told again. What is said all the
//! same has to be what RFC 7591 says that it is, for whoever says something else there is not a client to trust.
//! Members that the RFC does not know, a software statement among them, are not looked at (RFC 7591 §2, §2.3).
//!
//! SPEC: RFC 7591 §2; OA-95, OA-115, T-089; T-113.

use serde_json::{Map, Value};

use crate::{config::url::Url, mcp};

/// The members that are links to pages, pictures and keys.
const LINKS: [&str; 5] = ["client_uri", "jwks_uri", "logo_uri", "policy_uri", "tos_uri"];
/// The members that are texts and mean nothing here.
const TEXTS: [&str; 3] = ["software_id", "software_statement", "software_version"];

/// The members, if the text is one JSON object, and one to every reader.
pub(super) fn read(body: &[u8]) -> Option<Map<String, Value>> {
    let text = std::str::from_utf8(body).ok()?;
    mcp::check(text).ok()?;
    match serde_json::from_str(text) {
        Ok(Value::Object(said)) => Some(said),
        Ok(_) | Err(_) => None,
    }
}

/// A text, if it is there.
///
/// # Errors
/// What it must be.
pub(super) fn text<'a>(said: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, String> {
    match said.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{key} must be a text")),
    }
}

/// A list of texts, if it is there.
///
/// # Errors
/// What it must be.
pub(super) fn texts<'a>(said: &'a Map<String, Value>, key: &str) -> Result<Option<Vec<&'a str>>, String> {
    let bad = || format!("{key} must be a list of texts");
    match said.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => {
            list.iter().map(|one| one.as_str().ok_or_else(bad)).collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(bad()),
    }
}

/// Makes sure that what is not kept is of its kind.
///
/// # Errors
/// What is not, and what it must be.
pub(super) fn others(said: &Map<String, Value>) -> Result<(), String> {
    for key in LINKS {
        let link = text(said, key)?.filter(|link| !link.is_empty());
        if link.is_some_and(|link| Url::parse(link).is_err()) {
            return Err(format!("{key} must be an https or http URL"));
        }
    }
    for key in TEXTS {
        text(said, key)?;
    }
    texts(said, "contacts")?;
    let scope = text(said, "scope")?.unwrap_or_default();
    if !scope.bytes().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')) {
        return Err("scope must be scopes with spaces between them".into());
    }
    let keys = said.get("jwks").filter(|keys| !keys.is_null());
    let listed =
        |keys: &Value| keys.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().all(Value::is_object));
    if !keys.is_none_or(listed) {
        return Err("jwks must be an object with a list of keys".into());
    }
    if keys.is_some() && text(said, "jwks_uri")?.is_some() {
        return Err("jwks and jwks_uri must not both be there".into());
    }
    if keys.is_some_and(is_private) {
        return Err("jwks must hold public keys alone".into());
    }
    Ok(())
}

/// Whether a set of keys has private members of RSA, EC and OKP keys, or symmetric keys.
pub(super) fn is_private(keys: &Value) -> bool {
    let private = |key: &Value| ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|member| key.get(member).is_some());
    keys.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(private))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oa95_t113_what_is_said_of_itself_is_of_its_kind() {
        for (members, fine) in [
            (
                r#""client_uri": "https://app.example.com", "logo_uri": "http://app.example.com/l.png?x", "jwks_uri": """#,
                true,
            ),
            (
                r#""contacts": ["a@example.com"], "scope": "tag:web offline_access", "jwks": {"keys": [{"kty": "EC"}]}"#,
                true,
            ),
            (
                r#""software_statement": "a.b.c", "software_id": "", "client_name#de": 7, "x": {"y": [1]}, "contacts": null"#,
                true,
            ),
            (r#""client_uri": "javascript:alert(1)""#, false),
            (r#""logo_uri": "data:image/png,x""#, false),
            (r#""tos_uri": "file:///etc/passwd""#, false),
            (r#""policy_uri": "//evil.test/x""#, false),
            (r#""jwks_uri": "https://u:p@evil.test/x""#, false),
            (r#""client_uri": ["https://app.example.com"]"#, false),
            (r#""contacts": "a@example.com""#, false),
            (r#""contacts": [1]"#, false),
            (r#""scope": "a\u0000""#, false),
            (r#""scope": ["a"]"#, false),
            (r#""jwks": []"#, false),
            (r#""jwks": {"keys": 1}"#, false),
            (r#""jwks": {"keys": []}, "jwks_uri": "https://app.example.com/k""#, false),
            (r#""jwks": {"keys": [{"kty": "oct", "k": "x"}]}"#, false),
            (r#""software_statement": {}"#, false),
            (r#""software_version": 1"#, false),
        ] {
            let said = read(format!("{{{members}}}").as_bytes()).unwrap();
            assert_eq!(others(&said).is_ok(), fine, "{members}: {:?}", others(&said));
        }
    }

    #[test]
    fn oa115_t089_what_two_readers_read_differently_is_not_read() {
        for bad in [
            &b"{\"redirect_uris\": [], \"redirect_uris\": [\"javascript:x\"]}"[..],
            b"{\"a\": {\"b\": 1, \"\\u0062\": 2}}",
            b"{} x",
            b"[]",
            b"\"x\"",
            b"{\"a\": \"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"",
        ] {
            assert!(read(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
