//! `portcullis explain`: why a request is allowed or denied, and what would turn it.

mod asked;
mod human;
mod mermaid;
mod surface;
mod trail;

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{Globals, report};
use crate::{
    clock::{Clock as _, SystemClock},
    diagnostic::nearest,
    explain::{Agreed, Explanation, Past, Supposed, Surface, explain, explain_surface},
    name::{ScopeName, ViewName},
    policy::{Bundle, Engine, Later},
};
use asked::{About, Asked};

/// The request to explain.
#[derive(Debug, Args)]
#[command(
    after_help = "It asks what `serve` would ask, of the same policies, and needs no gateway, token, store or server.\n\nExamples:\n  portcullis explain --scopes tag:web --call docs/search\n  portcullis explain --user ana --client ci-bot --scopes tag:files --call files/write_file\n  portcullis explain --client ci-bot --no-user --scopes tag:files --read files/file:///etc/passwd\n  portcullis explain --anonymous --discover docs\n  portcullis explain --request request.json --format mermaid\n  portcullis explain --path /oauth/token --method POST --origin https://app.example.com\n  portcullis explain --decision 019a8f0e-5b7c-7d21-9c55-0242ac120002\n\nA request as JSON has the keys `user`, `client`, `no_user`, `groups`, `scopes`, `view`, `tags`, `anonymous`, `method`, `server`, `tool` or `prompt` or `uri`, `args`, `address`, `tls`, `now`, `findings`, `drifted`; only `method` and `server` must be there.\n\nExit status: 0 allowed, 1 denied, 2 could not tell (usage, unreadable, nothing to ask again); of a decision of the past it tells what today's policies say."
)]
pub(super) struct ExplainArgs {
    /// A decision of the past, by its id in the audit trail
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "client", "no_user", "anonymous", "scopes", "args", "Target", "request"])]
    decision: Option<String>,
    /// A request as JSON: a file, `-` for stdin, or the object itself
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "client", "no_user", "anonymous", "scopes", "args", "Target", "About"])]
    request: Option<String>,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    path: surface::Path,
    #[command(flatten)]
    about: About,
    /// How to print it: human (also called tree), json or mermaid
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
    /// Tell the decision by the exit status; it always does
    #[arg(long)]
    exit_code: bool,
}

/// How an explanation is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, as a tree.
    #[value(alias = "tree")]
    Human,
    /// One JSON value.
    Json,
    /// A flowchart of the gates.
    Mermaid,
}

pub(super) fn run(args: &ExplainArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    if let Some(surface) = args.path.surface(&args.about)? {
        return of_surface(&surface, args.format, globals);
    }
    // What is wrong with the request itself is said before the configuration is read.
    let asked = match (&args.decision, &args.request) {
        (Some(id), _) => Err(trail::id(id)?),
        (None, Some(request)) => match asked::read(request)? {
            Ok(supposed) => Ok(supposed),
            Err(problems) => {
                problems.iter().for_each(|problem| report::talk(&format!("error: {problem}")));
                return Ok(ExitCode::from(2));
            }
        },
        (None, None) => Ok(args.asked.supposed(&args.about)?),
    };
    let (config, bundle) = match super::compiled(globals, "explain")? {
        Ok(compiled) => compiled,
        Err(status) => return Ok(status),
    };
    let engine = Engine::new(bundle).map_err(|error| anyhow!(error))?;
    let colour = args.format == Format::Human && globals.colour_of_stdout();
    let later = config.oauth.authorization.scope_drift.later();
    let (text, allowed) = match asked {
        Ok(mut supposed) => {
            declared(&supposed, engine.bundle())?;
            supposed.agreed = supposed.agreed.under(later);
            // As the gateway would find it.
            if let Some(args) = &supposed.args {
                supposed.findings.extend(config.validation.found_in(args, &supposed.target));
            }
            let explanation = explained(&engine, &supposed)?;
            (one(&explanation, args.format, colour)?, Some(explanation.decision.is_allow()))
        }
        Err(id) => again(&trail::find(&config.audit.file, id)?, &engine, later, args, colour)?,
    };
    report::answer(&text).context("cannot write the answer")?;
    Ok(ExitCode::from(allowed.map_or(2, |allowed| u8::from(!allowed))))
}

/// Checks, tiers and headers of an HTTP request as such.
fn of_surface(surface: &Surface, format: Format, globals: &Globals) -> anyhow::Result<ExitCode> {
    let (config, bundle) = match super::compiled(globals, "explain")? {
        Ok(compiled) => compiled,
        Err(status) => return Ok(status),
    };
    let engine = Engine::new(bundle).map_err(|error| anyhow!(error))?;
    let explained = explain_surface(&engine, &config, surface, SystemClock.now()).map_err(|error| anyhow!(error))?;
    let text = match format {
        Format::Human => surface::human(&explained),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&explained)?),
        Format::Mermaid => bail!("an HTTP request as such is not drawn: use `--format human` or `json`"),
    };
    report::answer(&text).context("cannot write the answer")?;
    Ok(ExitCode::from(u8::from(!explained.decision.is_allow())))
}

fn explained(engine: &Engine, supposed: &Supposed) -> anyhow::Result<Explanation> {
    explain(engine, supposed, SystemClock.now()).map_err(|error| anyhow!(error))
}

fn one(explanation: &Explanation, format: Format, colour: bool) -> anyhow::Result<String> {
    Ok(match format {
        Format::Human => human::explanation(explanation, colour),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(explanation)?),
        Format::Mermaid => mermaid::flowchart(explanation),
    })
}

/// A decision of the past, and what today's policies say to the same question.
fn again(
    past: &Past,
    engine: &Engine,
    later: Option<Later>,
    args: &ExplainArgs,
    colour: bool,
) -> anyhow::Result<(String, Option<bool>)> {
    let today = match past.supposed() {
        Err(why) => Err(why),
        Ok(mut supposed) => {
            args.about.fill(&mut supposed)?;
            supposed.agreed = supposed.agreed.under(later);
            let unknown = past.unknown(engine.bundle(), &supposed);
            let explanation = explained(engine, &supposed)?;
            // No option says what somebody had agreed to: the record does.
            let command = match supposed.agreed {
                Agreed::To(..) => format!("portcullis explain --decision {}", past.id),
                Agreed::Unknown | Agreed::Anything => explanation.command,
            };
            Ok((Explanation { command, ..explanation }, unknown))
        }
    };
    let bundle = engine.bundle().digest();
    let allowed = today.as_ref().ok().map(|(explanation, _)| explanation.decision.is_allow());
    let text = match args.format {
        Format::Human => human::past(past, bundle, &today, colour),
        Format::Mermaid => match &today {
            Ok((explanation, _)) => mermaid::flowchart(explanation),
            Err(why) => bail!("there is nothing to draw: {}", why.0),
        },
        Format::Json => {
            let (today, unknown, unasked) = match &today {
                Ok((explanation, unknown)) => (Some(explanation), unknown.as_slice(), None),
                Err(why) => (None, [].as_slice(), Some(why)),
            };
            let same = past.policy.as_ref().map(|policy| policy.bundle == bundle);
            let whole = serde_json::json!({
                "then": past, "today": today, "bundle": bundle, "same_bundle": same, "unknown": unknown, "unasked": unasked,
            });
            format!("{}\n", serde_json::to_string_pretty(&whole)?)
        }
    };
    Ok((text, allowed))
}

/// Scopes, tags and views that the configuration does not declare are slips: no token has them.
fn declared(supposed: &Supposed, bundle: &Bundle) -> anyhow::Result<()> {
    if let Some(view) = supposed.view.as_ref().filter(|view| bundle.view(view).is_none()) {
        match nearest(view.as_str(), bundle.views().map(ViewName::as_str)) {
            Some(near) => bail!("no view `{view}`; did you mean `{near}`?"),
            None => bail!("no view `{view}`: `views:` declares no such view"),
        }
    }
    let known = bundle.scopes();
    let unknown = supposed.scopes.iter().chain(supposed.named.iter().flatten()).find(|scope| !known.contains(*scope));
    let Some(scope) = unknown else { return Ok(()) };
    match nearest(scope.as_str(), known.iter().map(ScopeName::as_str)) {
        Some(near) => bail!("no scope `{scope}`; did you mean `{near}`?"),
        None => bail!("no scope `{scope}`: `tags:` declares no such tag"),
    }
}
