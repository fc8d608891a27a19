//! What is asked: Cedar's four (principal, action, resource, context) in our words.
//!
//! Five of the six questions exist so far. *Use* (may this caller list, call, read, get?) and *grant*
//! (may this scope be granted?) are here; those of a request as such are in `front`. Each is asked in
//! exactly one place.
//!
//! To add a verb: a variant of [`Verb`], then follow the compiler.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use crate::{
    name::{ClientId, GroupId, PromptName, ResourceUri, ScopeName, ServerName, ToolName},
    principal::Principal,
};
use jiff::Timestamp;

use super::shape::Actions;

/// Which question a policy is of (design §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuestionKind {
    /// May this HTTP request come in?
    Admit,
    /// Which rate tiers does it draw from?
    Charge,
    /// Which headers go out?
    Emit,
    /// May this scope be granted?
    Grant,
    /// May this caller do this?
    Use,
}

impl QuestionKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Admit, Self::Charge, Self::Emit, Self::Grant, Self::Use];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Charge => "charge",
            Self::Emit => "emit",
            Self::Grant => "grant",
            Self::Use => "use",
        }
    }

    /// The question that an action belongs to.
    #[must_use]
    pub fn of_action(action: &str) -> Self {
        match action {
            "request" => Self::Admit,
            "charge" | "charge/address" | "charge/caller" => Self::Charge,
            "respond" => Self::Emit,
            "grant" => Self::Grant,
            _ => Self::Use,
        }
    }

    /// The question that a policy of these actions is of; of several, the first.
    pub(super) fn of(actions: &Actions) -> Self {
        let first = match actions {
            Actions::Any => None,
            Actions::Exactly(one) => Some(one),
            Actions::In(many) => many.first(),
        };
        first.map_or(Self::Use, |action| Self::of_action(action))
    }
}

impl fmt::Display for QuestionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a caller wants to do with a target: the action of the question *use*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// `completion/complete` for an argument of a prompt or of a resource template
    CompletionComplete,
    /// `prompts/get`
    PromptsGet,
    /// `prompts/list`, one entry of it
    PromptsList,
    /// `resources/list` and `resources/templates/list`, one entry of them
    ResourcesList,
    /// `resources/read`
    ResourcesRead,
    /// `resources/subscribe`, and one resource of a `subscriptions/listen`
    ResourcesSubscribe,
    /// `initialize` and `server/discover` of one server
    ServerDiscover,
    /// `tools/call`
    ToolsCall,
    /// `tools/list`, one entry of it
    ToolsList,
}

impl Verb {
    /// Every verb, sorted by its action's name.
    pub const ALL: [Self; 9] = [
        Self::CompletionComplete,
        Self::PromptsGet,
        Self::PromptsList,
        Self::ResourcesList,
        Self::ResourcesRead,
        Self::ResourcesSubscribe,
        Self::ServerDiscover,
        Self::ToolsCall,
        Self::ToolsList,
    ];

    /// The Cedar action, as in `Portcullis::Action::"tools/call"`.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::CompletionComplete => "completion/complete",
            Self::PromptsGet => "prompts/get",
            Self::PromptsList => "prompts/list",
            Self::ResourcesList => "resources/list",
            Self::ResourcesRead => "resources/read",
            Self::ResourcesSubscribe => "resources/subscribe",
            Self::ServerDiscover => "server/discover",
            Self::ToolsCall => "tools/call",
            Self::ToolsList => "tools/list",
        }
    }

    /// The verb behind a Cedar action.
    #[must_use]
    pub fn of_action(action: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.action() == action)
    }

    /// The entity types its resource may have.
    #[must_use]
    pub const fn resources(self) -> &'static [&'static str] {
        match self {
            Self::CompletionComplete => &["Prompt", "Resource"],
            Self::PromptsGet | Self::PromptsList => &["Prompt"],
            Self::ResourcesList | Self::ResourcesRead | Self::ResourcesSubscribe => &["Resource"],
            Self::ServerDiscover => &["Server"],
            Self::ToolsCall | Self::ToolsList => &["Tool"],
        }
    }

    /// Whether its resource may be of this entity type.
    #[must_use]
    pub fn takes(self, kind: &str) -> bool {
        self.resources().contains(&kind)
    }

    /// Whether it acts, and so has the facts of a call, instead of showing an entry of a list.
    #[must_use]
    pub const fn acts(self) -> bool {
        match self {
            Self::CompletionComplete
            | Self::PromptsGet
            | Self::ResourcesRead
            | Self::ResourcesSubscribe
            | Self::ToolsCall => true,
            Self::PromptsList | Self::ResourcesList | Self::ServerDiscover | Self::ToolsList => false,
        }
    }

    /// The verb that shows in a list what this verb acts on: its target.
    #[must_use]
    pub const fn shown_by(self, target: &Target) -> Self {
        match self {
            Self::CompletionComplete => match target {
                Target::Resource(..) => Self::ResourcesList,
                Target::Prompt(..) | Target::Tool(..) | Target::Server(_) => Self::PromptsList,
            },
            Self::PromptsGet | Self::PromptsList => Self::PromptsList,
            Self::ResourcesRead | Self::ResourcesSubscribe | Self::ResourcesList => Self::ResourcesList,
            Self::ServerDiscover => Self::ServerDiscover,
            Self::ToolsCall | Self::ToolsList => Self::ToolsList,
        }
    }

    /// The verb that must be allowed as well, and is asked first. Whoever may not read a resource hears
    /// nothing of its changes (SU-05), and what is not shown suggests nothing (PX-27).
    #[must_use]
    pub const fn besides(self, target: &Target) -> Option<Self> {
        match self {
            Self::CompletionComplete => Some(self.shown_by(target)),
            Self::ResourcesSubscribe => Some(Self::ResourcesRead),
            Self::PromptsGet
            | Self::PromptsList
            | Self::ResourcesList
            | Self::ResourcesRead
            | Self::ServerDiscover
            | Self::ToolsCall
            | Self::ToolsList => None,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action())
    }
}

/// What it is to be done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The server itself.
    Server(ServerName),
    /// One of its tools.
    Tool(ServerName, ToolName),
    /// One of its prompts.
    Prompt(ServerName, PromptName),
    /// One of its resources.
    Resource(ServerName, ResourceUri),
}

impl Target {
    /// The server that has it.
    #[must_use]
    pub const fn server(&self) -> &ServerName {
        match self {
            Self::Server(server) | Self::Tool(server, _) | Self::Prompt(server, _) | Self::Resource(server, _) => {
                server
            }
        }
    }

    /// Its name on that server; empty for the server itself.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Server(_) => "",
            Self::Tool(_, name) => name.as_str(),
            Self::Prompt(_, name) => name.as_str(),
            Self::Resource(_, uri) => uri.as_str(),
        }
    }

    /// The tool that it is.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        match self {
            Self::Tool(_, tool) => Some(tool.as_str()),
            Self::Server(_) | Self::Prompt(..) | Self::Resource(..) => None,
        }
    }

    /// The entity type it has in Cedar.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Server(_) => "Server",
            Self::Tool(..) => "Tool",
            Self::Prompt(..) => "Prompt",
            Self::Resource(..) => "Resource",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => write!(f, "{server}"),
            Self::Tool(..) | Self::Prompt(..) | Self::Resource(..) => write!(f, "{}/{}", self.server(), self.name()),
        }
    }
}

/// What a caller's credential says, and what the request filters by. The same for every request of a
/// token at an endpoint, so the engine turns it into a context once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Who asks.
    pub principal: Principal,
    /// Through which client.
    pub client: Option<ClientId>,
    /// The groups of the person.
    pub groups: BTreeSet<GroupId>,
    /// The scopes of the token; with OAuth off, every scope there is.
    pub scopes: BTreeSet<ScopeName>,
    /// The scopes that the request names, by `?tags=` or by its view; nothing means no filter.
    pub named: Option<BTreeSet<ScopeName>>,
}

impl Standing {
    /// Somebody without a credential.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self {
            principal: Principal::Anonymous,
            client: None,
            groups: BTreeSet::new(),
            scopes: BTreeSet::new(),
            named: None,
        }
    }
}

/// What is true of one request and not of the token behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When the question is asked.
    pub now: Timestamp,
    /// Where the request came from.
    pub address: IpAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// What the detectors found in the body; empty where none ran.
    pub findings: BTreeSet<String>,
    /// Whether the target differs from what `portcullis.lock` pins.
    pub drifted: bool,
}
