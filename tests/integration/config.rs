//! Reading configurations: what is meant, what is found, and where.

use portcullis::config::{self, Exception, Grantee, Loaded, Require, SecretRef, Selector, Text, Transport};

fn none(_: &str) -> Option<String> {
    None
}

fn load(text: &str) -> Loaded {
    config::load_text("portcullis.yaml", text, &none)
}

/// Every finding as a line: place, code, message.
fn found(loaded: &Loaded) -> Vec<String> {
    loaded
        .findings
        .iter()
        .map(|finding| {
            let place = finding.place().unwrap();
            format!("{}:{} {} {}", place.line, place.column, finding.code, finding.message)
        })
        .collect()
}

const GOOD: &str = r#"
version: 1
listen:
  address: 127.0.0.1:4000
  public_url: http://LOCALHOST:4000/
  trusted_proxies: []
  limits: {body: 1MiB, header_bytes: 16KiB, header_count: 50, connections: 100, request: 30s, idle: 500ms}
tags:
  web: Search and fetch public pages
  files: Read the project's files
  files-write: {description: Change the project's files, sensitive: true}
servers:
  docs:
    tags: [web]
    http: {url: "https://docs.example.com/mcp", headers: {X-Api-Key: {env: DOCS_KEY}, X-Plain: hello}}
  files:
    tags: [files, web]
    require: any
    stdio: {command: [npx, -y, "@modelcontextprotocol/server-filesystem@2026.7.10", ./project], env: {LANG: C}, cwd: .}
    tools:
      write_file: {tags: [files-write]}
      "delete_*": deny
grants:
  - {to: {user: "*"}, scopes: [tag:web]}
  - {id: staff, to: {group: engineers}, scopes: [tag:files-write, tag:files]}
  - {to: {client: ci-bot}, scopes: [tag:files]}
  - {to: {user: okta/ana}, scopes: [tag:files]}
rules:
  - id: writes-stay-in-docs
    forbid: {tools: [files/write_file], resources: ["files/file:///etc/*"]}
    unless: context.args.path like "docs/*" && !(context.args.path like "*..*")
  - forbid: {servers: ["*"]}
    when: context.hour < 6
oauth: {enabled: true}
audit: {file: log/audit.ndjson}
store: {sqlite: /var/lib/portcullis.db}
encryption: {key: {env: PORTCULLIS_ENCRYPTION_KEY}, algorithm: aes-256-gcm}
"#;

#[test]
fn every_key_means_what_it_says() {
    let loaded = config::load_text("conf/portcullis.yaml", GOOD, &none);
    assert_eq!(found(&loaded), Vec::<String>::new());
    let config = loaded.config.unwrap();
    assert_eq!(config.digest.len(), 64);
    assert_eq!(config.listen.public_url.value, "http://localhost:4000");
    assert_eq!(config.listen.limits.body, 1 << 20);
    assert_eq!(config.listen.limits.idle.as_millis(), 500);
    let files = &config.servers[&"files".parse().unwrap()];
    assert_eq!(files.require, Require::Any);
    assert_eq!(files.place.line, 16);
    assert!(matches!(files.tools[&"delete_*".parse().unwrap()], Exception::Deny(_)));
    let Transport::Stdio(stdio) = &files.transport else { panic!() };
    assert_eq!(stdio.command[2].value, "@modelcontextprotocol/server-filesystem@2026.7.10");
    assert_eq!(stdio.cwd.as_deref(), Some(std::path::Path::new("conf/.")));
    let Transport::Http(http) = &config.servers[&"docs".parse().unwrap()].transport else { panic!() };
    assert!(matches!(&http.headers["x-api-key"].value, Text::Secret(SecretRef::Env(name)) if name == "DOCS_KEY"));
    assert_eq!(config.grants[0].to, Grantee::Everyone);
    assert_eq!(config.grants[1].to, Grantee::Group("local/engineers".parse().unwrap()));
    assert_eq!(config.grants[1].scopes[0].value.as_str(), "tag:files");
    assert_eq!(config.grants[3].to, Grantee::User("okta/ana".parse().unwrap()));
    assert!(matches!(&config.rules[0].forbid[0].value, Selector::Tool(server, _) if server.as_str() == "files"));
    assert!(matches!(&config.rules[1].forbid[0].value, Selector::Server(None)));
    assert_eq!(config.audit.file, std::path::Path::new("conf/log/audit.ndjson"));
    assert_eq!(config.store.sqlite, std::path::Path::new("/var/lib/portcullis.db"));
}

#[test]
fn thirteen_mistakes_are_thirteen_findings_at_their_places() {
    let text = r#"version: 1
listen:
  address: localhost
  limits: {body: 4MB}
tags:
  web: Pages
  "a b": Bad name
  web: Again
server: {}
rates: {}
servers:
  docs:
    tags: [wbe]
    http: {url: "ftp://docs.example.com/mcp"}
  files:
    tags: []
    stdio: {command: [npx, 1]}
    tool: {}
grants:
  - {to: {user: "*", group: staff}, scopes: [tag:web]}
rules:
  - forbid: {tools: [dosc/x]}
"#;
    let loaded = load(text);
    assert!(loaded.config.is_none());
    insta::assert_snapshot!(found(&loaded).join("\n"), @r"
    3:12 PC005 `localhost` is no address to listen on
    4:18 PC005 `listen.limits.body` must be a size such as `1000`, `32KiB` or `4MiB`, above zero and at most 1GiB
    7:3 PC012 tag `a b` must be 1 to 64 of `A-Z a-z 0-9 _ -`
    8:3 PC002 the key `web` is written twice
    9:1 PC004 unknown key `server`
    10:1 PC004 `rates` is not supported yet
    13:12 PC101 unknown tag `wbe`
    14:17 PC005 `http.url` must begin with `https://` or `http://`
    16:11 PC113 `servers.files.tags` is empty
    17:28 PC005 `servers.files.stdio.command[1]` must be text, not the number `1`
    18:5 PC004 unknown key `tool` in `servers.files`
    20:10 PC005 `to` must hold exactly one of `user`, `group` and `client`
    22:22 PC107 unknown server `dosc`, so this forbids nothing
    ");
}
