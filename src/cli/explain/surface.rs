//! `portcullis explain --path`: what becomes of an HTTP request as such.

use std::fmt::Write as _;

use annotate_snippets::normalize_untrusted_str as safe;
use anyhow::Context as _;
use clap::Args;

use super::asked::About;
use crate::{
    diagnostic::Place,
    explain::{HERE, Surface, SurfaceExplained},
    policy::Effect,
};

/// An HTTP request as such.
#[derive(Debug, Args)]
pub(super) struct Path {
    /// An HTTP request as such, before anybody knows whose it is, as /mcp or /oauth/token
    #[arg(long, value_name = "PATH", conflicts_with_all = ["user", "client", "no_user", "anonymous", "scopes", "args", "listed", "Target", "decision", "request"])]
    pub(super) path: Option<String>,
    /// Its method [default: GET]
    #[arg(long, value_name = "METHOD", requires = "path")]
    method: Option<String>,
    /// Its `Host` [default: that of the public URL]
    #[arg(long, value_name = "HOST", requires = "path")]
    host: Option<String>,
    /// Its `Origin`, as browsers send it
    #[arg(long, value_name = "ORIGIN", requires = "path")]
    origin: Option<String>,
    /// It is a preflight that asks for this method
    #[arg(long, value_name = "METHOD", requires = "origin", conflicts_with = "method")]
    preflight: Option<String>,
    /// Another header field of it, as 'User-Agent: curl/8.5'; may be given more than once
    #[arg(long = "header", value_name = "FIELD", requires = "path")]
    fields: Vec<String>,
    /// It has a forwarding header
    #[arg(long, requires = "path")]
    forwarded: bool,
}

impl Path {
    /// The request, where one is named.
    pub(super) fn surface(&self, about: &About) -> anyhow::Result<Option<Surface>> {
        let Self { path, method, host, origin, preflight, fields, forwarded } = self;
        let Some(path) = path else { return Ok(None) };
        anyhow::ensure!(path.starts_with('/'), "`--path` must begin with `/`, as in `/mcp`");
        let method = method.as_deref().unwrap_or(if preflight.is_some() { "OPTIONS" } else { "GET" });
        let word = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        anyhow::ensure!(word, "`--method` must be an HTTP method in capitals, as in `POST`");
        let (address, tls, now) = about.circumstances()?;
        let of = Surface::of(method, path);
        let address = address.unwrap_or(HERE);
        let fields = fields
            .iter()
            .map(|field| {
                let (name, value) =
                    field.split_once(':').with_context(|| format!("`{field}` must be `NAME: VALUE`"))?;
                Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<anyhow::Result<_>>()?;
        let (host, origin, preflight) = (host.clone(), origin.clone(), preflight.clone());
        Ok(Some(Surface { host, origin, preflight, fields, forwarded: *forwarded, address, tls, now, ..of }))
    }
}

/// What becomes of it, for people.
pub(super) fn human(explained: &SurfaceExplained) -> String {
    let SurfaceExplained { method, path, endpoint, findings, decision, status, code, message, tiers, headers } =
        explained;
    let mut text = String::new();
    let mut line = |words: &str| _ = writeln!(text, "{}", safe(words));
    if decision.is_allow() {
        line(&format!("ADMIT {method} {path}: endpoint `{endpoint}`"));
    } else {
        let status = status.map(|status| format!("{status} ")).unwrap_or_default();
        let code = code.as_deref().map_or_else(|| decision.because.to_string(), str::to_owned);
        line(&format!("REFUSE {method} {path}: endpoint `{endpoint}`, {status}{code}"));
        message.iter().for_each(|message| line(&format!("      {message}")));
    }
    if !findings.is_empty() {
        line(&format!("      detectors find: {}", findings.join(" ")));
    }
    for reason in &*decision.reasons {
        let effect = if reason.effect == Effect::Permit { "permit" } else { "forbid" };
        line(&format!("      {effect} {}   {}", reason.policy, placed(reason.place.as_ref())));
    }
    decision.errors.iter().for_each(|error| line(&format!("      error  {error}")));
    line("");
    if tiers.is_empty() {
        line("draws from no rate tier before its caller is known");
    } else {
        line("draws from:");
        for tier in tiers {
            line(&format!("  {tier}   {}", placed(tier.place.as_ref())));
        }
    }
    line("");
    if headers.is_empty() {
        line("no header is set by policy");
    } else {
        line("headers of its answer:");
        for header in headers {
            let value = header.value.as_deref().unwrap_or("(removed)");
            line(&format!("  {}: {value}", header.name));
            line(&format!("      {}   {}", header.policy, placed(header.place.as_ref())));
        }
    }
    text
}

fn placed(place: Option<&Place>) -> String {
    place.map_or_else(|| "ships with portcullis".to_owned(), ToString::to_string)
}
