//! How `check` prints what it finds, and what it says of rules.

use std::io::{self, Write};

use clap::Args;

use crate::cli::report::{self, Links, Look, Report, ShowUrls, Style, rule};

/// What is printed, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct Output {
    /// How findings are printed
    #[arg(
        long,
        value_enum,
        default_value_t = Style::Human,
        env = "PORTCULLIS_CHECK_FORMAT",
        hide_env = true,
        value_name = "FORMAT"
    )]
    pub format: Style,
    /// When the address of a rule is printed: auto, always or never
    #[arg(
        long,
        value_enum,
        default_value_t = ShowUrls::Auto,
        env = "PORTCULLIS_CHECK_SHOW_URLS",
        hide_env = true,
        hide_possible_values = true,
        value_name = "WHEN"
    )]
    pub show_urls: ShowUrls,
    /// Where `docs/rules.md` can be read, for addresses of rules
    #[arg(long, env = "PORTCULLIS_DOCS_URL", hide_env = true, value_parser = report::docs_url, value_name = "URL")]
    pub docs_url: Option<String>,
    /// Say what a rule is about, by its code or name, and read nothing
    #[arg(long, value_name = "RULE")]
    pub explain: Option<String>,
    /// Say what is looked for, and read nothing
    #[arg(long, conflicts_with = "explain")]
    pub list_rules: bool,
    /// Answer by the exit status with --format sarif too, whose readers take 1 for a failure to run
    #[arg(long, env = "PORTCULLIS_CHECK_EXIT_CODE", hide_env = true)]
    pub exit_code: bool,
}

/// Where the output goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Whether it is a terminal.
    pub there: bool,
    /// Whether it gets colours.
    pub colour: bool,
}

impl Output {
    /// Whether no configuration is wanted.
    #[must_use]
    pub const fn reads_nothing(&self) -> bool {
        self.list_rules || self.explain.is_some()
    }

    /// Whether findings make the exit status.
    pub(super) fn counts(&self) -> bool {
        self.format != Style::Sarif || self.exit_code
    }

    /// How it may look there.
    pub(super) fn look(&self, terminal: Terminal, env: &dyn Fn(&str) -> Option<String>) -> Look {
        let ci = env("CI").is_some_and(|value| !matches!(&*value, "" | "0" | "false"));
        let links = Links::new(self.show_urls, self.docs_url.clone(), terminal.there, ci);
        Look { colour: terminal.colour, links }
    }

    /// Says what was asked of rules, if anything was, and gives the exit status.
    pub(super) fn about_rules(&self, out: &mut dyn Write, look: &Look) -> io::Result<Option<u8>> {
        if self.list_rules {
            rule::list(out, self.format, &look.links)?;
            return Ok(Some(0));
        }
        let Some(word) = &self.explain else { return Ok(None) };
        match rule::named(word) {
            Ok(rule) => {
                rule::explain(out, self.format, &rule, &look.links)?;
                Ok(Some(0))
            }
            Err(problem) => {
                report::talk(&format!("error: {problem}"));
                Ok(Some(2))
            }
        }
    }

    /// Prints a report, and where a job of GitHub wants one, its summary.
    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        report: &Report<'_>,
        look: &Look,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> io::Result<()> {
        report::write(out, self.format, report, look)?;
        if self.format == Style::Github
            && let Some(file) = env("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty())
            && let Err(error) = report::summarise(&file, report, &look.links)
        {
            // The answer stands on stdout all the same.
            report::talk(&format!("the summary of the job cannot be written to `{}`: {error}", file.escape_debug()));
        }
        Ok(())
    }
}
