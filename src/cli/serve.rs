//! `portcullis serve`: checks, then runs the gateway. And `portcullis token`, which needs the same
//! runtime and engine.

use std::{collections::BTreeSet, io::IsTerminal as _, path::Path, process::ExitCode, sync::Arc};

use anyhow::anyhow;
use clap::Args;

use super::{Globals, environment, report, start::Said, token};
use crate::{
    check::{self as checks, Asked},
    clock::{Clock, SystemClock},
    config::{Config, Overridable, Override},
    policy::Engine,
    seal::KeySource,
    server::{Loaded, Server, Starting, secret, socket},
    store::{Store, StoreError},
    telemetry,
};

/// How to run.
#[derive(Debug, Args)]
#[command(
    after_help = "It checks the configuration first and does not start on errors. SIGTERM or Ctrl-C ends it, once the requests in flight are answered. SIGHUP reads the configuration anew: what is wrong with it is logged, and what was in force stays. The log on stderr is text on a terminal and one JSON object a line elsewhere; PORTCULLIS_LOG_FORMAT=human or json decides.\n\nExamples:\n  portcullis serve\n  portcullis serve --config examples/quickstart/portcullis.yaml --log debug\n\nExit status: 0 told to stop, 1 something is wrong with the configuration, 2 it could not start or go on."
)]
pub(super) struct ServeArgs {
    /// Refuse to start on any security finding, not only on critical ones
    #[arg(long)]
    strict: bool,
    /// Let a reload turn OAuth off, which lets everybody on this machine in
    #[arg(long)]
    allow_open: bool,
    /// What goes to the log: error, warn, info, debug or trace
    #[arg(long, default_value = "info", env = "PORTCULLIS_LOG", hide_env_values = true, value_name = "LEVEL")]
    log: tracing::Level,
    #[command(flatten)]
    instead: Instead,
}

/// What is said instead of the file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Instead of the configuration")]
struct Instead {
    /// `listen.address` [env: PORTCULLIS_LISTEN]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// `listen.public_url` [env: PORTCULLIS_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// `encryption.key`: where the key is, `env:NAME` or `file:PATH` [env: PORTCULLIS_TOKEN_ENCRYPTION_KEY, the key itself]
    #[arg(long, value_name = "WHERE")]
    token_encryption_key: Option<String>,
    /// `cors.origins`: whose pages may call the gateway, separated by commas; empty for none but its own [env: PORTCULLIS_CORS_ORIGINS]
    #[arg(long, value_name = "ORIGINS")]
    cors_origins: Option<String>,
    /// `headers.hsts`: tell browsers that come by TLS to come by nothing else for a year [env: PORTCULLIS_ENABLE_HSTS, `true` or `false`]
    #[arg(long)]
    enable_hsts: bool,
}

impl Instead {
    fn overrides(&self) -> Vec<Override> {
        let Self { listen, public_url, token_encryption_key, cors_origins, enable_hsts } = self;
        let flag = |what| match what {
            Overridable::Listen => listen.as_deref(),
            Overridable::PublicUrl => public_url.as_deref(),
            Overridable::TokenEncryptionKey => token_encryption_key.as_deref(),
            Overridable::CorsOrigins => cors_origins.as_deref(),
            Overridable::EnableHsts => enable_hsts.then_some("true"),
        };
        Overridable::ALL.into_iter().filter_map(|what| Override::of(what, flag(what), &environment)).collect()
    }
}

pub(super) fn run(args: &ServeArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let format = match environment("PORTCULLIS_LOG_FORMAT") {
        Some(format) => format.parse()?,
        None => telemetry::Format::suiting(),
    };
    telemetry::start(format, args.log)?;
    let loaded = globals.load_with(args.instead.overrides())?;
    let examined = checks::examine(&loaded);
    let judged = checks::judge(&loaded, &examined, &Asked::nothing(super::today()));
    let findings = &judged.findings;
    if !findings.is_empty() {
        globals.talk_of(&report::Report::of(&loaded, examined.bundle.as_deref(), findings, &judged.suppressed))?;
    }
    if !judged.suppressed.is_empty() {
        report::talk(&format!("{} suppressed; `portcullis check --no-ignores` shows all", judged.suppressed.len()));
    }
    let usable = judged.usable(&loaded).cloned().filter(|_| !judged.forbids_serving(args.strict));
    let (Some(config), Some(bundle)) = (usable, examined.bundle) else {
        report::talk("not started: mend the findings above; `portcullis check` shows them again");
        return Ok(ExitCode::from(if loaded.readable { 1 } else { 2 }));
    };
    // Before there are threads: it changes the environment.
    let inherited = socket::inherited()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let program = std::env::args_os().next().unwrap_or_default();
        let said = Said::of(&config, bundle.policies().count(), &program, &globals.config, loaded.environment.as_ref());
        let (globals, strict, overrides) = (globals.clone(), args.strict, args.instead.overrides());
        let load = Arc::new(move || reread(&globals, strict, &overrides));
        let server = Server::build(
            Loaded { config, bundle, lock: examined.lock },
            Starting { load, allow_open: args.allow_open, inherited },
        )
        .await?;
        report::talk(&said.text(&server.address().to_string(), format == telemetry::Format::Human));
        // Only where whoever started it looks, and never into a log.
        if std::io::stderr().is_terminal()
            && let Some(link) = server.link()
        {
            report::talk(&format!(
                "\nsign in as the owner, in a browser, once and within a minute:\n  {}\n",
                link.expose()
            ));
        }
        server.run().await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The configuration as it is now, or what is wrong with it.
fn reread(globals: &Globals, strict: bool, overrides: &[Override]) -> Result<Loaded, Vec<String>> {
    let loaded = globals.load_with(overrides.to_vec()).map_err(|error| vec![super::words(&error)])?;
    let examined = checks::examine(&loaded);
    let judged = checks::judge(&loaded, &examined, &Asked::nothing(super::today()));
    let usable = judged.usable(&loaded).cloned().filter(|_| !judged.forbids_serving(strict));
    match (usable, examined.bundle) {
        (Some(config), Some(bundle)) => Ok(Loaded { config, bundle, lock: examined.lock }),
        _ => Err(judged.findings.iter().map(ToString::to_string).collect()),
    }
}

/// The configuration as the gateway reads it, for a command that works on the gateway's store.
pub(super) fn beside(globals: &Globals) -> anyhow::Result<Result<Config, ExitCode>> {
    let loaded = globals.load_with(Instead::default().overrides())?;
    Ok(super::usable(globals, &loaded, "run this")?.map(|(config, _, _)| config))
}

/// The store, unless there is none yet: looking makes nothing.
pub(super) async fn existing(path: &Path) -> Result<Option<Store>, StoreError> {
    match path.try_exists() {
        Ok(false) => Ok(None),
        Ok(true) | Err(_) => Ok(Some(Store::open(path).await?)),
    }
}

pub(super) fn token(command: &token::TokenCommand, globals: &Globals) -> anyhow::Result<ExitCode> {
    // Variables say it to the gateway and to whoever makes tokens for it alike.
    let loaded = globals.load_with(Instead::default().overrides())?;
    let (config, bundle, _) = match super::usable(globals, &loaded, "run this")? {
        Ok(usable) => usable,
        Err(status) => return Ok(status),
    };
    let engine = Engine::new(bundle).map_err(|error| anyhow!(error))?;
    // Who revokes in a hurry may not have the key at hand, and needs none.
    let key = match command {
        token::TokenCommand::Issue(_) => secret::key(&config).map_err(|problem| anyhow!(problem))?,
        token::TokenCommand::List(_) | token::TokenCommand::Revoke(_) => KeySource::default(),
    };
    let groups = BTreeSet::new();
    let setting = token::Setting {
        config: &config,
        key,
        may_grant: &|principal, client, scope| engine.may_grant(principal, client, &groups, scope).is_allow(),
        now: SystemClock.now(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(token::run(command, setting, &mut std::io::stdout()));
    Ok(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let status = fault.exit_code();
            for line in super::words(&anyhow::Error::new(fault)).lines() {
                report::talk(&format!("error: {line}"));
            }
            status
        }
    })
}
