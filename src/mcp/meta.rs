//! `_meta` taken apart: what the protocol reserves, and all the rest as its very bytes.
//!
//! SPEC: MCP basic, "_meta"; TR-14, TR-19, TR-40, PX-07.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    id::Id,
    object::{self, Object},
};

const PREFIX: &str = "io.modelcontextprotocol/";
const TOKEN: &str = "progressToken";

/// A `_meta` that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// It is no object.
    #[error("`_meta` must be an object")]
    NotAnObject,
    /// The progress token is no token.
    #[error("`_meta.progressToken` {0}")]
    Token(&'static str),
}

/// The `_meta` of a request, in order. The default is an absent one.
#[derive(Debug, Clone, Default)]
pub struct Meta<'a> {
    fields: Object<'a>,
    token: Option<Id>,
}

impl<'a> Meta<'a> {
    /// Takes `_meta` apart.
    ///
    /// # Errors
    /// When it is no object, or its progress token is neither a string nor a whole number.
    pub fn read(raw: &'a RawValue) -> Result<Self, MetaError> {
        let fields = Object::read(raw.get()).map_err(|_| MetaError::NotAnObject)?;
        let token = fields.get(TOKEN).map(Id::read).transpose().map_err(MetaError::Token)?;
        Ok(Self { fields, token })
    }

    /// The version that the request speaks, modern only.
    #[must_use]
    pub fn protocol_version(&self) -> Option<Cow<'a, str>> {
        self.reserved("protocolVersion").and_then(object::text)
    }

    /// What the caller says it is; never believed.
    #[must_use]
    pub fn client_info(&self) -> Option<&'a RawValue> {
        self.reserved("clientInfo")
    }

    /// What the caller says it can do, modern only.
    #[must_use]
    pub fn client_capabilities(&self) -> Option<&'a RawValue> {
        self.reserved("clientCapabilities")
    }

    /// The level of log notifications it wants, modern only.
    #[must_use]
    pub fn log_level(&self) -> Option<Cow<'a, str>> {
        self.reserved("logLevel").and_then(object::text)
    }

    /// The token under which it wants to hear of progress.
    #[must_use]
    pub fn progress_token(&self) -> Option<&Id> {
        self.token.as_ref()
    }

    /// Every field with its bytes, in order, reserved ones included.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.fields()
    }

    /// The members that are not the protocol's, their bytes untouched, with commas between them.
    #[must_use]
    pub fn unreserved(&self) -> Vec<u8> {
        object::members(self.fields().filter(|(key, _)| !key.starts_with(PREFIX) && *key != TOKEN))
    }

    /// A field of the protocol's own.
    pub(crate) fn reserved(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.fields().find(|(key, _)| key.strip_prefix(PREFIX) == Some(name)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn tr40_px07_other_fields_keep_their_bytes_and_the_token_becomes_ours() {
        let meta =
            Meta::read(raw(r#"{"traceparent":"00-\u0061","io.modelcontextprotocol/protocolVersion":"2026-07-28",
                "progressToken":"mine","io.modelcontextprotocol/clientCapabilities":{}, "x/y": [1.0,  2]}"#))
            .unwrap();
        assert_eq!(meta.protocol_version().unwrap(), "2026-07-28");
        assert_eq!(meta.client_capabilities().unwrap().get(), "{}");
        assert_eq!(meta.progress_token(), Some(&Id::Text("mine".into())));
        assert_eq!(meta.unreserved(), br#""traceparent":"00-\u0061","x/y":[1.0,  2]"#);
    }

    #[test]
    fn an_absent_meta_writes_as_nothing() {
        assert_eq!(Meta::default().unreserved(), b"");
    }

    #[test]
    fn odd_tokens_are_refused() {
        for bad in ["null", "1.5", "[]", "{}"] {
            assert!(matches!(Meta::read(raw(&format!(r#"{{"progressToken":{bad}}}"#))), Err(MetaError::Token(_))));
        }
        assert_eq!(Meta::read(raw("[]")).unwrap_err(), MetaError::NotAnObject);
    }
}
