//! `portcullis completions SHELL`: what a shell needs in order to complete our command lines.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use clap_complete::{Generator as _, Shell};

use super::report;

/// For which shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis completions bash > ~/.local/share/bash-completion/completions/portcullis\n  portcullis completions zsh > \"${fpath[1]}/_portcullis\"\n  portcullis completions fish > ~/.config/fish/completions/portcullis.fish\n\nExit status: 0 printed, 2 there is no such shell."
)]
pub(super) struct CompletionsArgs {
    /// The shell: bash, zsh, fish, powershell or elvish
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut command = super::command();
    command.set_bin_name("portcullis");
    command.build();
    let mut script = Vec::new();
    args.shell.try_generate(&command, &mut script).context("cannot make the script")?;
    report::answer(&String::from_utf8_lossy(&script)).context("cannot write the answer")?;
    Ok(ExitCode::SUCCESS)
}
