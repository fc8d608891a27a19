//! PC205 `cors-wildcard-with-auth`: pages of every site may use what a token or a cookie opens.
//!
//! Reads `cors.origins` (or `allow_origins`) and `cors.credentials`. Without origins only pages of
//! the gateway's own origin are let in, so absence is no finding. With tokens off, `*` is PC207's
//! (CWE-942).

use super::{Check, Page, Subject, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Level},
};

pub(super) struct CorsWildcardWithAuth;

const ABOUT: About = About {
    code: "PC205",
    name: "cors-wildcard-with-auth",
    class: Class::Security(Level::High),
    summary: "pages of every site may call the gateway with a caller's credentials",
    help: "list the origins that need it, as in `[\"https://app.example.com\"]`",
};

const PAGE: Page = Page {
    tags: &["CWE-942"],
    ..Page::new(
        "any page that a caller opens could use the gateway in their name; browsers refuse `*` with credentials, and whoever gets round that reflects every origin",
        and!(
            r#"cors: {origins: ["*"]}
"#
        ),
        and!(
            r#"cors: {origins: ["https://app.example.com"]}
"#
        ),
    )
};

impl Check for CorsWildcardWithAuth {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let credentials = tree.at(&["cors", "credentials"]).filter(|value| written::is_on(value));
        let tokens = written::oauth_is_on(tree);
        for origin in origins(tree).into_iter().filter(|origin| origin.text() == Some("*")) {
            let finding = match credentials {
                Some(credentials) => ABOUT
                    .at(&origin.place, "pages of every site may call the gateway with the caller's credentials")
                    .also(&credentials.place, "credentials are let through"),
                None if tokens => ABOUT.at(&origin.place, "pages of every site may call a gateway that needs tokens"),
                None => continue,
            };
            findings.push(finding.label("every origin"));
        }
    }
}

/// Every origin that is written.
pub(super) fn origins(tree: &Node) -> Vec<&Node> {
    let keys = ["origins", "allow_origins"];
    keys.iter().filter_map(|key| tree.at(&["cors", key])).flat_map(written::each).collect()
}
