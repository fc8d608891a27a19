//! Where a rule is described.
//!
//! The pages are `docs/rules.md` of this repository. A build that knows its repository, and whoever
//! says where the pages are kept (`--docs-url`), makes links of them; else the path is all there is
//! to print, and `check --explain` needs neither.

/// The page of every rule, in the repository.
pub(crate) const PAGES: &str = "docs/rules.md";

/// When the address of a rule is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ShowUrls {
    /// Behind the code on a terminal, in full where it is none or `CI` is set
    #[default]
    Auto,
    /// In full
    Always,
    /// Not at all
    Never,
}

/// Where rules are described, and how that is shown.
#[derive(Debug, Clone, Default)]
pub struct Links {
    base: Option<String>,
    behind: bool,
    printed: bool,
}

impl Links {
    /// `docs` is the address of the page of every rule.
    #[must_use]
    pub fn new(show: ShowUrls, docs: Option<String>, terminal: bool, ci: bool) -> Self {
        let repository = env!("CARGO_PKG_REPOSITORY").trim_end_matches('/');
        let own = || (!repository.is_empty()).then(|| format!("{repository}/blob/main/{PAGES}"));
        let (behind, printed) = match show {
            ShowUrls::Auto => (terminal && !ci, !terminal || ci),
            ShowUrls::Always => (terminal, true),
            ShowUrls::Never => (false, false),
        };
        Self { base: docs.or_else(own), behind, printed }
    }

    /// The address of a rule, where one is known.
    pub(super) fn url(&self, code: &str) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}#{}", code.to_lowercase()))
    }

    /// What goes behind the code, on a terminal.
    pub(super) fn behind(&self, code: &str) -> Option<String> {
        self.behind.then(|| self.url(code)).flatten()
    }

    /// What is printed: the address, or the path in the repository.
    pub(super) fn printed(&self, code: &str) -> Option<String> {
        let path = || format!("{PAGES}#{}", code.to_lowercase());
        self.printed.then(|| self.url(code).unwrap_or_else(path))
    }
}

/// An address that may stand in a terminal's escape sequence and in a document.
///
/// # Errors
/// When it is none.
pub fn docs_url(text: &str) -> Result<String, String> {
    let web = text.starts_with("https://") || text.starts_with("http://");
    if web && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '#' | '"' | '<' | '>' | '`' | '(' | ')')) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("an https or http address without `#` is wanted".into())
    }
}
