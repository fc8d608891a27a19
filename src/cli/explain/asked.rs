//! The request as flags or as JSON.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    net::IpAddr,
    str::FromStr,
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;

use crate::{
    explain::{OWNER, Problem, Supposed, read_request},
    name::{ClientId, GroupId, ScopeName, ServerName, TagName, UserId, ViewName},
    policy::{Target as Of, Verb},
    principal::Principal,
};

/// The most that is read of a request.
const LARGEST: u64 = 1 << 20;

/// Who asks for what.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// Who asks: a person; a bare name means local/NAME
    #[arg(long, value_name = "NAME", default_value = OWNER, conflicts_with = "anonymous")]
    user: String,
    /// Through which OAuth client
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// The client acts for itself; there is no person
    #[arg(long, requires = "client", conflicts_with = "user")]
    no_user: bool,
    /// Nobody known asks: there is no token
    #[arg(long, conflicts_with_all = ["client", "groups", "scopes"])]
    anonymous: bool,
    /// Scopes of the token, as tag:a,tag:b
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Vec<String>,
    /// The request: a tool to call, a prompt to get, a resource to read, or a server to discover
    #[command(flatten)]
    target: Target,
    /// Ask whether it is shown in its list instead
    #[arg(long, conflicts_with_all = ["discover", "decision", "request"])]
    listed: bool,
    /// Arguments of the call, as a JSON object; without them it is asked whether some would do
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct Target {
    /// Call this tool
    #[arg(long, value_name = "SERVER/TOOL", required_unless_present_any = ["get", "read", "discover", "decision", "path", "request"])]
    call: Option<String>,
    /// Get this prompt
    #[arg(long, value_name = "SERVER/PROMPT")]
    get: Option<String>,
    /// Read this resource
    #[arg(long, value_name = "SERVER/URI")]
    read: Option<String>,
    /// Discover this server
    #[arg(long, value_name = "SERVER")]
    discover: Option<String>,
}

/// What is true of the request besides; of a decision of the past, what its record does not hold.
#[derive(Debug, Args)]
pub(super) struct About {
    /// Groups of the person, as a,b
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    groups: Vec<String>,
    /// Through this view, at /mcp/@NAME
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// Tags that the request names by ?tags=, as a,b
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// Where the request comes from [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// It comes over TLS
    #[arg(long)]
    tls: bool,
    /// When it comes, as 2026-01-31T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// What detectors found in its body, as a,b
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    findings: Vec<String>,
    /// Its target differs from what portcullis.lock pins
    #[arg(long)]
    drifted: bool,
}

impl Asked {
    pub(super) fn supposed(&self, about: &About) -> anyhow::Result<Supposed> {
        let Self { user, client, no_user, anonymous, scopes, target, listed, args } = self;
        let client = client.as_deref().map(parsed::<ClientId>).transpose()?;
        let principal = match (&client, anonymous, no_user) {
            (_, true, _) => Principal::Anonymous,
            (Some(client), false, true) => Principal::Client(client.clone()),
            _ => Principal::User(UserId::written(user)?),
        };
        let scopes = scopes
            .iter()
            .filter(|scope| !scope.is_empty())
            .map(|scope| parsed::<ScopeName>(scope))
            .collect::<Result<_, _>>()?;
        let (verb, target) = target.asked()?;
        let verb = if *listed { verb.shown_by(&target) } else { verb };
        let mut supposed = Supposed { client, ..Supposed::new(principal, scopes, verb, target) };
        supposed.args = args.as_deref().map(object).transpose()?;
        about.fill(&mut supposed)?;
        Ok(supposed)
    }
}

impl Target {
    fn asked(&self) -> anyhow::Result<(Verb, Of)> {
        let Self { call, get, read, discover } = self;
        let split = |text: &str| -> anyhow::Result<(ServerName, String)> {
            let (server, name) = text.split_once('/').with_context(|| format!("`{text}` must be SERVER/NAME"))?;
            Ok((parsed(server)?, name.to_owned()))
        };
        Ok(match (call, get, read, discover) {
            (Some(tool), ..) => {
                let (server, name) = split(tool)?;
                (Verb::ToolsCall, Of::Tool(server, parsed(&name)?))
            }
            (_, Some(prompt), ..) => {
                let (server, name) = split(prompt)?;
                (Verb::PromptsGet, Of::Prompt(server, parsed(&name)?))
            }
            (_, _, Some(resource), _) => {
                let (server, uri) = split(resource)?;
                (Verb::ResourcesRead, Of::Resource(server, parsed(&uri)?))
            }
            (_, _, _, Some(server)) => (Verb::ServerDiscover, Of::Server(parsed(server)?)),
            (None, None, None, None) => bail!("name a request: --call, --get, --read or --discover"),
        })
    }
}

impl About {
    /// Whence, whether over TLS, and when; all else is of a caller, whom an HTTP request as such does not have.
    pub(super) fn circumstances(&self) -> anyhow::Result<(Option<IpAddr>, bool, Option<Timestamp>)> {
        let Self { groups, view, tags, address, tls, now, findings, drifted } = self;
        if !groups.is_empty() || view.is_some() || !tags.is_empty() || !findings.is_empty() || *drifted {
            bail!("`--path` goes with `--address`, `--tls` and `--now` alone: nobody knows yet who asks for what");
        }
        Ok((*address, *tls, *now))
    }

    /// Puts into a request what the flags say of it, and leaves the rest.
    pub(super) fn fill(&self, supposed: &mut Supposed) -> anyhow::Result<()> {
        let Self { groups, view, tags, address, tls, now, findings, drifted } = self;
        let tags =
            tags.iter().map(|tag| parsed::<TagName>(tag).map(|tag| tag.scope())).collect::<Result<BTreeSet<_>, _>>()?;
        if !tags.is_empty() {
            supposed.named = Some(tags);
        }
        if let Some(view) = view {
            supposed.view = Some(parsed::<ViewName>(view)?);
        }
        let groups: Result<Vec<_>, _> = groups.iter().map(|group| GroupId::written(group)).collect();
        supposed.groups.extend(groups?);
        supposed.findings.extend(findings.iter().cloned());
        supposed.address = address.unwrap_or(supposed.address);
        supposed.now = now.or(supposed.now);
        supposed.tls |= tls;
        supposed.drifted |= drifted;
        Ok(())
    }
}

/// Reads a request from a file, from stdin, or from the text itself.
pub(super) fn read(request: &str) -> anyhow::Result<Result<Supposed, Vec<Problem>>> {
    if request.trim_start().starts_with('{') {
        return Ok(read_request("--request", request));
    }
    let (name, bytes) = if request == "-" {
        ("stdin", bounded(io::stdin().lock()).context("cannot read stdin")?)
    } else {
        let file = File::open(request).with_context(|| format!("cannot read `{request}`"))?;
        (request, bounded(file).with_context(|| format!("cannot read `{request}`"))?)
    };
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("`{name}` is not UTF-8"))?;
    Ok(read_request(name, &text))
}

fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("larger than {} MiB", LARGEST >> 20)));
    }
    Ok(bytes)
}

fn object(text: &str) -> anyhow::Result<serde_json::Value> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(map)) => Ok(map.into()),
        Ok(_) => bail!("`--args` must be a JSON object"),
        Err(error) => bail!("`--args` is no JSON: {error}"),
    }
}

fn parsed<T: FromStr>(text: &str) -> anyhow::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    Ok(text.parse::<T>()?)
}
