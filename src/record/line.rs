//! A record into its JSON members, by hand: the order is fixed and nothing is allocated unless a
//! field had to be cut.

use std::{fmt, io::Write as _};

use serde_json::Value;

use super::{
    Access, Decided, Drift, Event, Family, Found, Gateway, Peer, Refused, Request, Response, Revision, Target, Who,
    text,
};
use crate::{
    detect::Detector,
    diagnostic::Place,
    policy::{Beyond, Decision, Effect, Verdict},
};

/// Bytes of all argument values together that are kept.
const MOST_ARGUMENTS: usize = 16 << 10;
/// Entries of one list that are kept; the rest is counted.
const MOST_ENTRIES: usize = 64;

pub(super) fn decided(record: &Decided<'_>, to: &mut Vec<u8>) {
    let Decided { id, at, gateway, revision, caller, peer, request, findings, decision, refused } = record;
    let mut line = Line::new(to);
    line.word("type", "decision");
    if let Some(Refused { kind, .. }) = refused {
        line.word("kind", "refusal");
        line.text("", "refusal", kind);
    }
    head(&mut line, id, at, gateway);
    if let Some(Revision { config, bundle }) = revision {
        line.open("policy");
        line.text("/policy", "config", config);
        line.text("/policy", "bundle", bundle);
        line.close();
    }
    if let Some(caller) = caller {
        who(&mut line, caller);
    }
    if let Some(Peer { address, agent }) = peer {
        line.open("peer");
        line.shown("address", address);
        line.maybe("/peer", "agent", *agent);
        line.close();
    }
    if let Some(request) = request {
        asked(&mut line, request);
    }
    found(&mut line, *findings);
    answered(&mut line, decision);
    if let Some(Refused { response, .. }) = refused {
        outcome(&mut line, Some(response));
    }
    line.end();
}

pub(super) fn access(record: &Access<'_>, to: &mut Vec<u8>) {
    let Access { id, at, gateway, response, without } = record;
    let mut line = Line::new(to);
    line.word("type", "access");
    head(&mut line, id, at, gateway);
    line.list("partial", without, |line, server| {
        line.element();
        line.print(format_args!("\"{server}\""));
    });
    outcome(&mut line, response.as_ref());
    line.end();
}

pub(super) fn event(record: &Event<'_>, to: &mut Vec<u8>) {
    let Event { id, at, gateway, family, what, facts } = record;
    let mut line = Line::new(to);
    line.word(
        "type",
        match family {
            Family::Config => "config",
            Family::Admin => "admin",
            Family::OAuth => "oauth",
            Family::Server => "server",
        },
    );
    head(&mut line, id, at, gateway);
    line.text("", "what", what);
    line.open("facts");
    for (name, value) in facts.iter().take(MOST_ENTRIES) {
        line.named(name);
        line.value(|| format!("/facts/{name}"), value);
    }
    line.close();
    line.end();
}

fn head(line: &mut Line<'_>, id: &impl fmt::Display, at: &jiff::Timestamp, gateway: &Gateway<'_>) {
    let Gateway { instance, version, cedar } = gateway;
    line.shown("id", id);
    line.shown("ts", &format_args!("{at:.9}"));
    line.open("gateway");
    line.text("/gateway", "instance", instance);
    line.text("/gateway", "version", version);
    line.text("/gateway", "cedar", cedar);
    line.close();
}

fn who(line: &mut Line<'_>, who: &Who<'_>) {
    let Who { principal, client, scopes, method, token } = who;
    line.open("principal");
    line.word("type", principal.kind());
    line.maybe("/principal", "id", principal.id());
    line.maybe("/principal", "client_id", client.map(|client| client.as_str()));
    line.list("scopes", scopes, |line, scope| {
        line.element();
        line.value(|| "/principal/scopes".to_owned(), scope.as_str());
    });
    line.word("method", method);
    line.maybe("/principal", "token", *token);
    line.close();
}

fn asked(line: &mut Line<'_>, request: &Request<'_>) {
    let Request { method, server, view, target, protocol, rpc_id, read, digest, drift, size } = request;
    line.open("request");
    line.text("/request", "method", method);
    line.maybe("/request", "server", *server);
    line.maybe("/request", "view", *view);
    match target {
        Some(Target::Tool(name)) => line.text("/request", "tool", name),
        Some(Target::Prompt(name)) => line.text("/request", "prompt", name),
        Some(Target::Resource(uri)) => line.text("/request", "resource", uri),
        None => {}
    }
    line.maybe("/request", "protocol", *protocol);
    line.maybe("/request", "rpc_id", *rpc_id);
    if !read.is_empty() {
        line.arguments(read);
    }
    line.maybe("/request", "digest", *digest);
    if let Some(Drift { how, refused, pinned, seen }) = drift {
        line.open("drift");
        line.text("/request/drift", "how", how);
        line.shown_bare("refused", refused);
        line.maybe("/request/drift", "pinned", *pinned);
        line.maybe("/request/drift", "seen", *seen);
        line.close();
    }
    line.shown_bare("size", size);
    line.close();
}

fn found(line: &mut Line<'_>, Found { head, message }: Found) {
    if head.with(message).is_empty() {
        return;
    }
    line.open("findings");
    for (part, found) in [("head", head), ("message", message)] {
        let found: Vec<Detector> = found.iter().collect();
        line.list(part, &found, |line, detector| {
            line.element();
            line.print(format_args!("\"{detector}\""));
        });
    }
    line.close();
}

fn answered(line: &mut Line<'_>, decision: &Decision) {
    let Decision { verdict, because, reasons, errors, missing, needed: _, misfit: _, consent } = decision;
    line.open("decision");
    line.word(
        "verdict",
        match verdict {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
        },
    );
    line.shown("because", because);
    line.list("determining", reasons, |line, reason| {
        line.element();
        line.begin();
        line.text("/decision/determining", "policy", &reason.policy);
        line.word(
            "effect",
            match reason.effect {
                Effect::Permit => "permit",
                Effect::Forbid => "forbid",
            },
        );
        if let Some(Place { file, line: row, column, .. }) = &reason.place {
            line.open("place");
            line.text("/decision/determining/place", "file", file);
            line.shown_bare("line", row);
            line.shown_bare("column", column);
            line.close();
        }
        line.close();
    });
    line.list("errors", errors, |line, error| {
        line.element();
        line.value(|| "/decision/errors".to_owned(), error);
    });
    line.list("missing", missing, |line, scope| {
        line.element();
        line.value(|| "/decision/missing".to_owned(), scope.as_str());
    });
    if let Some(beyond) = consent {
        agreed(line, beyond);
    }
    line.close();
}

/// What a person agreed to, where the decision goes beyond it.
fn agreed(line: &mut Line<'_>, Beyond { agreed, asks }: &Beyond) {
    line.open("consent");
    line.open("agreed");
    // A grant has fewer scopes than that; what is not said is not agreed to.
    for (scope, risk) in agreed.iter().take(MOST_ENTRIES) {
        line.element();
        // The grammar of scopes has nothing that JSON escapes.
        line.print(format_args!("\"{scope}\":\"{}\"", risk.as_str()));
    }
    line.close();
    line.word("asks", asks.as_str());
    line.close();
}

fn outcome(line: &mut Line<'_>, response: Option<&Response>) {
    let Some(Response { status, code, is_error, bytes, us }) = response else {
        line.shown_bare("response", &"null");
        return;
    };
    line.open("response");
    line.shown_bare("status", status);
    if let Some(code) = code {
        line.shown_bare("code", code);
    }
    if let Some(is_error) = is_error {
        line.shown_bare("is_error", is_error);
    }
    line.shown_bare("bytes", bytes);
    line.shown_bare("us", us);
    line.close();
}

/// A JSON object being written, and what of it had to be cut.
struct Line<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    cuts: Vec<text::Cut>,
}

impl<'o> Line<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start, cuts: Vec::new() }
    }

    /// Whatever separates the next member or element from the one before.
    fn element(&mut self) {
        if self.out.len() > self.start && !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    /// The name of a member, which is a word of ours.
    fn key(&mut self, name: &'static str) {
        self.element();
        self.plain(name);
        self.out.push(b':');
    }

    /// The name of a member, whoever chose it.
    fn named(&mut self, name: &str) {
        self.element();
        text::quote(name, self.out);
        self.out.push(b':');
    }

    /// A word of ours, in which there is nothing to escape.
    fn plain(&mut self, word: &str) {
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    fn begin(&mut self) {
        self.out.push(b'{');
    }

    fn open(&mut self, name: &'static str) {
        self.key(name);
        self.begin();
    }

    fn close(&mut self) {
        self.out.push(b'}');
    }

    /// A member whose value is one of our own words.
    fn word(&mut self, name: &'static str, value: &str) {
        self.key(name);
        text::quote(value, self.out);
    }

    /// A member whose value prints without anything to escape.
    fn shown(&mut self, name: &'static str, value: &impl fmt::Display) {
        self.key(name);
        self.print(format_args!("\"{value}\""));
    }

    /// A number or another bare word of JSON.
    fn shown_bare(&mut self, name: &'static str, value: &impl fmt::Display) {
        self.key(name);
        self.print(format_args!("{value}"));
    }

    /// A member of the object at a pointer, cut if it is long.
    fn text(&mut self, of: &'static str, name: &'static str, value: &str) {
        self.key(name);
        self.value(|| format!("{of}/{name}"), value);
    }

    fn maybe(&mut self, of: &'static str, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(of, name, value);
        }
    }

    fn value(&mut self, at: impl FnOnce() -> String, value: &str) {
        let kept = text::kept(value);
        if kept.len() < value.len() {
            self.cuts.push(text::Cut::of(at(), value.as_bytes()));
        }
        text::quote(kept, self.out);
    }

    /// A member that is left out where it is empty, and cut where it is long.
    fn list<T>(&mut self, name: &'static str, entries: &[T], mut entry: impl FnMut(&mut Self, &T)) {
        if entries.is_empty() {
            return;
        }
        self.key(name);
        self.out.push(b'[');
        entries.iter().take(MOST_ENTRIES).for_each(|one| entry(self, one));
        self.out.push(b']');
        if let Some(more) = entries.len().checked_sub(MOST_ENTRIES).filter(|more| *more > 0) {
            self.named(&format!("{name}_more"));
            self.print(format_args!("{more}"));
        }
    }

    fn arguments(&mut self, read: &[(&str, &Value)]) {
        self.open("arguments");
        let start = self.out.len();
        for (pointer, value) in read.iter().take(MOST_ENTRIES) {
            self.named(text::kept(pointer));
            self.json(pointer, value);
        }
        if let Some(whole) = self.out.get(start..).filter(|whole| whole.len() > MOST_ARGUMENTS) {
            self.cuts.push(text::Cut::of("/request/arguments".to_owned(), whole));
            self.out.truncate(start);
        }
        self.close();
        if let Some(more) = read.len().checked_sub(MOST_ENTRIES).filter(|more| *more > 0) {
            self.shown_bare("arguments_more", &more);
        }
    }

    /// Any JSON value. Its depth is bounded by the reader that made it.
    fn json(&mut self, at: &str, value: &Value) {
        match value {
            Value::Null => self.print(format_args!("null")),
            Value::Bool(value) => self.print(format_args!("{value}")),
            Value::Number(value) => self.print(format_args!("{value}")),
            Value::String(value) => self.value(|| format!("/request/arguments{at}"), value),
            Value::Array(values) => {
                self.out.push(b'[');
                for value in values {
                    self.element();
                    self.json(at, value);
                }
                self.out.push(b']');
            }
            Value::Object(members) => {
                self.begin();
                for (name, value) in members {
                    self.named(name);
                    self.json(at, value);
                }
                self.close();
            }
        }
    }

    fn print(&mut self, value: fmt::Arguments<'_>) {
        let written = self.out.write_fmt(value);
        debug_assert!(written.is_ok(), "a vector takes every byte");
    }

    fn end(mut self) {
        let cuts = std::mem::take(&mut self.cuts);
        self.list("cut", &cuts, |line, cut| {
            line.element();
            line.begin();
            line.word("at", text::kept(&cut.at));
            line.shown_bare("bytes", &cut.bytes);
            line.word("sha256", &cut.sha256);
            line.close();
        });
        self.close();
    }
}
