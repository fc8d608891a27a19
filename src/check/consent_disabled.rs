//! PC220 `consent-disabled`: clients get what a person never approved.
//!
//! Reads `oauth.consent` and `oauth.clients.*.consent`. A person is asked for each client unless this
//! is written, so absence is no finding. Whoever registers a client of the same name would otherwise
//! be given the approval of another (the confused deputy, CWE-441).

use super::{Check, Fixable, Page, Subject, page::and, written};
use crate::diagnostic::{About, Class, Diagnostic, Level, Safety};

pub(super) struct ConsentDisabled;

const ABOUT: About = About {
    code: "PC220",
    name: "consent-disabled",
    class: Class::Security(Level::High),
    summary: "a client gets a grant that no person approved",
    help: "remove the key: a person is asked once for each client",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-441"],
    ..Page::new(
        "without consent for each client, whoever registers one gets a signed-in person's access by a single link",
        and!(
            r#"oauth: {enabled: true, consent: false}
"#
        ),
        and!(
            r#"oauth: {enabled: true}
"#
        ),
    )
};

impl Check for ConsentDisabled {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        for map in subject.tree.into_iter().flat_map(written::oauth_and_clients) {
            let Some(consent) = map.get("consent").filter(|consent| written::is_off(consent)) else { continue };
            let finding = ABOUT.at(&consent.place, "no person is asked before a client gets a grant");
            findings.push(match written::cut(map, "consent") {
                Some(place) => finding.fix(Safety::Safe, "ask for consent", &place, ""),
                None => finding,
            });
        }
    }
}
