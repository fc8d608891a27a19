//! `check --fix` and `--diff`: the configuration mended in its file, or what that would change.
//!
//! Nothing is written that git could not give back: a file with changes that are not committed is
//! left alone unless `--allow-dirty` says otherwise. Where there is no git, there is nothing to ask.
//!
//! SPEC: `requirements/lint-rules.md` §3.4.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use similar::{ChangeTag, TextDiff, udiff::UnifiedHunkHeader};

use crate::{
    check::{
        self, Asked,
        fix::{Mended, Standing},
    },
    cli::report,
    config::{self, Environments, Sources, Wanted},
    diagnostic::Safety,
};

/// What is mended.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Fixes")]
pub struct FixArgs {
    /// Mend what can be mended safely; with `=all`, what has to be looked at afterwards too
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "safe", env = "PORTCULLIS_CHECK_FIX", hide_env = true)]
    pub fix: Option<Which>,
    /// Print what `--fix` would change as a patch, and write nothing
    #[arg(long, env = "PORTCULLIS_CHECK_DIFF", hide_env = true)]
    pub diff: bool,
    /// Mend a file although it has changes that are not committed
    #[arg(long, env = "PORTCULLIS_CHECK_ALLOW_DIRTY", hide_env = true)]
    pub allow_dirty: bool,
}

/// Which fixes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Those that change no decision, or only deny more
    Safe,
    /// Those that guess what was meant too
    All,
}

/// What became of the file.
pub(super) enum Done {
    /// A patch was printed, or there is nothing to change.
    Printed(u8),
    /// It was mended as far as possible; whether some of it was refused.
    Mended { refused: bool },
}

impl FixArgs {
    /// Mends the configuration, if that is asked for.
    pub(super) fn run(
        &self,
        wanted: &Wanted,
        env: &dyn Fn(&str) -> Option<String>,
        asked: &Asked,
        out: &mut dyn Write,
    ) -> anyhow::Result<Option<Done>> {
        let Self { fix, diff, allow_dirty } = self;
        let safety = match (fix, diff) {
            (Some(Which::All), _) => Safety::Unsafe,
            (Some(Which::Safe), _) | (None, true) => Safety::Safe,
            (None, false) => return Ok(None),
        };
        if wanted.bytes.is_some() {
            bail!("what comes from stdin cannot be mended: name the file");
        }
        if wanted.environments == Environments::All {
            bail!("`--fix` mends in one environment: name it with `--env`, or leave that out");
        }
        // What cannot be read has its finding when it is checked.
        let Ok(bytes) = File::open(&wanted.path).and_then(|mut file| config::read_stream(&mut file)) else {
            return Ok(None);
        };
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(None) };
        if !diff && !allow_dirty && is_dirty(&wanted.path) {
            bail!(
                "`{}` has changes that are not committed: commit them, or say `--allow-dirty`",
                wanted.path.display()
            );
        }
        let stand = |text: &str| {
            let loaded = config::load_wanted(&Wanted { bytes: Some(text.as_bytes().into()), ..wanted.clone() }, env);
            let examined = check::examine(&loaded);
            let judged = check::judge(&loaded, &examined, asked);
            Standing { loaded, examined, judged }
        };
        let mended = check::fix::fix(&wanted.path.display().to_string(), text, safety, &stand);
        if *diff {
            tell_refused(&mended);
            let shown = |text: &str| shown(&stand(text).loaded.sources, wanted, text);
            patch(out, &wanted.path, (text, &shown(text)), (&mended.text, &shown(&mended.text)))?;
            return Ok(Some(Done::Printed(u8::from(mended.text != text || !mended.refused.is_empty()))));
        }
        if mended.text != text {
            let now = File::open(&wanted.path).and_then(|mut file| config::read_stream(&mut file));
            if now.ok().as_deref() != Some(&*bytes) {
                bail!("`{}` changed while it was being mended: nothing is written", wanted.path.display());
            }
            super::write::whole(&wanted.path, mended.text.as_bytes())
                .with_context(|| format!("writing `{}`", wanted.path.display()))?;
        }
        for made in &mended.made {
            report::talk(&format!("mended line {}: {} ({}: {})", made.line, made.title, made.code, made.message));
        }
        tell_refused(&mended);
        if mended.uncompared && !mended.made.is_empty() {
            report::talk(
                "the file could not be used before, so there was nothing to compare with: see what it allows now \
                 with `portcullis matrix`",
            );
        }
        Ok(Some(Done::Mended { refused: !mended.refused.is_empty() }))
    }
}

fn tell_refused(mended: &Mended) {
    for (attempt, why) in &mended.refused {
        report::talk(&format!("not mended, line {}: {} ({}): {why}", attempt.line, attempt.title, attempt.code));
    }
}

/// Whether git knows of changes to the file that are not committed. Where it cannot be asked, no.
fn is_dirty(file: &Path) -> bool {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = file.file_name() else { return false };
    let said = Command::new("git")
        // What a repository configures to be run is not run.
        .args(["--literal-pathspecs", "-c", "core.fsmonitor=false", "status", "--porcelain", "--"])
        .arg(name)
        .current_dir(folder)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    said.is_ok_and(|said| said.status.success() && !said.stdout.is_empty())
}

/// The text as it may be shown.
fn shown(sources: &Sources, wanted: &Wanted, text: &str) -> String {
    sources.shown(&wanted.path.display().to_string()).unwrap_or_else(|| text.to_owned())
}

/// Writes a unified patch. Each text comes as it is and as it may be shown, line for line.
fn patch(out: &mut dyn Write, file: &Path, old: (&str, &str), new: (&str, &str)) -> anyhow::Result<()> {
    let diff = TextDiff::from_lines(old.0, new.0);
    let lines = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (was, is) = (lines(old.1), lines(new.1));
    let mut hidden = false;
    let groups = diff.grouped_ops(3);
    if !groups.is_empty() {
        let name = file.display().to_string().replace('\\', "/");
        let name = name.trim_start_matches("./").trim_start_matches('/');
        writeln!(out, "--- a/{name}\n+++ b/{name}")?;
    }
    for group in groups {
        writeln!(out, "{}", UnifiedHunkHeader::new(&group))?;
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, at, lines) = match change.tag() {
                ChangeTag::Equal => (' ', change.old_index(), &was),
                ChangeTag::Delete => ('-', change.old_index(), &was),
                ChangeTag::Insert => ('+', change.new_index(), &is),
            };
            let line = at.and_then(|at| lines.get(at)).map_or("", String::as_str);
            hidden |= line != change.value();
            write!(out, "{sign}{line}")?;
            if !line.ends_with('\n') {
                writeln!(out, "\n\\ No newline at end of file")?;
            }
        }
    }
    if hidden {
        report::talk("the patch shows secrets as stars and cannot be applied; `--fix` makes the same changes");
    }
    Ok(())
}
