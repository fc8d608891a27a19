//! `portcullis keys status | rotate | rewrap | drop`: the keys that the store's records are sealed under.
//!
//! All of it works beside a running gateway: the store refuses a record under a key that is not the
//! newest, and whoever writes reads the keys anew then. Only another master key takes a restart.
//!
//! INVARIANT: no key is printed, read from an argument, or removed while a record needs it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Globals,
    report::{self, Format},
    serve::{self, existing},
};
use crate::{
    chance,
    clock::{Clock as _, SystemClock},
    config::{Config, SecretRef},
    seal::{self, KeyState, Status, Vault},
    secret::Secret,
    server::secret,
    store::{DataKeyUse, DropKey, Dropped, Store},
};

/// What to do with the store's keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Show which data keys there are, and what is sealed under each; never the keys themselves
    Status(StatusArgs),
    /// Make a new data key, or wrap the data keys under another master key
    Rotate(RotateArgs),
    /// Seal again, under the newest data key, what is sealed under older ones
    Rewrap(RewrapArgs),
    /// Remove a data key that nothing needs any more
    Drop(DropArgs),
}

/// `keys status`
#[derive(Debug, Args)]
#[command(
    after_help = "No key is needed to see it. A data key of `digests` is what the digests of tokens come of; one of `sealing` is what secrets are sealed under that must be read back.\n\nExamples:\n  portcullis keys status\n  portcullis keys status --format json | jq '.keys[] | select(.in_use | not) | .id'\n\nExit status: 0 shown, 2 the store cannot be read, 3 there is no store or no key yet."
)]
pub(super) struct StatusArgs {
    /// How to print it: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// `keys rotate`
#[derive(Debug, Args)]
#[command(
    after_help = "Without --to: a new data key. Everything is sealed under it from then on, by a running gateway too; what is sealed under older ones is still read, and moves with `portcullis keys rewrap`. It is written with the cipher of `encryption.algorithm`, so that this is also the way to another cipher.\n\nWith --to: another master key. The data keys are wrapped under it and nothing else is written, so that tokens stay good. The old master key opens nothing from then on. Point `encryption.key`, the variable or the key file to the new one, then restart the gateway; until then it goes on with the keys it has read.\n\nExamples:\n  portcullis keys rotate\n  portcullis keys rotate --to env:NEW_KEY\n  (umask 077; echo \"base64:$(openssl rand -base64 32)\" > new.key)\n  portcullis keys rotate --to file:new.key\n\nExit status: 0 done, 2 no store, no key, or a bad one."
)]
pub(super) struct RotateArgs {
    /// Where the new master key is: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "WHERE")]
    to: Option<String>,
    /// How to print what was done: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// `keys rewrap`
#[derive(Debug, Args)]
#[command(
    after_help = "It goes on in small steps between which others write, and says on stderr how far it is. It may be interrupted: what was done stays done, and the next one takes up the rest.\n\nExit status: 0 nothing is left under older keys, 1 another process is at it, 2 no store, no key, or a record that does not open."
)]
pub(super) struct RewrapArgs {
    /// How to print what was done: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// `keys drop`
#[derive(Debug, Args)]
#[command(
    after_help = "No key is needed for it. A key that is in use, or that a record needs, stays.\n\nExamples:\n  portcullis keys rotate && portcullis keys rewrap && portcullis keys drop 2\n\nExit status: 0 removed, 1 it stays or there is none, 2 usage, or the store cannot be read."
)]
pub(super) struct DropArgs {
    /// The key's number, as `portcullis keys status` shows it
    #[arg(value_name = "KEY")]
    key: u32,
    /// How to print what was done: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

pub(super) fn run(command: &KeysCommand, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = match serve::beside(globals)? {
        Ok(config) => config,
        Err(status) => return Ok(status),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let Some(store) = existing(&config.store.sqlite).await? else {
            report::talk(&format!("there is no store at `{}` yet", config.store.sqlite.display()));
            return Ok(ExitCode::from(if matches!(command, KeysCommand::Status(_)) { 3 } else { 2 }));
        };
        let (out, now) = (&mut io::stdout(), SystemClock.now());
        let status = match command {
            KeysCommand::Status(args) => show(&store, args, out).await?,
            KeysCommand::Rotate(args) => rotate(&store, &config, args, now, out).await?,
            KeysCommand::Rewrap(args) => rewrap(&store, &config, args, out).await?,
            KeysCommand::Drop(args) => remove(&store, args, now, out).await?,
        };
        store.close().await;
        Ok(status)
    })
}

async fn vault(store: &Store, config: &Config, now: Timestamp) -> anyhow::Result<Vault> {
    let source = secret::key(config).map_err(|problem| anyhow!(problem))?;
    Ok(seal::unlock(store, &config.store.sqlite, source, config.encryption.algorithm, now).await?.vault)
}

/// A key as lists show it.
#[derive(Serialize)]
struct Listed {
    id: u32,
    #[serde(rename = "use")]
    purpose: &'static str,
    in_use: bool,
    created_at: String,
    messages: u64,
    records: u64,
}

impl Listed {
    fn new(key: &KeyState) -> Self {
        let KeyState { id, purpose, in_use, created_at, messages, records } = key;
        Self {
            id: *id,
            purpose: match purpose {
                DataKeyUse::Digests => "digests",
                DataKeyUse::Sealing => "sealing",
            },
            in_use: *in_use,
            created_at: format!("{created_at:.3}"),
            messages: *messages,
            records: *records,
        }
    }
}

async fn show(store: &Store, args: &StatusArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let Some(status) = Status::of(store).await? else {
        report::talk("the store has no keys yet: `portcullis serve` makes them");
        return Ok(ExitCode::from(3));
    };
    let master = if status.passphrase { "passphrase" } else { "raw" };
    let keys: Vec<Listed> = status.keys.iter().map(Listed::new).collect();
    match args.format {
        Format::Json => write_json(out, &serde_json::json!({"master_key": master, "keys": keys}))?,
        Format::Human => {
            let said = if status.passphrase { "a passphrase" } else { "a key of 32 bytes" };
            writeln!(out, "The master key is {said}.\n")?;
            writeln!(out, "KEY  USE      STATE   SINCE                     RECORDS  MESSAGES")?;
            for Listed { id, purpose, in_use, created_at, messages, records } in keys {
                let state = if in_use { "in use" } else { "old" };
                writeln!(out, "{id:<4} {purpose:<8} {state:<7} {created_at:<25} {records:<8} {messages}")?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn rotate(
    store: &Store,
    config: &Config,
    args: &RotateArgs,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    // What is wrong with the new key is said before anything is changed.
    let to = args.to.as_deref().map(new_master).transpose()?;
    let vault = vault(store, config, now).await?;
    match to {
        None => {
            let key = vault.rotate(store, now).await?;
            match args.format {
                Format::Json => write_json(out, &serde_json::json!({"made": key}))?,
                Format::Human => writeln!(out, "data key {key} is in use")?,
            }
            report::talk("what is sealed under older keys moves with `portcullis keys rewrap`");
        }
        Some(key) => {
            vault.change_master(store, &key, now).await?;
            match args.format {
                Format::Json => write_json(out, &serde_json::json!({"master_key": "changed"}))?,
                Format::Human => writeln!(out, "the data keys are wrapped under the new master key")?,
            }
            report::talk(
                "point `encryption.key`, the variable or the key file to the new key, then restart the gateway; the old one opens nothing any more",
            );
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The key that `--to` names. What is written there is not repeated: it may be a key.
fn new_master(text: &str) -> anyhow::Result<Secret<String>> {
    let kept = match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => SecretRef::Env(name.to_owned()),
        Some(("file", path)) if !path.is_empty() => SecretRef::File(path.into()),
        _ => bail!("`--to` takes `env:NAME` or `file:PATH`, never a key itself"),
    };
    secret::read(&kept).map_err(|problem| anyhow!("`--to`: {problem}"))
}

async fn rewrap(store: &Store, config: &Config, args: &RewrapArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let vault = vault(store, config, SystemClock.now()).await?;
    let holder = format!("{:016x}", u64::from_be_bytes(chance::bytes()?));
    let mut moved = 0;
    loop {
        let Some((done, left)) = vault.rewrap(store, &holder, SystemClock.now()).await? else {
            report::talk("another process is at it: see `portcullis keys status` for how far it is");
            return Ok(ExitCode::from(1));
        };
        moved += done;
        if left == 0 {
            break;
        }
        report::talk(&format!("{moved} sealed again, {left} left"));
    }
    vault.end_rewrap(store, &holder, SystemClock.now()).await?;
    match args.format {
        Format::Json => write_json(out, &serde_json::json!({"sealed_again": moved}))?,
        Format::Human => writeln!(out, "{moved} sealed again; nothing is left under older keys")?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn remove(store: &Store, args: &DropArgs, now: Timestamp, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let key = args.key;
    let stays = match store.drop_data_key(DropKey { id: key, now }).await? {
        Dropped::Done => {
            match args.format {
                Format::Json => write_json(out, &serde_json::json!({"dropped": key}))?,
                Format::Human => writeln!(out, "data key {key} is no more")?,
            }
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        Dropped::Unknown => format!("there is no data key {key}; `portcullis keys status` shows them"),
        Dropped::InUse => {
            format!("data key {key} is in use and stays; `portcullis keys rotate` makes another of `sealing`")
        }
        Dropped::Needed(1) => format!("1 record needs data key {key}; `portcullis keys rewrap` moves it"),
        Dropped::Needed(many) => format!("{many} records need data key {key}; `portcullis keys rewrap` moves them"),
    };
    report::talk(&format!("error: {stays}"));
    Ok(ExitCode::from(1))
}

fn write_json(out: &mut impl Write, value: &serde_json::Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
    writeln!(out)
}
