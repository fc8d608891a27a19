//! The protocol's own words: one JSON-RPC message, the methods and versions of both eras, the
//! header fields, `_meta`, the lists that servers answer, and the schemas of arguments.
//!
//! Pure: bytes in, values out. Whatever is not known exactly is refused, for every version alike;
//! whatever is passed on keeps its very bytes.
//!
//! SPEC: MCP 2025-03-26, 2025-06-18, 2025-11-25 (*legacy*) and 2026-07-28 (*modern*); JSON-RPC 2.0.

#![warn(clippy::wildcard_enum_match_arm)]

mod ask;
pub mod code;
pub mod envelope;
pub mod header;
mod hidden;
mod id;
mod input_schema;
mod jsonrpc;
mod level;
mod list;
mod meta;
mod method;
mod object;
mod param_header;
mod result;
mod strict;
mod version;

pub use ask::AskKind;
pub use id::{Id, MAX_ID};
pub use input_schema::{InputSchema, Misfit, SchemaError};
pub use jsonrpc::{Message, Notification, Outcome, ParseError, Problem, Request, Response};
pub use level::LogLevel;
pub use list::{Entry, Kind, Page, PageError};
pub use meta::{Meta, MetaError};
pub use method::Method;
pub use object::{Object, ObjectError, members, object};
pub use param_header::{ParamHeader, ParamHeaderError};
pub use result::{has_field, with_field, with_value};
pub use strict::{Listener, MAX_DEPTH, MAX_NODES, Nobody, Untidy, check, check_heard};
pub use version::{Era, Version};
