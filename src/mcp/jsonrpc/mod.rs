//! One JSON-RPC message, read so strictly that every reader must read the same.
//!
//! One object, never an array of them; the six known keys, each at most once and exactly written;
//! no key twice at any depth; bounded depth and size. What a caller sent is checked whole; of what
//! an upstream answered only the envelope and the grammar are, since nothing is decided by the rest
//! (lists are checked whole by [`Page`](super::Page)).
//!
//! SPEC: JSON-RPC 2.0 §4, §5; MCP basic, "Messages"; threats T-018, T-020, T-021, T-026, T-028.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::de::{self, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    code,
    id::Id,
    strict::{self, Key, Listener, Nobody, Untidy},
};

/// A message, its parts as they stand in the text.
#[derive(Debug)]
pub enum Message<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// Wants none.
    Notification(Notification<'a>),
    /// Is one.
    Response(Response<'a>),
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// What its answer will carry.
    pub id: Id,
    /// The method, known or not.
    pub method: Cow<'a, str>,
    /// Its parameters, an object, where there are any.
    pub params: Option<&'a RawValue>,
}

/// A notification.
#[derive(Debug)]
pub struct Notification<'a> {
    /// The method, known or not.
    pub method: Cow<'a, str>,
    /// Its parameters, an object, where there are any.
    pub params: Option<&'a RawValue>,
}

/// A response.
#[derive(Debug)]
pub struct Response<'a> {
    /// The request it answers; `None` where the other side could not read which.
    pub id: Option<Id>,
    /// What came of it.
    pub outcome: Outcome<'a>,
}

/// What came of a request.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It was done: an object.
    Result(&'a RawValue),
    /// It was not: an object.
    Error(&'a RawValue),
}

/// Why a text is no message, and the id to answer to where it could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ParseError {
    /// What is wrong.
    pub problem: Problem,
    /// The id of the request, where it could be read.
    pub id: Option<Id>,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not UTF-8.
    #[error("the message is not UTF-8")]
    NotUtf8,
    /// A byte order mark before the text.
    #[error("the message begins with a byte order mark")]
    ByteOrderMark,
    /// Not clear JSON.
    #[error("the message is {0}")]
    Grammar(Untidy),
    /// A key twice, or a bound passed.
    #[error("the message is refused: {0}")]
    Untidy(Untidy),
    /// An array of messages.
    #[error("batches are not taken: send one message at a time")]
    Batch,
    /// JSON, yet no object.
    #[error("the message must be a JSON object")]
    NotAnObject,
    /// A key of the envelope that is not known exactly.
    #[error("a message has only the keys `jsonrpc`, `id`, `method`, `params`, `result`, `error`")]
    UnknownKey,
    /// `jsonrpc` is missing or other.
    #[error("`jsonrpc` must be \"2.0\"")]
    WrongVersion,
    /// The id is of another type, or too long.
    #[error("`id` {0}")]
    BadId(&'static str),
    /// The method is no text.
    #[error("`method` must be a string")]
    BadMethod,
    /// The parameters are no object.
    #[error("`params` must be an object")]
    BadParams,
    /// The keys make neither request, notification nor response.
    #[error("the message is neither a request, a notification nor a response")]
    Shapeless,
}

impl Problem {
    /// Its JSON-RPC code.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::NotUtf8 | Self::ByteOrderMark | Self::Grammar(_) => code::PARSE,
            Self::BadParams => code::INVALID_PARAMS,
            Self::Untidy(_)
            | Self::Batch
            | Self::NotAnObject
            | Self::UnknownKey
            | Self::WrongVersion
            | Self::BadId(_)
            | Self::BadMethod
            | Self::Shapeless => code::INVALID_REQUEST,
        }
    }
}

impl From<Problem> for ParseError {
    fn from(problem: Problem) -> Self {
        Self { problem, id: None }
    }
}

impl<'a> Message<'a> {
    /// Reads what a caller sent, whole.
    ///
    /// # Errors
    /// With the first thing that is wrong, and the id where it could be read.
    pub fn from_caller(bytes: &'a [u8]) -> Result<Self, ParseError> {
        Self::from_caller_heard(bytes, &Nobody)
    }

    /// Reads what a caller sent, whole, with somebody who listens to its parameters or its result.
    ///
    /// # Errors
    /// With the first thing that is wrong, and the id where it could be read.
    pub fn from_caller_heard(bytes: &'a [u8], listener: &impl Listener) -> Result<Self, ParseError> {
        let envelope = Envelope::read(text(bytes)?)?;
        let id = envelope.id();
        for part in [envelope.params, envelope.result, envelope.error].into_iter().flatten() {
            strict::check_heard(part.get(), listener).map_err(|why| ParseError {
                problem: if why == Untidy::NotJson { Problem::Grammar(why) } else { Problem::Untidy(why) },
                id: id.clone().ok().flatten(),
            })?;
        }
        envelope.message()
    }

    /// Reads what an upstream sent: the envelope strictly, the rest by its grammar alone.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn from_upstream(bytes: &'a [u8]) -> Result<Self, ParseError> {
        Envelope::read(text(bytes)?)?.message()
    }
}

fn text(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(Problem::ByteOrderMark);
    }
    std::str::from_utf8(bytes).map_err(|_| Problem::NotUtf8)
}

/// The six keys as they stand in the text.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<Self, ParseError> {
        let why = Cell::new(None);
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_any(Keys { why: &why }).and_then(|envelope| reader.end().map(|()| envelope));
        let (read, why) = (read.map_err(drop), why.take());
        read.map_err(|()| match why {
            // A batch or a bare value is told from broken JSON only by reading all of it.
            Some(Problem::Batch | Problem::NotAnObject) | None if !is_json(text) => {
                Problem::Grammar(Untidy::NotJson).into()
            }
            Some(problem) => problem.into(),
            None => Problem::Grammar(Untidy::NotJson).into(),
        })
    }

    /// The id, `None` where there is none or it is null.
    fn id(&self) -> Result<Option<Id>, Problem> {
        self.id.filter(|id| id.get() != "null").map(Id::read).transpose().map_err(Problem::BadId)
    }

    fn message(self) -> Result<Message<'a>, ParseError> {
        let Self { jsonrpc, id: written, method, params, result, error } = self;
        let id = self.id()?;
        let fail = |problem| ParseError { problem, id: id.clone() };
        if jsonrpc.is_none_or(|version| version.get() != "\"2.0\"") {
            return Err(fail(Problem::WrongVersion));
        }
        match (method, result, error) {
            (Some(method), None, None) => {
                let method = super::object::text(method).ok_or_else(|| fail(Problem::BadMethod))?;
                if params.is_some_and(|params| !is_object(params)) {
                    return Err(fail(Problem::BadParams));
                }
                match (id, written) {
                    (Some(id), _) => Ok(Message::Request(Request { id, method, params })),
                    (None, None) => Ok(Message::Notification(Notification { method, params })),
                    (None, Some(_)) => Err(Problem::BadId("must not be null").into()),
                }
            }
            (None, Some(result), None) if params.is_none() && id.is_some() && is_object(result) => {
                Ok(Message::Response(Response { id, outcome: Outcome::Result(result) }))
            }
            (None, None, Some(error)) if params.is_none() && written.is_some() && is_object(error) => {
                Ok(Message::Response(Response { id, outcome: Outcome::Error(error) }))
            }
            _ => Err(fail(Problem::Shapeless)),
        }
    }
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<de::IgnoredAny>(text).is_ok()
}

struct Keys<'c> {
    why: &'c Cell<Option<Problem>>,
}

impl Keys<'_> {
    fn fail<T, E: de::Error>(&self, problem: Problem) -> Result<T, E> {
        self.why.set(Some(problem));
        Err(E::custom("refused"))
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.set(Some(Problem::NotAnObject));
        f.write_str("an object")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        self.fail(Problem::Batch)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key_seed(Key)? {
            let slot = match key.as_ref() {
                "jsonrpc" => &mut envelope.jsonrpc,
                "id" => &mut envelope.id,
                "method" => &mut envelope.method,
                "params" => &mut envelope.params,
                "result" => &mut envelope.result,
                "error" => &mut envelope.error,
                _ => return self.fail(Problem::UnknownKey),
            };
            if slot.is_some() {
                return self.fail(Problem::Untidy(Untidy::DuplicateKey));
            }
            *slot = Some(map.next_value()?);
        }
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests;
