//! `cors:`: pages of which origins may call the gateway from a browser.
//!
//! Origins are compared whole, as browsers send them: `scheme://host`, with the port where it is not
//! the scheme's own, in lower case. What is not written in that form is refused, so that the file says
//! what is compared. Without any, pages of the gateway's own origin may call, and with OAuth off those
//! of this machine.
//!
//! INVARIANT: `null`, which every sandboxed page has, is no origin. With `*`, credentials are off.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::oauth::OAuth;
use crate::{
    config::{
        document::Written,
        findings,
        resolve::{Resolver, good},
        url::Url,
    },
    diagnostic::{Diagnostic, Place, Placed, Safety},
};

/// Whose pages may call the gateway from a browser.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    /// Exact origins. Sorted, no repeats.
    pub origins: Vec<Placed<String>>,
    /// Where every origin is let in, which is a finding; never with OAuth off.
    pub any: Option<Place>,
    /// Whether browsers may send cookies and certificates along. Never with `*`.
    pub credentials: bool,
    /// Where the section is written, where it is.
    pub place: Option<Place>,
}

/// Pages of which origins may call the gateway from a browser.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorsSection {
    /// Exact origins, `SCHEME://HOST` or `SCHEME://HOST:PORT`, in lower case. Default: none; pages of the
    /// gateway's own origin may call it all the same, and with OAuth off those of this machine.
    #[schemars(extend("uniqueItems" = true, "items" = { "type": "string", "pattern": "^(\\*|https?://[^/?#\\s]+)$" }))]
    origins: Option<Written<Vec<Written<String>>>>,
    /// Whether browsers may send cookies and client certificates along. Tokens need no leave. Default:
    /// `false`.
    credentials: Option<Written<bool>>,
}

impl Cors {
    pub(crate) fn resolve(
        section: Option<Written<CorsSection>>,
        oauth: Option<&OAuth>,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let Some(Written { place, value }) = section else { return Some(Self::default()) };
        let CorsSection { origins, credentials } = value?;
        let credentials = match credentials {
            Some(credentials) => Some(credentials.placed()?).filter(|credentials| credentials.value),
            None => None,
        };
        let written = match origins {
            Some(origins) => good(origins.value?),
            None => Vec::new(),
        };
        let mut any = None;
        let mut origins: BTreeMap<String, Place> = BTreeMap::new();
        for written in written {
            if written.value == "*" {
                any = any.or(Some(written.place));
                continue;
            }
            let origin = match origin(&written, cx) {
                Ok(origin) => origin,
                Err(finding) => {
                    cx.find(*finding);
                    continue;
                }
            };
            if let Some(first) = origins.get(&origin) {
                let finding = findings::POLICY_REDUNDANT.at(&written.place, "this origin is listed twice");
                let finding = finding.label("again here").also(first, "first here");
                cx.find(finding);
                continue;
            }
            origins.insert(origin, written.place);
        }
        if let Some((any, credentials)) = any.as_ref().zip(credentials.as_ref()) {
            let finding = findings::WRONG_TYPE.at(&credentials.place, "`credentials` are never let through to `*`");
            cx.find(finding.label("on").also(any, "every origin").help("list the origins, or remove `credentials`"));
        }
        if let Some((any, off)) = any.as_ref().zip(oauth.filter(|oauth| !oauth.enabled.value)) {
            let message = "`*` is refused while `oauth.enabled` is false: any page could use every server";
            let finding = findings::WRONG_TYPE.at(any, message).also(&off.enabled.place, "nobody needs a token");
            cx.find(finding.help("remove it: pages of this machine are let in anyway, and no others"));
        }
        let origins = origins.into_iter().map(|(origin, place)| Placed::new(origin, place)).collect();
        Some(Self { origins, credentials: credentials.is_some() && any.is_none(), any, place: Some(place) })
    }
}

/// An origin in the form in which browsers send it.
fn origin(written: &Placed<String>, cx: &Resolver<'_>) -> Result<String, Box<Diagnostic>> {
    let shown = cx.shown("origin", written);
    let example = "write scheme, host and port alone, as in `https://app.example.com`";
    let no = |message: String| Box::new(findings::WRONG_TYPE.at(&written.place, message).help(example));
    if matches!(written.value.as_str(), "" | "null") {
        return Err(no("`null` is no origin: every sandboxed page has it".into()));
    }
    let url = Url::parse(&written.value).map_err(|problem| no(format!("`{shown}` is no origin: it {problem}")))?;
    let origin = url.origin();
    if !matches!(url.rest.as_str(), "" | "/") {
        return Err(no(format!("`{shown}` is no origin: it has a path or query")));
    }
    if origin != written.value {
        let finding = findings::WRONG_TYPE.at(&written.place, format!("`{shown}` is not as browsers send it"));
        let finding = finding.help("write it in lower case, without a slash at its end or the scheme's own port");
        let from_env = cx.is_from_env(&written.place);
        return Err(Box::new(if from_env {
            finding
        } else {
            finding.fix(Safety::Safe, format!("write `{origin}`"), &written.place, format!("\"{origin}\""))
        }));
    }
    Ok(origin)
}
