//! The record that a process is about to be started: which server's, and what is run.
//!
//! It is written before the process is there; where it cannot be written, none is started. Of a command
//! all is told but what looks like a secret, and of variables their names alone.
//!
//! SPEC: MCP security best practices, "Local MCP Server Compromise"; SE-01, threat T-171.

use std::sync::{Arc, OnceLock};

use super::{
    setting::{Purpose, Setting},
    spec::StdioSpec,
};
use crate::{
    audit::Trail,
    chance,
    clock::Clock,
    config::secrecy,
    id::Id,
    record::{Event, Family, Gateway},
};

/// Where starts are recorded. Shared by all servers of a process, and set once.
#[derive(Debug, Clone, Default)]
pub(super) struct Starts(Arc<OnceLock<Book>>);

/// What it takes to write a record.
#[derive(Debug)]
pub struct Book {
    /// The trail.
    pub trail: Arc<Trail>,
    /// When it is.
    pub clock: Arc<dyn Clock>,
    /// Who writes.
    pub gateway: Gateway<'static>,
}

impl Starts {
    /// From now on all starts are recorded there.
    pub(super) fn record_in(&self, book: Book) {
        // Who sets it a second time has nothing else to say.
        drop(self.0.set(book));
    }

    /// Records that a process is about to be started.
    pub(super) fn note(&self, setting: &Setting, purpose: &Purpose, spec: &StdioSpec) -> Result<(), String> {
        let Some(Book { trail, clock, gateway }) = self.0.get() else { return Ok(()) };
        let at = clock.now();
        let random = chance::bytes().map_err(|error| format!("the system gives no randomness: {error}"))?;
        let command = setting.spec.credentials.hide(command(spec).as_bytes()).into_owned();
        let variables: Vec<_> = spec.environment.expose().keys().map(|name| name.to_string_lossy()).collect();
        let folder = spec.cwd.as_deref().map(|cwd| cwd.to_string_lossy());
        let mut facts = vec![
            ("server", setting.server.as_str().to_owned()),
            ("command", String::from_utf8_lossy(&command).into_owned()),
            ("variables", variables.join(" ")),
            ("shared", if purpose.is_private() { "no" } else { "yes" }.to_owned()),
        ];
        facts.extend(folder.map(|folder| ("cwd", folder.into_owned())));
        let facts: Vec<(&str, &str)> = facts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (id, gateway, family) = (Id::new(at, random), *gateway, Family::Server);
        trail
            .event(Event { id, at, gateway, family, what: "process-start", facts: &facts })
            .map_err(|error| error.to_string())
    }
}

/// A command as a JSON array of what is run, an argument that looks like a secret cut.
fn command(spec: &StdioSpec) -> String {
    let parts: Vec<_> = spec.command.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let before = std::iter::once(None).chain(parts.iter().map(|part| Some(part.as_str())));
    let shown = parts.iter().zip(before).map(|(part, before)| {
        let (key, value) = secrecy::argument(before, part);
        if secrecy::is_secret(key, value) { part.replace(value, &secrecy::masked(value)) } else { part.clone() }
    });
    serde_json::Value::from_iter(shown).to_string()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, ffi::OsString};

    use super::*;
    use crate::{
        clock::SystemClock,
        config::EraChoice,
        secret::Secret,
        upstream::{
            Options,
            credentials::Credentials,
            spec::{Spec, Wire},
        },
    };

    const TOKEN: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";

    #[test]
    fn se01_a_start_tells_no_secret_and_one_that_cannot_be_recorded_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.ndjson");
        let trail = Arc::new(Trail::open(&path).unwrap());
        let stdio = || StdioSpec {
            command: ["serve", "--token", TOKEN, &format!("--key={TOKEN}"), "a; b"].map(OsString::from).to_vec(),
            environment: Secret::new(BTreeMap::from([("SECRET".into(), "hunter2".into())])),
            cwd: Some("/srv/x".into()),
        };
        let spec = Spec { era: EraChoice::Auto, wire: Wire::Stdio(stdio()), credentials: Credentials::default() };
        let (starts, options) = (Starts::default(), Arc::new(Options::new("x".into(), BTreeMap::new())));
        let setting = Setting::new("evil".parse().unwrap(), spec, options, starts.clone()).unwrap();
        let purpose = Purpose::Private(bytes::Bytes::new());
        assert_eq!(starts.note(&setting, &purpose, &stdio()), Ok(()), "there is nowhere to record it");
        let gateway = Gateway { instance: "i", version: "v", cedar: "c" };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        starts.record_in(Book { trail: Arc::clone(&trail), clock: Arc::clone(&clock), gateway });
        starts.note(&setting, &purpose, &stdio()).unwrap();
        let line = std::fs::File::open(&path).unwrap();
        let record: serde_json::Value = serde_json::from_reader(line).unwrap();
        assert_eq!((&record["type"], &record["what"]), (&"server".into(), &"process-start".into()));
        assert_eq!(
            record["facts"],
            serde_json::json!({"server": "evil", "command": r#"["serve","--token","ghp_…","--key=ghp_…","a; b"]"#,
                               "variables": "SECRET", "shared": "no", "cwd": "/srv/x"})
        );
        trail.close(clock.now()).unwrap();
        assert!(starts.note(&setting, &purpose, &stdio()).is_err());
    }
}
