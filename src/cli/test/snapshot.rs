//! The access matrix of each suite, kept beside it as `NAME.matrix.snap`.
//!
//! The file has the header of insta, so that `cargo insta review` reads it too; no Rust is needed.
//!
//! SPEC: `requirements/lint-rules.md` §4.4.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use similar::TextDiff;

use crate::{
    config::{self, Sources},
    suite::{self, Ground, Suite},
};

/// What becomes of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// There are none.
    Off,
    /// What is not there is written, what differs fails.
    Keep,
    /// What differs is written.
    Update,
    /// What differs or is not there fails.
    Check,
    /// What is there and differs fails.
    CheckKept,
}

impl Mode {
    /// The mode that flags and the variable `CI` ask for.
    pub(super) fn of(snapshot: bool, update: bool, check: bool, ci: Option<String>) -> Self {
        let ci = ci.is_some_and(|ci| !ci.is_empty() && ci != "false" && ci != "0");
        match (snapshot, update, check) {
            (_, true, _) => Self::Update,
            (_, _, true) => Self::Check,
            (true, ..) if ci => Self::Check,
            (true, ..) => Self::Keep,
            (false, false, false) if ci => Self::CheckKept,
            (false, false, false) => Self::Off,
        }
    }
}

/// Compares, or writes; what differs comes back as a unified diff.
pub(super) fn compare(suite: &Suite, ground: &Ground<'_>, file: &Path, mode: Mode) -> anyhow::Result<Option<String>> {
    if mode == Mode::Off {
        return Ok(None);
    }
    let path = snapshot(file);
    let body = suite::matrix(suite, ground);
    let kept = path.exists().then(|| config::text_of(&path, &mut Sources::default()));
    let kept = kept.transpose().map_err(|finding| anyhow::anyhow!(finding.message))?;
    let old = kept.as_deref().map_or("", without_header);
    if kept.is_none() && mode == Mode::CheckKept {
        return Ok(None);
    }
    if kept.is_some() && old.trim_end() == body.trim_end() {
        return Ok(None);
    }
    if mode == Mode::Update || (mode == Mode::Keep && kept.is_none()) {
        let source = file.display().to_string().replace('\\', "/");
        let text = format!("---\nsource: {source}\nexpression: matrix\n---\n{body}");
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        return Ok(None);
    }
    let name = path.display().to_string();
    let diff = TextDiff::from_lines(old.trim_end(), body.trim_end());
    let diff =
        diff.unified_diff().header(&name, &format!("{name} as it is now")).missing_newline_hint(false).to_string();
    Ok(Some(format!("{}\n{diff}\n`portcullis test --update` keeps it as it is now", name_of(kept.is_some(), &name))))
}

fn name_of(there: bool, name: &str) -> String {
    if there { format!("{name}: the access matrix differs") } else { format!("{name}: there is no such snapshot") }
}

/// `access.test.yaml` → `access.matrix.snap`.
fn snapshot(file: &Path) -> PathBuf {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.strip_suffix(".test.yaml").or_else(|| name.strip_suffix(".yaml")).unwrap_or(name);
    file.with_file_name(format!("{stem}.matrix.snap"))
}

/// What stands behind the second `---`.
fn without_header(text: &str) -> &str {
    let rest = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    rest.map_or(text, |(_, body)| body)
}
