//! The file of a baseline: read, written, and held to its configuration.
//!
//! A baseline belongs to one configuration, named by its path from the folder of the baseline, so
//! that both can be moved together and neither alone. One of another configuration is an error, since
//! to go on would be to hide or to find by accident.
//!
//! SPEC: `requirements/lint-rules.md` §3.2.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::{
    check::{Baseline, Examined, Judged, Known},
    cli::report,
    config::{self, Loaded},
};

/// Findings that were there when somebody began to look.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Baseline")]
pub struct BaselineArgs {
    /// Suppress what this file knows; errors it never covers
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CHECK_BASELINE", hide_env = true)]
    pub baseline: Option<PathBuf>,
    /// Write all that is found now into the baseline
    #[arg(long, requires = "baseline", env = "PORTCULLIS_CHECK_UPDATE_BASELINE", hide_env = true)]
    pub update_baseline: bool,
    /// Take out of the baseline what is found no more
    #[arg(long, requires = "baseline", conflicts_with = "update_baseline")]
    #[arg(env = "PORTCULLIS_CHECK_PRUNE_BASELINE", hide_env = true)]
    pub prune_baseline: bool,
    /// Fail where the baseline knows what is found no more
    #[arg(long, requires = "baseline", env = "PORTCULLIS_CHECK_STRICT_BASELINE", hide_env = true)]
    pub strict_baseline: bool,
}

impl BaselineArgs {
    /// What counts besides the baseline, and what of it is stale.
    pub(super) fn apply(
        &self,
        judged: Judged,
        loaded: &Loaded,
        examined: &Examined,
        config: &Path,
    ) -> anyhow::Result<(Judged, Vec<Known>)> {
        let Self { baseline, update_baseline, prune_baseline, strict_baseline: _ } = self;
        let Some(file) = baseline else { return Ok((judged, Vec::new())) };
        let root = root(config, file)?;
        let old = read(file, &root)?;
        // Where something keeps rules from running, what is gone cannot be told from what is hidden.
        let whole = examined.bundle.is_some();
        if *update_baseline {
            if !whole {
                report::talk("the baseline is left as it is: not everything could be looked at");
                return Ok(old.map_or_else(|| (judged.clone(), Vec::new()), |old| old.apply(judged.clone(), loaded)));
            }
            let new = Baseline::of(&judged, loaded, &root);
            write(file, &new)?;
            return Ok(new.apply(judged, loaded));
        }
        let Some(old) = old else {
            bail!("there is no baseline `{}`; `--update-baseline` writes one", file.display());
        };
        let (judged, stale) = old.apply(judged, loaded);
        if !whole {
            return Ok((judged, Vec::new()));
        }
        if *prune_baseline && !stale.is_empty() {
            write(file, &old.pruned(&stale))?;
            return Ok((judged, Vec::new()));
        }
        for Known { rule, path, fingerprint: _, count: _ } in &stale {
            report::talk(&format!("the baseline knows a {rule} at `{path}` that is found no more"));
        }
        if !stale.is_empty() {
            report::talk("`--prune-baseline` takes out what is found no more");
        }
        Ok((judged, stale))
    }
}

fn read(file: &Path, root: &str) -> anyhow::Result<Option<Baseline>> {
    let of = || format!("the baseline `{}`", file.display());
    let bytes = match File::open(file).and_then(|mut file| config::read_stream(&mut file)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(of),
    };
    let text = std::str::from_utf8(&bytes).with_context(of)?;
    Baseline::read(text, root).map(Some).with_context(of)
}

fn write(file: &Path, baseline: &Baseline) -> anyhow::Result<()> {
    super::write::whole(file, baseline.text().as_bytes())
        .with_context(|| format!("writing the baseline `{}`", file.display()))
}

/// The configuration's path from the folder of the baseline, with `/` on every system.
fn root(config: &Path, baseline: &Path) -> io::Result<String> {
    // What stands on stdin has no place of its own: its label counts as one.
    let real = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let config = real(config)?;
    let folder = real(baseline.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (folder.components().collect(), config.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(common).map(|_| "..".to_owned());
    let down = to.iter().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}
