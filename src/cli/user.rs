//! `portcullis user add | passwd | disable | enable | list`: the people who sign in by name and password.
//!
//! It works on the store beside a running gateway, which hears of every change within a quarter of a second and
//! records it in the audit trail. Another password, and a disabled account, end every sign-in, grant and token of the
//! person.
//!
//! INVARIANT: nobody but who runs this makes an account; no password is taken from an argument or shown, but for one
//! that is made here, once.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Globals,
    report::{self, Format},
    serve::{self, existing},
    typed,
};
use crate::{
    chance,
    clock::{Clock as _, SystemClock},
    config::{Config, Login},
    name::UserId,
    oauth::users::Passwords,
    seal,
    secret::Secret,
    server::secret,
    store::{AccountRow, AddAccount, Opaque, Store},
};

/// Characters of a password that is made here: each is read aloud without doubt, and 32 of them give 5 bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add somebody who may sign in
    Add(SecretArgs),
    /// Set a password anew, and end all that the person has
    Passwd(SecretArgs),
    /// Let somebody in no more, and end all that the person has
    Disable(NameArgs),
    /// Let somebody in again
    Enable(NameArgs),
    /// List the accounts
    List(ListArgs),
}

/// `user add`, `user passwd`
#[derive(Debug, Args)]
#[command(
    after_help = "The password is asked for twice on a terminal, and else read from stdin: never from an argument. It has at least 12 characters and is not made of common words. What is kept of it is argon2id under a key of the store's own.\n\nExamples:\n  portcullis user add ana\n  portcullis user add ana --generate\n  pass show portcullis/ana | portcullis user passwd ana\n\nExit status: 0 done, 1 there is one by that name, or none, 2 usage, or no store or key."
)]
pub(super) struct SecretArgs {
    /// Who: the name to sign in by
    #[arg(value_name = "NAME")]
    name: String,
    /// Make a password and print it, once
    #[arg(long)]
    generate: bool,
    /// How to print what was done: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// `user disable`, `user enable`
#[derive(Debug, Args)]
#[command(
    after_help = "A running gateway hears of it within a quarter of a second. Doing it twice changes nothing.\n\nExit status: 0 done, 1 there is nobody by that name, 2 usage, or the store cannot be read."
)]
pub(super) struct NameArgs {
    /// Who
    #[arg(value_name = "NAME")]
    name: String,
    /// How to print what was done: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// `user list`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis user list\n  portcullis user list --format json | jq -r '.[] | select(.state == \"disabled\") | .user'\n\nExit status: 0 listed, 2 the store cannot be read."
)]
pub(super) struct ListArgs {
    /// How to print it: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// What was done.
struct Done {
    user: UserId,
    word: &'static str,
    /// A password that was made here.
    password: Option<Secret<String>>,
}

pub(super) fn run(command: &UserCommand, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = match serve::beside(globals)? {
        Ok(config) => config,
        Err(status) => return Ok(status),
    };
    let (out, now) = (&mut io::stdout(), SystemClock.now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        UserCommand::Add(args) | UserCommand::Passwd(args) => {
            let user = named(&args.name)?;
            // Asked for before anything is opened: a terminal may take its time.
            let (password, made) =
                if args.generate { (generated()?, true) } else { (typed::password(user.as_str())?, false) };
            let done = match command {
                UserCommand::Add(_) => runtime.block_on(add(&config, &user, &password, now))?,
                _ => runtime.block_on(set(&config, &user, &password, now))?,
            };
            let word = match done {
                Ok(word) => word,
                Err(no) => return Ok(said_no(&no)),
            };
            note_login(&config);
            tell(Done { user, word, password: made.then_some(password) }, args.format, out)
        }
        UserCommand::Disable(args) => change(&runtime, &config, args, true, now, out),
        UserCommand::Enable(args) => change(&runtime, &config, args, false, now, out),
        UserCommand::List(args) => {
            let accounts = runtime.block_on(async {
                anyhow::Ok(match existing(&config.store.sqlite).await? {
                    Some(store) => store.list_accounts().await?,
                    None => Vec::new(),
                })
            })?;
            list(&accounts, args.format, out)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A person of this gateway's own.
fn named(text: &str) -> anyhow::Result<UserId> {
    let user = UserId::written(text)?;
    if user.as_str().starts_with("local/") {
        return Ok(user);
    }
    Err(anyhow!("`{user}` is of another directory: accounts are of `local/`, as in `ana`"))
}

/// A password of 120 bits, in groups.
fn generated() -> anyhow::Result<Secret<String>> {
    let random: [u8; 24] = chance::bytes()?;
    let letters =
        random.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)).map(|letter| char::from(*letter)));
    let mut text = String::new();
    for (nth, letter) in letters.enumerate() {
        if nth > 0 && nth % 6 == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    Ok(Secret::new(text))
}

/// What is kept of a password, and the store; made where there is none yet, as by `token issue`.
async fn kept(config: &Config, password: &Secret<String>, now: Timestamp) -> anyhow::Result<(Store, Opaque<String>)> {
    let source = secret::key(config).map_err(|problem| anyhow!(problem))?;
    let path = &config.store.sqlite;
    let store = Store::open(path).await?;
    let keys = seal::unlock(&store, path, source, config.encryption.algorithm, now).await?.keys;
    let password = Passwords::of(&keys).hash(password.expose(), chance::bytes()?)?;
    Ok((store, password))
}

async fn add(
    config: &Config,
    user: &UserId,
    password: &Secret<String>,
    now: Timestamp,
) -> anyhow::Result<Result<&'static str, String>> {
    let (store, password) = kept(config, password, now).await?;
    let account = AccountRow { user: user.clone(), password, created_at: now, changed_at: now, disabled_at: None };
    let added = store.add_account(account).await?;
    store.close().await;
    Ok(match added {
        AddAccount::Done => Ok("added"),
        AddAccount::Before => Err(format!("there is an account `{user}`; `portcullis user passwd` sets its password")),
    })
}

async fn set(
    config: &Config,
    user: &UserId,
    password: &Secret<String>,
    now: Timestamp,
) -> anyhow::Result<Result<&'static str, String>> {
    let Some(store) = existing(&config.store.sqlite).await? else { return Ok(Err(nobody(user))) };
    store.close().await;
    let (store, password) = kept(config, password, now).await?;
    let set = store.set_password(user, password, now).await?;
    store.close().await;
    Ok(if set { Ok("password-set") } else { Err(nobody(user)) })
}

fn change(
    runtime: &tokio::runtime::Runtime,
    config: &Config,
    args: &NameArgs,
    disabled: bool,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let user = named(&args.name)?;
    let known = runtime.block_on(async {
        let Some(store) = existing(&config.store.sqlite).await? else { return anyhow::Ok(false) };
        let known = store.disable_account(&user, disabled, now).await?;
        store.close().await;
        Ok(known)
    })?;
    if !known {
        return Ok(said_no(&nobody(&user)));
    }
    tell(Done { user, word: if disabled { "disabled" } else { "enabled" }, password: None }, args.format, out)
}

fn nobody(user: &UserId) -> String {
    format!("there is no account `{user}`; `portcullis user list` shows those there are")
}

fn said_no(why: &str) -> ExitCode {
    report::talk(&format!("error: {why}"));
    ExitCode::from(1)
}

/// Accounts that nobody signs in by yet are made on purpose or by mistake: said, either way.
fn note_login(config: &Config) {
    let login = config.oauth.authorization.way();
    if !config.oauth.enabled.value || login != Login::Users {
        report::talk("accounts are used with `oauth.login: users`, which the configuration does not say");
    }
}

fn tell(done: Done, format: Format, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let Done { user, word, password } = done;
    match (format, password) {
        (Format::Json, Some(password)) => {
            writeln!(out, "{}", json!({ "user": user.as_str(), "done": word, "password": password.expose() }))?;
        }
        (Format::Json, None) => writeln!(out, "{}", json!({ "user": user.as_str(), "done": word }))?,
        (Format::Human, Some(password)) => {
            report::talk(&format!("{user}: {}; the password is shown once", words(word)));
            writeln!(out, "{}", password.expose())?;
        }
        (Format::Human, None) => writeln!(out, "{user}: {}", words(word))?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn words(word: &str) -> &str {
    match word {
        "password-set" => "the password is set, and all that the person had is ended",
        "disabled" => "disabled, and all that the person had is ended",
        other => other,
    }
}

fn list(accounts: &[AccountRow], format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    let state = |account: &AccountRow| if account.disabled_at.is_some() { "disabled" } else { "enabled" };
    match format {
        Format::Json => {
            let rows: Vec<_> = accounts
                .iter()
                .map(|account| {
                    json!({
                        "user": account.user.as_str(),
                        "state": state(account),
                        "created_at": account.created_at.to_string(),
                        "password_set_at": account.changed_at.to_string(),
                        "disabled_at": account.disabled_at.map(|at| at.to_string()),
                    })
                })
                .collect();
            serde_json::to_writer_pretty(&mut *out, &rows).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Format::Human => {
            let longest = accounts.iter().map(|account| account.user.as_str().chars().count()).max().unwrap_or(0);
            let width = longest.max("USER".len());
            writeln!(out, "{:width$}  STATE     PASSWORD SET", "USER")?;
            for account in accounts {
                writeln!(out, "{:width$}  {:8}  {}", account.user.as_str(), state(account), account.changed_at)?;
            }
        }
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t223_a_password_that_is_made_here_is_long_and_never_the_same() {
        let (one, other) = (generated().unwrap(), generated().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!((one.expose().len(), one.expose().matches('-').count()), (27, 3));
        assert!(one.expose().bytes().all(|b| b == b'-' || LETTERS.contains(&b)));
    }

    #[test]
    fn an_account_is_of_this_gateway_s_own() {
        assert_eq!(named("ana").unwrap().as_str(), "local/ana");
        for bad in ["google/1", "", "a b/", "proxy/ana"] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
