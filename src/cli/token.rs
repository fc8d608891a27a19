//! `portcullis token issue | list | revoke`: access tokens from the command line.
//!
//! They work on the store beside a running gateway, which hears of them within a quarter of a
//! second and records them in the audit trail. The ceilings of `grants:` hold here as everywhere.
//!
//! INVARIANT: a token is printed once, alone on stdout, and only after the store has it.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{report::Format, serve::existing};
use crate::{
    chance,
    config::Config,
    diagnostic::nearest,
    id::Id,
    name::{ClientId, ScopeName, TagName, UserId},
    oauth::{Issue, LONGEST_LIFE, Resource, TokenKeys},
    principal::Principal,
    record,
    seal::{self, KeySource, SealError},
    store::{Revocation, Store, StoreError, TokenRow},
};

/// Scopes of one token.
const MOST_SCOPES: usize = 50;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token and print it, alone, on stdout
    Issue(IssueArgs),
    /// List the tokens that there are: whose, for what, until when; never the tokens themselves
    List(ListArgs),
    /// Revoke a token, or every token
    Revoke(RevokeArgs),
}

/// `token issue`
#[derive(Debug, Args)]
#[command(
    after_help = "A token has no more than `grants:` gives, and is good for the gateway at `listen.public_url` alone.\nIt is shown once: the store keeps a digest of it.\n\nExamples:\n  TOKEN=$(portcullis token issue --scopes tag:web,tag:files)\n  portcullis token issue --client ci-bot --scopes tag:files --ttl 30d\n  portcullis token issue --scopes tag:files --resource https://mcp.example.com/mcp/files\n\nExit status: 0 issued, 1 refused, 2 usage, or no store or key."
)]
pub struct IssueArgs {
    /// What it grants, as tag:a,tag:b
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    pub scopes: Vec<String>,
    /// How long it is good: a number and s, m, h or d, at most 90d
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub ttl: String,
    /// Where it is good: the URL of /mcp, of /mcp/SERVER or of /mcp/@VIEW [default: all of /mcp]
    #[arg(long, value_name = "URL")]
    pub resource: Option<String>,
    /// Whose it is: a person; a bare name means local/NAME [default: owner]
    #[arg(long, value_name = "NAME", conflicts_with = "client")]
    pub user: Option<String>,
    /// Whose it is: a client that acts for itself, without a person
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
}

/// `token list`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis token list\n  portcullis token list --format json | jq -r '.[] | select(.state == \"good\") | .id'\n\nExit status: 0 listed, 2 the store cannot be read."
)]
pub struct ListArgs {
    /// How to print it: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    pub format: Format,
}

/// `token revoke`
#[derive(Debug, Args)]
#[command(
    after_help = "A running gateway hears of it within a quarter of a second. Revoking twice changes nothing.\n\nExamples:\n  portcullis token revoke 01a2093f-16c4-7513-be75-b975d711f465\n  portcullis token revoke --all\n\nExit status: 0 revoked, 1 there is no such token, 2 usage, or the store cannot be read."
)]
#[group(required = true, multiple = false)]
pub struct RevokeArgs {
    /// The token's id, as `portcullis token list` shows it
    #[arg(value_name = "ID")]
    pub id: Option<Id>,
    /// Every token
    #[arg(long)]
    pub all: bool,
}

/// Whether a scope may be granted to a principal, through a client if a person uses one.
pub type MayGrant<'a> = dyn Fn(&Principal, Option<&ClientId>, &ScopeName) -> bool + Sync + 'a;

/// What the command works with.
pub struct Setting<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Where the master key may come from.
    pub key: KeySource,
    /// The ceilings of `grants:`.
    pub may_grant: &'a MayGrant<'a>,
    /// The present.
    pub now: Timestamp,
}

impl fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Why there is no answer, or why it is no.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// What was asked cannot be had; every reason, one a line.
    #[error("{}", .0.join("\n"))]
    Usage(Vec<String>),
    /// What was asked may not be had; every reason, one a line.
    #[error("{}", .0.join("\n"))]
    Denied(Vec<String>),
    /// There is no such token.
    #[error("no token `{0}`")]
    Unknown(Id),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no usable key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Chance(#[from] getrandom::Error),
    /// The answer could not be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl TokenFault {
    /// The exit status that says so.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Denied(_) | Self::Unknown(_) => ExitCode::from(1),
            Self::Usage(_) | Self::Store(_) | Self::Seal(_) | Self::Chance(_) | Self::Output(_) => ExitCode::from(2),
        }
    }
}

/// Runs the command; its answer goes to `out`.
///
/// # Errors
/// When there is no answer, or it is no.
pub async fn run(command: &TokenCommand, setting: Setting<'_>, out: &mut (dyn Write + Send)) -> Result<(), TokenFault> {
    match command {
        TokenCommand::Issue(args) => issue(args, setting, out).await,
        TokenCommand::List(args) => list(args, &setting, out).await,
        TokenCommand::Revoke(args) => revoke(args, &setting, out).await,
    }
}

async fn issue(args: &IssueArgs, setting: Setting<'_>, out: &mut (dyn Write + Send)) -> Result<(), TokenFault> {
    let asked = read(args, setting.config)?;
    let denied: Vec<String> = asked
        .scopes
        .iter()
        .filter(|scope| !(setting.may_grant)(&asked.principal, None, scope))
        .map(|scope| format!("`{scope}` may not be granted to {}: no entry of `grants:` gives it", asked.principal))
        .collect();
    if !denied.is_empty() {
        return Err(TokenFault::Denied(denied));
    }
    let path = &setting.config.store.sqlite;
    let store = Store::open(path).await?;
    let algorithm = setting.config.encryption.algorithm;
    let keys = TokenKeys::of(&seal::unlock(&store, path, setting.key, algorithm, setting.now).await?.keys);
    let (token, kept) = keys.mint(asked, setting.now, chance::bytes()?, chance::bytes()?);
    store.issue_token(&kept).await?;
    store.close().await;
    writeln!(out, "{}", token.expose())?;
    Ok(out.flush()?)
}

/// What is asked for, or everything that is wrong with it.
fn read(args: &IssueArgs, config: &Config) -> Result<Issue, TokenFault> {
    let IssueArgs { scopes: written, ttl, resource, user, client } = args;
    let mut problems = Vec::new();
    let mut note = |problem: String| problems.push(problem);
    let mut scopes: Vec<ScopeName> = Vec::new();
    for text in written {
        match scope(text, config) {
            Ok(scope) => scopes.push(scope),
            Err(problem) => note(problem),
        }
    }
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.len() > MOST_SCOPES {
        note(format!("{} scopes are more than the {MOST_SCOPES} that a token may have", scopes.len()));
    }
    let life = match life(ttl) {
        Ok(life) => life,
        Err(problem) => {
            note(problem);
            SignedDuration::ZERO
        }
    };
    let public_url = config.listen.public_url.value.as_str();
    let resource = match resource {
        None => Resource::all(public_url),
        Some(text) => Resource::read(text, public_url, |endpoint| config.has(endpoint)).unwrap_or_else(|error| {
            note(error.to_string());
            Resource::all(public_url)
        }),
    };
    let principal = match (client, user) {
        (Some(client), _) => client.parse().map(Principal::Client),
        (None, user) => UserId::written(user.as_deref().unwrap_or("owner")).map(Principal::User),
    };
    match principal {
        Ok(principal) if problems.is_empty() => Ok(Issue { principal, client: None, scopes, resource, life }),
        Ok(_) => Err(TokenFault::Usage(problems)),
        Err(error) => {
            problems.push(error.to_string());
            Err(TokenFault::Usage(problems))
        }
    }
}

/// A scope of the configuration. The help offers what is near and lists nothing else (OA-77).
fn scope(text: &str, config: &Config) -> Result<ScopeName, String> {
    let scope: ScopeName = text.parse().map_err(|error: crate::name::NameError| error.to_string())?;
    if config.tags.contains_key(&scope.tag()) {
        return Ok(scope);
    }
    Err(match nearest(scope.tag().as_str(), config.tags.keys().map(TagName::as_str)) {
        Some(near) => format!("no scope `{scope}`; did you mean `tag:{near}`?"),
        None => format!("no scope `{scope}`"),
    })
}

fn life(text: &str) -> Result<SignedDuration, String> {
    let shown: String = text.escape_debug().take(40).collect();
    let wrong = || format!("time `{shown}` must be a number and `s`, `m`, `h` or `d`, as in `1h`");
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let life = digits.parse().ok().and_then(|count: i64| count.checked_mul(seconds)).map(SignedDuration::from_secs);
    match life {
        Some(life) if life.is_zero() => Err(format!("time `{shown}` is no time at all")),
        Some(life) if life <= LONGEST_LIFE => Ok(life),
        _ => Err(format!("time `{shown}` is more than the 90d that a token may live")),
    }
}

/// A token as lists show it.
#[derive(Serialize)]
struct Listed {
    id: String,
    principal: String,
    client: Option<ClientId>,
    scopes: Vec<ScopeName>,
    resource: String,
    issued_at: String,
    expires_at: String,
    state: &'static str,
}

impl Listed {
    fn new(row: TokenRow, now: Timestamp) -> Self {
        let TokenRow {
            id,
            principal,
            client,
            scopes,
            resource,
            family: _,
            grant: _,
            issued_at,
            expires_at,
            revoked_at,
        } = row;
        let state = match revoked_at {
            Some(_) => "revoked",
            None if now >= expires_at => "expired",
            None => "good",
        };
        Self {
            id: id.to_string(),
            principal: principal.to_string(),
            client,
            scopes,
            resource,
            issued_at: issued_at.to_string(),
            expires_at: expires_at.to_string(),
            state,
        }
    }
}

async fn list(args: &ListArgs, setting: &Setting<'_>, out: &mut (dyn Write + Send)) -> Result<(), TokenFault> {
    let rows = match existing(&setting.config.store.sqlite).await? {
        Some(store) => store.list_tokens().await?,
        None => Vec::new(),
    };
    let rows: Vec<Listed> = rows.into_iter().map(|row| Listed::new(row, setting.now)).collect();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &rows).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Format::Human => table(&rows, out)?,
    }
    Ok(out.flush()?)
}

fn table(rows: &[Listed], out: &mut (dyn Write + Send)) -> io::Result<()> {
    let head = ["ID", "STATE", "EXPIRES", "WHOSE", "RESOURCE", "SCOPES"].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(head)
        .chain(rows.iter().map(|row| {
            let Listed { id, principal, client, scopes, resource, issued_at: _, expires_at, state } = row;
            let whose = match client {
                Some(client) => format!("{principal} through {client}"),
                None => principal.clone(),
            };
            let scopes = scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ");
            [id.clone(), (*state).to_owned(), expires_at.clone(), whose, resource.clone(), scopes]
                .map(|cell| plain(&cell))
        }))
        .collect();
    let mut widths = [0; 6];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A text without what could deceive its reader.
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    record::visible(text, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn revoke(args: &RevokeArgs, setting: &Setting<'_>, out: &mut (dyn Write + Send)) -> Result<(), TokenFault> {
    let store = existing(&setting.config.store.sqlite).await?;
    match (args.id, store) {
        (Some(id), None) => return Err(TokenFault::Unknown(id)),
        (None, None) => writeln!(out, "revoked 0 tokens")?,
        (Some(id), Some(store)) => match store.revoke_token(id, setting.now).await? {
            Revocation::Done => writeln!(out, "revoked {id}")?,
            Revocation::Before => writeln!(out, "{id} was revoked before")?,
            Revocation::Unknown => return Err(TokenFault::Unknown(id)),
        },
        (None, Some(store)) => match store.revoke_all(setting.now).await? {
            1 => writeln!(out, "revoked 1 token")?,
            count => writeln!(out, "revoked {count} tokens")?,
        },
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit_up_to_ninety_days() {
        for (text, seconds) in [("1s", 1), ("90m", 5400), ("1h", 3600), ("90d", 90 * 24 * 3600)] {
            assert_eq!(life(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "h",
            "1",
            "0h",
            "-1h",
            "+1h",
            "1.5h",
            "1 h",
            "91d",
            "2161h",
            "1w",
            "99999999999999999999d",
            "1\u{1d521}",
            "9223372036854775807d",
        ] {
            assert!(life(bad).is_err(), "{bad}");
        }
    }
}
