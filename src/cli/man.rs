//! `portcullis man`: the help texts as manual pages.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use clap_mangen::Man;

use super::report;

/// Where to.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis man | man -l -\n  portcullis man --dir ~/.local/share/man/man1\n\nExit status: 0 written, 2 it cannot be written."
)]
pub(super) struct ManArgs {
    /// Write a page for every command there, instead of the main page to stdout
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut command = super::command();
    command.build();
    let Some(dir) = &args.dir else {
        report::answer(&page(command, "portcullis")?).context("cannot write the answer")?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(dir).with_context(|| format!("cannot make the directory `{}`", dir.display()))?;
    let mut pages = Vec::new();
    gather(&command, "portcullis", &mut pages);
    for (name, command) in pages {
        let path = dir.join(format!("{name}.1"));
        fs::write(&path, page(command, &name)?).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A command and all below it, each with the name of its page.
fn gather(command: &clap::Command, name: &str, pages: &mut Vec<(String, clap::Command)>) {
    pages.push((name.to_owned(), command.clone()));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        gather(sub, &format!("{name}-{}", sub.get_name()), pages);
    }
}

fn page(command: clap::Command, name: &str) -> anyhow::Result<String> {
    let source = format!("portcullis {}", env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    Man::new(command.display_name(name.to_owned())).source(source).render(&mut page).context("cannot make the page")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
