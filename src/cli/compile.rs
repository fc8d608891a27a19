//! `portcullis compile`: the policies behind the YAML, each with the line it comes from.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::{Globals, report};
use crate::policy::{Bundle, Policy};

/// What to print, and how.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis compile\n  portcullis compile --no-places > policies.cedar   # the same bytes for the same meaning\n  portcullis compile --format json | jq -r .digest\n\nExit status: 0 compiled, 1 something is wrong with the configuration, 2 it cannot be read."
)]
pub(super) struct CompileArgs {
    /// What to print: cedar (the policies as text), json (policies, places, schema and digest in one
    /// object), schema (the Cedar schema) or entities (servers and scopes as Cedar entities)
    #[arg(long, value_enum, default_value_t = Format::Cedar, hide_possible_values = true)]
    format: Format,
    /// Leave out the comments that name the lines of YAML
    #[arg(long)]
    no_places: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Policies as Cedar text, with the lines of YAML behind them
    Cedar,
    /// Policies, places, schema and digest as one JSON object
    Json,
    /// The Cedar schema that the policies were checked against
    Schema,
    /// Servers and scopes as Cedar entities, JSON
    Entities,
}

pub(super) fn run(args: &CompileArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let (_, bundle) = match super::compiled(globals, "compile")? {
        Ok(compiled) => compiled,
        Err(status) => return Ok(status),
    };
    let text = match args.format {
        Format::Cedar => cedar(&bundle, !args.no_places),
        Format::Json => format!("{:#}\n", as_json(&bundle)),
        Format::Schema => bundle.schema_text().to_owned(),
        Format::Entities => format!("{:#}\n", entities(&bundle)),
    };
    report::answer(&text).context("cannot write the answer")?;
    Ok(ExitCode::SUCCESS)
}

/// The whole bundle as Cedar. Without places it is the same for the same meaning.
pub fn cedar(bundle: &Bundle, places: bool) -> String {
    let mut text = String::new();
    for policy in bundle.policies() {
        if !text.is_empty() {
            text.push('\n');
        }
        if places {
            // Writing to a string does not fail.
            _ = writeln!(text, "// {}", origin(policy));
        }
        text.push_str(policy.text().trim_end());
        text.push('\n');
    }
    text
}

fn origin(policy: &Policy) -> String {
    policy.place().map_or_else(|| "ships with portcullis".to_owned(), ToString::to_string)
}

fn as_json(bundle: &Bundle) -> serde_json::Value {
    let policies: Vec<_> = bundle
        .policies()
        .map(|policy| json!({ "id": policy.id(), "effect": policy.shape().effect, "place": policy.place(), "text": policy.text() }))
        .collect();
    json!({ "digest": bundle.digest(), "oauth": bundle.oauth(), "policies": policies, "schema": bundle.schema_text() })
}

fn entities(bundle: &Bundle) -> serde_json::Value {
    let entity = |kind: &str, id: &str| json!({ "type": format!("Portcullis::{kind}"), "id": id });
    let servers = bundle.servers().iter().map(|name| {
        let uid = entity("Server", name.as_str());
        json!({ "uid": uid, "attrs": { "server": { "__entity": uid } }, "parents": [] })
    });
    let scopes =
        bundle.scopes().iter().map(|name| json!({ "uid": entity("Scope", name.as_str()), "attrs": {}, "parents": [] }));
    servers.chain(scopes).collect()
}
