//! `portcullis schema`: what may stand in the files, for editors and other programs.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::report;
use crate::{compile, config, suite};

/// Which schema.
#[derive(Debug, Args)]
#[command(
    after_help = "Editors that know YAML read it from the first line of a file:\n  # yaml-language-server: $schema=portcullis.schema.json\n\nExamples:\n  portcullis schema > portcullis.schema.json\n  portcullis schema | jq '.properties | keys'\n  portcullis schema --test > portcullis.test.schema.json\n  portcullis schema --cedar > portcullis.cedarschema\n\nExit status: 0 printed, 2 it cannot be written."
)]
pub(super) struct SchemaArgs {
    /// The Cedar schema that conditions and hand-written policies are held to
    #[arg(long)]
    cedar: bool,
    /// The schema of test files
    #[arg(long, conflicts_with = "cedar")]
    test: bool,
}

pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let SchemaArgs { cedar, test } = args;
    let text = match (cedar, test) {
        (true, _) => compile::vocabulary(),
        (false, true) => format!("{:#}\n", suite::json_schema()),
        (false, false) => format!("{:#}\n", config::json_schema()),
    };
    report::answer(&text).context("cannot write the answer")?;
    Ok(ExitCode::SUCCESS)
}
