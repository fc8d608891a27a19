//! The audit record as a value: what was asked, by whom, what was decided and why, what came of it.
//!
//! A call has two records with one id: [`Decided`], taken before anything is sent upstream, and
//! [`Access`], taken before the answer leaves. A request refused before a policy was asked has one
//! [`Decided`] with its [`Refused`]. Everything is borrowed: writing a record is on the path of
//! every call.
//!
//! INVARIANT: a record is one line of JSON without any control or direction character, whatever
//! its fields hold, and of bounded length.
//! SPEC: admin-and-audit §4, version 1.
//! To add a field: here and in `line.rs`.

mod line;
mod text;

pub(crate) use text::quote;
#[cfg(feature = "serve")]
pub(crate) use text::visible;

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    detect::Detectors,
    id::Id,
    name::{ClientId, ScopeName, ServerName},
    policy::Decision,
    principal::Principal,
};

/// One record.
#[derive(Debug, Clone)]
pub enum Record<'a> {
    /// What was decided.
    Decided(&'a Decided<'a>),
    /// What came of it.
    Access(Access<'a>),
    /// What happened besides calls.
    Event(Event<'a>),
}

/// Which gateway writes.
#[derive(Debug, Clone, Copy)]
pub struct Gateway<'a> {
    /// The instance, stable over restarts.
    pub instance: &'a str,
    /// Our version.
    pub version: &'a str,
    /// Cedar's version.
    pub cedar: &'a str,
}

/// Under which policies.
#[derive(Debug, Clone, Copy)]
pub struct Revision<'a> {
    /// Digest of the configuration file.
    pub config: &'a str,
    /// Digest of the bundle.
    pub bundle: &'a str,
}

/// A decision about one request.
#[derive(Debug, Clone)]
pub struct Decided<'a> {
    /// Shared with the [`Access`] record of the same request.
    pub id: Id,
    /// When.
    pub at: Timestamp,
    /// Which gateway.
    pub gateway: Gateway<'a>,
    /// Under which policies; nothing where none was loaded.
    pub revision: Option<Revision<'a>>,
    /// Who asks; nothing where that was not established.
    pub caller: Option<Who<'a>>,
    /// From where; nothing where many are counted in one record.
    pub peer: Option<Peer<'a>>,
    /// What is asked; nothing where it could not be read.
    pub request: Option<Request<'a>>,
    /// What detectors found in it that are not off.
    pub findings: Found,
    /// The answer.
    pub decision: &'a Decision,
    /// Set where the request was refused before a policy was asked.
    pub refused: Option<Refused<'a>>,
}

/// What detectors found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// In path, query and header fields.
    pub head: Detectors,
    /// In the message: what policies were told, where one asks.
    pub message: Detectors,
}

/// A refusal that needed no policy.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Which, in one permanent word, as `bad-token` or `body-too-large`.
    pub kind: &'a str,
    /// How it was answered.
    pub response: Response,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The person or client.
    pub principal: &'a Principal,
    /// The OAuth client that a person uses.
    pub client: Option<&'a ClientId>,
    /// What the token grants.
    pub scopes: &'a [ScopeName],
    /// How it was established, as `bearer`.
    pub method: &'a str,
    /// Keyed hash of the token's id, never the token.
    pub token: Option<&'a str>,
}

/// From where.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// The peer's address, or the one a trusted proxy gave.
    pub address: IpAddr,
    /// The `User-Agent`, as the client says.
    pub agent: Option<&'a str>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The MCP method.
    pub method: &'a str,
    /// The server, by its name in the configuration.
    pub server: Option<&'a str>,
    /// The view that it came through.
    pub view: Option<&'a str>,
    /// What of the server.
    pub target: Option<Target<'a>>,
    /// The protocol revision.
    pub protocol: Option<&'a str>,
    /// The JSON-RPC id as the client gave it, as JSON text. Never the key of anything.
    pub rpc_id: Option<&'a str>,
    /// The argument values that a policy read, by JSON pointer.
    pub read: &'a [(&'a str, &'a Value)],
    /// Keyed digest of all arguments.
    pub digest: Option<&'a str>,
    /// What has drifted of the target from what `portcullis.lock` pins.
    pub drift: Option<Drift<'a>>,
    /// Bytes of the request body.
    pub size: u64,
}

/// That a target is not what was pinned.
#[derive(Debug, Clone, Copy)]
pub struct Drift<'a> {
    /// `added` or `changed`.
    pub how: &'a str,
    /// Whether the engine was told, and so it may not be used.
    pub refused: bool,
    /// Digest of what was pinned.
    pub pinned: Option<&'a str>,
    /// Digest of what its server offers.
    pub seen: Option<&'a str>,
}

/// What of a server is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A tool, by its server's name for it.
    Tool(&'a str),
    /// A prompt.
    Prompt(&'a str),
    /// A resource, by URI.
    Resource(&'a str),
}

/// What came of a request.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Of the decision.
    pub id: Id,
    /// When.
    pub at: Timestamp,
    /// Which gateway.
    pub gateway: Gateway<'a>,
    /// The answer; nothing says that what came of the call is unknown (a crash, a caller gone).
    pub response: Option<Response>,
    /// The servers that a merged list had to leave out.
    pub without: &'a [ServerName],
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// JSON-RPC error code, if it was one.
    pub code: Option<i64>,
    /// The upstream's `isError`, where it answered a call.
    pub is_error: Option<bool>,
    /// Bytes of the body.
    pub bytes: u64,
    /// Microseconds since the request came in.
    pub us: u64,
}

/// Something recorded that is no call.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Its own.
    pub id: Id,
    /// When.
    pub at: Timestamp,
    /// Which gateway.
    pub gateway: Gateway<'a>,
    /// Its family.
    pub family: Family,
    /// What happened, in permanent words, as `token-issued`.
    pub what: &'a str,
    /// The particulars, by name.
    pub facts: &'a [(&'a str, &'a str)],
}

/// The family of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A configuration was loaded or refused.
    Config,
    /// Something was administered.
    Admin,
    /// The authorization server gave or ended something.
    OAuth,
    /// Something was done to a server behind the gateway.
    Server,
}

impl Record<'_> {
    /// Appends the record as JSON members and the closing brace, without the opening one: the
    /// trail puts the version and its own counter in front.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Decided(decided) => line::decided(decided, to),
            Self::Access(access) => line::access(access, to),
            Self::Event(event) => line::event(event, to),
        }
    }
}

#[cfg(test)]
mod tests;
