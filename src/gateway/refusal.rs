//! Every way in which a request is told no, and the JSON-RPC error of each.
//!
//! What a decision's denial looks like stands in [`Denial`], which `portcullis test` reads too; all
//! other statuses, and the challenges, stand in `http/respond` and nowhere else. A caller gets
//! a reason code and the id of the decision, never the name or place of a policy.
//!
//! To add a refusal: a variant here, then follow the compiler.

use serde_json::{Value, json};

use crate::{
    detect::{Detector, Detectors},
    limit::Fields,
    mcp::{AskKind, Era, Misfit, code, envelope},
    name::ScopeName,
    plain,
    policy::{Because, Denial},
};

/// A way in which a request is told no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No credential.
    Unauthenticated,
    /// A credential that is not good here; all such are alike to the caller.
    BadToken,
    /// Two credentials, so that neither is taken.
    TokenRepeated,
    /// The token lacks scopes that its holder could get. Here are all that the request needs, those
    /// that the token has among them.
    InsufficientScope(Vec<ScopeName>),
    /// The query of the endpoint is not one of ours.
    BadQuery(String),
    /// No such endpoint.
    NoEndpoint,
    /// `GET` or `DELETE` without a session to be about.
    NotAllowed,
    /// A legacy request outside any session.
    NoSession,
    /// No such session, or none of this caller's.
    UnknownSession,
    /// The session's own stream is open already.
    StreamTaken,
    /// This caller cannot read a stream of events.
    NoStream,
    /// More are open than the gateway has room for.
    Full(&'static str),
    /// The body is no message.
    Malformed {
        /// JSON-RPC code.
        code: i32,
        /// What is wrong with it.
        problem: String,
    },
    /// Header and body disagree, or a header is missing.
    HeaderMismatch(String),
    /// A protocol version that we do not speak.
    UnsupportedVersion(String),
    /// The envelope of a modern request lacks something.
    BadEnvelope(String),
    /// A method that is not known or not offered; never forwarded.
    UnknownMethod(String),
    /// The parameters do not fit the method.
    BadParams(String),
    /// No such tool, prompt or resource, or none that the caller may know of.
    Unknown {
        /// `tool`, `prompt` or `resource`.
        kind: &'static str,
        /// As the caller named it.
        name: String,
    },
    /// What the caller must be able to do for this, and does not say it can.
    MissingCapability(AskKind),
    /// The caller took its request back.
    Cancelled,
    /// The caller did not answer what the server asks.
    Unanswered,
    /// The caller may know of it, and may not do this.
    Forbidden(Because),
    /// The caller may do this, and not with these arguments: they do not fit what is pinned.
    Unfit(Box<Misfit>),
    /// A rate tier has no room. Here are the header fields that say so.
    RateLimited(Box<Fields>),
    /// The caller may do this, and not with what these detectors found.
    Suspect(Detectors),
    /// A policy could not be evaluated.
    PolicyError,
    /// The upstream could not answer. Says so in words fit for the caller.
    Upstream(String),
    /// The audit trail cannot be written, so nothing is done.
    NoAudit,
    /// The store cannot be read, so no token is good.
    NoStore,
    /// We failed; the log has the rest under the request's id.
    Internal,
}

impl Refusal {
    /// The JSON-RPC code in the caller's era.
    pub(crate) fn code(&self, era: Era) -> i32 {
        match self {
            // CL-13, PX-26: the legacy era has a code of its own for this.
            Self::Unknown { kind: "resource", .. } if era == Era::Legacy => code::RESOURCE_NOT_FOUND,
            Self::Unauthenticated => Denial::Unauthenticated.code(),
            Self::BadToken => Denial::BadToken.code(),
            Self::InsufficientScope(_) => Denial::InsufficientScope.code(),
            Self::BadQuery(_) => Denial::BadQuery.code(),
            Self::NoEndpoint => Denial::NoEndpoint.code(),
            Self::Unknown { .. } => Denial::Unknown.code(),
            Self::Forbidden(_) | Self::Unfit(_) | Self::Suspect(_) => Denial::Forbidden.code(),
            Self::RateLimited(_) => Denial::RateLimited.code(),
            Self::PolicyError => Denial::PolicyError.code(),
            Self::Malformed { code, .. } => *code,
            Self::TokenRepeated
            | Self::NotAllowed
            | Self::NoSession
            | Self::UnknownSession
            | Self::StreamTaken
            | Self::NoStream => code::INVALID_REQUEST,
            Self::HeaderMismatch(_) => code::HEADER_MISMATCH,
            Self::MissingCapability(_) => code::MISSING_CAPABILITY,
            Self::UnsupportedVersion(_) => code::UNSUPPORTED_VERSION,
            Self::Cancelled => code::CANCELLED,
            Self::UnknownMethod(_) => code::METHOD_NOT_FOUND,
            Self::BadEnvelope(_) | Self::BadParams(_) => code::INVALID_PARAMS,
            Self::Full(_) | Self::Unanswered | Self::Upstream(_) | Self::NoAudit | Self::NoStore | Self::Internal => {
                code::INTERNAL
            }
        }
    }

    /// One permanent word for the audit trail.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "no-token",
            Self::BadToken => "bad-token",
            Self::TokenRepeated => "token-repeated",
            Self::InsufficientScope(_) => "insufficient-scope",
            Self::BadQuery(_) => "bad-query",
            Self::NoEndpoint => "no-endpoint",
            Self::NotAllowed => "not-allowed",
            Self::NoSession => "no-session",
            Self::UnknownSession => "unknown-session",
            Self::StreamTaken => "stream-taken",
            Self::NoStream => "no-stream",
            Self::Full(_) => "full",
            Self::Malformed { .. } => "malformed",
            Self::HeaderMismatch(_) => "header-mismatch",
            Self::UnsupportedVersion(_) => "unsupported-version",
            Self::BadEnvelope(_) => "bad-envelope",
            Self::UnknownMethod(_) => "unknown-method",
            Self::BadParams(_) => "bad-params",
            Self::Unknown { .. } => "unknown-target",
            Self::MissingCapability(_) => "missing-capability",
            Self::Cancelled => "cancelled",
            Self::Unanswered => "unanswered",
            Self::Forbidden(_) => "forbidden",
            Self::Unfit(_) => "unfit-arguments",
            Self::Suspect(_) => "suspect",
            Self::RateLimited(_) => "rate-limited",
            Self::PolicyError => "policy-error",
            Self::Upstream(_) => "upstream",
            Self::NoAudit => "no-audit",
            Self::NoStore => "store-down",
            Self::Internal => "internal",
        }
    }

    /// Why, in the closed enum of the audit trail, where no policy was asked.
    pub(crate) const fn because(&self) -> Because {
        match self {
            Self::Unauthenticated => Because::Unauthenticated,
            Self::BadToken => Because::TokenInvalid,
            Self::InsufficientScope(_) => Because::MissingScope,
            Self::Forbidden(because) => *because,
            Self::NoEndpoint => Because::UnknownServer,
            Self::UnknownMethod(_) => Because::NoMatchingGrant,
            Self::Unknown { .. } => Because::UnknownTool,
            Self::RateLimited(_) => Because::RateLimited,
            Self::BadQuery(_)
            | Self::TokenRepeated
            | Self::NotAllowed
            | Self::NoSession
            | Self::UnknownSession
            | Self::StreamTaken
            | Self::NoStream
            | Self::Malformed { .. }
            | Self::HeaderMismatch(_)
            | Self::UnsupportedVersion(_)
            | Self::MissingCapability(_)
            | Self::Cancelled
            | Self::Unanswered
            | Self::BadEnvelope(_)
            | Self::BadParams(_)
            | Self::Unfit(_)
            | Self::Suspect(_) => Because::ValidationFailed,
            Self::Full(_) | Self::PolicyError | Self::Upstream(_) | Self::NoAudit | Self::NoStore | Self::Internal => {
                Because::PolicyError
            }
        }
    }

    /// Whether it counts as a failure of whoever asked: rate tiers may tighten after some.
    pub(crate) const fn is_failure(&self) -> bool {
        match self {
            Self::BadToken
            | Self::InsufficientScope(_)
            | Self::NoEndpoint
            | Self::Unknown { .. }
            | Self::Forbidden(_)
            | Self::Suspect(_) => true,
            // Whoever comes without a token is told where to get one, and guesses nothing.
            Self::Unauthenticated
            | Self::TokenRepeated
            | Self::BadQuery(_)
            | Self::NotAllowed
            | Self::NoSession
            | Self::UnknownSession
            | Self::StreamTaken
            | Self::NoStream
            | Self::Full(_)
            | Self::Malformed { .. }
            | Self::HeaderMismatch(_)
            | Self::UnsupportedVersion(_)
            | Self::BadEnvelope(_)
            | Self::UnknownMethod(_)
            | Self::BadParams(_)
            | Self::MissingCapability(_)
            | Self::Cancelled
            | Self::Unanswered
            | Self::Unfit(_)
            | Self::RateLimited(_)
            | Self::PolicyError
            | Self::Upstream(_)
            | Self::NoAudit
            | Self::NoStore
            | Self::Internal => false,
        }
    }

    /// What the caller is told.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Unauthenticated => "a bearer token is needed".into(),
            Self::BadToken => "the bearer token is not good for this resource".into(),
            Self::TokenRepeated => "`Authorization` is given twice; send one bearer token".into(),
            Self::InsufficientScope(scopes) => {
                let scopes: Vec<&str> = scopes.iter().map(ScopeName::as_str).collect();
                format!("this needs a token with the scopes {}", scopes.join(" "))
            }
            Self::BadQuery(problem)
            | Self::HeaderMismatch(problem)
            | Self::BadEnvelope(problem)
            | Self::BadParams(problem)
            | Self::Malformed { problem, .. }
            | Self::Upstream(problem) => problem.clone(),
            Self::NoEndpoint => "there is no such endpoint".into(),
            Self::NotAllowed => "without the `Mcp-Session-Id` of a session only POST is taken".into(),
            Self::NoSession => "open a session with `initialize` first and send its `Mcp-Session-Id`, or speak protocol version 2026-07-28".into(),
            Self::UnknownSession => "there is no such session; open one with `initialize`".into(),
            Self::StreamTaken => "this session's stream is open already".into(),
            Self::NoStream => "`Accept` must hold `text/event-stream`".into(),
            Self::Full(what) => format!("too many {what} are open; try again later"),
            Self::MissingCapability(kind) => format!("this needs a caller with the capability `{kind}`"),
            Self::Cancelled => "the caller took this request back".into(),
            Self::Unanswered => "a question of the server's was not answered".into(),
            Self::UnsupportedVersion(version) => format!("protocol version {} is not supported", plain::quoted(version)),
            // A caller of the legacy era that meets it has to know which era this is.
            Self::UnknownMethod(method) if method == "initialize" => {
                "method \"initialize\" is not of protocol version 2026-07-28, which this request speaks".into()
            }
            Self::UnknownMethod(method) => format!("method {} is not offered here", plain::quoted(method)),
            Self::Unknown { kind, name } => format!("unknown {kind}: {}", plain::quoted(name)),
            Self::Forbidden(_) => "policy forbids this call".into(),
            Self::Unfit(misfit) => misfit.to_string(),
            Self::Suspect(checks) => {
                let checks: Vec<String> =
                    checks.iter().map(|check| format!("{} (`{check}`)", check.about())).collect();
                format!("policy forbids this call: it looks like {}", checks.join(", and like "))
            }
            Self::RateLimited(fields) => format!("too many requests; try again in {} seconds", fields.retry_after),
            Self::PolicyError => "the policy could not be evaluated, so the answer is no".into(),
            Self::NoStore => "the store cannot be read, so nobody is let in; try again soon".into(),
            Self::NoAudit => "the audit trail cannot be written, so nothing is done".into(),
            Self::Internal => "internal error".into(),
        }
    }

    /// The JSON-RPC error object. `decision` is the id under which the audit trail has it.
    pub(crate) fn error_object(&self, decision: &str, era: Era) -> Vec<u8> {
        let mut data = json!({ "decision_id": decision });
        if let Some(data) = data.as_object_mut() {
            match self {
                Self::UnsupportedVersion(requested) => {
                    data.insert("supported".into(), json!(["2026-07-28"]));
                    data.insert("requested".into(), Value::from(requested.as_str()));
                }
                Self::MissingCapability(kind) => {
                    data.insert("requiredCapabilities".into(), json!({ kind.as_str(): {} }));
                }
                Self::Suspect(checks) => {
                    let words: Vec<&str> = checks.iter().map(Detector::word).collect();
                    data.insert("because".into(), Value::from(self.because().to_string()));
                    data.insert("checks".into(), json!(words));
                }
                Self::Forbidden(_) | Self::Unfit(_) => {
                    data.insert("because".into(), Value::from(self.because().to_string()));
                }
                Self::RateLimited(fields) => {
                    data.insert("because".into(), Value::from(self.because().to_string()));
                    data.insert("retryAfter".into(), json!(fields.retry_after.parse::<u64>().unwrap_or(1)));
                }
                // CL-13: which one was not found.
                Self::Unknown { kind: "resource", name } => {
                    data.insert("uri".into(), Value::from(name.as_str()));
                }
                Self::Unauthenticated
                | Self::BadToken
                | Self::TokenRepeated
                | Self::InsufficientScope(_)
                | Self::BadQuery(_)
                | Self::NoEndpoint
                | Self::NotAllowed
                | Self::NoSession
                | Self::UnknownSession
                | Self::StreamTaken
                | Self::NoStream
                | Self::Full(_)
                | Self::Cancelled
                | Self::Unanswered
                | Self::Malformed { .. }
                | Self::HeaderMismatch(_)
                | Self::BadEnvelope(_)
                | Self::UnknownMethod(_)
                | Self::BadParams(_)
                | Self::Unknown { .. }
                | Self::PolicyError
                | Self::Upstream(_)
                | Self::NoAudit
                | Self::NoStore
                | Self::Internal => {}
            }
        }
        envelope::error_object(self.code(era), &self.message(), Some(&data))
    }
}
