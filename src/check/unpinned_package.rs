//! PC304 `unpinned-package`: a package runner that fetches whatever version is newest.
//!
//! The next release of the package runs here without anybody having read it (CWE-1357). Only an
//! exact version passes: no range, no tag such as `latest`, no branch.
//!
//! To add a runner: a line in [`RUNNERS`].

use super::{Check, Page, Subject, page::server};
use crate::{
    config::{Stdio, Transport},
    diagnostic::{About, Class, Diagnostic, Level, Placed},
};

pub(super) struct UnpinnedPackage;

const ABOUT: About = About {
    code: "PC304",
    name: "unpinned-package",
    class: Class::Security(Level::High),
    summary: "a package runs in whatever version is newest",
    help: "write the exact version",
};

/// A program that fetches a package and runs it.
struct Runner {
    program: &'static str,
    /// The words after the program that make it one; any of them.
    verbs: &'static [&'static [&'static str]],
    /// Flags whose value is a package.
    packages: &'static [&'static str],
    /// Flags with another value.
    values: &'static [&'static str],
    /// What stands between a package and its version.
    separators: &'static [&'static str],
}

const NPM: &[&str] = &["--package", "-p"];
const NPM_VALUES: &[&str] = &["--cache", "--prefix", "--registry", "--userconfig", "--workspace", "-w"];
const UV_VALUES: &[&str] =
    &["--default-index", "--env-file", "--extra-index-url", "--index", "--index-url", "--python", "-p", "-w"];
const PIPX_VALUES: &[&str] = &["--index-url", "--pip-args", "--python", "-i"];

const RUNNERS: &[Runner] = &[
    Runner { program: "bunx", verbs: &[&[]], packages: NPM, values: NPM_VALUES, separators: &["@"] },
    Runner { program: "npm", verbs: &[&["exec"], &["x"]], packages: NPM, values: NPM_VALUES, separators: &["@"] },
    Runner { program: "npx", verbs: &[&[]], packages: NPM, values: NPM_VALUES, separators: &["@"] },
    Runner { program: "pipx", verbs: &[&["run"]], packages: &["--spec"], values: PIPX_VALUES, separators: &["=="] },
    Runner { program: "pnpm", verbs: &[&["dlx"]], packages: NPM, values: NPM_VALUES, separators: &["@"] },
    Runner { program: "pnpx", verbs: &[&[]], packages: NPM, values: NPM_VALUES, separators: &["@"] },
    Runner { program: "uv", verbs: &[&["tool", "run"]], packages: UV, values: UV_VALUES, separators: &["==", "@"] },
    Runner { program: "uvx", verbs: &[&[]], packages: UV, values: UV_VALUES, separators: &["==", "@"] },
    Runner { program: "yarn", verbs: &[&["dlx"]], packages: NPM, values: NPM_VALUES, separators: &["@"] },
];
const UV: &[&str] = &["--from", "--with"];

const PAGE: Page = Page {
    tags: &["CWE-1357", "OWASP-MCP04"],
    ..Page::new(
        "the next release of the package runs here without anybody having read it",
        server!(r#"    stdio: {command: [npx, -y, some-package]}"#),
        server!(r#"    stdio: {command: [npx, -y, some-package@1.2.3]}"#),
    )
};

impl Check for UnpinnedPackage {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for (name, server) in subject.servers() {
            let Transport::Stdio(Stdio { command, env: _, cwd: _ }) = &server.transport else { continue };
            let Some((runner, packages)) = packages(command) else { continue };
            for (place, package) in packages.into_iter().filter(|(_, package)| !is_pinned(package, runner)) {
                let bare = bare(package, runner);
                let separator = runner.separators.first().copied().unwrap_or("@");
                let message = format!("the server `{name}` runs whatever version of `{bare}` is newest");
                findings.push(
                    ABOUT
                        .at(&place.place, message)
                        .label("no exact version")
                        .help(format!("write the exact version that was reviewed, as in `{bare}{separator}1.2.3`")),
                );
            }
        }
    }
}

/// The name of a program without its folder and Windows' endings.
pub(super) fn program(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
    let stem = [".exe", ".cmd", ".bat"].iter().find_map(|ending| name.strip_suffix(ending)).map(str::to_owned);
    stem.unwrap_or(name)
}

/// A package that is fetched: the argument that names it, and its own part of that.
type Fetched<'c> = (&'c Placed<String>, &'c str);

/// The runner that a command is, and every package that it fetches.
fn packages(command: &[Placed<String>]) -> Option<(&'static Runner, Vec<Fetched<'_>>)> {
    let (first, rest) = command.split_first()?;
    let name = program(&first.value);
    let runner = RUNNERS.iter().find(|runner| runner.program == name)?;
    let verb = runner
        .verbs
        .iter()
        .find(|verb| rest.len() >= verb.len() && rest.iter().zip(**verb).all(|(part, word)| part.value == *word))?;
    let mut found = Vec::new();
    let mut named = false;
    let mut parts = rest.iter().skip(verb.len());
    while let Some(part) = parts.next() {
        let (flag, value) = part.value.split_once('=').map_or((part.value.as_str(), None), |(f, v)| (f, Some(v)));
        if runner.packages.contains(&flag) {
            named |= flag != "--with";
            match value {
                Some(package) => found.push((part, package)),
                None => found.extend(parts.next().map(|package| (package, package.value.as_str()))),
            }
        } else if runner.values.contains(&flag) && value.is_none() {
            parts.next();
        } else if !part.value.starts_with('-') {
            // The first word is the package, unless a flag named it: then it is the program.
            if !named {
                found.push((part, part.value.as_str()));
            }
            break;
        }
    }
    Some((runner, found))
}

fn is_pinned(package: &str, runner: &Runner) -> bool {
    let local = ["./", "../", "/", "file:", ".\\"].iter().any(|prefix| package.starts_with(prefix)) || package == ".";
    if local || commit(package) {
        return true;
    }
    runner.separators.iter().any(|separator| {
        package.rsplit_once(separator).is_some_and(|(name, version)| !name.is_empty() && is_exact(version))
    })
}

/// The package without what follows the version's separator.
fn bare<'p>(package: &'p str, runner: &Runner) -> &'p str {
    let names = runner.separators.iter().filter_map(|separator| package.rsplit_once(separator)).map(|(name, _)| name);
    names.filter(|name| !name.is_empty()).min_by_key(|name| name.len()).unwrap_or(package)
}

/// Whether a source names one commit: `git+https://…@SHA` or `…#SHA`.
fn commit(package: &str) -> bool {
    let tail = package.rsplit(['@', '#']).next().unwrap_or_default();
    tail.len() == 40 && tail.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `1.2.3`, with a pre-release or build if need be; for Python also `1.2` and `1.2.post1`.
fn is_exact(version: &str) -> bool {
    let version = version.strip_prefix('v').unwrap_or(version);
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() >= 2
        && numbers.iter().take(2).all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
        && !numbers.iter().any(|part| matches!(*part, "x" | "X" | ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn unpinned(command: &str) -> Vec<String> {
        let place = Place { file: "f".into(), line: 1, column: 1, start: 0, end: 0 };
        let command: Vec<_> = command.split(' ').map(|part| Placed::new(part.to_owned(), place.clone())).collect();
        let Some((runner, packages)) = packages(&command) else { return Vec::new() };
        packages.into_iter().filter(|(_, p)| !is_pinned(p, runner)).map(|(_, p)| p.to_owned()).collect()
    }

    #[test]
    fn pc304_only_an_exact_version_passes() {
        for command in [
            "npx -y @scope/server@2026.7.10 ./project",
            "/usr/bin/npx.cmd --yes foo@1.2.3-rc.1",
            "npx -p foo@1.2.3 foo-bin --x=latest",
            "npx --registry https://r.example foo@1.2.3",
            "npx ./local",
            "uvx foo==1.2.3",
            "uvx --from foo==1.2.3 --with bar@2.0.1 foo",
            "uvx --python 3.12 foo@1.2.3",
            "pipx run --spec foo==1.2 foo",
            "uvx --from git+https://example.com/foo@0123456789abcdef0123456789abcdef01234567 foo",
            "node server.js",
            "npm run start",
        ] {
            assert_eq!(unpinned(command), Vec::<String>::new(), "{command}");
        }
        for (command, package) in [
            ("npx -y foo", "foo"),
            ("npx @scope/foo", "@scope/foo"),
            ("npx foo@latest", "foo@latest"),
            ("npx foo@^1.2.3", "foo@^1.2.3"),
            ("npx foo@1", "foo@1"),
            ("npx foo@1.x.0", "foo@1.x.0"),
            ("npx --package=foo bar@1.2.3", "foo"),
            ("npm exec foo", "foo"),
            ("pnpm dlx foo", "foo"),
            ("uvx foo>=1.0", "foo>=1.0"),
            ("uv tool run foo", "foo"),
            ("uvx --with bar foo==1.0.0", "bar"),
            ("pipx run foo", "foo"),
            ("npx github:a/b", "github:a/b"),
        ] {
            assert_eq!(unpinned(command), vec![package.to_owned()], "{command}");
        }
    }
}
