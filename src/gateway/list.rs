//! What a caller sees listed: exactly what it may call, of every server it may reach.
//!
//! On `/mcp` the lists of all servers are one, in the order of their names and then the servers' own;
//! a server that does not answer in time is left out and logged, and never holds up the others.
//!
//! SPEC: PX-01, PX-03, PX-05, AZ-22; design §6.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{
    Answer, Endpoint, Gateway, Inquiry, Refusal, Stop, answer, classify::Asked, message, name_space, offer::Offer,
    permitted, record::Known,
};
use crate::{mcp::Kind, name::ServerName, policy::Reason, upstream::UpstreamError};

/// How long one server may hold up the merged list.
const BUDGET: Duration = Duration::from_secs(5);
/// The most reasons in the record of one merged list.
const MOST_REASONS: usize = 64;

impl Gateway {
    /// Answers one of the lists.
    pub(super) async fn list(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        kind: Kind,
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        let mut entries = Vec::new();
        let open = match inquiry.endpoint {
            Endpoint::One(server) => {
                let open = self.may_discover(inquiry, server, known)?;
                match self.offer(inquiry, server, kind).await {
                    Ok(offer) => self.write_visible(inquiry, &offer, None, &BTreeSet::new(), &mut entries),
                    Err(Unoffered::Upstream(error)) => {
                        return Err(Stop::After(Refusal::Upstream(error.to_string()), open));
                    }
                    Err(Unoffered::Engine(error)) => {
                        tracing::error!(%server, %error, "the engine could not take in what a server offers");
                        return Err(Stop::After(Refusal::PolicyError, open));
                    }
                }
                open
            }
            Endpoint::All => {
                let reachable = self.reachable(inquiry);
                let reasons: Vec<Reason> =
                    reachable.iter().flat_map(|(_, reasons)| reasons.iter().cloned()).take(MOST_REASONS).collect();
                let open = self.write_decision(known, &permitted(reasons.into()))?;
                let offered = self.offers_of(inquiry, &reachable, kind).await;
                let contested = contested(kind, &offered);
                for (server, offer) in &offered {
                    self.write_visible(inquiry, offer, Some(server), &contested, &mut entries);
                }
                open
            }
        };
        Ok(message(asked, &answer::list(kind, &entries, asked.version.era()), open))
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
    ) -> Vec<(&'s ServerName, Arc<Offer>)> {
        let asked = servers.iter().map(|(server, _)| tokio::time::timeout(BUDGET, self.offer(inquiry, server, kind)));
        let mut offered = Vec::new();
        for ((server, _), offer) in servers.iter().zip(join_all(asked).await) {
            let list = kind.field();
            match offer {
                Ok(Ok(offer)) => offered.push((*server, offer)),
                Ok(Err(Unoffered::Upstream(error))) => tracing::warn!(%error, list, "left out of a merged list"),
                Ok(Err(Unoffered::Engine(error))) => {
                    tracing::error!(%server, %error, list, "left out of a merged list")
                }
                Err(_) => tracing::warn!(%server, list, "left out of a merged list: no answer in time"),
            }
        }
        offered
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

    /// Appends the entries that the caller may see, under the names of this endpoint.
    fn write_visible(
        &self,
        inquiry: &Inquiry<'_>,
        offer: &Offer,
        prefix: Option<&ServerName>,
        contested: &BTreeSet<String>,
        out: &mut Vec<u8>,
    ) {
        let Some(list) = offer.list() else { return };
        let renamed = matches!(list.kind(), Kind::Tools | Kind::Prompts);
        let visible = inquiry.revision.offers.visible(inquiry.engine(), inquiry.ready, offer, &inquiry.moment);
        for (entry, _) in list.entries().iter().zip(visible).filter(|(_, visible)| *visible) {
            if contested.contains(entry.key()) {
                continue;
            }
            let name = match prefix {
                Some(server) if renamed => match name_space::join(server, entry.key()) {
                    Some(name) => Some(name),
                    None => continue,
                },
                Some(_) | None => None,
            };
            if !out.is_empty() {
                out.push(b',');
            }
            match name {
                Some(name) => entry.write_with_name(&name, out),
                None => out.extend_from_slice(entry.json().as_bytes()),
            }
        }
    }
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
