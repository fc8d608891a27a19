//! `portcullis test`: decides what `*.test.yaml` files ask, and compares it with what they expect.
//!
//! SPEC: `requirements/lint-rules.md` §4.3–§4.5.

mod find;
mod group;
mod snapshot;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{Globals, environment, report};
use crate::suite::Filter;

/// Which tests to run, and how to tell of them.
#[derive(Debug, Args)]
#[command(
    after_help = "Tests need no gateway, token or server: the same engine decides as in `serve`, and what a server offers is read from portcullis.lock. A file that tests nothing is an error, so that no test is lost unseen.\n\nExamples:\n  portcullis test\n  portcullis test tests --filter 'principal=ci;tool=delete*'\n  portcullis test --format junit > junit.xml\n  portcullis test --coverage=lcov > lcov.info\n  portcullis test --update   # write the access matrix of each suite beside it\n\nExit status: 0 all pass, 1 some fail, 2 could not tell (usage, a broken test file or configuration), 3 nothing was tested."
)]
pub(super) struct TestArgs {
    /// Test files, and folders to look for `*.test.yaml` in; without them, the configuration's folder
    #[arg(value_name = "PATHS")]
    paths: Vec<PathBuf>,
    /// Run only what fits: KEY=GLOB joined by `;`, of suite, test, principal, request, server, tool
    #[arg(long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    /// How to tell of them: tree, list, json, junit or tap
    #[arg(long, value_enum, default_value_t = Format::Tree, hide_possible_values = true)]
    format: Format,
    /// Status 3 also where all of one file is skipped or filtered out
    #[arg(long)]
    fail_on_empty: bool,
    /// Let tests name files outside the folder that they are in
    #[arg(long)]
    allow_external_files: bool,
    /// Keep the access matrix of each suite, NAME.matrix.snap beside it, and say where it differs
    #[arg(long)]
    snapshot: bool,
    /// The same, and write what differs
    #[arg(long, conflicts_with = "check")]
    update: bool,
    /// The same, and fail where it differs or is missing. Where CI is set, what is kept is checked anyway
    #[arg(long)]
    check: bool,
    /// Say what the tests cover: human (after the tests), or lcov, json or html (instead of them, which then go to stderr)
    #[arg(long, value_enum, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "human", hide_possible_values = true)]
    coverage: Option<CoverageFormat>,
    /// Fail where less than this is covered, in hundredths, of policies, scopes, tools or lines
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
}

/// How to tell of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Suite by suite, test by test
    #[value(alias = "human")]
    Tree,
    /// A line for each case
    List,
    /// One JSON object
    Json,
    /// For continuous integration
    Junit,
    /// The Test Anything Protocol, version 14
    Tap,
}

/// How to tell what is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CoverageFormat {
    /// For people
    Human,
    /// For genhtml and code-coverage services
    Lcov,
    /// One JSON array
    Json,
    /// One page
    Html,
}

pub(super) fn run(args: &TestArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let filter: Filter = args.filter.parse().map_err(anyhow::Error::msg)?;
    let found = find::files(&args.paths, &globals.config)?;
    let mode = snapshot::Mode::of(args.snapshot, args.update, args.check, environment("CI"));
    let gathered = group::read(found, args.allow_external_files, globals);
    let mut broken = gathered.broken;
    let mut ran = Vec::new();
    let mut empty = gathered.empty;
    let mut coverage = Vec::new();
    let mut differing = Vec::new();
    for group in &gathered.groups {
        let group::Done { ran: some, covered, differs, broken: more } = group.run(&filter, globals, mode)?;
        for one in some {
            let (passed, failed, _) = one.counts();
            if args.fail_on_empty && passed + failed == 0 {
                empty.push(one.file.to_string());
            }
            ran.push(one);
        }
        coverage.extend(covered);
        differing.extend(differs);
        broken.extend(more);
    }
    ran.sort_by(|a, b| a.file.cmp(&b.file));
    for broken in &broken {
        globals.talk_of(&report::Report::of_file(&broken.sources, &broken.findings))?;
    }
    for file in &empty {
        report::talk(&format!("{file}: tests nothing"));
    }
    let text = match args.format {
        // Where nothing could be run, there is nothing to count.
        Format::Tree | Format::List if ran.is_empty() && !broken.is_empty() => String::new(),
        Format::Tree => report::suite::tree(&ran),
        Format::List => report::suite::list(&ran),
        Format::Json => report::suite::json(&ran)?,
        Format::Junit => report::suite::junit(&ran)?,
        Format::Tap => report::suite::tap(&ran),
    };
    let covered = match args.coverage {
        None => None,
        Some(CoverageFormat::Human) => Some(report::suite::coverage(&coverage)),
        Some(CoverageFormat::Lcov) => Some(coverage.iter().map(crate::suite::Coverage::lcov).collect()),
        Some(CoverageFormat::Json) => Some(format!("{}\n", serde_json::to_string_pretty(&coverage)?)),
        Some(CoverageFormat::Html) => Some(report::suite::coverage_page(&coverage)),
    };
    match (args.coverage, covered) {
        (None, _) | (_, None) => report::answer(&text),
        (Some(CoverageFormat::Human), Some(covered)) if matches!(args.format, Format::Tree | Format::List) => {
            report::answer(&format!("{text}\n{covered}"))
        }
        (Some(CoverageFormat::Human), Some(covered)) => {
            report::talk(covered.trim_end());
            report::answer(&text)
        }
        (Some(_), Some(covered)) => {
            report::talk(text.trim_end());
            report::answer(&covered)
        }
    }
    .context("cannot write the answer")?;
    for differs in &differing {
        report::talk(differs.trim_end());
    }
    let short = args.min_coverage.and_then(|least| {
        let worst = coverage.iter().map(crate::suite::Coverage::percent).min().unwrap_or_default();
        (worst < usize::from(least)).then(|| format!("{worst} % is covered, and {least} % is asked for"))
    });
    if let Some(short) = &short {
        report::talk(short);
    }
    let (passed, failed) =
        ran.iter().map(crate::suite::Ran::counts).fold((0, 0), |(passed, failed), (p, f, _)| (passed + p, failed + f));
    Ok(ExitCode::from(if !broken.is_empty() {
        2
    } else if failed > 0 || short.is_some() || !differing.is_empty() {
        1
    } else if passed == 0 || !empty.is_empty() {
        if ran.is_empty() && empty.is_empty() {
            report::talk("there is no test; write one beside the configuration, as in policies.test.yaml");
        }
        3
    } else {
        0
    }))
}
