//! What `serve` says of itself once its address is bound, and what it offers people to try.
//!
//! The lines to try are for this very configuration: its path, scopes that it lets somebody have,
//! a tool that it names. They can be pasted as they stand.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    config::{Config, Exception, Grant, Grantee},
    name::{EnvironmentName, ScopeName, ViewName},
};

/// Views that are named at a start.
const MOST_VIEWS: usize = 8;

/// A start, in words.
pub(super) struct Said {
    servers: usize,
    views: Vec<ViewName>,
    policies: usize,
    oauth: bool,
    trail: PathBuf,
    public_url: String,
    environment: Option<EnvironmentName>,
    tries: String,
}

impl Said {
    /// Takes what it needs; `program` is how we were called.
    pub(super) fn of(
        config: &Config,
        policies: usize,
        program: &OsStr,
        file: &Path,
        environment: Option<&EnvironmentName>,
    ) -> Self {
        Self {
            servers: config.servers.len(),
            views: config.views.keys().cloned().collect(),
            policies,
            oauth: config.oauth.enabled.value,
            trail: config.audit.file.clone(),
            public_url: config.listen.public_url.value.clone(),
            environment: environment.cloned(),
            tries: tries(config, program, file, environment),
        }
    }

    /// The lines; `people` are also told what to try.
    pub(super) fn text(&self, address: &str, people: bool) -> String {
        let Self { servers, views, policies, oauth, trail, public_url, environment, tries } = self;
        let servers = if *servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") };
        let tokens = if *oauth { "needed" } else { "not needed: OAuth is off, for this machine alone" };
        let mut text = format!(
            "portcullis {} listens on {address}\n  endpoint  {public_url}/mcp and {public_url}/mcp/SERVER\n  serves    {servers} under {policies} policies\n  tokens    {tokens}\n  audit     {}",
            env!("CARGO_PKG_VERSION"),
            trail.display(),
        );
        if !views.is_empty() {
            let some: Vec<String> = views.iter().take(MOST_VIEWS).map(|view| format!("/mcp/@{view}")).collect();
            let more = if views.len() > some.len() { ", …" } else { "" };
            // Writing to a string does not fail.
            _ = write!(text, "\n  views     {}{more}", some.join(", "));
        }
        if let Some(environment) = environment {
            // Writing to a string does not fail.
            _ = write!(text, "\n  env       {environment}");
        }
        if people && !tries.is_empty() {
            _ = write!(text, "\n\ntry, in another terminal:\n{tries}");
        }
        text
    }
}

fn tries(config: &Config, program: &OsStr, file: &Path, environment: Option<&EnvironmentName>) -> String {
    let program = called(program);
    let mut file = if file == Path::new("portcullis.yaml") {
        String::new()
    } else {
        format!(" --config {}", quoted(&file.to_string_lossy()))
    };
    if let Some(environment) = environment {
        // Writing to a string does not fail.
        _ = write!(file, " --env {environment}");
    }
    let url = &config.listen.public_url.value;
    let list = r#"-H 'Content-Type: application/json' -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/list' -d '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'"#;
    let asked = asked(config);
    if !config.oauth.enabled.value {
        return format!("  curl -s {url}/mcp {list}\n  {program} explain{file} --anonymous {asked}\n");
    }
    let Some((whose, scopes)) = holder(&config.grants) else { return String::new() };
    let scopes = scopes.into_iter().map(ScopeName::as_str).collect::<Vec<_>>().join(",");
    let (issue, explain) = match whose {
        Grantee::Client(client) => (format!(" --client {client}"), format!(" --no-user --client {client}")),
        Grantee::User(user) if user.as_str() != "local/owner" => (format!(" --user {user}"), format!(" --user {user}")),
        Grantee::User(_) | Grantee::Everyone | Grantee::Group(_) => (String::new(), String::new()),
    };
    format!(
        "  TOKEN=$({program} token issue{file}{issue} --scopes {scopes})\n  curl -s {url}/mcp -H \"Authorization: Bearer $TOKEN\" {list}\n  {program} explain{file}{explain} --scopes {scopes} {asked}\n"
    )
}

/// Who may have a token from the command line, and the scopes that it may have: the owner if
/// there is something for the owner, else the first that the file names.
fn holder(grants: &[Grant]) -> Option<(Grantee, BTreeSet<&ScopeName>)> {
    let owner = "local/owner".parse().ok().map(Grantee::User);
    let named = grants.iter().map(|grant| grant.to.clone());
    owner.into_iter().chain(named).find_map(|whose| {
        let scopes: BTreeSet<_> = grants
            .iter()
            .filter(|grant| match &whose {
                Grantee::User(_) => grant.to == whose || grant.to == Grantee::Everyone,
                Grantee::Client(_) => grant.to == whose,
                // `*` is the owner too; groups come with a sign-in only.
                Grantee::Everyone | Grantee::Group(_) => false,
            })
            .flat_map(|grant| &grant.scopes)
            .map(|scope| &scope.value)
            .collect();
        (!scopes.is_empty()).then_some((whose, scopes))
    })
}

/// Something to explain: a tool that the file names, rather one that needs a tag than one that
/// nobody may call; else the first server.
fn asked(config: &Config) -> String {
    let tools =
        || {
            config.servers.iter().flat_map(|(server, about)| {
                about.tools.iter().filter(|(pattern, _)| pattern.is_literal()).map(move |(tool, what)| {
                    (format!("--call {}", quoted(&format!("{server}/{}", tool.as_str()))), what)
                })
            })
        };
    let tagged = tools().find(|(_, what)| matches!(what, Exception::Tags(..)));
    let server = || config.servers.keys().next().map_or("SERVER", |server| server.as_str());
    tagged.or_else(|| tools().next()).map_or_else(|| format!("--discover {}", server()), |(call, _)| call)
}

/// How we can be called again from the same directory.
fn called(program: &OsStr) -> String {
    let program = program.to_string_lossy();
    if program.is_empty() { "portcullis".to_owned() } else { quoted(&program) }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:,@%+=".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_text;

    fn tries_of(text: &str) -> String {
        let config = load_text("portcullis.yaml", text, &|_| None).config.unwrap();
        tries(&config, OsStr::new("portcullis"), Path::new("it's here.yaml"), None)
    }

    const HEAD: &str = "version: 1\ntags: {a: A, b: B}\nservers: {s: {tags: [a], stdio: {command: [cat]}";

    #[test]
    fn the_owner_s_scopes_are_all_that_the_grants_give() {
        let grants = "}}\ngrants: [{to: {user: '*'}, scopes: ['tag:b']}, {to: {user: owner}, scopes: ['tag:a']}]\n";
        let tries = tries_of(&format!("{HEAD}{grants}"));
        assert!(tries.contains("token issue --config 'it'\\''s here.yaml' --scopes tag:a,tag:b)"), "{tries}");
        assert!(tries.contains("--scopes tag:a,tag:b --discover s\n"), "{tries}");
    }

    #[test]
    fn without_anything_for_the_owner_it_is_somebody_whom_the_file_names() {
        let grants = |to: &str| format!("{HEAD}}}}}\ngrants: [{{to: {{{to}}}, scopes: ['tag:a']}}]\n");
        assert!(tries_of(&grants("client: bot")).contains(" --client bot --scopes tag:a)"));
        assert!(tries_of(&grants("user: ana")).contains(" --user local/ana --scopes tag:a)"));
        assert_eq!(tries_of(&grants("group: staff")), "", "nobody of a group has a token from the command line");
    }

    #[test]
    fn a_tool_that_needs_a_tag_is_what_to_explain() {
        let rest =
            ", tools: {drop: deny, 'x*': deny, write: {tags: [b]}}}}\ngrants: [{to: {user: '*'}, scopes: ['tag:a']}]\n";
        assert!(tries_of(&format!("{HEAD}{rest}")).ends_with(" --call s/write\n"));
    }

    #[test]
    fn without_oauth_no_token_is_offered() {
        let tries = tries_of(&format!("{HEAD}}}}}\noauth: {{enabled: false}}\n"));
        assert!(!tries.contains("token") && tries.contains("--anonymous"), "{tries}");
    }
}
