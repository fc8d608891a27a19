//! What the servers of a configuration offer now: each is started or called, asked, and ended.
//!
//! A server that cannot be asked says why, and holds up no other.

use std::{collections::BTreeMap, sync::Arc};

use annotate_snippets::normalize_untrusted_str as safe;

use crate::{
    config::{Server, Transport},
    lock::{Inventory, Part, Said},
    name::ServerName,
    server::{environment, launcher, secret},
    upstream::{Options, Trouble, Upstream, UpstreamError, Upstreams},
};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What each server offers.
    pub(super) offered: BTreeMap<ServerName, Inventory>,
    /// Why a server could not be asked.
    pub(super) silent: BTreeMap<ServerName, String>,
    /// What some offer and no caller can use, since the gateway has no word for its name; with the reason.
    pub(super) unfit: BTreeMap<ServerName, Vec<String>>,
}

/// Asks servers, all at the same time.
pub(super) fn ask<'c>(servers: impl Iterator<Item = (&'c ServerName, &'c Server)>) -> anyhow::Result<Found> {
    let launcher = launcher()?;
    let environment = environment(&launcher);
    let mut found = Found::default();
    let (mut asked, mut programs) = (Vec::new(), BTreeMap::new());
    for (name, server) in servers {
        if let Transport::Stdio(child) = &server.transport {
            programs.extend(child.command.first().map(|program| (name, program.value.as_str())));
        }
        // One at a time: the secret that one lacks is no matter of another.
        let options = Options::new(launcher.clone(), environment.clone());
        match Upstreams::build([(name, server)], &secret::read, options) {
            Ok(upstreams) => asked.push((name, upstreams)),
            Err(error) => drop(found.silent.insert(name.clone(), error.to_string())),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = runtime.block_on(futures_util::future::join_all(asked.into_iter().map(async |(name, upstreams)| {
        let answer = match upstreams.get(name) {
            Some(upstream) => Some(offered(upstream).await),
            None => None,
        };
        upstreams.shutdown().await;
        (name, answer)
    })));
    for (name, answer) in answers {
        match answer {
            Some(Ok((inventory, unfit))) => {
                found.offered.insert(name.clone(), inventory);
                if !unfit.is_empty() {
                    found.unfit.insert(name.clone(), unfit);
                }
            }
            Some(Err(error)) => drop(found.silent.insert(name.clone(), told(&error, programs.get(name).copied()))),
            None => {}
        }
    }
    Ok(found)
}

/// What is wrong with a server, to who runs it.
fn told(error: &UpstreamError, program: Option<&str>) -> String {
    let whole = error.to_string();
    let words = whole.strip_suffix("; ask its operator").unwrap_or(&whole);
    match (error.why, program) {
        (Trouble::NotStarted, Some(program)) => format!(
            "{words}: see that `{}` is there and runs by itself; `portcullis serve` logs what it says",
            safe(program)
        ),
        _ => words.to_owned(),
    }
}

async fn offered(upstream: &Arc<Upstream>) -> Result<(Inventory, Vec<String>), UpstreamError> {
    let about = upstream.about().await?;
    let instructions = about.instructions.as_deref().map(|text| Said::of(text.into()));
    let mut inventory = Inventory { instructions, entries: BTreeMap::new() };
    let mut unfit = Vec::new();
    for part in Part::ALL {
        for entry in upstream.list(part.kind()).await?.entries() {
            match (part.fits(entry.key()), Said::read(entry.json())) {
                (Ok(()), Ok(said)) => drop(inventory.entries.insert((part, entry.key().to_owned()), said)),
                (Err(why), _) => unfit.push(why.to_string()),
                // A list with an entry that is no JSON was refused whole.
                (Ok(()), Err(why)) => unfit.push(why.to_string()),
            }
        }
    }
    Ok((inventory, unfit))
}
