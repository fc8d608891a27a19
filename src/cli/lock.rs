//! `portcullis lock`: asks every server what it offers, and pins it for review.
//!
//! What could not be asked keeps what was pinned of it. The file is replaced whole, and only by a text
//! that reads back as what was asked.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::{
    Globals, check,
    inventory::{self, Found},
    report::{
        self, Report,
        drift::{self, Compared, State},
    },
};
use crate::{
    config::{self, Config},
    diagnostic::{Class, nearest},
    lock::{Inventory, Lock, Part, compare, write},
    name::ServerName,
};

/// What to ask and what to do with the answers.
#[derive(Debug, Args)]
#[command(
    after_help = "portcullis.lock stands beside the configuration: names, descriptions, schemas and annotations of\nevery tool, prompt and template, and the instructions, each with its digest. Review it and commit\nit. A gateway then refuses what differs (`servers.NAME.drift`), new tools too.\n\nStdio servers are started with the environment that the configuration gives them, and ended again.\n\nExamples:\n  portcullis lock\n  portcullis lock --check\n  portcullis lock --server notes\n  portcullis lock --check --format json | jq -r '.servers[] | select(.state != \"same\").name'\n\nExit status: 0 written, or the same; 1 --check: something differs; 2 could not tell (unreadable,\na server could not be asked); 3 nothing to check."
)]
pub(super) struct LockArgs {
    /// Write nothing; say what differs from what is pinned
    #[arg(long)]
    check: bool,
    /// Ask only this server, and keep what is pinned of the others; may be repeated
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
    /// Take out servers that the configuration does not have
    #[arg(long, conflicts_with_all = ["check", "server"])]
    prune: bool,
    /// How to print it: human or json
    #[arg(long, value_enum, default_value_t = report::Format::Human, hide_possible_values = true)]
    format: report::Format,
}

pub(super) fn run(args: &LockArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let LockArgs { check, server, prune, format } = args;
    let mut loaded = globals.load()?;
    let mut found = std::mem::take(&mut loaded.findings);
    let pinned = loaded.lock.as_ref().and_then(|tree| Lock::read(tree, &mut found));
    loaded.findings = found;
    let Some(config) = loaded.whole().filter(|_| pinned.is_some() == loaded.lock.is_some()) else {
        let errors: Vec<_> = loaded.findings.iter().filter(|finding| finding.class == Class::Error).cloned().collect();
        globals.talk_of(&Report::of(&loaded, None, &errors, &[]))?;
        report::talk(
            "nothing was asked: mend these first; a lock that is beyond repair can be removed and written anew",
        );
        return Ok(ExitCode::from(2));
    };
    let wanted = wanted(server, config)?;
    let file = config::lock_of(&globals.config);
    if config.servers.is_empty() {
        report::talk("there is no server to ask");
        return Ok(ExitCode::from(3));
    }
    if *check && pinned.is_none() {
        report::talk(&format!("there is no {} to compare with; `portcullis lock` writes it", file.display()));
        return Ok(ExitCode::from(3));
    }
    let asked = || config.servers.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted.contains(name)));
    let progress = report::Progress::of(&format!("asking {}", drift::counted(asked().count(), "server")));
    let mut found = inventory::ask(asked())?;
    drop(progress);
    let unwritable: Vec<_> =
        found.offered.iter().filter_map(|(name, of)| Some((name.clone(), unwritable(name, of)?))).collect();
    for (name, why) in unwritable {
        found.offered.remove(&name);
        found.silent.insert(name, why);
    }
    for (name, unfit) in &found.unfit {
        for why in unfit {
            report::talk(&format!("left out of `{name}`, since nobody can use it: {why}"));
        }
    }
    let compared = compared(&found, pinned.as_ref(), config);
    let written = if *check { false } else { pin(&found, pinned.as_ref(), config, *prune, &file)? };
    match format {
        report::Format::Human => {
            let mut text = drift::human(&compared);
            if !check {
                let done = if written { "wrote" } else { "no need to write" };
                text.push_str(&format!("{done} {}: {}\n", file.display(), summary(&found.offered)));
            }
            report::answer(&text)?;
        }
        report::Format::Json => {
            let same = !compared.iter().any(Compared::differs) && found.silent.is_empty();
            let answer = json!({
                "lock": file.display().to_string(), "written": written, "same": same, "servers": drift::json(&compared),
            });
            report::answer(&drift::text_of(&answer))?;
        }
    }
    Ok(ExitCode::from(match () {
        () if *check && compared.iter().any(Compared::differs) => 1,
        () if !found.silent.is_empty() => 2,
        () => 0,
    }))
}

/// The servers that are named, if any are.
fn wanted(named: &[String], config: &Config) -> anyhow::Result<Option<Vec<ServerName>>> {
    let mut wanted = Vec::new();
    for name in named {
        match config.servers.keys().find(|known| known.as_str() == name) {
            Some(known) => wanted.push(known.clone()),
            None => match nearest(name, config.servers.keys().map(ServerName::as_str)) {
                Some(near) => bail!("no server `{name}`; did you mean `{near}`?"),
                None => bail!("no server `{name}`: see `servers:`"),
            },
        }
    }
    Ok((!wanted.is_empty()).then_some(wanted))
}

fn compared(found: &Found, pinned: Option<&Lock>, config: &Config) -> Vec<Compared> {
    let of = |name: &ServerName| pinned.and_then(|lock| lock.server(name));
    let asked = found.offered.iter().map(|(name, seen)| {
        let state = State::Asked { pinned: of(name).is_some(), changes: compare::server(of(name), seen) };
        Compared { name: name.clone(), state }
    });
    let silent = found.silent.iter().map(|(name, why)| (name, State::Silent(why.clone())));
    let gone =
        pinned.into_iter().flat_map(|lock| lock.servers.keys()).filter(|name| !config.servers.contains_key(name));
    let rest = silent.chain(gone.map(|name| (name, State::Unconfigured)));
    let mut all: Vec<_> = asked.chain(rest.map(|(name, state)| Compared { name: name.clone(), state })).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Writes the lock where that changes it; whether it did.
fn pin(found: &Found, pinned: Option<&Lock>, config: &Config, prune: bool, file: &Path) -> anyhow::Result<bool> {
    let before = pinned.into_iter().flat_map(|lock| &lock.servers);
    let kept = before.filter(|(name, _)| !prune || config.servers.contains_key(*name));
    let mut servers: BTreeMap<_, _> = kept.map(|(name, offered)| (name.clone(), offered.inventory())).collect();
    servers.extend(found.offered.iter().map(|(name, inventory)| (name.clone(), inventory.clone())));
    // Nothing was asked with success, and there is nothing to keep.
    if servers.is_empty() {
        return Ok(false);
    }
    let text = write::text(&servers, pinned);
    if config::is_text_of(file, &text) {
        return Ok(false);
    }
    check::whole(file, text.as_bytes()).with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(true)
}

/// Why what a server offers cannot be pinned, if it cannot: it does not read back as it was.
fn unwritable(name: &ServerName, inventory: &Inventory) -> Option<String> {
    let text = write::text(&BTreeMap::from([(name.clone(), inventory.clone())]), None);
    let mut findings = Vec::new();
    let tree = config::tree_of(&"portcullis.lock".into(), &text, &mut findings);
    let read = tree.and_then(|tree| Lock::read(&tree, &mut findings));
    match read.as_ref().and_then(|lock| lock.server(name)) {
        Some(offered) if offered.inventory() == *inventory => None,
        _ => {
            let why = findings.first().map_or("it does not read back", |finding| finding.message.as_str());
            Some(format!("it offers what a lock cannot hold: {why}"))
        }
    }
}

/// `2 servers, 7 tools, 1 prompt`
fn summary(offered: &BTreeMap<ServerName, Inventory>) -> String {
    let mut parts = vec![drift::counted(offered.len(), "server")];
    for part in [Part::Tool, Part::Prompt, Part::Template] {
        let count: usize = offered.values().map(|inventory| inventory.count(part)).sum();
        if count > 0 {
            parts.push(drift::counted(count, part.word()));
        }
    }
    parts.join(", ")
}
