//! A server of the configuration with its secrets read: all that is needed to speak to it.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::credentials::{Credentials, Given};
use crate::{
    config::{EraChoice, SecretRef, Server, Text, Transport, secrecy},
    egress,
    name::ServerName,
    secret::Secret,
};

/// The variables of ours that a child inherits, where we have them; nothing else of ours goes in.
pub const INHERITED: [&str; 7] = ["HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER"];

/// What an upstream may cost, and where our own things are.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The executable that starts children as `LAUNCHER __child …`: our own.
    pub launcher: PathBuf,
    /// Our environment, of which children inherit [`INHERITED`] alone.
    pub environment: BTreeMap<OsString, OsString>,
    /// The longest message that is taken from an upstream, in bytes.
    pub largest_message: usize,
    /// How long a server may take to open its session.
    pub start_timeout: Duration,
    /// How long a server may take to say which era it speaks, starting included. One that says nothing
    /// for so long is taken to be of the legacy era.
    pub probe_timeout: Duration,
    /// How long a list request may take.
    pub list_timeout: Duration,
    /// How long the lists of a server that cannot tell us of changes are kept.
    pub list_age: Duration,
    /// How many connections of their own the callers of one server may have together.
    pub most_private: usize,
    /// How many of them one caller may have.
    pub most_of_one: usize,
    /// How long such a connection is kept while nobody uses it.
    pub private_idle: Duration,
    /// How long a stream of changes may take to begin.
    pub listen_timeout: Duration,
    /// How long a child may take to end after its input was closed, before it is told to.
    pub grace: Duration,
    /// How long it may take after it was told to, before it is killed.
    pub term_grace: Duration,
    /// The first pause before a child is started again; each further one is twice as long.
    pub backoff: Duration,
    /// The longest such pause.
    pub longest_backoff: Duration,
    /// How connections are opened.
    pub egress: egress::Options,
}

impl Options {
    /// The defaults, with the executable that starts children and our environment.
    #[must_use]
    pub fn new(launcher: PathBuf, environment: BTreeMap<OsString, OsString>) -> Self {
        Self {
            launcher,
            environment,
            largest_message: 16 * 1024 * 1024,
            start_timeout: Duration::from_secs(60),
            probe_timeout: Duration::from_secs(30),
            list_timeout: Duration::from_secs(30),
            list_age: Duration::from_secs(60),
            most_private: 32,
            most_of_one: 8,
            private_idle: Duration::from_secs(60),
            listen_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(1),
            term_grace: Duration::from_secs(2),
            backoff: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(30),
            egress: egress::Options::default(),
        }
    }
}

/// How one upstream is spoken to.
#[derive(Debug, PartialEq)]
pub(super) struct Spec {
    pub(super) era: EraChoice,
    pub(super) wire: Wire,
    /// What it is given to prove itself with.
    pub(super) credentials: Credentials,
}

/// What messages travel over.
#[derive(Debug, PartialEq)]
pub(super) enum Wire {
    Stdio(StdioSpec),
    Http(Arc<HttpSpec>),
    /// HTTP+SSE of 2024-11-05: the URL is the stream's.
    Sse(Arc<HttpSpec>),
}

/// A child process.
#[derive(Debug)]
pub(super) struct StdioSpec {
    pub(super) command: Vec<OsString>,
    pub(super) environment: Secret<BTreeMap<OsString, OsString>>,
    pub(super) cwd: Option<PathBuf>,
}

/// An endpoint.
#[derive(Debug, PartialEq)]
pub(super) struct HttpSpec {
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
    pub(super) allow_private: bool,
}

impl PartialEq for StdioSpec {
    fn eq(&self, other: &Self) -> bool {
        let Self { command, environment, cwd } = self;
        *command == other.command && *environment.expose() == *other.environment.expose() && *cwd == other.cwd
    }
}

/// A server that cannot be spoken to as configured.
#[derive(Debug, thiserror::Error)]
#[error("server `{server}`: {problem}")]
pub struct SpecError {
    server: ServerName,
    problem: String,
}

impl SpecError {
    pub(super) fn new(server: &ServerName, problem: impl ToString) -> Self {
        Self { server: server.clone(), problem: problem.to_string() }
    }
}

impl Spec {
    /// Reads a server's secrets and puts together what is needed to speak to it.
    pub(super) fn resolve(
        name: &ServerName,
        server: &Server,
        options: &Options,
        secrets: &dyn Fn(&SecretRef) -> Result<Secret<String>, String>,
    ) -> Result<Self, SpecError> {
        let fail = |problem: String| SpecError::new(name, problem);
        let read = |text: &Text| match text {
            Text::Plain(text) => Ok((Secret::new(text.clone()), false)),
            Text::Secret(kept) => secrets(kept).map(|secret| (secret, true)).map_err(fail),
        };
        let mut given = Vec::new();
        let wire = match &server.transport {
            Transport::Stdio(stdio) => {
                let mut environment: BTreeMap<OsString, OsString> = INHERITED
                    .iter()
                    .filter_map(|name| options.environment.get_key_value(std::ffi::OsStr::new(name)))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                for (name, text) in &stdio.env {
                    let (value, kept) = read(&text.value)?;
                    environment.insert(name.into(), value.expose().into());
                    given.push((name.clone(), value, kept));
                }
                let mut before = None;
                for part in &stdio.command {
                    let (key, value) = secrecy::argument(before, &part.value);
                    given.push((key.to_owned(), Secret::new(value.to_owned()), false));
                    before = Some(part.value.as_str());
                }
                Wire::Stdio(StdioSpec {
                    command: stdio.command.iter().map(|part| OsString::from(&part.value)).collect(),
                    environment: Secret::new(environment),
                    cwd: stdio.cwd.clone(),
                })
            }
            Transport::Http(http) => {
                let url = http.url.value.parse::<Uri>().map_err(|_| fail("`url` is not a URL".into()))?;
                let mut headers = HeaderMap::new();
                for (name, text) in &http.headers {
                    let named = HeaderName::try_from(name).map_err(|_| fail(format!("`{name}` is no header name")))?;
                    let (value, kept) = read(&text.value)?;
                    let mut field = HeaderValue::try_from(value.expose())
                        .map_err(|_| fail(format!("the value of header `{name}` cannot be sent")))?;
                    field.set_sensitive(true);
                    headers.insert(named, field);
                    given.push((name.clone(), value, kept));
                }
                let parameters = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
                given.extend(parameters.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()), false)));
                let spec = Arc::new(HttpSpec { url, headers, allow_private: http.allow_private });
                if http.sse { Wire::Sse(spec) } else { Wire::Http(spec) }
            }
        };
        // The older transport knows one era alone.
        let era = if matches!(wire, Wire::Sse(_)) { EraChoice::Legacy } else { server.era };
        let credentials = Credentials::new(given.iter().map(|(name, value, kept)| Given {
            name,
            value: value.expose(),
            kept: *kept,
        }));
        Ok(Self { era, wire, credentials })
    }
}
