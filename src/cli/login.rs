//! `portcullis login`: a link that signs the owner in.
//!
//! Who can make one can read the master key, which is who the gateway runs as; there is no password to set up or to
//! guess. The link is good once and for a minute, and nothing of it is kept until then.
//!
//! INVARIANT: the link is printed once, alone on stdout, and is in no argument and no log.

use std::{io::Write as _, process::ExitCode};

use anyhow::anyhow;
use clap::Args;

use super::{
    Globals,
    report::{self, Format},
    serve,
};
use crate::{
    chance,
    clock::{Clock as _, SystemClock},
    config::{Config, Login},
    oauth::{OAuthKeys, owner},
    seal,
    server::secret,
    store::Store,
};

/// How to sign in.
#[derive(Debug, Args)]
#[command(
    after_help = "Open the link in the browser that is to be signed in, and press the button there: opening it alone does nothing. It works once, within a minute. Without TLS the sign-in lasts 15 minutes, and a client that was not approved before needs a link of its own; over TLS it lasts 30 days.\n\nIt works beside a running gateway, for `oauth.login: owner`. Whoever can run it is the owner: it needs the store and the encryption key, as `portcullis serve` does.\n\nExamples:\n  portcullis login\n  xdg-open \"$(portcullis login)\"\n\nExit status: 0 printed, 1 there are no links here, 2 no store or no key."
)]
pub(super) struct LoginArgs {
    /// How to print it: human or json
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

pub(super) fn run(args: &LoginArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = match serve::beside(globals)? {
        Ok(config) => config,
        Err(status) => return Ok(status),
    };
    if let Some(instead) = no_links(&config) {
        report::talk(&format!("error: {instead}"));
        return Ok(ExitCode::from(1));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let path = &config.store.sqlite;
        if matches!(path.try_exists(), Ok(false)) {
            report::talk(&format!(
                "error: there is no store at `{}` yet: start `portcullis serve` first",
                path.display()
            ));
            return Ok(ExitCode::from(2));
        }
        let source = secret::key(&config).map_err(|problem| anyhow!(problem))?;
        let (store, now) = (Store::open(path).await?, SystemClock.now());
        let keys = seal::unlock(&store, path, source, config.encryption.algorithm, now).await?.keys;
        store.close().await;
        let link = owner::link(&OAuthKeys::of(&keys), &config.listen.public_url.value, now, chance::bytes()?);
        let out = &mut std::io::stdout();
        match args.format {
            Format::Human => writeln!(out, "{}", link.expose())?,
            Format::Json => {
                let seconds = owner::GOOD_FOR.as_secs();
                writeln!(out, "{}", serde_json::json!({ "link": link.expose(), "good_for_seconds": seconds }))?;
            }
        }
        out.flush()?;
        report::talk("open it within a minute, in the browser that is to be signed in; it works once");
        Ok(ExitCode::SUCCESS)
    })
}

/// Why nobody signs in by a link here.
fn no_links(config: &Config) -> Option<String> {
    if !config.oauth.enabled.value {
        return Some("`oauth.enabled` is false: nobody signs in".to_owned());
    }
    match config.oauth.authorization.way() {
        Login::Owner => None,
        Login::Users => Some(format!(
            "`oauth.login` is `users`: people sign in by name and password at {}/login, and `portcullis user add` makes accounts",
            config.listen.public_url.value
        )),
    }
}
