//! What is asked in a test: a method, a target, and what is true of the request.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::{
    file::{MethodWord, RequestSection},
    read::Cx,
    who::listed,
};
use crate::{
    config::{Named, Written},
    diagnostic::Place,
    name::{ScopeName, ViewName},
    policy::{Arguments, Moment, Target, Verb},
};

/// One request.
#[derive(Debug)]
pub struct Ask {
    /// The name in the file.
    pub name: String,
    /// What is to be done.
    pub verb: Verb,
    /// To what.
    pub target: Target,
    /// The arguments, as they would be sent; nothing where it is asked of some arguments.
    pub args: Option<Box<RawValue>>,
    /// The view that it goes through.
    pub view: Option<ViewName>,
    /// The scopes of the tags that it names.
    pub named: Option<BTreeSet<ScopeName>>,
    /// When and whence.
    pub moment: Moment,
    /// Where it is written.
    pub place: Place,
}

impl Ask {
    /// What is known of the arguments.
    #[must_use]
    pub fn arguments(&self) -> Arguments<'_> {
        self.args.as_deref().map_or(Arguments::Best, |args| Arguments::Given(Some(args)))
    }

    /// The requests of a file.
    pub(super) fn all(
        section: Option<Written<Named<RequestSection>>>,
        now: Timestamp,
        cx: &mut Cx<'_>,
    ) -> BTreeMap<String, Arc<Self>> {
        let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
        let mut asks = BTreeMap::new();
        for (name, section) in entries {
            let Some(written) = section.value else { continue };
            let ask = Self::read(&name.value, written, &section.place, now, cx);
            asks.extend(ask.map(|ask| (name.value, Arc::new(ask))));
        }
        asks
    }

    fn read(name: &str, section: RequestSection, place: &Place, now: Timestamp, cx: &mut Cx<'_>) -> Option<Self> {
        let RequestSection { method, server, tool, prompt, uri, args, address, tls, view, tags } = section;
        let method = method.and_then(|method| method.value);
        let server = cx.name(server);
        let named_things = [tool.is_some(), prompt.is_some(), uri.is_some()].into_iter().filter(|is| *is).count();
        if named_things > 1 {
            cx.wrong(place, "a request names one of `tool`, `prompt` and `uri`");
            return None;
        }
        let target = match (tool, prompt, uri) {
            (Some(tool), ..) => Target::Tool(server?, cx.name(tool)?),
            (_, Some(prompt), _) => Target::Prompt(server?, cx.name(prompt)?),
            (_, _, Some(uri)) => Target::Resource(server?, cx.name(uri)?),
            (None, None, None) => Target::Server(server?),
        };
        let verb = verb(method, &target).map_err(|problem| cx.wrong(place, problem));
        let address = match address.and_then(Written::placed) {
            None => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Some(address) => match address.value.parse() {
                Ok(address) => Some(address),
                Err(_) => {
                    cx.wrong(&address.place, format!("`{}` is no IP address", address.value.escape_debug()));
                    None
                }
            },
        };
        if let (Some(args), Ok(verb)) = (&args, verb)
            && !matches!(verb, Verb::ToolsCall | Verb::PromptsGet)
        {
            cx.wrong(&args.place, format!("`{verb}` has no arguments"));
        }
        let named = tags.map(|tags| listed(Some(tags)).iter().filter_map(|tag| cx.tag(tag)).collect());
        Some(Self {
            name: name.to_owned(),
            verb: verb.ok()?,
            target,
            args: args.and_then(|args| args.value).and_then(|args| serde_json::value::to_raw_value(&args).ok()),
            view: view.and_then(|view| cx.view(view)),
            named,
            moment: Moment {
                now,
                address: address?,
                tls: tls.and_then(|tls| tls.value).unwrap_or_default(),
                findings: BTreeSet::new(),
                drifted: false,
            },
            place: place.clone(),
        })
    }
}

/// The verb that a method asks of a target. A list of a server begins with whether it may be reached.
fn verb(method: Option<MethodWord>, target: &Target) -> Result<Verb, String> {
    let (acts, lists, what) = match target {
        Target::Server(_) => {
            return match method {
                None
                | Some(
                    MethodWord::ServerDiscover
                    | MethodWord::ToolsList
                    | MethodWord::PromptsList
                    | MethodWord::ResourcesList,
                ) => Ok(Verb::ServerDiscover),
                Some(MethodWord::ToolsCall) => Err("`tools/call` needs a `tool`".into()),
                Some(MethodWord::PromptsGet) => Err("`prompts/get` needs a `prompt`".into()),
                Some(MethodWord::ResourcesRead) => Err("`resources/read` needs a `uri`".into()),
                Some(MethodWord::ResourcesSubscribe) => Err("`resources/subscribe` needs a `uri`".into()),
                Some(MethodWord::CompletionComplete) => Err("`completion/complete` needs a `prompt` or a `uri`".into()),
            };
        }
        Target::Tool(..) => (Verb::ToolsCall, Verb::ToolsList, "tool"),
        Target::Prompt(..) => (Verb::PromptsGet, Verb::PromptsList, "prompt"),
        Target::Resource(..) => (Verb::ResourcesRead, Verb::ResourcesList, "resource"),
    };
    let Some(method) = method.map(MethodWord::verb) else { return Ok(acts) };
    let others = Verb::ALL.into_iter().filter(|verb| ![acts, lists].contains(verb) && verb.takes(target.kind()));
    let may_be: Vec<Verb> = others.chain([acts, lists]).collect();
    if may_be.contains(&method) {
        return Ok(method);
    }
    let (last, rest) = may_be.split_last().unwrap_or((&lists, &[]));
    let rest: Vec<String> = rest.iter().map(|verb| format!("`{verb}`")).collect();
    Err(format!("the method of a {what} is {} or `{last}`, not `{method}`", rest.join(", ")))
}

impl MethodWord {
    /// The verb of the same name.
    pub(super) const fn verb(self) -> Verb {
        match self {
            Self::ToolsCall => Verb::ToolsCall,
            Self::ToolsList => Verb::ToolsList,
            Self::PromptsGet => Verb::PromptsGet,
            Self::PromptsList => Verb::PromptsList,
            Self::ResourcesRead => Verb::ResourcesRead,
            Self::ResourcesList => Verb::ResourcesList,
            Self::ResourcesSubscribe => Verb::ResourcesSubscribe,
            Self::CompletionComplete => Verb::CompletionComplete,
            Self::ServerDiscover => Verb::ServerDiscover,
        }
    }
}
