//! `portcullis init`: a first configuration with its tests, or one made from what MCP clients have.
//!
//! INVARIANT: nothing that is there is overwritten without `--force`.

mod files;
mod tests_of;

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;

use super::{environment, report};
use crate::{
    check, config,
    import::{self, ImportError, Imported, Source},
    suite,
};

/// What to begin with, and where.
#[derive(Debug, Args)]
#[command(
    after_help = "It writes portcullis.yaml, portcullis.test.yaml with its tests, and the schemas by which editors complete and check the two. Nothing that is there is overwritten without --force.\n\n--from reads `mcpServers` (Claude Desktop, Cursor, 1MCP with its tags) and `servers` (VS Code). Secrets are not copied: each becomes the name of a variable. What is not carried over is listed with its place.\n\nExamples:\n  portcullis init\n  portcullis init --from ~/.cursor/mcp.json --from .vscode/mcp.json\n  portcullis init --from - --stdout < mcp.json\n\nExit status: 0 written, 2 a file is there already or cannot be read, 3 --from holds no server."
)]
pub(super) struct InitArgs {
    /// Make it from the configuration of an MCP client; again for more of them, - for stdin
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Where to write; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print portcullis.yaml instead of writing anything
    #[arg(long, conflicts_with_all = ["dir", "force"])]
    stdout: bool,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
}

const SCHEMA: &str = "# yaml-language-server: $schema=portcullis.schema.json\n";

pub(super) fn run(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let InitArgs { from, dir, stdout, force } = args;
    let (yaml, tests, imported) = if from.is_empty() {
        (include_str!("starter.yaml").to_owned(), include_str!("starter.test.yaml").to_owned(), None)
    } else {
        let texts = files::read_all(from)?;
        let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
        match import::import(&sources) {
            Ok(imported) => (imported.yaml.clone(), tests_of::imported(&imported), Some(imported)),
            Err(error @ ImportError::Json(_)) => bail!("{error}"),
            Err(error @ ImportError::Nothing(_)) => {
                report::talk(&format!("error: {error}"));
                return Ok(ExitCode::from(3));
            }
        }
    };
    let yaml = format!("{SCHEMA}{yaml}");
    if *stdout {
        report::answer(&yaml).context("cannot write the answer")?;
        imported.iter().for_each(|imported| report::talk(notes(imported, &yaml).trim_end()));
        return Ok(ExitCode::SUCCESS);
    }
    let schema = format!("{:#}\n", config::json_schema());
    let test_schema = format!("{:#}\n", suite::json_schema());
    let tests = format!("{TEST_SCHEMA}{tests}");
    let written = [
        ("portcullis.yaml", yaml.as_str()),
        ("portcullis.test.yaml", tests.as_str()),
        ("portcullis.schema.json", schema.as_str()),
        ("portcullis.test.schema.json", test_schema.as_str()),
    ];
    files::write_all(dir, &written, *force)?;
    imported.iter().for_each(|imported| report::talk(notes(imported, &yaml).trim_end()));
    let names: Vec<&str> = written.iter().map(|(name, _)| *name).collect();
    report::answer(&next(dir, &names, imported.as_ref())).context("cannot write the answer")?;
    Ok(ExitCode::SUCCESS)
}

const TEST_SCHEMA: &str = "# yaml-language-server: $schema=portcullis.test.schema.json\n";

/// What came of the files: what is set by hand, what is lost, what `check` will say.
fn notes(imported: &Imported, yaml: &str) -> String {
    let mut out = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            _ = writeln!(out, "{title}");
            lines.iter().for_each(|line| _ = writeln!(out, "  {line}"));
            out.push('\n');
        }
    };
    let placed = |notes: &[crate::diagnostic::Placed<String>]| {
        notes.iter().map(|note| format!("{}: {}", note.place, note.value)).collect::<Vec<_>>()
    };
    section("not as it was:", placed(&imported.changed));
    section("not carried over:", placed(&imported.left));
    let variables = imported.variables.iter();
    section(
        "to be set in the gateway's environment:",
        variables.map(|(name, about)| format!("{name}: {} ({})", about.value, about.place)).collect(),
    );
    // What is not set yet is no finding of this file.
    let env = |name: &str| environment(name).or_else(|| Some("x".to_owned()));
    let findings = check::run(&config::load_text("portcullis.yaml", yaml, &env));
    section(
        "`portcullis check` will say:",
        findings
            .iter()
            .filter_map(|finding| Some(format!("{}: {} [{}]", finding.place()?, finding.message, finding.code)))
            .collect(),
    );
    out
}

/// What was written, and what to do now.
fn next(dir: &std::path::Path, names: &[&str], imported: Option<&Imported>) -> String {
    let here = dir.as_os_str() == ".";
    let shown = |name: &str| if here { name.to_owned() } else { dir.join(name).display().to_string() };
    let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    let mut out = format!("wrote {}\n\nnext:\n", names.join(", "));
    if !here {
        _ = writeln!(out, "  cd {}", dir.display());
    }
    if imported.is_some_and(|imported| !imported.variables.is_empty()) {
        out.push_str("  export …                    the variables named at the top of portcullis.yaml\n");
    }
    let scopes = match imported {
        Some(imported) => imported.tags.iter().flat_map(|(tags, _)| tags).take(1).map(ToString::to_string).collect(),
        None => "clock".to_owned(),
    };
    _ = write!(
        out,
        "  portcullis check            what is wrong with it, and where\n  portcullis test             whether it allows what its tests say, and nothing else\n  portcullis matrix           who may do what\n  portcullis serve            run the gateway\n  portcullis token issue --scopes tag:{scopes}\n"
    );
    out
}
