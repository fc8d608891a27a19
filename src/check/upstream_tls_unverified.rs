//! PC302 `upstream-tls-unverified`: a server's certificate is not looked at.
//!
//! Reads `insecure_skip_verify`, `insecure` and `verify` of `servers.*.http` and `servers.*.http.tls`,
//! and the variables by which a program that is started by `stdio` is told the same. Certificates are
//! verified unless such a key is written, and no version builds one: absence is no finding (CWE-295).

use super::{Check, Fixable, Page, Subject, page::server, written};
use crate::{
    config::{Node, secrecy},
    diagnostic::{About, Class, Diagnostic, Level, Safety},
};

pub(super) struct UpstreamTlsUnverified;

const ABOUT: About = About {
    code: "PC302",
    name: "upstream-tls-unverified",
    class: Class::Security(Level::Critical),
    summary: "the certificate of a server is not verified",
    help: "remove it, and let this machine trust the authority that signed the server's certificate",
};

const PAGE: Page = Page {
    fix: Fixable::Safe,
    tags: &["CWE-295"],
    ..Page::new(
        "without a verified certificate whoever is on the way is the server: TLS then keeps out nobody who matters",
        server!(r#"    http: {url: "https://docs.example.com/mcp", insecure_skip_verify: true}"#),
        server!(r#"    http: {url: "https://docs.example.com/mcp"}"#),
    )
};

/// Variables that turn the verification of common runtimes off, and what they are set to for that.
const VARIABLES: &[(&str, &str)] =
    &[("GIT_SSL_NO_VERIFY", "true"), ("NODE_TLS_REJECT_UNAUTHORIZED", "0"), ("PYTHONHTTPSVERIFY", "0")];

impl Check for UpstreamTlsUnverified {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let servers = subject.tree.and_then(|tree| tree.get("servers")).map(Node::entries).unwrap_or_default();
        for server in servers {
            let name = secrecy::shown("", &server.key);
            let http = server.value.get("http");
            for map in http.into_iter().chain(http.and_then(|http| http.get("tls"))) {
                for (key, value) in switched_off(map) {
                    let message = format!("the certificate of the server `{name}` is not verified");
                    findings.push(removed(ABOUT.at(&value.place, message), map, key));
                }
            }
            let Some(env) = server.value.at(&["stdio", "env"]) else { continue };
            for (variable, off) in VARIABLES {
                let Some(value) = env.get(variable).filter(|value| written::is(value, &[off])) else { continue };
                let message = format!("the server `{name}` is told to verify no certificate");
                findings.push(removed(ABOUT.at(&value.place, message), env, variable));
            }
        }
    }
}

/// The keys by which verification is off.
fn switched_off(map: &Node) -> impl Iterator<Item = (&'static str, &Node)> {
    let skips = ["insecure", "insecure_skip_verify"].into_iter();
    let skips = skips.filter_map(|key| Some((key, map.get(key).filter(|value| written::is_on(value))?)));
    skips.chain(map.get("verify").filter(|value| written::is_off(value)).map(|value| ("verify", value)))
}

fn removed(finding: Diagnostic, map: &Node, key: &str) -> Diagnostic {
    match written::cut(map, key) {
        Some(place) => finding.fix(Safety::Safe, format!("remove `{key}`"), &place, ""),
        None => finding,
    }
}
