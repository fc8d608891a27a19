//! PC203 `admin-public`: the administration can be reached from where it must not.
//!
//! Reads `admin.address`, `admin.tls` and `admin.auth` beside `listen.address`. The default is a
//! loopback listener of its own, and no listener starts without a credential (AD-01, AD-04), so
//! absence is no finding. On another machine's network it needs TLS and callers that prove who they
//! are (CWE-749).

use std::net::SocketAddr;

use super::{Check, Fixable, Page, Subject, page::and, written};
use crate::diagnostic::{About, Class, Diagnostic, Level, Safety};

pub(super) struct AdminPublic;

const ABOUT: About = About {
    code: "PC203",
    name: "admin-public",
    class: Class::Security(Level::Critical),
    summary: "the administration can be reached from other machines, or by every caller",
    help: "give it a loopback address of its own, such as `127.0.0.1:3051`",
};

const PAGE: Page = Page {
    fix: Fixable::Unsafe,
    tags: &["CWE-749"],
    ..Page::new(
        "who administers the gateway can open every server behind it: that door belongs on this machine alone, apart from the callers'",
        and!(
            r#"admin: {address: "0.0.0.0:3051"}
"#
        ),
        and!(
            r#"admin: {address: "127.0.0.1:3051"}
"#
        ),
    )
};

impl Check for AdminPublic {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let Some(written) = tree.at(&["admin", "address"]) else { return };
        let Some(address) = written::socket(written) else { return };
        let shown = written::shown("address", written);
        let listen = tree.at(&["listen", "address"]);
        let callers = match listen {
            Some(listen) => written::socket(listen),
            None => Some(SocketAddr::from(([127, 0, 0, 1], 3050))),
        };
        if callers.is_some_and(|callers| same(callers, address)) {
            let finding = ABOUT.at(&written.place, format!("{shown} is the callers' address too"));
            findings.push(match listen {
                Some(listen) => finding.also(&listen.place, "where callers come in"),
                None => finding.label("where callers come in, since `listen.address` is not written"),
            });
            return;
        }
        let tls = tree.at(&["admin", "tls"]).is_some_and(|tls| !written::is_off(tls));
        let proved = !tree.at(&["admin", "auth"]).is_some_and(written::is_off);
        if address.ip().is_loopback() || (tls && proved) {
            return;
        }
        let missing = if tls { "and nobody need prove who they are" } else { "without TLS" };
        let finding = ABOUT
            .at(&written.place, format!("other machines reach the administration at {shown} {missing}"))
            .label("not loopback");
        findings.push(if written.from_env {
            finding
        } else {
            let text = written::quoted(&format!("127.0.0.1:{}", address.port()));
            finding.fix(Safety::Unsafe, "keep the administration on this machine", &written.place, text)
        });
    }
}

/// Whether two listeners would be one.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}
