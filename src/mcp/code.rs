//! The error codes of JSON-RPC and MCP. Our own lie outside -32768…-32000.
//!
//! SPEC: JSON-RPC 2.0 §5.1; MCP 2026-07-28, basic, "Error Codes".

/// The text is not JSON.
pub const PARSE: i32 = -32700;
/// JSON, yet no request.
pub const INVALID_REQUEST: i32 = -32600;
/// No such method.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters do not fit; an unknown or forbidden name.
pub const INVALID_PARAMS: i32 = -32602;
/// We failed.
pub const INTERNAL: i32 = -32603;
/// No such resource. Legacy only; the modern era says [`INVALID_PARAMS`].
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// Header and body disagree. Modern only.
pub const HEADER_MISMATCH: i32 = -32020;
/// The caller lacks a capability that the server needs. Modern only.
pub const MISSING_CAPABILITY: i32 = -32021;
/// A version of the protocol that is not spoken here. Modern only.
pub const UNSUPPORTED_VERSION: i32 = -32022;
/// The policy forbids this call, for its arguments or circumstances. Our own.
pub const FORBIDDEN: i32 = -31001;
/// The token is missing, not good, or lacks scopes. Our own.
pub const REFUSED: i32 = -31002;
/// The caller took its request back. Our own.
pub const CANCELLED: i32 = -31003;
/// Too many requests: a rate tier has no room. Our own.
pub const RATE_LIMITED: i32 = -31004;
