//! `portcullis matrix`: who may use which tool, as a table.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{Globals, report};
use crate::{
    diagnostic::nearest,
    matrix::matrix,
    name::ViewName,
    reach::{Caller, Reach},
};

/// Whom to show, and how.
#[derive(Debug, Args)]
#[command(
    after_help = "A line for each tool that is pinned or named, and `*` for every other; a column for each principal, with the most that it may be granted. The text is stable: keep it, and review what changes.\n\nExamples:\n  portcullis matrix\n  portcullis matrix --principal 'client ci-bot' --principal anonymous\n  portcullis matrix --format markdown >> \"$GITHUB_STEP_SUMMARY\"\n\nExit status: 0 shown, 1 something is wrong with the configuration, 2 it cannot be read, 3 there is no server."
)]
pub(super) struct MatrixArgs {
    /// Only this principal, as its column is named: `user *`, `client ci-bot`, or the name alone; may
    /// be repeated
    #[arg(long, value_name = "NAME")]
    principal: Vec<String>,
    /// Through this view, at /mcp/@NAME
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// How to print it: human, json or markdown
    #[arg(long, value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people
    Human,
    /// One JSON object
    Json,
    /// A table for a pull request
    Markdown,
}

pub(super) fn run(args: &MatrixArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let (config, bundle, lock) = match super::pinned(globals, "show the matrix")? {
        Ok(pinned) => pinned,
        Err(status) => return Ok(status),
    };
    let reach = Reach::new(&config, bundle, lock.as_deref()).map_err(|error| anyhow!(error))?;
    let reach = match &args.view {
        None => reach,
        Some(written) => {
            let view: ViewName = written.parse()?;
            let near = nearest(view.as_str(), config.views.keys().map(ViewName::as_str)).map(str::to_owned);
            reach.through(&view).ok_or_else(|| match near {
                Some(near) => anyhow!("no view `{view}`; did you mean `{near}`?"),
                None => anyhow!("no view `{view}`: `views:` declares no such view"),
            })?
        }
    };
    if reach.servers().next().is_none() {
        report::talk("there is nothing to show: the configuration has no servers");
        return Ok(ExitCode::from(3));
    }
    let table = matrix(&reach, wanted(&reach, &args.principal)?);
    let text = match args.format {
        Format::Human => table.text(),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&table)?),
        Format::Markdown => table.markdown(),
    };
    report::answer(&text).context("cannot write the answer")?;
    Ok(ExitCode::SUCCESS)
}

/// The callers by these names, in the order of the columns; all of them for none.
fn wanted<'k>(reach: &'k Reach<'_>, names: &[String]) -> anyhow::Result<Vec<&'k Caller>> {
    let called = |caller: &Caller, name: &str| {
        let who = caller.who.to_string();
        let id = who.split_once(' ').map_or(who.as_str(), |(_, id)| id);
        who == name || id == name || id.strip_prefix("local/") == Some(name)
    };
    for name in names {
        if !reach.callers().iter().any(|caller| called(caller, name)) {
            let known: Vec<String> = reach.callers().iter().map(|caller| caller.who.to_string()).collect();
            let ids = known.iter().map(|who| who.split_once(' ').map_or(who.as_str(), |(_, id)| id));
            let bare = ids.clone().filter_map(|id| id.strip_prefix("local/"));
            let near = nearest(name, known.iter().map(String::as_str).chain(ids).chain(bare));
            match near {
                Some(near) => bail!("no principal `{name}`; did you mean `{near}`?"),
                None => bail!("no principal `{name}`: policies tell apart {}", known.join(", ")),
            }
        }
    }
    let wanted = |caller: &&Caller| names.is_empty() || names.iter().any(|name| called(caller, name));
    Ok(reach.callers().iter().filter(wanted).collect())
}
