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
use crate::mcp::{Era, Id, Kind, Listener, LogLevel, Message, Meta, Method, Object, Outcome, Version, code, header};

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
    /// `initialize`
    Initialize(Hello<'a>),
    /// `server/discover`
    Discover,
    /// `ping`
    Ping,
    /// `logging/setLevel`
    SetLevel(LogLevel),
    /// `resources/subscribe`, with the URI.
    Watch(Cow<'a, str>),
    /// `resources/unsubscribe`, with the URI.
    Unwatch(Cow<'a, str>),
    /// One of the lists, from its beginning or from a cursor on.
    List(Kind, Option<Cow<'a, str>>),
    /// `completion/complete`
    Complete(Complete<'a>),
    /// `subscriptions/listen`
    Listen(Filter),
    /// To act on one tool, prompt or resource.
    Act(Act<'a>),
}

/// What a caller says of itself when it opens a session.
#[derive(Debug)]
pub(crate) struct Hello<'a> {
    /// The version it asks for.
    pub(crate) version: Cow<'a, str>,
    /// Its capabilities, an object.
    pub(crate) capabilities: Option<&'a RawValue>,
    /// Its `clientInfo`, an object.
    pub(crate) client_info: Option<&'a RawValue>,
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
    /// What an earlier answer asked for, an object by keys of the server's. Modern only.
    pub(crate) responses: Option<&'a RawValue>,
    /// The state that an earlier answer gave. Modern only.
    pub(crate) state: Option<Cow<'a, str>>,
}

/// To complete an argument of a prompt or of a resource template.
#[derive(Debug)]
pub(crate) struct Complete<'a> {
    /// Prompts or resources.
    pub(crate) kind: Kind,
    /// The name of the prompt, or the URI or template, as this endpoint shows it.
    pub(crate) name: Cow<'a, str>,
    /// What refers to it, an object.
    pub(crate) reference: &'a RawValue,
    /// The argument, an object.
    pub(crate) argument: &'a RawValue,
    /// What else is filled in already, an object.
    pub(crate) context: Option<&'a RawValue>,
}

/// Of which changes somebody wants to hear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    /// Of the list of resources, and of templates.
    pub(crate) resources: bool,
    /// Of these resources themselves, each once.
    pub(crate) uris: Vec<String>,
}

impl<'a> Act<'a> {
    /// Nothing but what is acted on.
    pub(crate) const fn on(kind: Kind, name: Cow<'a, str>) -> Self {
        Self { kind, name, arguments: None, responses: None, state: None }
    }
}

/// What came in, understood or to be refused.
#[derive(Debug)]
pub(crate) enum Classified<'a> {
    /// Wants an answer.
    Asked(Asked<'a>),
    /// A notification.
    Noted(Noted),
    /// The answer to a question of ours. Legacy only.
    Answered(Id, Outcome<'a>),
}

/// A notification.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) era: Era,
    /// The request that is not wanted any more.
    pub(crate) cancelled: Option<Id>,
}

/// A refusal, with what could be read of the request.
#[derive(Debug)]
pub(crate) struct Unclear {
    pub(crate) refusal: Refusal,
    pub(crate) id: Option<Id>,
    pub(crate) method: Option<String>,
    /// Whether the answer must be one of the modern era: errors have HTTP statuses there.
    pub(crate) modern: bool,
    /// Whether it is a message of a session, which is to be known before anything is said of it.
    pub(crate) of_session: bool,
}

/// Reads what came in, with somebody who listens.
pub(crate) fn read<'a>(
    body: &'a [u8],
    headers: &HeaderMap,
    listener: &impl Listener,
) -> Result<Classified<'a>, Unclear> {
    let version = one(headers, header::PROTOCOL_VERSION);
    let modern_header = matches!(&version, Ok(Some(text)) if era_of_header(text) == Era::Modern);
    let message = Message::from_caller_heard(body, listener).map_err(|error| {
        let (code, problem) = (error.problem.code(), error.problem.to_string());
        let refusal = Refusal::Malformed { code, problem };
        Unclear { refusal, id: error.id, method: None, modern: modern_header, of_session: false }
    })?;
    let (id, method, params) = match message {
        Message::Request(request) => (Some(request.id), request.method, request.params),
        Message::Notification(notification) => (None, notification.method, notification.params),
        Message::Response(response) => {
            return match response.id {
                Some(id) if !modern_header => Ok(Classified::Answered(id, response.outcome)),
                id => {
                    let problem = "no request of ours waits for this response".into();
                    let refusal = Refusal::Malformed { code: code::INVALID_REQUEST, problem };
                    Err(Unclear { refusal, id, method: None, modern: modern_header, of_session: !modern_header })
                }
            };
        }
    };
    let named = method.clone().into_owned();
    let unclear = |refusal, modern: bool| {
        let of_session = !modern && named != Method::Initialize.as_str();
        Unclear { refusal, id: id.clone(), method: Some(named.clone()), modern, of_session }
    };
    let object = params.map_or(Ok(Object::default()), |params| Object::read(params.get()));
    let object = object.map_err(|error| unclear(Refusal::BadParams(format!("`params` {error}")), modern_header))?;
    let meta = object.get("_meta").map_or(Ok(Meta::default()), Meta::read);
    let meta = meta.map_err(|error| {
        // What says how a modern request is meant must be readable before anything of it is.
        let refusal = if modern_header { Refusal::BadEnvelope } else { Refusal::BadParams };
        unclear(refusal(error.to_string()), modern_header)
    })?;
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
        let wants_an_answer = Method::from_text(&method).is_some_and(|method| !method.is_notification());
        let refusal = if id.is_none() && wants_an_answer {
            Refusal::Malformed { code: code::INVALID_REQUEST, problem: format!("`{method}` needs an `id`") }
        } else {
            Refusal::UnknownMethod(named.clone())
        };
        return Err(unclear(refusal, modern));
    };
    let Some(id) = id.clone() else {
        let cancelled = if known == Method::Cancelled { object.id("requestId") } else { None };
        return Ok(Classified::Noted(Noted { era: spoken.era(), cancelled }));
    };
    let what = params_of(known, &object, spoken.era()).map_err(|refusal| unclear(refusal, modern))?;
    if modern {
        headers_agree(headers, known, &what).map_err(|refusal| unclear(refusal, true))?;
    }
    Ok(Classified::Asked(Asked { id, version: spoken, method: known, what, meta }))
}

/// Whether a request's header says that it is of the modern era.
pub(crate) fn says_modern(headers: &HeaderMap) -> bool {
    matches!(one(headers, header::PROTOCOL_VERSION), Ok(Some(text)) if era_of_header(&text) == Era::Modern)
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
        for (key, opens, kind) in [("clientInfo", '{', "an object"), ("logLevel", '"', "a string")] {
            if meta.reserved(key).is_some_and(|value| !value.get().starts_with(opens)) {
                return Err(Refusal::BadEnvelope(format!(
                    "`params._meta.io.modelcontextprotocol/{key}` must be {kind}"
                )));
            }
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
        What::Initialize(_)
        | What::Discover
        | What::Ping
        | What::SetLevel(_)
        | What::Watch(_)
        | What::Unwatch(_)
        | What::List(..)
        | What::Complete(_)
        | What::Listen(_) => Ok(()),
    }
}

fn params_of<'a>(method: Method, params: &Object<'a>, era: Era) -> Result<What<'a>, Refusal> {
    match method {
        Method::Initialize => {
            let version = params.text("protocolVersion");
            let version =
                version.ok_or_else(|| Refusal::BadParams("`params.protocolVersion` must be a string".into()))?;
            let (capabilities, client_info) = (object(params, "capabilities")?, object(params, "clientInfo")?);
            Ok(What::Initialize(Hello { version, capabilities, client_info }))
        }
        Method::ServerDiscover => only(params, &[]).map(|()| What::Discover),
        Method::Ping => only(params, &[]).map(|()| What::Ping),
        Method::LoggingSetLevel => {
            only(params, &["level"])?;
            let level = params.text("level").and_then(|level| LogLevel::from_text(&level));
            level.map(What::SetLevel).ok_or_else(|| Refusal::BadParams("`params.level` must be a level of logs".into()))
        }
        Method::ToolsList => list(params, Kind::Tools),
        Method::PromptsList => list(params, Kind::Prompts),
        Method::ResourcesList => list(params, Kind::Resources),
        Method::ResourcesTemplatesList => list(params, Kind::Templates),
        Method::ToolsCall => act(params, Kind::Tools, era),
        Method::PromptsGet => act(params, Kind::Prompts, era),
        Method::ResourcesRead => act(params, Kind::Resources, era),
        Method::CompletionComplete => complete(params),
        Method::SubscriptionsListen => filter(params).map(What::Listen),
        Method::ResourcesSubscribe => resource(params).map(What::Watch),
        Method::ResourcesUnsubscribe => resource(params).map(What::Unwatch),
        Method::Initialized
        | Method::Cancelled
        | Method::Progress
        | Method::RootsListChanged
        | Method::ToolsListChanged
        | Method::PromptsListChanged
        | Method::ResourcesListChanged
        | Method::ResourcesUpdated
        | Method::LogMessage
        | Method::SubscriptionsAcknowledged
        | Method::ElicitationCreate
        | Method::SamplingCreateMessage
        | Method::RootsList => Err(Refusal::UnknownMethod(method.as_str().into())),
    }
}

fn resource<'a>(params: &Object<'a>) -> Result<Cow<'a, str>, Refusal> {
    only(params, &["uri"])?;
    params.text("uri").ok_or_else(|| Refusal::BadParams("`params.uri` must be a string".into()))
}

fn list<'a>(params: &Object<'a>, kind: Kind) -> Result<What<'a>, Refusal> {
    only(params, &["cursor"])?;
    match (params.get("cursor"), params.text("cursor")) {
        (None, _) => Ok(What::List(kind, None)),
        (Some(_), Some(cursor)) => Ok(What::List(kind, Some(cursor))),
        (Some(_), None) => Err(Refusal::BadParams("`params.cursor` must be a string".into())),
    }
}

fn complete<'a>(params: &Object<'a>) -> Result<What<'a>, Refusal> {
    only(params, &["ref", "argument", "context"])?;
    let bad = |problem: &str| Refusal::BadParams(problem.to_owned());
    let object = |key: &str| params.get(key).filter(|value| value.get().starts_with('{'));
    let reference = object("ref").ok_or_else(|| bad("`params.ref` must be an object"))?;
    let argument = object("argument").ok_or_else(|| bad("`params.argument` must be an object"))?;
    let context = object("context");
    if params.get("context").is_some() && context.is_none() {
        return Err(bad("`params.context` must be an object"));
    }
    let inside = |value: &'a RawValue, key: &str| {
        Object::read(value.get()).map_err(|error| Refusal::BadParams(format!("`params.{key}` {error}")))
    };
    let (refers, described) = (inside(reference, "ref")?, inside(argument, "argument")?);
    only(&described, &["name", "value"])?;
    if described.text("name").is_none() || described.text("value").is_none() {
        return Err(bad("`params.argument` must have the strings `name` and `value`"));
    }
    if let Some(context) = context {
        only(&inside(context, "context")?, &["arguments"])?;
    }
    let (kind, key) = match refers.text("type").as_deref() {
        Some("ref/prompt") => (Kind::Prompts, "name"),
        Some("ref/resource") => (Kind::Resources, "uri"),
        Some(_) | None => return Err(bad("`params.ref.type` must be `ref/prompt` or `ref/resource`")),
    };
    only(&refers, &["type", key, "title"])?;
    let name = refers.text(key).ok_or_else(|| Refusal::BadParams(format!("`params.ref.{key}` must be a string")))?;
    Ok(What::Complete(Complete { kind, name, reference, argument, context }))
}

/// The most resources that one stream may hear of.
const MOST_URIS: usize = 100;

fn filter(params: &Object<'_>) -> Result<Filter, Refusal> {
    only(params, &["notifications"])?;
    let bad = |problem: &str| Refusal::BadParams(problem.to_owned());
    let wanted = params.get("notifications").ok_or_else(|| bad("`params.notifications` must be an object"))?;
    let wanted = Object::read(wanted.get()).map_err(|_| bad("`params.notifications` must be an object"))?;
    // A kind that is not known is not honoured: what is acknowledged says so.
    let flag = |key: &str| match wanted.get(key).map(RawValue::get) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Refusal::BadParams(format!("`params.notifications.{key}` must be true or false"))),
    };
    let mut uris: Vec<String> = match wanted.get("resourceSubscriptions") {
        None => Vec::new(),
        Some(uris) => serde_json::from_str(uris.get())
            .map_err(|_| bad("`params.notifications.resourceSubscriptions` must be a list of strings"))?,
    };
    uris.sort();
    uris.dedup();
    if uris.len() > MOST_URIS {
        return Err(bad("too many resources for one stream, at most 100"));
    }
    let (tools, prompts) = (flag("toolsListChanged")?, flag("promptsListChanged")?);
    Ok(Filter { tools, prompts, resources: flag("resourcesListChanged")?, uris })
}

fn act<'a>(params: &Object<'a>, kind: Kind, era: Era) -> Result<What<'a>, Refusal> {
    let key = kind.key();
    let known: &[&str] = match (kind, era) {
        (Kind::Resources | Kind::Templates, Era::Legacy) => &["uri"],
        (Kind::Resources | Kind::Templates, Era::Modern) => &["uri", "inputResponses", "requestState"],
        (Kind::Tools | Kind::Prompts, Era::Legacy) => &["name", "arguments"],
        (Kind::Tools | Kind::Prompts, Era::Modern) => &["name", "arguments", "inputResponses", "requestState"],
    };
    only(params, known)?;
    let name = params.text(key).ok_or_else(|| Refusal::BadParams(format!("`params.{key}` must be a string")))?;
    let (arguments, responses) = (object(params, "arguments")?, object(params, "inputResponses")?);
    let state = match params.get("requestState") {
        Some(_) => {
            let state = params.text("requestState");
            Some(state.ok_or_else(|| Refusal::BadParams("`params.requestState` must be a string".into()))?)
        }
        None => None,
    };
    Ok(What::Act(Act { kind, name, arguments, responses, state }))
}

/// The object in a field; `null` counts as absent.
fn object<'a>(params: &Object<'a>, key: &str) -> Result<Option<&'a RawValue>, Refusal> {
    match params.get(key).filter(|value| value.get() != "null") {
        Some(value) if value.get().starts_with('{') => Ok(Some(value)),
        Some(_) => Err(Refusal::BadParams(format!("`params.{key}` must be an object"))),
        None => Ok(None),
    }
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
