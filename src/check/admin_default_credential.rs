//! PC204 `admin-default-credential`: the administration asks for nothing, or for what everybody knows.
//!
//! Reads `admin.auth`, and every value under `admin` whose key is named for a secret. No credential
//! ships with Portcullis, and without one the listener does not start (AD-04): absence is no finding
//! (CWE-1392).
//!
//! INVARIANT: the value is never printed, not even in part: it is short, or it is a list's.

use super::{Check, Page, Subject, page::and, written};
use crate::{
    config::secrecy,
    diagnostic::{About, Class, Diagnostic, Level},
    guessable::guessable,
};

pub(super) struct AdminDefaultCredential;

const ABOUT: About = About {
    code: "PC204",
    name: "admin-default-credential",
    class: Class::Security(Level::Critical),
    summary: "the administration has no credential, or one that everybody knows",
    help: "write `{env: NAME}`, and put a random value of 32 bytes into that variable",
};

const PAGE: Page = Page {
    tags: &["CWE-1392"],
    ..Page::new(
        "default credentials are tried first, and who administers the gateway can open every server behind it",
        and!(
            r#"admin: {address: "127.0.0.1:3051", token: changeme}
"#
        ),
        and!(
            r#"admin: {address: "127.0.0.1:3051", token: {env: ADMIN_TOKEN}}
"#
        ),
    )
};

impl Check for AdminDefaultCredential {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(admin) = subject.tree.and_then(|tree| tree.get("admin")) else { return };
        if let Some(off) = admin.get("auth").filter(|auth| written::is_off(auth)) {
            let finding = ABOUT.at(&off.place, "the administration asks nobody who they are");
            findings
                .push(finding.help("remove the key: operators have a token each, made by `portcullis operator add`"));
        }
        written::walk(admin, &mut |path, value| {
            let Some((key, text)) = path.last().zip(value.scalar()) else { return };
            if !secrecy::names_a_secret(key) || value.from_env || !guessable(&text) {
                return;
            }
            let key = secrecy::shown("", key);
            let message = match text.is_empty() {
                true => format!("`{key}` of the administration is empty"),
                false => format!("`{key}` of the administration is one that is tried first"),
            };
            findings.push(ABOUT.at(&value.place, message));
        });
    }
}
