//! A request in the words of its upstream's era.
//!
//! SPEC: MCP basic, "_meta"; PX-07, PX-09, TR-40.

use super::Outgoing;

/// The parameters for a legacy upstream: the caller's own `_meta` members and our progress token.
pub(super) fn legacy(outgoing: &Outgoing) -> Vec<u8> {
    let Outgoing { method: _, params, manner, side, timeout: _ } = outgoing;
    let token = side.as_ref().map(|side| side.token.to_string());
    let meta = [
        if manner.meta.is_empty() { Vec::new() } else { manner.meta.to_vec() },
        token.map(|token| [br#""progressToken":"#, token.as_bytes()].concat()).unwrap_or_default(),
    ];
    with_meta(params, &meta)
}

/// An object of parameters with a `_meta` of these members, where there are any.
fn with_meta(params: &[u8], members: &[Vec<u8>]) -> Vec<u8> {
    let members: Vec<&[u8]> = members.iter().map(Vec::as_slice).filter(|member| !member.is_empty()).collect();
    let Some(open) = params.strip_suffix(b"}").or_else(|| params.is_empty().then_some(b"{".as_slice())) else {
        return params.to_vec();
    };
    if members.is_empty() {
        return params.to_vec();
    }
    let mut out = Vec::with_capacity(params.len() + 64 + members.iter().map(|member| member.len()).sum::<usize>());
    out.extend_from_slice(open);
    if open.iter().any(|byte| *byte == b':') {
        out.push(b',');
    }
    out.extend_from_slice(br#""_meta":{"#);
    out.extend_from_slice(&members.join(&b','));
    out.extend_from_slice(b"}}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn px07_meta_goes_last_and_only_where_there_is_any() {
        let members = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let written =
            |params: &str, texts: &[&str]| String::from_utf8(with_meta(params.as_bytes(), &members(texts))).unwrap();
        assert_eq!(written("", &[]), "");
        assert_eq!(written("", &["\"a\":1"]), r#"{"_meta":{"a":1}}"#);
        assert_eq!(written("{}", &["", "\"a\":1"]), r#"{"_meta":{"a":1}}"#);
        assert_eq!(written(r#"{"name":"x"}"#, &["\"a\":1", "\"b\":2"]), r#"{"name":"x","_meta":{"a":1,"b":2}}"#);
    }
}
