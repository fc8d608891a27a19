//! `validation:`: what is done about what looks like an attack, for each detector.
//!
//! What stands in path, query and header fields is refused by default; what is found in a call is
//! written into the audit trail and let pass, since tools are handed source code and shell commands all
//! day. A detector that is named says both; `exceptions` say otherwise for endpoints, servers and tools.
//!
//! The most specific entry that names a detector counts: a tool before a pattern, a pattern before its
//! server, a server before `*`; one endpoint before `oauth`. Of two alike the stricter counts.
//!
//! To add a detector: its key in [`Modes`], then follow the compiler.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::Deserialize;

use super::rates::{Site, site};
use crate::{
    config::{
        document::Written,
        findings,
        resolve::{Resolver, good},
    },
    detect::{Body, Detector, Detectors},
    diagnostic::{Place, Placed},
    name::{Pattern, ServerName},
    policy::{EndpointClass, Target},
};

/// What is done about what a detector finds; the stricter is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It does not run.
    Off,
    /// The audit trail says what it found, and the request passes.
    Report,
    /// The request is refused.
    Deny,
}

/// What is done about what looks like an attack.
#[derive(Debug, Clone, Default)]
pub struct Validation {
    /// What is said for everything.
    pub modes: BTreeMap<Detector, Placed<Mode>>,
    /// What is said otherwise, in the order of the file.
    pub exceptions: Vec<Exempt>,
    /// Where the section is written, where it is.
    pub place: Option<Place>,
}

/// What is said otherwise for some endpoints, servers or tools.
#[derive(Debug, Clone)]
pub struct Exempt {
    /// For which. Not empty.
    pub on: Vec<Placed<Scope>>,
    /// What.
    pub modes: BTreeMap<Detector, Placed<Mode>>,
    /// Where the entry is written.
    pub place: Place,
}

/// What an exception is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Path, query and header fields at endpoints.
    Endpoints(Box<str>, Vec<EndpointClass>),
    /// What is sent to any server.
    Everything,
    /// What is sent to a server.
    Server(ServerName),
    /// Calls of tools of a server.
    Tool(ServerName, Pattern),
}

/// What is done about what a detector finds in path, query and header fields, and in calls. Without a
/// key: `deny` in path, query and header fields, `report` in calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ValidationSection {
    /// Characters that reverse the direction of text.
    bidirectional: Option<Written<Mode>>,
    /// A value that goes on as a shell command.
    command_injection: Option<Written<Mode>>,
    /// Characters that steer terminals or are not seen.
    control_characters: Option<Written<Mode>>,
    /// A value that goes on as a header field.
    header_injection: Option<Written<Mode>>,
    /// Bytes that are no UTF-8, in path, query and header fields. A body must be UTF-8 in any case.
    invalid_utf8: Option<Written<Mode>>,
    /// Null characters.
    null_byte: Option<Written<Mode>>,
    /// Deeper, longer or more values than anything ordinary has.
    oversized: Option<Written<Mode>>,
    /// Paths that climb out of where they start.
    path_traversal: Option<Written<Mode>>,
    /// Keys that reach a prototype.
    prototype_pollution: Option<Written<Mode>>,
    /// A value that goes on as SQL.
    sql_injection: Option<Written<Mode>>,
    /// Every detector that has no key of its own here.
    all: Option<Written<Mode>>,
    /// Endpoints, servers and tools for which something else is done.
    exceptions: Option<Written<Vec<Written<ExceptionSection>>>>,
}

/// What is done otherwise, and for which endpoints, servers or tools.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("minProperties" = 2))]
pub(crate) struct ExceptionSection {
    /// `oauth`, `mcp` or one endpoint such as `token`: its path, query and header fields. A server, tools as
    /// `SERVER/PATTERN`, or `*` for every server: what is sent to them.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    on: Written<Vec<Written<String>>>,
    /// Characters that reverse the direction of text.
    bidirectional: Option<Written<Mode>>,
    /// A value that goes on as a shell command.
    command_injection: Option<Written<Mode>>,
    /// Characters that steer terminals or are not seen.
    control_characters: Option<Written<Mode>>,
    /// A value that goes on as a header field.
    header_injection: Option<Written<Mode>>,
    /// Bytes that are no UTF-8, at endpoints.
    invalid_utf8: Option<Written<Mode>>,
    /// Null characters.
    null_byte: Option<Written<Mode>>,
    /// Deeper, longer or more values than anything ordinary has.
    oversized: Option<Written<Mode>>,
    /// Paths that climb out of where they start.
    path_traversal: Option<Written<Mode>>,
    /// Keys that reach a prototype.
    prototype_pollution: Option<Written<Mode>>,
    /// A value that goes on as SQL.
    sql_injection: Option<Written<Mode>>,
    /// Every detector that has no key of its own here.
    all: Option<Written<Mode>>,
}

/// The keys of detectors as they are written, and `all`.
struct Modes {
    named: [(Detector, Option<Written<Mode>>); Detector::ALL.len()],
    all: Option<Written<Mode>>,
}

/// What a section says of detectors: both kinds have a key for each.
macro_rules! modes {
    ($section:ident) => {
        Modes {
            named: [
                (Detector::Bidirectional, $section.bidirectional),
                (Detector::CommandInjection, $section.command_injection),
                (Detector::ControlCharacters, $section.control_characters),
                (Detector::HeaderInjection, $section.header_injection),
                (Detector::InvalidUtf8, $section.invalid_utf8),
                (Detector::NullByte, $section.null_byte),
                (Detector::Oversized, $section.oversized),
                (Detector::PathTraversal, $section.path_traversal),
                (Detector::PrototypePollution, $section.prototype_pollution),
                (Detector::SqlInjection, $section.sql_injection),
            ],
            all: $section.all,
        }
        .read()
    };
}

impl Modes {
    fn read(self) -> BTreeMap<Detector, Placed<Mode>> {
        let all = self.all.and_then(Written::placed);
        let named = self.named.into_iter().filter_map(|(detector, mode)| {
            let mode = match mode {
                Some(mode) => mode.placed(),
                None => all.clone(),
            };
            Some((detector, mode?))
        });
        named.collect()
    }
}

impl Validation {
    pub(crate) fn resolve(section: Option<Written<ValidationSection>>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Some(Written { place, value }) = section else { return Some(Self::default()) };
        let section = value?;
        let modes = modes!(section);
        let written = match section.exceptions {
            Some(exceptions) => exceptions.value?,
            None => Vec::new(),
        };
        // An entry with a finding must not be taken for none.
        let count = written.len();
        let exceptions: Vec<Exempt> = written.into_iter().filter_map(|entry| Exempt::resolve(entry, cx)).collect();
        (exceptions.len() == count).then_some(Self { modes, exceptions, place: Some(place) })
    }

    /// What is done about what a detector finds in path, query and header fields at an endpoint.
    #[must_use]
    pub fn at_endpoint(&self, detector: Detector, class: EndpointClass) -> Mode {
        let said = self.exceptions.iter().flat_map(|exempt| {
            let mode = exempt.modes.get(&detector);
            exempt.on.iter().filter_map(move |scope| match &scope.value {
                Scope::Endpoints(_, classes) if classes.contains(&class) => {
                    Some((std::cmp::Reverse(classes.len()), mode?.value))
                }
                Scope::Endpoints(..) | Scope::Everything | Scope::Server(_) | Scope::Tool(..) => None,
            })
        });
        said.max().map_or_else(|| self.modes.get(&detector).map_or(Mode::Deny, |mode| mode.value), |(_, mode)| mode)
    }

    /// What is done about what a detector finds in what is sent to a server, to one of its tools, or in a
    /// message that is for none.
    #[must_use]
    pub fn in_message(&self, detector: Detector, to: Option<(&ServerName, Option<&str>)>) -> Mode {
        let said = self.exceptions.iter().flat_map(|exempt| {
            let mode = exempt.modes.get(&detector);
            exempt.on.iter().filter_map(move |scope| Some((scope.value.closeness(to)?, mode?.value)))
        });
        said.max().map_or_else(|| self.modes.get(&detector).map_or(Mode::Report, |mode| mode.value), |(_, mode)| mode)
    }

    /// What each detector does at an endpoint, and where the file says so: nowhere for what holds without
    /// a word.
    #[must_use]
    pub fn sees_request(&self, class: EndpointClass) -> Vec<(Detector, Mode, Option<&Place>)> {
        let of = |scope: &Scope| matches!(scope, Scope::Endpoints(_, classes) if classes.contains(&class));
        Detector::ALL.map(|detector| self.seen(detector, self.at_endpoint(detector, class), of)).into()
    }

    /// What each detector does with what is sent to a server, to one of its tools, or for none.
    #[must_use]
    pub fn sees_message(&self, to: Option<(&ServerName, Option<&str>)>) -> Vec<(Detector, Mode, Option<&Place>)> {
        let of = |scope: &Scope| scope.closeness(to).is_some();
        Detector::ALL.map(|detector| self.seen(detector, self.in_message(detector, to), of)).into()
    }

    /// A detector with the last line that says this of it.
    fn seen(&self, detector: Detector, mode: Mode, of: impl Fn(&Scope) -> bool) -> (Detector, Mode, Option<&Place>) {
        let exempt = self.exceptions.iter().filter(|exempt| exempt.on.iter().any(|scope| of(&scope.value)));
        let said = exempt.filter_map(|exempt| exempt.modes.get(&detector)).filter(|said| said.value == mode).last();
        let said = said.or_else(|| self.modes.get(&detector).filter(|said| said.value == mode));
        (detector, mode, said.map(|said| &said.place))
    }

    /// The detectors that run over path, query and header fields at an endpoint.
    #[must_use]
    pub fn runs_at(&self, class: EndpointClass) -> Detectors {
        Detector::ALL.into_iter().filter(|detector| self.at_endpoint(*detector, class) != Mode::Off).collect()
    }

    /// The detectors whose findings count in what is sent there.
    #[must_use]
    pub fn runs_in(&self, to: Option<(&ServerName, Option<&str>)>) -> Detectors {
        Detector::ALL.into_iter().filter(|detector| self.in_message(*detector, to) != Mode::Off).collect()
    }

    /// The detectors whose findings count in what is sent to a target.
    #[must_use]
    pub fn runs_for(&self, target: &Target) -> Detectors {
        self.runs_in(Some((target.server(), target.tool())))
    }

    /// What detectors find in the arguments of a call, as far as it counts for its target.
    #[must_use]
    pub fn found_in(&self, args: &serde_json::Value, target: &Target) -> BTreeSet<String> {
        let body = Body::new(self.runs_over_messages());
        body.hear(args);
        body.found().among(self.runs_for(target)).words()
    }

    /// The detectors that run over messages, wherever they go.
    #[must_use]
    pub fn runs_over_messages(&self) -> Detectors {
        let anywhere = self.exceptions.iter().flat_map(|exempt| {
            let about = exempt.on.iter().any(|scope| !matches!(scope.value, Scope::Endpoints(..)));
            let modes = exempt.modes.iter().filter(move |(_, mode)| about && mode.value != Mode::Off);
            modes.map(|(detector, _)| *detector)
        });
        let plain = Detector::ALL
            .into_iter()
            .filter(|detector| self.modes.get(detector).is_none_or(|mode| mode.value != Mode::Off));
        // A body that is no UTF-8 is no message.
        plain.chain(anywhere).filter(|detector| *detector != Detector::InvalidUtf8).collect()
    }

    /// Whether all that is sent to servers and tools is treated alike.
    #[must_use]
    pub fn is_alike_everywhere(&self) -> bool {
        let everywhere = |scope: &Placed<Scope>| matches!(scope.value, Scope::Endpoints(..));
        self.exceptions.iter().all(|exempt| exempt.on.iter().all(everywhere))
    }
}

impl Scope {
    /// The server, where it is one as a whole.
    pub(crate) const fn server(&self) -> Option<&ServerName> {
        match self {
            Self::Server(server) => Some(server),
            Self::Endpoints(..) | Self::Everything | Self::Tool(..) => None,
        }
    }

    /// The tools, where it is some of a server.
    pub(crate) const fn tool(&self) -> Option<(&ServerName, &Pattern)> {
        match self {
            Self::Tool(server, pattern) => Some((server, pattern)),
            Self::Endpoints(..) | Self::Everything | Self::Server(_) => None,
        }
    }

    /// How closely it speaks of what is sent there, where it does.
    fn closeness(&self, to: Option<(&ServerName, Option<&str>)>) -> Option<u8> {
        match (self, to) {
            (Self::Everything, Some(_)) => Some(0),
            (Self::Server(name), Some((server, _))) if name == server => Some(1),
            (Self::Tool(name, pattern), Some((server, Some(tool)))) if name == server && pattern.matches(tool) => {
                Some(2 + u8::from(pattern.is_literal()))
            }
            (Self::Endpoints(..) | Self::Everything | Self::Server(_) | Self::Tool(..), _) => None,
        }
    }
}

impl Exempt {
    fn resolve(entry: Written<ExceptionSection>, cx: &mut Resolver<'_>) -> Option<Self> {
        let Written { place, value } = entry;
        let section = value?;
        let modes = modes!(section);
        if modes.is_empty() {
            let finding =
                findings::EMPTY_SELECTOR.at(&place, "this exception names no detector, so it changes nothing");
            cx.find(finding.help("say what is done, as in `sql-injection: off`, or remove the entry"));
            return None;
        }
        let on = scopes(section.on, cx)?;
        Some(Self { on, modes, place })
    }
}

fn scopes(written: Written<Vec<Written<String>>>, cx: &mut Resolver<'_>) -> Option<Vec<Placed<Scope>>> {
    let Written { place, value } = written;
    let items = value?;
    if items.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, "`on` is empty, so this exception is about nothing");
        cx.find(finding.help("name endpoints, servers or tools, or remove the entry"));
        return None;
    }
    let count = items.len();
    let scope = |item: Placed<String>, cx: &mut Resolver<'_>| {
        if item.value == "*" {
            return Some(Placed::new(Scope::Everything, item.place));
        }
        let Placed { value, place } = site(item, "so this exception is about nothing", cx)?;
        let scope = match value {
            Site::Endpoints(word, classes) => Scope::Endpoints(word, classes),
            Site::Server(server) => Scope::Server(server),
            Site::Tool(server, pattern) => Scope::Tool(server, pattern),
        };
        Some(Placed::new(scope, place))
    };
    let found: Vec<Placed<Scope>> = good(items).into_iter().filter_map(|item| scope(item, cx)).collect();
    (found.len() == count).then(|| cx.distinct(found))
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoints(word, _) => f.write_str(word),
            Self::Everything => f.write_str("*"),
            Self::Server(server) => write!(f, "{server}"),
            Self::Tool(server, pattern) => write!(f, "{server}/{pattern}"),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Report => "report",
            Self::Deny => "deny",
        })
    }
}
