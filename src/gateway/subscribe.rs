//! `subscriptions/listen`: a stream of what changes, for a caller of the modern era.
//!
//! It begins with what is honoured of what was asked for. A resource that the caller may not read or
//! not subscribe to, or that nobody offers, is not (SU-05); each is decided and recorded by itself. It
//! ends with its result: when the token is over, when a reload takes away what was honoured, and when
//! the gateway stops.
//!
//! SPEC: MCP 2026-07-28, "Subscriptions"; SU-01…SU-07, CG-05, CG-07.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    Answer, Gateway, Inquiry, Pending, Refusal, Said, Stop, answer,
    classify::{Act, Asked, Filter},
    permitted,
    record::Known,
    stream::Stream,
    watch::{Ears, End, Listener, Lists, tagged},
};
use crate::{
    mcp::{Id, Kind, Method, Object, envelope},
    policy::Decision,
    record::Response,
};

/// Messages that may wait for a slow reader; more is kept as what changed, not how often.
const ROOM: usize = 8;
/// How long the end of a stream may wait for its reader.
const PATIENCE: Duration = Duration::from_secs(5);

impl Gateway {
    /// Opens a stream of changes.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        filter: &Filter,
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        if !inquiry.streams {
            return Err(Refusal::NoStream.into());
        }
        let open = match inquiry.endpoint.server() {
            Some(server) => self.may_discover(inquiry, server, known)?,
            None => self.write_decision(known, &permitted(Vec::new().into()))?,
        };
        let Some(room) = self.listens.room(self.owner(inquiry.endpoint, inquiry.caller)) else {
            return Err(Stop::After(Refusal::Full("streams"), open));
        };
        let lists = Lists { tools: filter.tools, prompts: filter.prompts, resources: filter.resources };
        let ears = Arc::new(Ears::new(lists));
        let mut honoured = Vec::new();
        for uri in &filter.uris {
            match self.honour(inquiry, uri, known, &ears).await {
                Ok(true) => honoured.push(uri.as_str()),
                Ok(false) => {}
                Err(refusal) => return Err(Stop::After(refusal, open)),
            }
        }
        let (out, messages) = mpsc::channel(ROOM);
        // There is room: it is the first.
        drop(out.try_send(acknowledged(&asked.id, lists, &honoured)));
        let listener = Listener {
            endpoint: inquiry.endpoint.clone(),
            caller: inquiry.caller.cloned(),
            named: inquiry.named.cloned(),
            moment: inquiry.moment.clone(),
        };
        let (gateway, id) = (Arc::clone(self), asked.id.clone());
        self.parts.tasks.spawn("listen", async move {
            let _room = room;
            if gateway.tell(listener, ears, Some(id.clone()), out.clone()).await == End::Over {
                // A reader that does not take it has its connection closed.
                drop(tokio::time::timeout(PATIENCE, out.send(ended(&id))).await);
            }
        });
        let stream = Stream::new(messages, std::future::pending());
        Ok(Answer { outcome: Said::Stream(stream), pending: Pending::Decided(open), modern: true, session: None })
    }

    /// Whether changes of a resource will be told; recorded either way.
    async fn honour(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        uri: &str,
        known: &Known,
        ears: &Arc<Ears>,
    ) -> Result<bool, Refusal> {
        let mut beside = known.beside(Method::ResourcesSubscribe, Instant::now())?;
        let act = Act::on(Kind::Resources, Cow::Borrowed(uri));
        let (decision, refusal) = match self.find(inquiry, &act, &mut beside).await {
            Ok(found) => {
                beside.target = Some(found.target.clone());
                let (moment, findings) = inquiry.moment_of(&found);
                beside.findings = findings;
                let decision = self.hear(inquiry.revision, inquiry.ready, &moment, &found.target, ears);
                if decision.is_allow() && !self.may_subscribe(inquiry, found.target.server()).await {
                    ears.drop_resource(uri);
                    tracing::debug!(server = %found.target.server(), "it says that it tells nobody of its resources");
                    return self.note(&beside, &decision).map(|()| false);
                }
                (decision, None)
            }
            Err(Stop::Before(refusal, decision)) => (*decision, Some(refusal)),
            // The record is written and says why.
            Err(Stop::After(_, open)) => {
                open.close(NOTHING)?;
                return Ok(false);
            }
        };
        match refusal {
            Some(refusal) => {
                let word = refusal.word();
                self.close(Pending::Refused(Box::new(beside), Box::new(decision), word), NOTHING)?;
                Ok(false)
            }
            None => self.note(&beside, &decision).map(|()| decision.is_allow()),
        }
    }

    /// Whether a server says that it tells of changes of its resources.
    async fn may_subscribe(&self, inquiry: &Inquiry<'_>, server: &crate::name::ServerName) -> bool {
        let Some(upstream) = inquiry.revision.upstreams.get(server) else { return false };
        // It has just listed its resources, so nobody is waited for.
        let Ok(about) = upstream.about().await else { return false };
        let declared = Object::read(&about.capabilities).unwrap_or_default();
        let resources = declared.get("resources").and_then(|resources| Object::read(resources.get()).ok());
        resources.and_then(|resources| resources.get("subscribe")).is_some_and(|subscribe| subscribe.get() == "true")
    }

    fn note(self: &Arc<Self>, known: &Known, decision: &Decision) -> Result<(), Refusal> {
        self.write_decision(known, decision)?.close(NOTHING)
    }
}

/// What is answered to one part of a request: nothing of its own.
const NOTHING: Response = Response { status: 200, code: None, is_error: None, bytes: 0, us: 0 };

/// The first message: what is honoured.
fn acknowledged(id: &Id, lists: Lists, uris: &[&str]) -> Bytes {
    let mut honoured = json!({});
    if let Some(honoured) = honoured.as_object_mut() {
        let flags = [
            ("toolsListChanged", lists.tools),
            ("promptsListChanged", lists.prompts),
            ("resourcesListChanged", lists.resources),
        ];
        honoured.extend(flags.into_iter().filter(|(_, on)| *on).map(|(key, on)| (key.to_owned(), on.into())));
        if !uris.is_empty() {
            honoured.insert("resourceSubscriptions".into(), uris.into());
        }
    }
    let mut params = b"{\"_meta\":".to_vec();
    params.extend_from_slice(&tagged(id));
    params.extend_from_slice(format!(",\"notifications\":{honoured}}}").as_bytes());
    envelope::notification(Method::SubscriptionsAcknowledged, &params).into()
}

/// The last message: the result (SU-04).
fn ended(id: &Id) -> Bytes {
    let mut result = br#"{"_meta":"#.to_vec();
    result.extend_from_slice(&tagged(id));
    result.push(b'}');
    let result = answer::finish(std::str::from_utf8(&result).unwrap_or("{}"), crate::mcp::Era::Modern, false);
    envelope::result(id, result.as_bytes()).into()
}
