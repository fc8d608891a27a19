//! `initialize` and `server/discover`: what the servers that a caller may reach can do, as one.
//!
//! A capability is named where some of them has it, and what is named is answered. A server that does
//! not say in time what it can do counts as one that can list everything: an empty list harms nobody,
//! and a list that is never asked for is one that is never seen. The tasks extension is not relayed
//! and never named, nor is any other extension (PX-30, AZ-26).
//!
//! SPEC: PX-05, DI-01, SU-07; MCP lifecycle and discovery.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::{
    Answer, Gateway, Inquiry, Refusal, Stop, answer, classify::Asked, drift::Watch, list::BUDGET, message, permitted,
    record::Known,
};
use crate::{
    mcp::{Era, Kind, Object, Version},
    name::ServerName,
    plain,
    upstream::About,
};

/// The most characters of one server's instructions.
const LONGEST: usize = 4 * 1024;
/// The most bytes of all instructions together.
const MOST: usize = 32 * 1024;

impl Gateway {
    /// `initialize` and `server/discover`.
    pub(super) async fn open(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        known: &mut Known,
        version: Version,
    ) -> Result<Answer, Stop> {
        let (open, can, instructions) = match inquiry.endpoint.server() {
            None => {
                let mut open = self.write_decision(known, &permitted(Vec::new().into()))?;
                let reachable: Vec<&ServerName> =
                    self.reachable(inquiry).into_iter().map(|(server, _)| server).collect();
                let upstreams = reachable.iter().filter_map(|server| inquiry.revision.upstreams.get(server));
                let about = join_all(upstreams.map(|upstream| tokio::time::timeout(BUDGET, upstream.about()))).await;
                let mut can = Can { kinds: BTreeSet::from(["tools"]), ..Can::default() };
                let (mut said, mut missing) = (Vec::new(), Vec::new());
                for (server, about) in reachable.into_iter().zip(about) {
                    match about {
                        Ok(Ok(about)) => {
                            can.add(&about);
                            said.push((server, about));
                        }
                        Ok(Err(_)) | Err(_) => {
                            tracing::warn!(%server, "what this server can do is not known: it does not answer");
                            can.kinds.extend(Kind::ALL.map(Kind::capability));
                            missing.push(server.clone());
                        }
                    }
                }
                open.leave_out(missing);
                (open, can, joined(&said, &inquiry.revision.offers.watch))
            }
            Some(server) => {
                let open = self.may_discover(inquiry, server, known)?;
                let Some(upstream) = inquiry.revision.upstreams.get(server) else {
                    return Err(Stop::After(Refusal::Internal, open));
                };
                match upstream.about().await {
                    Ok(about) => {
                        let mut can = Can::default();
                        can.add(&about);
                        let watch = &inquiry.revision.offers.watch;
                        let instructions = watch.instructions(server, about.instructions.as_deref());
                        (open, can, instructions.map(|text| plain::shown(text).into_owned()))
                    }
                    Err(error) => return Err(Stop::After(Refusal::Upstream(error.to_string()), open)),
                }
            }
        };
        let capabilities = can.capabilities();
        let result = match version.era() {
            Era::Legacy => answer::initialized(version, &capabilities, instructions.as_deref()),
            Era::Modern => answer::discovered(&capabilities, instructions.as_deref()),
        };
        Ok(message(asked, &result, open))
    }
}

/// What some servers can do.
#[derive(Debug, Default)]
struct Can {
    /// `tools`, `prompts`, `resources`.
    kinds: BTreeSet<&'static str>,
    subscribe: bool,
    completions: bool,
    logging: bool,
}

impl Can {
    fn add(&mut self, about: &About) {
        self.kinds.extend(Kind::ALL.into_iter().filter(|kind| about.offers(*kind)).map(Kind::capability));
        let declared = Object::read(&about.capabilities).unwrap_or_default();
        let resources = declared.get("resources").and_then(|resources| Object::read(resources.get()).ok());
        let subscribe = resources.and_then(|resources| resources.get("subscribe"));
        self.subscribe |= subscribe.is_some_and(|subscribe| subscribe.get() == "true");
        self.completions |= declared.get("completions").is_some();
        self.logging |= declared.get("logging").is_some();
    }

    fn capabilities(&self) -> Value {
        let mut all = Map::new();
        for kind in &self.kinds {
            // Changes of policy change lists, too, whatever the servers say of themselves.
            let mut of_kind = json!({ "listChanged": true });
            if *kind == "resources" && self.subscribe {
                of_kind = json!({ "listChanged": true, "subscribe": true });
            }
            all.insert((*kind).to_owned(), of_kind);
        }
        for (name, can) in [("completions", self.completions), ("logging", self.logging)] {
            if can {
                all.insert(name.to_owned(), json!({}));
            }
        }
        Value::Object(all)
    }
}

/// The instructions of several servers, each under the name of its server, in bounds.
fn joined(said: &[(&ServerName, Arc<About>)], watch: &Watch) -> Option<String> {
    let mut all = String::new();
    for (server, about) in said {
        let text = watch.instructions(server, about.instructions.as_deref());
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { continue };
        // Names have no character that means anything in Markdown.
        let mut part = format!("## {server}\n\n");
        part.extend(plain::shown(text).chars().take(LONGEST));
        if text.chars().nth(LONGEST).is_some() {
            part.push('…');
        }
        if all.len() + part.len() > MOST {
            tracing::warn!(%server, "its instructions are left out: all together would be too long");
            continue;
        }
        if !all.is_empty() {
            all.push_str("\n\n");
        }
        all.push_str(&part);
    }
    (!all.is_empty()).then_some(all)
}
