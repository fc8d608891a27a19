//! What a request asks for, in whichever era it is written.
//!
//! Both eras share one endpoint. Which one a message belongs to is decided by its header and `_meta`
//! before anything else is; the order of the checks is fixed (TR-20). What is decided is taken from
//! the body alone: header fields must agree with it and are never policy input (TR-25).
//!
//! SPEC: MCP 2025-11-25 and 2026-07-28, Streamable HTTP; sheet `mcp.md` §2.2.
//! To add a method: an arm in [`params`] and a variant of [`What`].

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::value::RawValue;

use super::refusal::Refusal;
use crate::mcp::{Era, Id, Kind, Message, Meta, Method, Object, Version, code, header};

/// A request, understood.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// What its answer will carry.
    pub(crate) id: Id,
    /// The version it speaks.
    pub(crate) version: Version,
    /// The method, as known.
    pub(crate) method: Method,
    /// What it asks for.
    pub(crate) what: What<'a>,
    /// Its `_meta`.
    pub(crate) meta: Meta<'a>,
}

/// What a request asks for.
#[derive(Debug)]
pub(crate) enum What<'a> {
    /// `initialize`, with the version asked for.
    Initialize(Cow<'a, str>),
    /// `server/discover`
    Discover,
    /// `ping`
    Ping,
    /// One of the lists.
    List(Kind),
    /// To act on one tool, prompt or resource.
    Act(Act<'a>),
}

/// To act on one tool, prompt or resource.
#[derive(Debug)]
pub(crate) struct Act<'a> {
    /// What is acted on.
    pub(crate) kind: Kind,
    /// Its name or URI, as this endpoint shows it.
    pub(crate) name: Cow<'a, str>,
    /// The arguments, as their very bytes.
    pub(crate) arguments: Option<&'a RawValue>,
}

/// What came in, understood or to be refused.
#[derive(Debug)]
pub(crate) enum Classified<'a> {
    /// Wants an answer.
    Asked(Asked<'a>),
    /// A notification: accepted, and of no consequence yet.
    Noted,
}

/// A refusal, with what could be read of the request.
#[derive(Debug)]
pub(crate) struct Unclear {
    pub(crate) refusal: Refusal,
    pub(crate) id: Option<Id>,
    pub(crate) method: Option<String>,
    /// Whether the answer must be one of the modern era: errors have HTTP statuses there.
    pub(crate) modern: bool,
}

/// Reads what came in.
pub(crate) fn read<'a>(body: &'a [u8], headers: &HeaderMap) -> Result<Classified<'a>, Unclear> {
    let version = one(headers, header::PROTOCOL_VERSION);
    let modern_header = matches!(&version, Ok(Some(text)) if era_of_header(text) == Era::Modern);
    let message = Message::from_caller(body).map_err(|error| {
        let (code, problem) = (error.problem.code(), error.problem.to_string());
        Unclear { refusal: Refusal::Malformed { code, problem }, id: error.id, method: None, modern: modern_header }
    })?;
    let (id, method, params) = match message {
        Message::Request(request) => (Some(request.id), request.method, request.params),
        Message::Notification(notification) => (None, notification.method, notification.params),
        Message::Response(response) => {
            let problem = "no request of ours waits for this response".into();
            let refusal = Refusal::Malformed { code: code::INVALID_REQUEST, problem };
            return Err(Unclear { refusal, id: response.id, method: None, modern: modern_header });
        }
    };
    let named = method.clone().into_owned();
    let unclear = |refusal, modern| Unclear { refusal, id: id.clone(), method: Some(named.clone()), modern };
    let object = params.map_or(Ok(Object::default()), |params| Object::read(params.get()));
    let object = object.map_err(|error| unclear(Refusal::BadParams(format!("`params` {error}")), modern_header))?;
    let meta = object.get("_meta").map_or(Ok(Meta::default()), Meta::read);
    let meta = meta.map_err(|error| unclear(Refusal::BadParams(error.to_string()), modern_header))?;
    let modern = modern_header || meta.protocol_version().is_some();
    let version = version.map_err(|refusal| unclear(refusal, modern))?;
    let spoken = if modern {
        modern_version(version.as_deref(), &meta, id.is_some()).map_err(|refusal| unclear(refusal, true))?
    } else {
        version.as_deref().and_then(Version::from_text).unwrap_or(Version::HEADERLESS)
    };
    let known = Method::from_text(&method)
        .filter(|method| method.is_notification() == id.is_none() && method.eras().contains(&spoken.era()));
    let Some(known) = known else {
        // A call without an id must not run unanswered (T-027).
        let refusal = if id.is_none() && Method::from_text(&method).is_some() {
            Refusal::Malformed { code: code::INVALID_REQUEST, problem: format!("`{method}` needs an `id`") }
        } else {
            Refusal::UnknownMethod(named.clone())
        };
        return Err(unclear(refusal, modern));
    };
    let Some(id) = id.clone() else { return Ok(Classified::Noted) };
    let what = params_of(known, &object).map_err(|refusal| unclear(refusal, modern))?;
    if modern {
        headers_agree(headers, known, &what).map_err(|refusal| unclear(refusal, true))?;
    }
    Ok(Classified::Asked(Asked { id, version: spoken, method: known, what, meta }))
}

fn era_of_header(text: &str) -> Era {
    // A version nobody knows is told so in the modern way, which names the versions that are spoken.
    Version::from_text(text).map_or(Era::Modern, Version::era)
}

/// The one value of a header field.
fn one(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Refusal::HeaderMismatch(format!("`{name}` is given twice")));
    }
    first
        .map(|value| header::decode(value.as_bytes()).map(Cow::into_owned))
        .transpose()
        .map_err(|error| Refusal::HeaderMismatch(format!("`{name}` {error}")))
}

fn modern_version(header: Option<&str>, meta: &Meta<'_>, request: bool) -> Result<Version, Refusal> {
    let body = meta.protocol_version();
    if request {
        let Some(body) = &body else {
            let problem = "`params._meta` must name `io.modelcontextprotocol/protocolVersion`";
            return Err(Refusal::BadEnvelope(problem.into()));
        };
        if !meta.client_capabilities().is_some_and(|capabilities| capabilities.get().starts_with('{')) {
            let problem = "`params._meta` must hold the object `io.modelcontextprotocol/clientCapabilities`";
            return Err(Refusal::BadEnvelope(problem.into()));
        }
        match header {
            None => return Err(Refusal::HeaderMismatch("the header `MCP-Protocol-Version` is missing".into())),
            Some(header) if header != body => {
                return Err(Refusal::HeaderMismatch("the header `MCP-Protocol-Version` differs from the body".into()));
            }
            Some(_) => {}
        }
    }
    let text = header.or(body.as_deref()).unwrap_or_default();
    Version::from_text(text).filter(|version| version.era() == Era::Modern).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        Refusal::UnsupportedVersion(shown)
    })
}

fn headers_agree(headers: &HeaderMap, method: Method, what: &What<'_>) -> Result<(), Refusal> {
    let agree = |name: &'static str, shown: &str, body: &str| match one(headers, name)? {
        Some(value) if value == body => Ok(()),
        Some(_) => Err(Refusal::HeaderMismatch(format!("the header `{shown}` differs from the body"))),
        None => Err(Refusal::HeaderMismatch(format!("the header `{shown}` is missing"))),
    };
    agree(header::METHOD, "Mcp-Method", method.as_str())?;
    match what {
        What::Act(act) => agree(header::NAME, "Mcp-Name", &act.name),
        What::Initialize(_) | What::Discover | What::Ping | What::List(_) => Ok(()),
    }
}

fn params_of<'a>(method: Method, params: &Object<'a>) -> Result<What<'a>, Refusal> {
    match method {
        Method::Initialize => {
            let version = params.text("protocolVersion");
            version
                .map(What::Initialize)
                .ok_or_else(|| Refusal::BadParams("`params.protocolVersion` must be a string".into()))
        }
        Method::ServerDiscover => only(params, &[]).map(|()| What::Discover),
        Method::Ping => only(params, &[]).map(|()| What::Ping),
        Method::ToolsList => list(params, Kind::Tools),
        Method::PromptsList => list(params, Kind::Prompts),
        Method::ResourcesList => list(params, Kind::Resources),
        Method::ResourcesTemplatesList => list(params, Kind::Templates),
        Method::ToolsCall => act(params, Kind::Tools),
        Method::PromptsGet => act(params, Kind::Prompts),
        Method::ResourcesRead => act(params, Kind::Resources),
        Method::CompletionComplete
        | Method::LoggingSetLevel
        | Method::ResourcesSubscribe
        | Method::ResourcesUnsubscribe
        | Method::SubscriptionsListen
        | Method::Initialized
        | Method::Cancelled
        | Method::Progress
        | Method::RootsListChanged
        | Method::ToolsListChanged
        | Method::PromptsListChanged
        | Method::ResourcesListChanged
        | Method::ResourcesUpdated
        | Method::LogMessage
        | Method::ElicitationCreate
        | Method::SamplingCreateMessage
        | Method::RootsList => Err(Refusal::UnknownMethod(method.as_str().into())),
    }
}

fn list<'a>(params: &Object<'a>, kind: Kind) -> Result<What<'a>, Refusal> {
    only(params, &["cursor"])?;
    // Lists are answered whole, so no cursor is ever ours (PG-01).
    match params.get("cursor") {
        Some(_) => Err(Refusal::BadParams("`params.cursor` is not a cursor of ours".into())),
        None => Ok(What::List(kind)),
    }
}

fn act<'a>(params: &Object<'a>, kind: Kind) -> Result<What<'a>, Refusal> {
    let key = kind.key();
    only(params, if kind == Kind::Resources { &["uri"] } else { &["name", "arguments"] })?;
    let name = params.text(key).ok_or_else(|| Refusal::BadParams(format!("`params.{key}` must be a string")))?;
    let arguments = params.get("arguments").filter(|arguments| arguments.get() != "null");
    if arguments.is_some_and(|arguments| !arguments.get().starts_with('{')) {
        return Err(Refusal::BadParams("`params.arguments` must be an object".into()));
    }
    Ok(What::Act(Act { kind, name, arguments }))
}

/// Every parameter but `_meta` must be known: what we do not read must not reach an upstream that does.
fn only(params: &Object<'_>, known: &[&str]) -> Result<(), Refusal> {
    match params.fields().find(|(key, _)| *key != "_meta" && !known.contains(key)) {
        Some((key, _)) => Err(Refusal::BadParams(format!("`params.{key}` is not known for this method"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
