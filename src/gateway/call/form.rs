//! An answer as its caller's era has it: an upstream's bytes, and what the eras differ in.
//!
//! SPEC: TR-30, TR-35, PX-11, PX-12, PX-23, PX-25, CL-13; sheet `mcp.md` §2.3.

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    super::{Answer, Message, Pending, Refusal, Said, answer, record::Open},
    state::{Bound, State},
    wanted::Wanted,
};
use crate::{
    mcp::{self, Era, Id, Kind, LogLevel, Method, Object, code, envelope, with_value},
    plain,
    seal::Handles,
    upstream::Reply,
};

/// How the answers to a call are to be written.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) id: Id,
    pub(super) era: Era,
    pub(super) kind: Kind,
    /// The caller's own progress token.
    pub(super) token: Option<Id>,
    /// From which level on it wants log notifications.
    pub(super) level: Option<LogLevel>,
}

/// What a state is sealed with.
pub(super) struct Sealing<'a> {
    pub(super) handles: &'a Handles,
    pub(super) bound: &'a Bound,
    pub(super) now: Timestamp,
}

impl Form {
    /// A progress notification under the caller's own token.
    pub(super) fn progress(&self, params: &[u8]) -> Option<Vec<u8>> {
        let object = Object::read(std::str::from_utf8(params).ok()?).ok()?;
        let mut out = br#"{"progressToken":"#.to_vec();
        self.token.as_ref()?.write(&mut out);
        for field in ["progress", "total", "message"] {
            if let Some(value) = object.get(field) {
                out.extend_from_slice(format!(",\"{field}\":").as_bytes());
                out.extend_from_slice(value.get().as_bytes());
            }
        }
        out.push(b'}');
        Some(envelope::notification(Method::Progress, &out))
    }

    /// A log notification, if the caller wants one of its level (PX-22).
    pub(super) fn log(&self, params: &[u8]) -> Option<Vec<u8>> {
        let object = Object::read(std::str::from_utf8(params).ok()?).ok()?;
        let level = LogLevel::from_text(&object.text("level")?)?;
        (level >= self.level?).then(|| envelope::notification(Method::LogMessage, params))
    }

    /// What came of a call. `sealing` where the answer may be one of several rounds.
    pub(super) fn message(
        &self,
        reply: &Reply,
        sealing: impl FnOnce(&Bytes) -> Result<Vec<u8>, Refusal>,
    ) -> Result<Message, Refusal> {
        match reply {
            Reply::Result(result) => Ok(self.result(result)),
            Reply::InputRequired(result) => {
                let body = envelope::result(&self.id, &sealing(result)?);
                Ok(Message { body, code: None, is_error: None })
            }
            Reply::Error(error) => Ok(self.error(error)),
        }
    }

    fn result(&self, result: &Bytes) -> Message {
        let text = std::str::from_utf8(result).unwrap_or("{}");
        let (object, tools) = (Object::read(text).unwrap_or_default(), self.kind == Kind::Tools);
        let is_error = tools.then(|| object.get("isError").is_some_and(|flag| flag.get() == "true"));
        let body = match self.era {
            Era::Legacy => match without_modern(&object) {
                Some(result) => envelope::result(&self.id, &result),
                None => envelope::result(&self.id, result),
            },
            Era::Modern => {
                let cacheable = self.kind == Kind::Resources;
                envelope::result(&self.id, answer::finish(text, self.era, cacheable).as_bytes())
            }
        };
        Message { body, code: None, is_error }
    }

    fn error(&self, error: &Bytes) -> Message {
        let object = std::str::from_utf8(error).ok().and_then(|text| Object::read(text).ok()).unwrap_or_default();
        let given = object.get("code").and_then(|code| code.get().parse::<i64>().ok());
        let changed = given.and_then(|given| self.code(given));
        let (error, code) = match changed {
            Some(code) => {
                let (message, data) = if code == code::INTERNAL {
                    let message = object.text("message").unwrap_or_else(|| "the server failed".into());
                    (plain::told(&message), None)
                } else {
                    // Which one it is.
                    let data = object.get("data").and_then(|data| serde_json::from_str(data.get()).ok());
                    ("the server knows no such resource".to_owned(), data)
                };
                (Bytes::from(envelope::error_object(code, &message, data.as_ref())), Some(i64::from(code)))
            }
            None => (harmless(error, &object), given.or(Some(0))),
        };
        Message { body: envelope::error(Some(&self.id), &error), code, is_error: None }
    }

    /// The code that the caller's era has for an upstream's, where it is another one.
    fn code(&self, given: i64) -> Option<i32> {
        let is = |code: i32| given == i64::from(code);
        match self.era {
            Era::Legacy => {
                (self.kind == Kind::Resources && is(code::INVALID_PARAMS)).then_some(code::RESOURCE_NOT_FOUND)
            }
            Era::Modern if is(code::RESOURCE_NOT_FOUND) => Some(code::INVALID_PARAMS),
            Era::Modern => {
                let known = is(code::HEADER_MISMATCH) || is(code::MISSING_CAPABILITY) || is(code::UNSUPPORTED_VERSION);
                ((-32099..=-32020).contains(&given) && !known).then_some(code::INTERNAL)
            }
        }
    }
}

impl Sealing<'_> {
    /// A result that wants something, with its state sealed.
    pub(super) fn seal(&self, result: &Bytes) -> Result<Vec<u8>, Refusal> {
        let not_mcp = || Refusal::Upstream("the server answered something that is not MCP".into());
        let wanted = Wanted::read(result).ok_or_else(not_mcp)?;
        let Some(state) = wanted.state else { return Ok(result.to_vec()) };
        let sealed = self.bound.seal(self.handles, &State::Upstream(state), self.now)?;
        let text = std::str::from_utf8(result).map_err(|_| not_mcp())?;
        // What is sealed needs no escapes.
        Ok(with_value(text, "requestState", &format!("\"{sealed}\"")).into_bytes())
    }
}

/// A result without what only the modern era knows; nothing where it has none of that.
fn without_modern(object: &Object<'_>) -> Option<Vec<u8>> {
    let strange = |key: &str, value: &str| {
        matches!(key, "resultType" | "ttlMs" | "cacheScope") || (key == "structuredContent" && !value.starts_with('{'))
    };
    if !object.fields().any(|(key, value)| strange(key, value.get())) {
        return None;
    }
    Some(mcp::object(object.fields().filter(|(key, value)| !strange(key, value.get()))))
}

/// An answer that is one message.
pub(super) fn whole(form: &Form, message: Result<Message, Refusal>, open: Open) -> Answer {
    let modern = form.era == Era::Modern;
    match message {
        Ok(message) => {
            Answer { outcome: Said::Message(message), pending: Pending::Decided(open), modern, session: None }
        }
        Err(refusal) => {
            let decision = open.id().to_string();
            let outcome = Said::Refused { refusal, id: Some(form.id.clone()), decision };
            Answer { outcome, pending: Pending::Decided(open), modern, session: None }
        }
    }
}

/// An upstream's error, its message as one that may be shown anywhere. What else is in it is data, and
/// stays as it is.
fn harmless(error: &Bytes, object: &Object<'_>) -> Bytes {
    let Some(message) = object.text("message").filter(|message| message.chars().any(plain::deceives)) else {
        return error.clone();
    };
    let mut shown = Vec::new();
    Id::Text(plain::told(&message).into()).write(&mut shown);
    let (text, shown) = (std::str::from_utf8(error).unwrap_or("{}"), String::from_utf8(shown).unwrap_or_default());
    with_value(text, "message", &shown).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(era: Era, kind: Kind) -> Form {
        Form { id: Id::Number(1), era, kind, token: None, level: Some(LogLevel::Warning) }
    }

    fn said(form: &Form, reply: &Reply) -> (serde_json::Value, Option<i64>) {
        let message = form.message(reply, |_| Err(Refusal::Internal)).unwrap();
        (serde_json::from_slice(&message.body).unwrap(), message.code)
    }

    #[test]
    fn tr30_cl13_errors_have_the_codes_of_their_era() {
        let error = |code: i64| Reply::Error(format!(r#"{{"code":{code},"message":"m"}}"#).into());
        for (era, kind, given, told) in [
            (Era::Modern, Kind::Resources, -32002, -32602),
            (Era::Legacy, Kind::Resources, -32002, -32002),
            (Era::Legacy, Kind::Resources, -32602, -32002),
            (Era::Legacy, Kind::Tools, -32602, -32602),
            (Era::Modern, Kind::Tools, -32042, -32603),
            (Era::Legacy, Kind::Tools, -32042, -32042),
            (Era::Modern, Kind::Tools, -32021, -32021),
            (Era::Modern, Kind::Tools, -32000, -32000),
            (Era::Modern, Kind::Tools, 17, 17),
        ] {
            let (body, code) = said(&form(era, kind), &error(given));
            assert_eq!((body["error"]["code"].as_i64(), code), (Some(told), Some(told)), "{era:?} {given}");
        }
        // What was not found comes along.
        let missing = r#"{"code":-32002,"message":"m","data":{"uri":"test://x"}}"#;
        let (body, _) = said(&form(Era::Modern, Kind::Resources), &Reply::Error(missing.into()));
        assert_eq!(body["error"]["data"], serde_json::json!({"uri": "test://x"}));
        // PX-10: what is needed comes along.
        let lacking =
            Reply::Error(r#"{"code":-32021,"message":"m","data":{"requiredCapabilities":{"sampling":{}}}}"#.into());
        let (body, _) = said(&form(Era::Modern, Kind::Tools), &lacking);
        assert_eq!(body["error"]["data"]["requiredCapabilities"]["sampling"], serde_json::json!({}));
    }

    #[test]
    fn sm33_t183_an_upstreams_error_message_acts_nowhere_and_its_data_stays() {
        for era in [Era::Modern, Era::Legacy] {
            let plain = r#"{"code":-32000,"message":"can't \"do\" <b>that</b>","data":{"n":1.50}}"#;
            let (body, _) = said(&form(era, Kind::Tools), &Reply::Error(plain.into()));
            assert_eq!(body["error"]["message"], r#"can't "do" <b>that</b>"#);
            let wild = r#"{"code":-32000,"message":"\u001b[31m\r\nX: y\u202e\udb40\udc41","data":{"raw":"\u001b"}}"#;
            let (body, code) = said(&form(era, Kind::Tools), &Reply::Error(wild.into()));
            assert_eq!(body["error"]["message"], r"\u{1b}[31m\u{d}\u{a}X: y\u{202e}\u{e0041}");
            assert_eq!((body["error"]["data"]["raw"].as_str(), code), (Some("\u{1b}"), Some(-32000)));
            // Of a kind that is translated, too.
            let (body, _) = said(&form(era, Kind::Tools), &Reply::Error(wild.replace("-32000", "-32042").into()));
            assert!(!body["error"]["message"].as_str().unwrap().chars().any(plain::deceives), "{body}");
        }
    }

    #[test]
    fn px25_tr35_a_legacy_caller_gets_nothing_of_the_modern_era() {
        let result = Reply::Result(
            r#"{"resultType":"complete","ttlMs":1,"cacheScope":"public","content":[ ],"structuredContent":[1]}"#.into(),
        );
        let message = form(Era::Legacy, Kind::Tools).message(&result, |_| Err(Refusal::Internal)).unwrap();
        assert_eq!(message.body, br#"{"jsonrpc":"2.0","id":1,"result":{"content":[ ]}}"#);
        let plain = Reply::Result(r#"{ "content" : [ ],"structuredContent":{}}"#.into());
        let message = form(Era::Legacy, Kind::Tools).message(&plain, |_| Err(Refusal::Internal)).unwrap();
        assert_eq!(message.body, br#"{"jsonrpc":"2.0","id":1,"result":{ "content" : [ ],"structuredContent":{}}}"#);
        let (body, _) = said(&form(Era::Modern, Kind::Tools), &result);
        assert_eq!(body["result"]["structuredContent"], serde_json::json!([1]));
    }

    #[test]
    fn px22_log_lines_below_the_level_asked_for_are_not_told() {
        let form = form(Era::Legacy, Kind::Tools);
        for (level, told) in
            [("debug", false), ("notice", false), ("warning", true), ("emergency", true), ("loud", false)]
        {
            assert_eq!(form.log(format!(r#"{{"level":"{level}","data":"x"}}"#).as_bytes()).is_some(), told, "{level}");
        }
        let quiet = Form { level: None, ..form };
        assert!(quiet.log(br#"{"level":"emergency","data":"x"}"#).is_none());
    }
}
