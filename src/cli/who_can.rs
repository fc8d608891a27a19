//! `portcullis who-can`: who may use a tool and with which scopes, or what somebody may use.

use std::{collections::BTreeSet, fmt::Write as _, process::ExitCode, str::FromStr};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{Globals, report};
use crate::{
    diagnostic::nearest,
    name::{ClientId, GroupId, ScopeName, ServerName, UserId},
    policy::{Target, Verb},
    principal::Principal,
    reach::{Caller, Letter, Reach, Who},
    who_can::{Other, Uses, WhoCan, uses, who_can},
};

/// What is asked about: a thing, or somebody.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis who-can github/delete_repo\n  portcullis who-can --get notes/summary\n  portcullis who-can --client ci-bot\n  portcullis who-can --user ana --group engineers --client ide\n\nExit status: 0 somebody may, or may use something; 1 nobody, nothing; 2 could not tell (usage, unreadable)."
)]
pub(super) struct WhoCanArgs {
    #[command(flatten)]
    about: About,
    /// What may this person use? A bare name means local/NAME
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// What may somebody in this group use? With --user: in it besides; may be repeated
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// What may this OAuth client use? With --user or --group: the person, through it
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// How to print it: human or json
    #[arg(long, value_enum, default_value_t = report::Format::Human, hide_possible_values = true)]
    format: report::Format,
}

#[derive(Debug, Args)]
#[group(multiple = false, conflicts_with_all = ["user", "group", "client"])]
struct About {
    /// Who may call this tool?
    #[arg(value_name = "SERVER/TOOL")]
    tool: Option<String>,
    /// Who may get this prompt?
    #[arg(long, value_name = "SERVER/PROMPT")]
    get: Option<String>,
    /// Who may read this resource?
    #[arg(long, value_name = "SERVER/URI")]
    read: Option<String>,
}

pub(super) fn run(args: &WhoCanArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let WhoCanArgs { about: About { tool, get, read }, user, group, client, format } = args;
    let asked = [(tool, Verb::ToolsCall), (get, Verb::PromptsGet), (read, Verb::ResourcesRead)];
    let asked = asked.into_iter().find_map(|(text, verb)| Some((text.as_deref()?, verb)));
    if asked.is_none() && user.is_none() && group.is_empty() && client.is_none() {
        bail!("name a tool as SERVER/TOOL, or somebody with --user, --group or --client");
    }
    let (config, bundle, lock) = match super::pinned(globals, "ask")? {
        Ok(pinned) => pinned,
        Err(status) => return Ok(status),
    };
    let reach = Reach::new(&config, bundle, lock.as_deref()).map_err(|error| anyhow!(error))?;
    let (text, yes) = match asked {
        Some((text, verb)) => {
            let found = who_can(&reach, verb, &target(&reach, text, verb)?);
            let shown = match format {
                report::Format::Human => of_target(&found),
                report::Format::Json => format!("{}\n", serde_json::to_string_pretty(&found)?),
            };
            (shown, found.anybody())
        }
        None => {
            let caller = caller(&reach, user.as_deref(), group, client.as_deref())?;
            let found = uses(&reach, &caller);
            let shown = match format {
                report::Format::Human => of_caller(&found),
                report::Format::Json => format!("{}\n", serde_json::to_string_pretty(&found)?),
            };
            (shown, !found.uses.is_empty())
        }
    };
    report::answer(&text).context("cannot write the answer")?;
    Ok(ExitCode::from(u8::from(!yes)))
}

/// The thing that is named; a server, or a thing of a pinned server, that is not there is a slip.
fn target(reach: &Reach<'_>, text: &str, verb: Verb) -> anyhow::Result<Target> {
    let (server, name) = text.split_once('/').with_context(|| format!("`{text}` must be SERVER/NAME"))?;
    let server: ServerName = server.parse()?;
    if !reach.servers().any(|known| *known == server) {
        match nearest(server.as_str(), reach.servers().map(ServerName::as_str)) {
            Some(near) => bail!("no server `{server}`; did you mean `{near}`?"),
            None => bail!("no server `{server}`: see `servers:`"),
        }
    }
    let target = match verb {
        Verb::PromptsGet | Verb::PromptsList => Target::Prompt(server.clone(), name.parse()?),
        Verb::ResourcesRead | Verb::ResourcesList | Verb::ResourcesSubscribe => {
            Target::Resource(server.clone(), name.parse()?)
        }
        Verb::ToolsCall | Verb::ToolsList | Verb::ServerDiscover | Verb::CompletionComplete => {
            Target::Tool(server.clone(), name.parse()?)
        }
    };
    let known = || reach.aims(&server, verb).map(|aim| aim.target.name());
    if reach.is_pinned(&server) && !known().any(|known| known == name) {
        let kind = target.kind().to_lowercase();
        match nearest(name, known()) {
            Some(near) => bail!("`{server}` has no {kind} `{name}` in portcullis.lock; did you mean `{near}`?"),
            None => bail!("`{server}` has no {kind} `{name}` in portcullis.lock"),
        }
    }
    Ok(target)
}

fn caller(reach: &Reach<'_>, user: Option<&str>, groups: &[String], client: Option<&str>) -> anyhow::Result<Caller> {
    let who = || reach.callers().iter().map(|caller| &caller.who);
    let user = user.map(UserId::written).transpose()?;
    if let Some(user) = &user {
        let known = who().filter_map(|who| if let Who::User(user) = who { Some(user.as_str()) } else { None });
        slip("user", user.as_str(), known)?;
    }
    let groups: BTreeSet<GroupId> = groups.iter().map(|group| GroupId::written(group)).collect::<Result<_, _>>()?;
    for group in &groups {
        let known = who().filter_map(|who| if let Who::Group(group) = who { Some(group.as_str()) } else { None });
        slip("group", group.as_str(), known)?;
    }
    let client = client.map(ClientId::from_str).transpose()?;
    if let Some(client) = &client {
        let known = who().filter_map(|who| if let Who::Client(client) = who { Some(client.as_str()) } else { None });
        slip("client", client.as_str(), known)?;
    }
    let principal = match (user, &client) {
        (Some(user), _) => Principal::User(user),
        (None, Some(client)) if groups.is_empty() => Principal::Client(client.clone()),
        (None, _) => Principal::User("local/somebody".parse()?),
    };
    Ok(reach.caller(principal, client, groups))
}

/// A name that no policy has, but almost, is a slip.
fn slip<'n>(kind: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) -> anyhow::Result<()> {
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    match nearest(name, known) {
        Some(near) => bail!("no policy names the {kind} `{name}`; did you mean `{near}`?"),
        None => {
            report::talk(&format!("no policy names the {kind} `{name}`: what holds for everybody holds here"));
            Ok(())
        }
    }
}

fn listed(scopes: &[ScopeName]) -> String {
    if scopes.is_empty() {
        "no scope".into()
    } else {
        scopes.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ")
    }
}

fn of_target(found: &WhoCan) -> String {
    let WhoCan { target, action, ways, others, conditions, complete } = found;
    let mut text = format!("{action} on {target}\n");
    // Writing to a string does not fail.
    for way in ways {
        let callers =
            if way.callers.is_empty() { "nobody may be granted these".into() } else { way.callers.join(", ") };
        _ = writeln!(text, "\n  with {}\n    {callers}", listed(&way.scopes));
    }
    if ways.is_empty() {
        _ = writeln!(text, "\n  nobody, whatever the scopes");
    }
    if !others.is_empty() {
        _ = writeln!(text, "\nnot:");
    }
    for Other { caller, letter, missing } in others {
        let why = match letter {
            _ if !missing.is_empty() => format!("may not be granted {}", listed(missing)),
            Letter::Forbidden => "forbidden".into(),
            Letter::Error => "a policy cannot be evaluated, which denies".into(),
            Letter::Allowed | Letter::Sometimes | Letter::NotPermitted => "nothing permits it".to_owned(),
        };
        _ = writeln!(text, "  {caller}: {why}");
    }
    if !conditions.is_empty() {
        _ = writeln!(text, "\nunder the conditions of:");
    }
    for condition in conditions {
        let place = condition.place.as_ref().map(ToString::to_string).unwrap_or_default();
        _ = writeln!(text, "  {}   {place}", condition.policy);
    }
    text.push_str(incomplete(*complete));
    text
}

fn of_caller(found: &Uses) -> String {
    let Uses { caller, at_most, uses, denied, complete } = found;
    let mut text = format!("{caller} may be granted {}\n", listed(at_most));
    let width = uses.iter().map(|one| one.target.chars().count()).max().unwrap_or_default();
    for one in uses {
        let with = one.with.iter().map(|scopes| listed(scopes)).collect::<Vec<_>>().join(", or ");
        let sometimes = if one.sometimes { "   (not always)" } else { "" };
        _ = write!(text, "\n  {:8}  {:width$}  {with}{sometimes}", one.kind, one.target);
    }
    if uses.is_empty() {
        _ = write!(text, "\n  and may use nothing");
    }
    if *denied > 0 && !uses.is_empty() {
        _ = write!(text, "\n\n{denied} other entries are denied; `portcullis matrix` shows them");
    }
    text.push('\n');
    text.push_str(incomplete(*complete));
    text
}

const fn incomplete(complete: bool) -> &'static str {
    if complete { "" } else { "\nnot every set of scopes was tried: there may be other ways\n" }
}
