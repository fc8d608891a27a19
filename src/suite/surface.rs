//! `headers:`: what becomes of HTTP requests as such: whether they may come in, and which header fields
//! their answers carry.

use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{file::OneOrMany, ground::Ground, read::Cx};
use crate::{
    config::{Named, Written},
    diagnostic::{Place, Placed},
    explain::{Surface, SurfaceExplained, explain_surface},
};

/// What becomes of an HTTP request as such.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SurfaceSection {
    /// What it shows.
    name: Option<Written<String>>,
    /// The request.
    request: Written<HttpSection>,
    /// What is expected of it.
    expect: Written<AnswerSection>,
    /// Leave this test out; it is counted and shown, and needs a `skip_reason`.
    skip: Option<Written<bool>>,
    /// Why it is left out.
    skip_reason: Option<Written<String>>,
}

/// An HTTP request, before anybody knows whose it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSection {
    /// The path, with its query.
    path: Written<String>,
    /// The method. Default: `GET`.
    method: Option<Written<String>>,
    /// The `Host`. Default: that of the public URL.
    host: Option<Written<String>>,
    /// The `Origin`, as browsers send it.
    origin: Option<Written<String>>,
    /// The method that a preflight asks for; the request is then an `OPTIONS`.
    preflight: Option<Written<String>>,
    /// Its other header fields, by name.
    fields: Option<Written<Named<String>>>,
    /// Whether it has a forwarding header.
    forwarded: Option<Written<bool>>,
    /// Where it comes from: an IP address. Default: `127.0.0.1`.
    address: Option<Written<String>>,
    /// Whether it comes over TLS.
    tls: Option<Written<bool>>,
}

/// What is expected of an answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct AnswerSection {
    /// The status of its refusal; of what is let in, the endpoint says what comes.
    status: Option<Written<u64>>,
    /// The word of its refusal, as in `bad-origin`.
    code: Option<Written<String>>,
    /// Whether it may come in.
    admitted: Option<Written<bool>>,
    /// Header fields that the answer has, by name; a value, or `*` for any.
    present: Option<Written<Named<String>>>,
    /// Header fields that the answer does not have.
    absent: Option<Written<Vec<Written<String>>>>,
    /// What detectors find in its path, query and header fields: exactly these.
    findings: Option<Written<Vec<Written<String>>>>,
    /// Policies that say so, by id.
    by: Option<Written<OneOrMany>>,
    /// The rate tiers that it draws from before anybody knows whose it is: exactly these.
    tiers: Option<Written<Vec<Written<String>>>>,
}

/// What becomes of an HTTP request as such.
#[derive(Debug)]
pub struct SurfaceTest {
    /// Its name.
    pub name: String,
    /// The request.
    pub surface: Surface,
    /// What is expected of it.
    expected: Expected,
    /// Why it is left out.
    pub skip: Option<String>,
    /// Where it is written.
    pub place: Place,
}

#[derive(Debug)]
struct Expected {
    status: Option<u64>,
    code: Option<String>,
    admitted: Option<bool>,
    present: Vec<(String, String)>,
    absent: Vec<String>,
    findings: Option<Vec<String>>,
    by: Vec<String>,
    tiers: Option<Vec<String>>,
}

pub(super) fn surfaces(
    section: Option<Written<Vec<Written<SurfaceSection>>>>,
    now: Timestamp,
    cx: &mut Cx<'_>,
) -> Vec<SurfaceTest> {
    let entries = section.and_then(|section| section.value).unwrap_or_default();
    entries.into_iter().filter_map(|entry| surface(entry, now, cx)).collect()
}

fn surface(entry: Written<SurfaceSection>, now: Timestamp, cx: &mut Cx<'_>) -> Option<SurfaceTest> {
    let Written { place, value } = entry;
    let SurfaceSection { name, request, expect, skip, skip_reason } = value?;
    let name = name.and_then(|name| cx.filled("name", name));
    let skip = cx.skip(&place, skip, skip_reason);
    let surface = http(request.value?, now, cx);
    let expected = answer(expect, cx);
    let (surface, expected) = (surface?, expected?);
    let name = name.map_or_else(|| format!("{} {}", surface.method, surface.path), |name| name.value);
    Some(SurfaceTest { name, surface, expected, skip, place })
}

fn http(section: HttpSection, now: Timestamp, cx: &mut Cx<'_>) -> Option<Surface> {
    let HttpSection { path, method, host, origin, preflight, fields, forwarded, address, tls } = section;
    let path = path.placed()?;
    if !path.value.starts_with('/') {
        cx.wrong(&path.place, "`path` must begin with `/`, as in `/mcp`");
        return None;
    }
    let mut word = |written: Option<Written<String>>| -> Option<Placed<String>> {
        let method = written.and_then(Written::placed)?;
        if method.value.is_empty() || !method.value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            cx.wrong(&method.place, "a method is written in capitals, as in `POST`");
        }
        Some(method)
    };
    let (method, preflight) = (word(method), word(preflight));
    if let (Some(method), Some(_)) = (&method, &preflight)
        && method.value != "OPTIONS"
    {
        cx.wrong(&method.place, "a preflight is an `OPTIONS`");
    }
    let address: Option<IpAddr> = match address.and_then(Written::placed) {
        None => Some(crate::explain::HERE),
        Some(address) => match address.value.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                cx.wrong(&address.place, format!("`{}` is no IP address", address.value.escape_debug()));
                None
            }
        },
    };
    let value = |written: Option<Written<String>>| written.and_then(|written| written.value);
    let method = method.map(|method| method.value);
    let method = method.unwrap_or_else(|| if preflight.is_some() { "OPTIONS" } else { "GET" }.to_owned());
    let Named(fields) = fields.and_then(|fields| fields.value).unwrap_or_default();
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.value.to_ascii_lowercase(), value.value?)));
    Some(Surface {
        fields: fields.collect(),
        host: value(host),
        origin: value(origin),
        preflight: preflight.map(|preflight| preflight.value),
        forwarded: forwarded.and_then(|forwarded| forwarded.value).unwrap_or_default(),
        address: address?,
        tls: tls.and_then(|tls| tls.value).unwrap_or_default(),
        now: Some(now),
        ..Surface::of(&method, &path.value)
    })
}

fn answer(section: Written<AnswerSection>, cx: &mut Cx<'_>) -> Option<Expected> {
    let Written { place, value } = section;
    let AnswerSection { status, code, admitted, present, absent, findings, by, tiers } = value?;
    let Named(present) = present.and_then(|present| present.value).unwrap_or_default();
    let listed = |list: Written<Vec<Written<String>>>| -> Vec<String> {
        list.value.unwrap_or_default().into_iter().filter_map(|entry| entry.value).collect()
    };
    let expected = Expected {
        status: status.and_then(|status| status.value),
        code: code.and_then(|code| code.value),
        admitted: admitted.and_then(|admitted| admitted.value),
        present: present
            .into_iter()
            .filter_map(|(name, value)| Some((name.value.to_ascii_lowercase(), value.value?)))
            .collect(),
        absent: absent.map(listed).unwrap_or_default().into_iter().map(|name| name.to_ascii_lowercase()).collect(),
        by: by.map(|by| cx.names("by", by)).unwrap_or_default().into_iter().map(|by| by.value).collect(),
        findings: findings.map(listed),
        tiers: tiers.map(listed),
    };
    let Expected { status, code, admitted, present, absent, findings, by, tiers } = &expected;
    let nothing = status.is_none() && code.is_none() && admitted.is_none() && findings.is_none() && tiers.is_none();
    if nothing && present.is_empty() && absent.is_empty() && by.is_empty() {
        cx.wrong(
            &place,
            "this expects nothing: say `admitted`, `status`, `code`, `present`, `absent`, `findings`, `by` or `tiers`",
        );
        return None;
    }
    Some(expected)
}

/// What differs from what a test expects, a line each, and what there is instead.
///
/// # Errors
/// When it cannot be asked, in words.
pub(super) fn differences(ground: &Ground<'_>, test: &SurfaceTest) -> Result<(Vec<String>, SurfaceExplained), String> {
    let config = ground.reach().config();
    let explained = explain_surface(ground.engine(), config, &test.surface, Timestamp::UNIX_EPOCH)?;
    let Expected { status, code, admitted, present, absent, findings, by, tiers } = &test.expected;
    let mut differs = Vec::new();
    let is = explained.decision.is_allow();
    let word = |admitted: bool| if admitted { "admitted" } else { "refused" };
    if let Some(admitted) = admitted.filter(|admitted| *admitted != is) {
        differs.push(format!("expected it to be {}; it is {}", word(admitted), word(is)));
    }
    if let Some(status) = status.filter(|status| explained.status.map(u64::from) != Some(*status)) {
        let found = explained.status.map_or_else(|| "it is admitted".to_owned(), |status| format!("it is {status}"));
        differs.push(format!("expected status {status}; {found}"));
    }
    if let Some(code) = code.as_ref().filter(|code| explained.code.as_deref() != Some(code)) {
        let found =
            explained.code.as_deref().map_or_else(|| "it is admitted".to_owned(), |code| format!("it is {code}"));
        differs.push(format!("expected the refusal {code}; {found}"));
    }
    let header = |name: &str| explained.headers.iter().find(|sent| *sent.name == *name && sent.value.is_some());
    for (name, value) in present {
        match header(name).and_then(|sent| sent.value.as_ref()) {
            None => differs.push(format!("expected the header {name}; there is none")),
            Some(found) if value != "*" && **found != **value => {
                differs.push(format!("expected {name}: {value}; it is {found}"));
            }
            Some(_) => {}
        }
    }
    for name in absent {
        if let Some(value) = header(name).and_then(|sent| sent.value.as_ref()) {
            differs.push(format!("expected no header {name}; it is {value}"));
        }
    }
    let said = |by: &str| {
        let policies = explained.decision.reasons.iter().map(|reason| &*reason.policy);
        let headers = explained.headers.iter().map(|sent| &*sent.policy);
        policies.chain(headers).chain(explained.tiers.iter().map(|limit| &*limit.policy)).any(|policy| policy == by)
    };
    differs
        .extend(by.iter().filter(|by| !said(by)).map(|by| format!("expected the policy {by} among those behind it")));
    let tiers_found = explained.tiers.iter().map(|limit| &*limit.tier).collect();
    let found = explained.findings.iter().map(String::as_str).collect();
    for (what, wanted, found) in [("tiers", tiers, tiers_found), ("findings", findings, found)] {
        differs.extend(wanted.as_ref().and_then(|wanted| unlike(what, wanted, &found)));
    }
    Ok((differs, explained))
}

/// What differs between two sets of words.
fn unlike(what: &str, wanted: &[String], found: &Vec<&str>) -> Option<String> {
    let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    let words = |words: &[&str]| if words.is_empty() { "none".to_owned() } else { words.join(" ") };
    (wanted != *found).then(|| format!("expected the {what} {}; they are {}", words(&wanted), words(found)))
}

impl SurfaceTest {
    /// The command that explains the request.
    pub(super) fn command(&self) -> String {
        let Surface { method, path, host, origin, preflight, fields, forwarded, address, tls, now: _ } = &self.surface;
        let mut words = vec!["--path".to_owned(), path.clone()];
        let mut flag = |name: &str, value: Option<String>| {
            words.push(name.to_owned());
            words.extend(value);
        };
        if method != "GET" {
            flag("--method", Some(method.clone()));
        }
        for (name, value) in [("--host", host), ("--origin", origin), ("--preflight", preflight)] {
            if let Some(value) = value {
                flag(name, Some(value.clone()));
            }
        }
        for (name, value) in fields {
            flag("--header", Some(format!("{name}: {value}")));
        }
        if *forwarded {
            flag("--forwarded", None);
        }
        if *tls {
            flag("--tls", None);
        }
        if *address != crate::explain::HERE {
            flag("--address", Some(address.to_string()));
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        shlex::try_join(words).unwrap_or_default()
    }
}

/// A name by which a case is told from others.
pub(super) fn case_name(test: &SurfaceTest) -> String {
    let origin = test.surface.origin.as_ref().map(|origin| format!(" from {origin}")).unwrap_or_default();
    format!("{} {}{origin}", test.surface.method, test.surface.path)
}
