//! What `init` reads and writes.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// The most that is read of one file.
const LARGEST: u64 = 16 << 20;

/// Every file with its name; `-` is stdin.
pub(super) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        bail!("stdin can be read once only: give `--from -` once");
    }
    paths
        .iter()
        .map(|path| {
            let (name, bytes) = if path.as_os_str() == "-" {
                ("stdin".to_owned(), limited(std::io::stdin().lock()).context("cannot read stdin")?)
            } else {
                let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
                let name = path.display().to_string();
                (name, limited(file).with_context(|| format!("cannot read `{}`", path.display()))?)
            };
            if bytes.len() as u64 > LARGEST {
                bail!("`{name}` is larger than {} MiB", LARGEST >> 20);
            }
            let text = String::from_utf8(bytes).ok().with_context(|| format!("`{name}` is not UTF-8"))?;
            Ok((name, text))
        })
        .collect()
}

fn limited(from: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes every file into `dir`, or none where one is there already.
pub(super) fn write_all(dir: &Path, files: &[(&str, &str)], force: bool) -> anyhow::Result<()> {
    let there: Vec<String> = files
        .iter()
        .map(|(name, _)| dir.join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| format!("`{}`", path.strip_prefix(".").unwrap_or(&path).display()))
        .collect();
    if !there.is_empty() && !force {
        let (verb, them) = if there.len() == 1 { ("exists", "it") } else { ("exist", "them") };
        bail!(
            "{} {verb} already: `--dir` writes elsewhere, `--stdout` writes nothing, `--force` overwrites {them}",
            there.join(", ")
        );
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make the directory `{}`", dir.display()))?;
    for (name, text) in files {
        let path = dir.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(!force).create(force).truncate(force);
        let mut file = options.open(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
