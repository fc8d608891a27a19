//! What `check` looks for, for how much it counts, and when the answer is no.
//!
//! SPEC: `requirements/lint-rules.md` §3.2, §3.3.

use std::io::{self, Write};

use clap::Args;
use jiff::civil::Date;

use crate::{
    check::{Asked, Chosen, Effective, effective},
    cli::report::Style,
    config::{Lint, LintLevel, Profile},
    diagnostic::{Class, Level},
};

/// Which rules run, and how grave their findings are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rules")]
pub struct SelectArgs {
    /// Which rules run: default, strict or audit (which finds much that is all right)
    #[arg(long, value_parser = profile, env = "PORTCULLIS_CHECK_PROFILE", hide_env = true)]
    pub profile: Option<Profile>,
    /// Do not count a rule (PC304 or unpinned-package), a range (PC3xx) or a class (suggestion)
    #[arg(short = 'A', long, value_name = "RULES", value_parser = Chosen::read, value_delimiter = ',')]
    #[arg(env = "PORTCULLIS_CHECK_ALLOW", hide_env = true)]
    pub allow: Vec<Chosen>,
    /// Make findings warnings
    #[arg(short = 'W', long, value_name = "RULES", value_parser = Chosen::read, value_delimiter = ',')]
    #[arg(env = "PORTCULLIS_CHECK_WARN", hide_env = true)]
    pub warn: Vec<Chosen>,
    /// Make findings errors
    #[arg(short = 'D', long, value_name = "RULES", value_parser = Chosen::read, value_delimiter = ',')]
    #[arg(env = "PORTCULLIS_CHECK_DENY", hide_env = true)]
    pub deny: Vec<Chosen>,
    /// Count what is suppressed too
    #[arg(long, env = "PORTCULLIS_CHECK_NO_IGNORES", hide_env = true)]
    pub no_ignores: bool,
    /// Say for each rule how grave it is and who says so, and no more
    #[arg(long, env = "PORTCULLIS_CHECK_SHOW_EFFECTIVE", hide_env = true)]
    pub show_effective: bool,
    /// The mildest finding that makes the answer no: error, security:LEVEL, warning or suggestion
    #[arg(long, value_name = "CLASS", default_value = "security:medium", value_parser = FailOn::read)]
    #[arg(env = "PORTCULLIS_CHECK_FAIL_ON", hide_env = true)]
    pub fail_on: FailOn,
}

/// From which class on a finding makes the answer no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailOn(Class);

impl Default for FailOn {
    fn default() -> Self {
        Self(Class::Security(Level::Medium))
    }
}

impl FailOn {
    fn read(written: &str) -> Result<Self, String> {
        let class = match written {
            "error" => Class::Error,
            "security" | "security:low" => Class::Security(Level::Low),
            "security:medium" => Class::Security(Level::Medium),
            "security:high" => Class::Security(Level::High),
            "security:critical" => Class::Security(Level::Critical),
            "warning" => Class::Warning,
            "suggestion" => Class::Suggestion,
            _ => {
                return Err("say error, security, security:low, security:medium, security:high, \
                            security:critical, warning or suggestion"
                    .into());
            }
        };
        Ok(Self(class))
    }

    /// The mildest class that makes the answer no.
    pub(super) const fn class(self) -> Class {
        self.0
    }
}

impl SelectArgs {
    /// What is asked for on this day.
    pub(super) fn asked(&self, today: Date) -> Asked {
        let Self { profile, allow, warn, deny, no_ignores, show_effective: _, fail_on: _ } = self;
        let at = |chosen: &[Chosen], level| chosen.iter().map(move |one| (*one, level)).collect::<Vec<_>>();
        let levels = [at(allow, LintLevel::Ignore), at(warn, LintLevel::Warning), at(deny, LintLevel::Error)];
        Asked { profile: *profile, levels: levels.concat(), no_ignores: *no_ignores, today }
    }
}

fn profile(written: &str) -> Result<Profile, &'static str> {
    match written {
        "default" => Ok(Profile::Default),
        "strict" => Ok(Profile::Strict),
        "audit" => Ok(Profile::Audit),
        _ => Err("say default, strict or audit"),
    }
}

/// Writes how grave each rule is, and who says so.
pub(super) fn show(lint: &Lint, asked: &Asked, format: Style, out: &mut dyn Write) -> io::Result<()> {
    let rules = effective(lint, asked);
    let class = |rule: &Effective| rule.class().map_or_else(|| "ignore".to_owned(), |class| class.to_string());
    if format == Style::Json {
        let row = |rule: &Effective| {
            serde_json::json!({
                "code": rule.rule.code,
                "name": rule.rule.name,
                "level": class(rule),
                "origin": rule.origin.to_string(),
            })
        };
        let rows: Vec<_> = rules.iter().map(row).collect();
        serde_json::to_writer_pretty(&mut *out, &rows).map_err(io::Error::from)?;
        return writeln!(out);
    }
    let width = rules.iter().map(|rule| rule.rule.name.len()).max().unwrap_or_default();
    rules.iter().try_for_each(|rule| {
        writeln!(out, "{}  {:width$}  {:17}  {}", rule.rule.code, rule.rule.name, class(rule), rule.origin)
    })
}
