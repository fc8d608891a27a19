//! `portcullis explain`: why a request is allowed or denied, and what would turn it.

use std::{collections::BTreeSet, fmt::Write as _, process::ExitCode, str::FromStr};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{Globals, report};
use crate::{
    clock::{Clock, SystemClock},
    diagnostic::nearest,
    explain::{Explanation, Supposed, explain},
    name::{ClientId, GroupId, ScopeName, ServerName, TagName, UserId},
    policy::{Because, Bundle, Decision, Effect, Engine, Reason, Target, Verb},
    principal::Principal,
};

/// The request to explain.
#[derive(Debug, Args)]
#[command(
    after_help = "It asks what `serve` would ask, of the same policies, and needs no gateway, token or server.\n\nExamples:\n  portcullis explain --scopes tag:web --call docs/search\n  portcullis explain --user ana --client ci-bot --scopes tag:files --call files/write_file\n  portcullis explain --client ci-bot --no-user --scopes tag:files --read files/file:///etc/passwd\n  portcullis explain --anonymous --discover docs\n\nExit status: 0 allowed, 1 denied, 2 could not tell (usage, unreadable)."
)]
pub(super) struct ExplainArgs {
    /// Who asks: a person; a bare name means local/NAME
    #[arg(long, value_name = "NAME", default_value = "owner", conflicts_with = "anonymous")]
    user: String,
    /// Through which OAuth client
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// The client acts for itself; there is no person
    #[arg(long, requires = "client")]
    no_user: bool,
    /// Nobody known asks: there is no token
    #[arg(long, conflicts_with_all = ["client", "groups", "scopes"])]
    anonymous: bool,
    /// Groups of the person, as a,b
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    groups: Vec<String>,
    /// Scopes of the token, as tag:a,tag:b
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Tags that the request names by ?tags=, as a,b
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// The request: a tool to call, a prompt to get, a resource to read, or a server to discover
    #[command(flatten)]
    request: Asked,
    /// How to print it: human or json
    #[arg(long, value_enum, default_value_t = report::Format::Human, hide_possible_values = true)]
    format: report::Format,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Asked {
    /// Call this tool
    #[arg(long, value_name = "SERVER/TOOL")]
    call: Option<String>,
    /// Get this prompt
    #[arg(long, value_name = "SERVER/PROMPT")]
    get: Option<String>,
    /// Read this resource
    #[arg(long, value_name = "SERVER/URI")]
    read: Option<String>,
    /// Discover this server
    #[arg(long, value_name = "SERVER")]
    discover: Option<String>,
}

pub(super) fn run(args: &ExplainArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let supposed = supposed(args)?;
    let (_, bundle) = match super::compiled(globals, "explain")? {
        Ok(compiled) => compiled,
        Err(status) => return Ok(status),
    };
    declared(&supposed, &bundle)?;
    let engine = Engine::new(bundle).map_err(|error| anyhow!(error))?;
    let explanation = explain(&engine, &supposed).map_err(|error| anyhow!(error))?;
    let text = match args.format {
        report::Format::Human => human(&explanation),
        report::Format::Json => format!("{}\n", serde_json::to_string_pretty(&explanation)?),
    };
    report::answer(&text).context("cannot write the answer")?;
    Ok(ExitCode::from(u8::from(!explanation.decision.is_allow())))
}

fn supposed(args: &ExplainArgs) -> anyhow::Result<Supposed> {
    let client = args.client.as_deref().map(parsed::<ClientId>).transpose()?;
    let principal = match (&client, args.anonymous, args.no_user) {
        (_, true, _) => Principal::Anonymous,
        (Some(client), false, true) => Principal::Client(client.clone()),
        _ => Principal::User(UserId::written(&args.user)?),
    };
    let scopes = args
        .scopes
        .iter()
        .filter(|scope| !scope.is_empty())
        .map(|scope| parsed::<ScopeName>(scope))
        .collect::<Result<_, _>>()?;
    let tags = args
        .tags
        .iter()
        .map(|tag| parsed::<TagName>(tag).map(|tag| tag.scope()))
        .collect::<Result<BTreeSet<_>, _>>()?;
    let groups = args.groups.iter().map(|group| GroupId::written(group)).collect::<Result<_, _>>()?;
    let (verb, target) = asked(&args.request)?;
    let named = (!tags.is_empty()).then_some(tags);
    Ok(Supposed { principal, client, groups, scopes, named, verb, target, now: SystemClock.now() })
}

/// Scopes and tags that the configuration does not declare are slips: no token has them.
fn declared(supposed: &Supposed, bundle: &Bundle) -> anyhow::Result<()> {
    let known = bundle.scopes();
    let unknown = supposed.scopes.iter().chain(supposed.named.iter().flatten()).find(|scope| !known.contains(*scope));
    let Some(scope) = unknown else { return Ok(()) };
    match nearest(scope.as_str(), known.iter().map(ScopeName::as_str)) {
        Some(near) => bail!("no scope `{scope}`; did you mean `{near}`?"),
        None => bail!("no scope `{scope}`: `tags:` declares no such tag"),
    }
}

fn asked(request: &Asked) -> anyhow::Result<(Verb, Target)> {
    let split = |text: &str| -> anyhow::Result<(ServerName, String)> {
        let (server, name) = text.split_once('/').with_context(|| format!("`{text}` must be SERVER/NAME"))?;
        Ok((parsed(server)?, name.to_owned()))
    };
    Ok(match (&request.call, &request.get, &request.read, &request.discover) {
        (Some(tool), ..) => {
            let (server, name) = split(tool)?;
            (Verb::ToolsCall, Target::Tool(server, parsed(&name)?))
        }
        (_, Some(prompt), ..) => {
            let (server, name) = split(prompt)?;
            (Verb::PromptsGet, Target::Prompt(server, parsed(&name)?))
        }
        (_, _, Some(resource), _) => {
            let (server, uri) = split(resource)?;
            (Verb::ResourcesRead, Target::Resource(server, parsed(&uri)?))
        }
        (_, _, _, Some(server)) => (Verb::ServerDiscover, Target::Server(parsed(server)?)),
        (None, None, None, None) => bail!("name a request: --call, --get, --read or --discover"),
    })
}

fn parsed<T: FromStr>(text: &str) -> anyhow::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    Ok(text.parse::<T>()?)
}

fn human(explanation: &Explanation) -> String {
    let Explanation { principal, action, target, decision, questions, turn } = explanation;
    let verdict = if decision.is_allow() { "ALLOW" } else { "DENY " };
    let mut text = format!("{verdict} {principal}: {action} on {target} ({})\n", decision.because);
    for answered in questions {
        let mark = if answered.decision.is_allow() { "yes" } else { "no " };
        // Writing to a string does not fail.
        let asked = match answered.question {
            "grant" => format!("grant: {}", answered.about),
            question => format!("{question}: {} {}", answered.action, answered.about),
        };
        _ = writeln!(text, "\n  {mark}  {asked}");
        policies(&mut text, &answered.decision);
    }
    if let Some(turn) = turn {
        _ = writeln!(text, "\nwhat would turn it: {turn}");
    } else if target.contains('/') {
        _ = writeln!(text, "\nno server was asked: only `serve` knows whether there is a `{target}`");
    }
    text
}

fn policies(text: &mut String, decision: &Decision) {
    for Reason { policy, effect, place } in &*decision.reasons {
        let effect = match effect {
            Effect::Permit => "permit",
            Effect::Forbid => "forbid",
        };
        let place = place.as_ref().map_or_else(|| "ships with portcullis".to_owned(), ToString::to_string);
        _ = writeln!(text, "       {effect} {policy}   {place}");
    }
    for error in &decision.errors {
        _ = writeln!(text, "       error  {error}");
    }
    if decision.reasons.is_empty() && decision.errors.is_empty() {
        let why = if decision.because == Because::UnknownServer { "no such server" } else { "no policy permits it" };
        _ = writeln!(text, "       {why}");
    }
    if !decision.missing.is_empty() {
        let missing: Vec<&str> = decision.missing.iter().map(ScopeName::as_str).collect();
        _ = writeln!(text, "       missing {}", missing.join(" "));
    }
}
