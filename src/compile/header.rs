//! `headers:` → permits of *emit*, one for each header: those of the preset, then own entries in the order
//! of the file.
//!
//! Of several of one name the last counts (`@order`): own entries replace what the preset says, and one
//! without `@value` takes the header away. The preset is of order 0, which gives way to what an answer says
//! of itself (`http/outgoing`).
//!
//! SPEC: SM-20, SM-21, SM-26; RFC 6797 §7.2 (never without TLS).

use sha2::{Digest, Sha256};

use super::{
    findings::HEADER_CONDITION,
    press::Written,
    render::{Draft, endpoints},
    rule::{condition_problem, enclosed},
};
use crate::{
    config::{HeaderRule, Headers, Preset},
    diagnostic::{Diagnostic, Place},
    policy::{Effect, EndpointClass, hex},
};

/// A header that is sent without being written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
    on: On,
}

/// On which answers.
#[derive(Debug, Clone, Copy)]
enum On {
    All,
    /// Those of the authorization server.
    OAuth,
    Pages,
    /// Those to callers that come by TLS.
    Tls,
}

/// The preset `strict`, which is also what goes out where the policies cannot be asked.
///
/// Pages have no inline script or style, load nothing from elsewhere and stand in nobody's frame. A page
/// that needs more says so itself. `Cross-Origin-Resource-Policy` is not asked of requests by CORS.
const STRICT: &[BuiltIn] = &[
    BuiltIn { name: "Cache-Control", value: "no-store", on: On::All },
    BuiltIn {
        name: "Content-Security-Policy",
        value: "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        on: On::Pages,
    },
    BuiltIn { name: "Cross-Origin-Opener-Policy", value: "same-origin", on: On::Pages },
    BuiltIn { name: "Cross-Origin-Resource-Policy", value: "same-origin", on: On::All },
    BuiltIn {
        name: "Permissions-Policy",
        value: "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        on: On::Pages,
    },
    BuiltIn { name: "Referrer-Policy", value: "no-referrer", on: On::All },
    HSTS,
    BuiltIn { name: "X-Content-Type-Options", value: "nosniff", on: On::All },
    BuiltIn { name: "X-Frame-Options", value: "DENY", on: On::All },
    BuiltIn { name: "X-Robots-Tag", value: "noindex", on: On::OAuth },
    BuiltIn { name: XSS, value: "0", on: On::All },
];

const HSTS: BuiltIn =
    BuiltIn { name: "Strict-Transport-Security", value: "max-age=31536000; includeSubDomains", on: On::Tls };
const XSS: &str = "X-XSS-Protection";
const LEGACY_XSS: &str = "1; mode=block";

/// What goes out with an answer where the policies cannot be asked.
#[cfg(feature = "serve")]
pub(crate) fn built_in(class: EndpointClass, tls: bool, page: bool) -> impl Iterator<Item = BuiltIn> {
    STRICT.iter().copied().filter(move |header| match header.on {
        On::All => true,
        On::OAuth => class.is_oauth(),
        On::Pages => page,
        On::Tls => tls,
    })
}

/// The policies of a section, or everything that is wrong with its conditions.
pub(super) fn policies(headers: &Headers) -> Result<Vec<Written>, Vec<Diagnostic>> {
    let mut made = Vec::new();
    let mut problems = Vec::new();
    for header in preset(headers) {
        let written = match header.name {
            name if name == HSTS.name => headers.hsts.as_ref(),
            XSS => headers.legacy_xss.as_ref(),
            _ => None,
        };
        // By default: no line of the file says so.
        let place = written.map(|written| &written.place).or(headers.preset_place.as_ref());
        made.push(built(&header, place));
    }
    for (nth, rule) in headers.rules.iter().enumerate() {
        match own(rule, nth + 1) {
            Ok(policies) => made.extend(policies),
            Err(problem) => problems.push(*problem),
        }
    }
    if problems.is_empty() { Ok(made) } else { Err(problems) }
}

/// What is sent without being written.
fn preset(headers: &Headers) -> Vec<BuiltIn> {
    let Headers { preset, preset_place: _, legacy_xss, hsts, rules: _ } = headers;
    let legacy = legacy_xss.as_ref().is_some_and(|legacy| legacy.value);
    let strict: &[BuiltIn] = match preset {
        Preset::Strict => STRICT,
        Preset::None => &[],
    };
    let hsts = hsts.as_ref().map_or(*preset == Preset::Strict, |hsts| hsts.value);
    let value = |header: &BuiltIn| if header.name == XSS && legacy { LEGACY_XSS } else { header.value };
    let others = strict.iter().filter(|header| header.name != HSTS.name);
    others.map(|header| BuiltIn { value: value(header), ..*header }).chain(hsts.then_some(HSTS)).collect()
}

fn built(header: &BuiltIn, place: Option<&Place>) -> Written {
    let when = match header.on {
        On::All => Vec::new(),
        On::OAuth => vec![endpoints(EndpointClass::ALL.into_iter().filter(|class| class.is_oauth()))],
        On::Pages => vec!["context.page".to_owned()],
        On::Tls => vec!["context.tls".to_owned()],
    };
    let id = format!("header/strict/{}", header.name.to_ascii_lowercase());
    draft(&id, header.name, Some(header.value), 0, when, place)
}

/// The policies of one entry: one for each header that it sets or takes away.
fn own(rule: &HeaderRule, order: usize) -> Result<Vec<Written>, Box<Diagnostic>> {
    let HeaderRule { id: _, on, set, remove, when, place } = rule;
    if let Some(problem) = when.as_ref().and_then(condition_problem) {
        return Err(Box::new(Diagnostic { help: Some(HEADER_CONDITION.help.into()), ..problem }));
    }
    let id = id(rule);
    let several = set.len() + remove.len() > 1;
    let mut conditions = Vec::new();
    if !on.is_empty() {
        conditions.push(endpoints(on.iter().copied()));
    }
    conditions.extend(when.iter().map(|when| enclosed(&when.value)));
    let set = set.iter().map(|(name, value)| (name, Some(value.value.as_str())));
    let condition = when.as_ref().map(|when| &when.place);
    let policies = set
        .chain(remove.iter().map(|name| (name, None)))
        .map(|(name, value)| {
            let id = if several {
                format!("header/{id}/{}", name.value.to_ascii_lowercase())
            } else {
                format!("header/{id}")
            };
            let written = draft(&id, &name.value, value, order, conditions.clone(), Some(place));
            Written { condition: condition.cloned(), ..written }
        })
        .collect();
    Ok(policies)
}

fn draft(id: &str, name: &str, value: Option<&str>, order: usize, when: Vec<String>, place: Option<&Place>) -> Written {
    let mut notes = vec![("header", name.to_owned())];
    notes.extend(value.map(|value| ("value", value.to_owned())));
    if order > 0 {
        notes.push(("order", order.to_string()));
    }
    let draft = Draft {
        id,
        notes,
        effect: Effect::Permit,
        principal: "principal is Portcullis::Peer",
        resource: "resource",
        actions: vec!["respond"],
        when,
        unless: Vec::new(),
    };
    draft.written(place)
}

/// The entry's own id, else one derived from what it says.
fn id(rule: &HeaderRule) -> String {
    let HeaderRule { id, on, set, remove, when, place: _ } = rule;
    if let Some(id) = id {
        return id.to_string();
    }
    let set: Vec<String> =
        set.iter().map(|(name, value)| format!("{}: {}", name.value.to_ascii_lowercase(), value.value)).collect();
    let remove: Vec<String> = remove.iter().map(|name| name.value.to_ascii_lowercase()).collect();
    let said = format!("{on:?} {set:?} {remove:?} {:?}", when.as_ref().map(|when| when.value.trim()));
    hex(&Sha256::digest(said)).chars().take(12).collect()
}
