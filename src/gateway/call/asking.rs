//! What a server may ask this caller for: what its configuration lets it, of what the caller can do.
//!
//! A server is told no more than that, and a question beyond it is refused, asked or not. A page that
//! a person is sent to (`url`) is never asked for: nobody could say that the same person opens it.
//!
//! SPEC: PX-09, PX-13, PX-18…PX-20, PX-30; T-185, T-186.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::super::Refusal;
use crate::{
    mcp::{AskKind, Id, Method, Object, object, with_value},
    name::ServerName,
};

/// What a server may ask this caller for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking {
    kinds: Vec<AskKind>,
    /// What its configuration lets it ask of others.
    allowed: BTreeSet<AskKind>,
    /// The capabilities that say so, a JSON object; empty for none.
    capabilities: Bytes,
    /// Named to the person who is asked, where the endpoint does not say who asks.
    shown: Option<ServerName>,
}

impl Asking {
    /// What of `allowed` a caller with these capabilities can be asked for.
    pub(super) fn new(allowed: &BTreeSet<AskKind>, declared: &str, shown: Option<ServerName>) -> Self {
        let all = Object::read(declared).unwrap_or_default();
        let (mut kinds, mut capabilities) = (Vec::new(), Vec::new());
        for kind in allowed {
            let declared = all.get(kind.as_str()).and_then(|part| Object::read(part.get()).ok());
            let Some(said) = declared.and_then(|declared| said(*kind, &declared)) else { continue };
            capabilities.push(if kinds.is_empty() { b'{' } else { b',' });
            Id::Text(kind.as_str().into()).write(&mut capabilities);
            capabilities.push(b':');
            capabilities.extend_from_slice(&said);
            kinds.push(*kind);
        }
        if !kinds.is_empty() {
            capabilities.push(b'}');
        }
        Self { kinds, allowed: allowed.clone(), capabilities: capabilities.into(), shown }
    }

    /// Whether nothing may be asked.
    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The capabilities to tell the server.
    pub(super) fn capabilities(&self) -> Bytes {
        self.capabilities.clone()
    }

    /// Whether a question may be passed on.
    ///
    /// # Errors
    /// With what the caller lacks, or what the server did that it may not.
    pub(super) fn admit(&self, server: &ServerName, method: Method, params: &[u8]) -> Result<(), Refusal> {
        let beyond = |what: &str| {
            Refusal::Upstream(format!(
                "server `{server}` asks its caller for {what}, which it may not; see `servers.*.asks`"
            ))
        };
        let Some(kind) = AskKind::of(method) else { return Err(beyond("something else")) };
        if !self.kinds.contains(&kind) {
            return Err(if self.allowed.contains(&kind) {
                Refusal::MissingCapability(kind)
            } else {
                beyond(kind.as_str())
            });
        }
        let params = std::str::from_utf8(params).unwrap_or_default();
        let mode = Object::read(params).ok().and_then(|params| params.text("mode").map(|mode| mode.into_owned()));
        if kind == AskKind::Elicitation && mode.is_some_and(|mode| mode != "form") {
            return Err(beyond("a visit to a page"));
        }
        Ok(())
    }

    /// A question's parameters as the caller gets them: who asks is said where nothing else says it.
    pub(super) fn show(&self, method: Method, params: Bytes) -> Bytes {
        let Some(server) = self.shown.as_ref().filter(|_| method == Method::ElicitationCreate) else { return params };
        let Ok(text) = std::str::from_utf8(&params) else { return params };
        let Some(message) = Object::read(text).ok().and_then(|params| params.text("message").map(|m| m.into_owned()))
        else {
            return params;
        };
        let mut shown = Vec::new();
        Id::Text(format!("{server}: {message}").into()).write(&mut shown);
        with_value(text, "message", &String::from_utf8(shown).unwrap_or_default()).into()
    }
}

/// How a capability is told on; nothing where what is left of it is nothing.
fn said(kind: AskKind, declared: &Object<'_>) -> Option<Vec<u8>> {
    match kind {
        // Changes of roots are not passed on.
        AskKind::Roots => Some(b"{}".to_vec()),
        AskKind::Elicitation => {
            // Without a word of either it means forms.
            let forms = declared.get("form").is_some() || declared.get("url").is_none();
            forms.then(|| object(declared.fields().filter(|(key, _)| *key != "url")))
        }
        AskKind::Sampling => Some(object(declared.fields())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(allowed: &[AskKind], declared: &str) -> Asking {
        Asking::new(&allowed.iter().copied().collect(), declared, Some("wiki".parse().unwrap()))
    }

    #[test]
    fn px09_px19_px20_px30_a_server_is_told_what_it_may_ask_and_no_more() {
        use AskKind::{Elicitation, Roots, Sampling};
        for (allowed, declared, told) in [
            (&[][..], r#"{"elicitation":{},"sampling":{},"roots":{}}"#, ""),
            (
                &[Elicitation],
                r#"{"elicitation":{},"sampling":{},"extensions":{"x":{}},"tasks":{}}"#,
                r#"{"elicitation":{}}"#,
            ),
            (&[Elicitation], r#"{"elicitation":{"form":{},"url":{}}}"#, r#"{"elicitation":{"form":{}}}"#),
            (&[Elicitation], r#"{"elicitation":{"url":{}}}"#, ""),
            (&[Elicitation], r#"{"elicitation":true}"#, ""),
            (
                &[Roots, Sampling],
                r#"{"sampling":{"tools":{}},"roots":{"listChanged":true}}"#,
                r#"{"roots":{},"sampling":{"tools":{}}}"#,
            ),
            (&[Sampling], "", ""),
        ] {
            let asking = asking(allowed, declared);
            assert_eq!(asking.capabilities(), told, "{declared}");
            assert_eq!(asking.is_empty(), told.is_empty());
        }
    }

    #[test]
    fn px13_t185_t186_questions_beyond_that_are_refused() {
        let asking =
            asking(&[AskKind::Elicitation, AskKind::Roots], r#"{"elicitation":{"form":{},"url":{}},"sampling":{}}"#);
        let server = "wiki".parse().unwrap();
        let admit = |method, params: &str| asking.admit(&server, method, params.as_bytes());
        assert_eq!(admit(Method::ElicitationCreate, r#"{"message":"x"}"#), Ok(()));
        assert_eq!(admit(Method::ElicitationCreate, r#"{"mode":"form","message":"x"}"#), Ok(()));
        assert!(matches!(
            admit(Method::ElicitationCreate, r#"{"mode":"url","url":"javascript:x"}"#),
            Err(Refusal::Upstream(_))
        ));
        assert_eq!(admit(Method::RootsList, ""), Err(Refusal::MissingCapability(AskKind::Roots)));
        assert!(matches!(admit(Method::SamplingCreateMessage, "{}"), Err(Refusal::Upstream(_))));
        assert!(matches!(admit(Method::ToolsCall, "{}"), Err(Refusal::Upstream(_))));
    }

    #[test]
    fn px20_who_asks_is_shown_where_the_endpoint_does_not_say_it() {
        let params = r#"{"message": "Your \"name\"?", "requestedSchema": { }}"#;
        let show = |asking: Asking| asking.show(Method::ElicitationCreate, params.into());
        assert_eq!(
            show(asking(&[AskKind::Elicitation], "{}")),
            r#"{"message": "wiki: Your \"name\"?", "requestedSchema": { }}"#
        );
        assert_eq!(show(Asking::default()), params);
    }
}
