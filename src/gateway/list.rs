//! What a caller sees listed: exactly what it may call, of every server it may reach.
//!
//! On `/mcp` the lists of all servers are one, in the order of their names and then the servers' own;
//! a server that does not answer in time is left out, which the log and the audit trail say, and never
//! holds up the others. Long lists come in pages (`page`).
//!
//! SPEC: PX-01, PX-03…PX-06, CA-01, CA-03, CA-04, CA-06, DI-01, AZ-22; design §6.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{
    Answer, Gateway, Inquiry, Refusal, Stop,
    answer::{self, Hint},
    classify::Asked,
    message, name_space,
    offer::Offer,
    page, permitted,
    record::Known,
};
use crate::{
    mcp::{Entry, Kind},
    name::ServerName,
    policy::Reason,
    upstream::UpstreamError,
};

/// How long one server may hold up a merged answer.
pub(super) const BUDGET: Duration = Duration::from_secs(5);
/// The most reasons in the record of one merged list.
const MOST_REASONS: usize = 64;

/// The lists of some servers.
#[derive(Debug, Default)]
pub(super) struct Merged<'s> {
    pub(super) offered: Vec<(&'s ServerName, Arc<Offer>)>,
    /// Those that did not give theirs in time.
    pub(super) missing: Vec<ServerName>,
}

/// An entry as it is shown, under another name where there is one.
type Shown<'o> = (Option<String>, &'o Entry);

impl Gateway {
    /// Answers one of the lists.
    pub(super) async fn list(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        (kind, cursor): (Kind, Option<&str>),
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        let (mut open, merged) = match inquiry.endpoint.server() {
            Some(server) => {
                let open = self.may_discover(inquiry, server, known)?;
                match self.offer(inquiry, server, kind).await {
                    Ok(offer) => (open, Merged { offered: vec![(server, offer)], missing: Vec::new() }),
                    Err(Unoffered::Upstream(error)) => {
                        return Err(Stop::After(Refusal::Upstream(error.to_string()), open));
                    }
                    Err(Unoffered::Engine(error)) => {
                        tracing::error!(%server, %error, "the engine could not take in what a server offers");
                        return Err(Stop::After(Refusal::PolicyError, open));
                    }
                }
            }
            None => {
                let reachable = self.reachable(inquiry);
                let reasons: Vec<Reason> =
                    reachable.iter().flat_map(|(_, reasons)| reasons.iter().cloned()).take(MOST_REASONS).collect();
                let open = self.write_decision(known, &permitted(reasons.into()))?;
                (open, self.offers_of(inquiry, &reachable, kind).await)
            }
        };
        if self.is_undeclared(inquiry, &merged, kind).await {
            return Err(Stop::After(Refusal::UnknownMethod(asked.method.as_str().to_owned()), open));
        }
        let (shown, hint) = shown(inquiry, &merged, kind);
        let digest = || page::digest(shown.iter().map(|(name, entry)| (name.as_deref(), entry.json())));
        let page = match page::page(&self.parts.handles, inquiry, kind, cursor, shown.len(), digest) {
            Ok(page) => page,
            Err(refusal) => return Err(Stop::After(refusal, open)),
        };
        let mut entries = Vec::new();
        for (name, entry) in shown.get(page.range).unwrap_or_default() {
            if !entries.is_empty() {
                entries.push(b',');
            }
            match name {
                Some(name) => entry.told().write_with_name(name, &mut entries),
                None => entries.extend_from_slice(entry.told().json().as_bytes()),
            }
        }
        open.leave_out(merged.missing);
        let list = answer::list(kind, &entries, asked.version.era(), hint, page.next.as_deref());
        Ok(message(asked, &list, open))
    }

    /// Whether no server that the caller may reach has things of this kind at all: the answer to
    /// `initialize` does not name them then. Tools are always named on `/mcp`.
    async fn is_undeclared(&self, inquiry: &Inquiry<'_>, merged: &Merged<'_>, kind: Kind) -> bool {
        let always = inquiry.endpoint.server().is_none() && kind == Kind::Tools;
        let any = |offer: &Offer| offer.list().is_some_and(|list| !list.entries().is_empty());
        if always || !merged.missing.is_empty() || merged.offered.iter().any(|(_, offer)| any(offer)) {
            return false;
        }
        let upstreams = merged.offered.iter().filter_map(|(server, _)| inquiry.revision.upstreams.get(server));
        // Each has just given a list, so its session is open and nobody is waited for.
        let about = join_all(upstreams.map(|upstream| tokio::time::timeout(BUDGET, upstream.about()))).await;
        about.iter().all(|about| matches!(about, Ok(Ok(about)) if !about.offers(kind)))
    }

    /// The servers that the caller may reach, with the policies that say so.
    pub(super) fn reachable<'i>(&self, inquiry: &Inquiry<'i>) -> Vec<(&'i ServerName, Arc<[Reason]>)> {
        let servers = inquiry.revision.snapshot.config.servers.keys();
        servers
            .filter_map(|server| {
                Some((
                    server,
                    inquiry.revision.offers.reachable(inquiry.engine(), inquiry.ready, server, &inquiry.moment)?,
                ))
            })
            .collect()
    }

    /// One list of each of some servers, without those that do not give it in time.
    pub(super) async fn offers_of<'s>(
        &self,
        inquiry: &Inquiry<'_>,
        servers: &[(&'s ServerName, Arc<[Reason]>)],
        kind: Kind,
    ) -> Merged<'s> {
        let asked = servers.iter().map(|(server, _)| tokio::time::timeout(BUDGET, self.offer(inquiry, server, kind)));
        let mut merged = Merged::default();
        for ((server, _), offer) in servers.iter().zip(join_all(asked).await) {
            let list = kind.field();
            match offer {
                Ok(Ok(offer)) => {
                    merged.offered.push((*server, offer));
                    continue;
                }
                Ok(Err(Unoffered::Upstream(error))) => tracing::warn!(%error, list, "left out of a merged list"),
                Ok(Err(Unoffered::Engine(error))) => {
                    tracing::error!(%server, %error, list, "left out of a merged list")
                }
                Err(_) => tracing::warn!(%server, list, "left out of a merged list: no answer in time"),
            }
            merged.missing.push((*server).clone());
        }
        merged
    }

    /// One list of a server.
    pub(super) async fn offer(
        &self,
        inquiry: &Inquiry<'_>,
        server: &ServerName,
        kind: Kind,
    ) -> Result<Arc<Offer>, Unoffered> {
        let upstream = inquiry
            .revision
            .upstreams
            .get(server)
            .ok_or_else(|| Unoffered::Engine(format!("server `{server}` has no upstream")))?;
        let list = match upstream.known(kind) {
            Some(list) => list,
            // Rarely needed, and large: boxed, so that every request's future need not have room for it.
            None => Box::pin(upstream.list(kind)).await.map_err(Unoffered::Upstream)?,
        };
        inquiry.revision.offers.of(inquiry.engine(), server, &list).map_err(Unoffered::Engine)
    }
}

/// The entries that the caller may see, under the names of this endpoint, and how long that holds.
///
/// It is the same for everybody only where the servers say so of every part, nothing was left out, and
/// no token, filter or fact of the request was read: with OAuth off (sheet `mcp.md` §1.4).
fn shown<'o>(inquiry: &Inquiry<'_>, merged: &'o Merged<'_>, kind: Kind) -> (Vec<Shown<'o>>, Hint) {
    let engine = inquiry.engine();
    let prefixed = inquiry.endpoint.server().is_none() && matches!(kind, Kind::Tools | Kind::Prompts);
    let contested = match inquiry.endpoint.server() {
        None => contested(kind, &merged.offered),
        Some(_) => BTreeSet::new(),
    };
    let (mut entries, mut whole) = (Vec::new(), merged.missing.is_empty());
    let mut hints = Vec::new();
    for (server, offer) in &merged.offered {
        let Some(list) = offer.list() else { continue };
        hints.push(Hint { ttl_ms: list.ttl_ms().unwrap_or(0), public: list.public() });
        let visible = inquiry.revision.offers.visible(engine, inquiry.ready, offer, &inquiry.moment);
        for (entry, visible) in list.entries().iter().zip(visible) {
            let name = if prefixed { name_space::join(server, entry.key()).map(Some) } else { Some(None) };
            match name.filter(|_| visible && !contested.contains(entry.key())) {
                Some(name) => entries.push((name, entry)),
                None => whole = false,
            }
        }
    }
    let least = Hint::least(hints);
    let standing = inquiry.ready.asker.standing();
    let alike = whole && !engine.bundle().oauth() && standing.named.is_none() && !engine.reads_the_moment();
    let ttl_ms = if merged.missing.is_empty() { least.ttl_ms } else { 0 };
    (entries, Hint { ttl_ms, public: least.public && alike })
}

/// The URIs that more than one server offers: on `/mcp` nobody could say whose is meant, so they are
/// read, and listed, at `/mcp/{server}` alone.
fn contested(kind: Kind, offered: &[(&ServerName, Arc<Offer>)]) -> BTreeSet<String> {
    let (mut seen, mut contested) = (BTreeSet::new(), BTreeSet::new());
    if matches!(kind, Kind::Resources | Kind::Templates) {
        for (server, offer) in offered {
            for entry in offer.list().into_iter().flat_map(|list| list.entries()) {
                if !seen.insert(entry.key()) {
                    tracing::warn!(%server, uri = entry.key(), "left out of `/mcp`: another server offers the same");
                    contested.insert(entry.key().to_owned());
                }
            }
        }
    }
    contested
}

/// Why there is no list.
pub(super) enum Unoffered {
    /// The server did not give it.
    Upstream(UpstreamError),
    /// The engine could not take it in.
    Engine(String),
}
