//! PC208 `hsts-without-tls`: `Strict-Transport-Security` where nobody is known to come by TLS.
//!
//! Reads `headers` and `listen`. The field is only sent to callers that come by TLS, ended here
//! (`listen.tls`) or by a proxy that is trusted to say so (`listen.trusted_proxies`); browsers ignore it
//! from elsewhere (RFC 6797 §8.1). The preset says nothing where there is neither, and is no finding.

use super::{Check, Fixable, Page, Subject, fields, page::and, written};
use crate::{
    config::Node,
    diagnostic::{About, Class, Diagnostic, Place, Safety},
};

pub(super) struct HstsWithoutTls;

const ABOUT: About = About {
    code: "PC208",
    name: "hsts-without-tls",
    class: Class::Warning,
    summary: "`Strict-Transport-Security` is asked for, and nobody comes by TLS",
    help: "end TLS here with `listen.tls`, or name the proxy that ends it under `listen.trusted_proxies`",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    ..Page::new(
        "it is sent to nobody, and browsers would ignore it: whoever reads the file believes in a protection that is not there",
        and!(
            r#"headers: {preset: strict, hsts: true}
"#
        ),
        and!(
            r#"headers: {preset: strict}
"#
        ),
    )
};

impl Check for HstsWithoutTls {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let Some(tree) = subject.tree else { return };
        let own = tree.at(&["listen", "tls"]).is_some_and(|tls| !written::is_off(tls));
        let proxies = tree.at(&["listen", "trusted_proxies"]).is_some_and(|list| !written::each(list).is_empty());
        if own || proxies {
            return;
        }
        if let Some(headers) = tree.get("headers")
            && let Some(hsts) = headers.get("hsts").filter(|hsts| written::is_on(hsts))
        {
            findings.push(found(tree, &hsts.place, headers, "hsts"));
        }
        for entry in fields::entries(tree) {
            let Some(set) = entry.node.get("set") else { continue };
            for field in set.entries().iter().filter(|field| field.key.eq_ignore_ascii_case(NAME)) {
                findings.push(found(tree, &field.place, set, &field.key));
            }
        }
    }
}

const NAME: &str = "strict-transport-security";

fn found(tree: &Node, place: &Place, map: &Node, key: &str) -> Diagnostic {
    let proxy = tree.at(&["listen", "tls_proxy"]).filter(|proxy| written::is_on(proxy));
    let finding = ABOUT.at(place, "nobody is known to come by TLS, so `Strict-Transport-Security` is sent to nobody");
    let finding = match proxy {
        Some(proxy) => finding.also(&proxy.place, "this proxy is not among `trusted_proxies`"),
        None => finding,
    };
    match written::cut(map, key) {
        Some(place) => finding.fix(Safety::Safe, format!("remove `{}`", key.escape_debug()), &place, ""),
        None => finding,
    }
}
