//! `portcullis token`, from the words of the command line to the store.

use std::{collections::BTreeMap, path::Path};

use clap::Parser;
use jiff::Timestamp;
use portcullis::{
    cli::token::{Setting, TokenCommand, TokenFault, run},
    config::{
        Algorithm, Audit, Config, Cors, Encryption, Headers, Limits, Listen, OAuth, Require, Server, Stdio, Store, Tag,
        Transport, Validation, Way,
    },
    diagnostic::{Place, Placed},
    name::{ClientId, ScopeName},
    principal::Principal,
    seal::KeySource,
    store,
};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: TokenCommand,
}

fn place() -> Place {
    Place::of_file(Path::new("portcullis.yaml"))
}

fn config(directory: &Path) -> Config {
    let stdio = Stdio { command: vec![Placed::new("true".to_owned(), place())], env: BTreeMap::new(), cwd: None };
    let server = Server {
        era: portcullis::config::EraChoice::Auto,
        tags: vec![],
        drift: None,
        require: Require::All,
        public: false,
        transport: Transport::Stdio(stdio),
        asks: std::collections::BTreeSet::new(),
        tools: BTreeMap::new(),
        prompts: BTreeMap::new(),
        resources: BTreeMap::new(),
        place: place(),
    };
    let tag = Tag { description: "…".to_owned(), sensitive: false, place: place() };
    Config {
        digest: "0".repeat(64),
        overridden: vec![],
        from_env: std::collections::BTreeSet::new(),
        listen: Listen {
            address: Placed::new("127.0.0.1:3050".parse().unwrap(), place()),
            public_url: Placed::new("http://127.0.0.1:3050".to_owned(), place()),
            way: Way::Plain,
            trusted_proxies: vec![],
            limits: Limits::default(),
        },
        tags: ["web", "files", "secret-plans"].map(|name| (name.parse().unwrap(), tag.clone())).into(),
        servers: [("files".parse().unwrap(), server)].into(),
        views: Default::default(),
        grants: vec![],
        rules: vec![],
        rates: Default::default(),
        headers: Headers::default(),
        cors: Cors::default(),
        validation: Validation::default(),
        oauth: OAuth {
            enabled: Placed::new(true, place()),
            baseline: Vec::new(),
            failure_delay: None,
            authorization: Default::default(),
        },
        audit: Audit { file: directory.join("audit.ndjson") },
        store: Store { sqlite: directory.join("data").join("s.db") },
        encryption: Encryption { key: None, algorithm: Algorithm::default() },
        policies: vec![],
    }
}

fn ceilings(principal: &Principal, _: Option<&ClientId>, scope: &ScopeName) -> bool {
    principal.id() == Some("local/owner") && scope.as_str() != "tag:secret-plans"
}

async fn portcullis(directory: &Path, words: &str) -> Result<String, TokenFault> {
    let command = Line::try_parse_from(words.split(' ')).unwrap_or_else(|error| panic!("{error}")).command;
    let config = config(directory);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let setting = Setting { config: &config, key: KeySource::default(), may_grant: &ceilings, now };
    let mut out = Vec::new();
    run(&command, setting, &mut out).await.map(|()| String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_token_is_issued_listed_and_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert_eq!(portcullis(path, "token list --format json").await.unwrap(), "[]\n");
    assert!(!path.join("data").exists(), "looking makes nothing");
    let token = portcullis(path, "token issue --scopes tag:web,tag:files,tag:web --ttl 2h").await.unwrap();
    assert!(token.starts_with("pc_at_") && token.ends_with('\n') && token.lines().count() == 1);
    let listed = portcullis(path, "token list --format json").await.unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["principal"], "user local/owner");
    assert_eq!(listed[0]["scopes"], serde_json::json!(["tag:files", "tag:web"]));
    assert_eq!(listed[0]["resource"], "http://127.0.0.1:3050/mcp");
    assert_eq!(listed[0]["expires_at"], "2027-01-15T10:00:00Z");
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(portcullis(path, &format!("token revoke {id}")).await.unwrap(), format!("revoked {id}\n"));
    let human = portcullis(path, "token list").await.unwrap();
    let row = human.lines().nth(1).unwrap();
    assert!(human.starts_with("ID ") && row.contains("revoked") && !human.contains(token.trim()), "{human}");
    let none = portcullis(path, "token revoke 017f22e2-79b0-7cc3-98c4-dc0c0c07398f").await;
    assert!(matches!(none, Err(TokenFault::Unknown(_))));
    portcullis(path, "token issue --scopes tag:web --resource HTTP://127.0.0.1:3050/mcp/files").await.unwrap();
    assert_eq!(portcullis(path, "token revoke --all").await.unwrap(), "revoked 1 token\n");
    let store = store::Store::open(&path.join("data").join("s.db")).await.unwrap();
    assert_eq!(store.events_since(0).await.unwrap().len(), 4, "a running gateway hears of each");
}

#[tokio::test]
async fn the_ceilings_of_grants_hold_for_the_command_line_too() {
    let directory = tempfile::tempdir().unwrap();
    for words in ["--scopes tag:secret-plans", "--scopes tag:web --client ci-bot", "--scopes tag:web --user mallory"] {
        let denied = portcullis(directory.path(), &format!("token issue {words}")).await;
        assert!(matches!(denied, Err(TokenFault::Denied(_))), "{words}");
    }
    assert!(!directory.path().join("data").exists(), "nothing was issued, nothing was made");
}

#[tokio::test]
async fn oa77_all_that_is_wrong_is_said_at_once_and_no_tag_is_given_away() {
    let directory = tempfile::tempdir().unwrap();
    let words = "token issue --scopes tag:fles,tag:zzz,nonsense --ttl 91d --resource http://evil.test/mcp --user a/b/c";
    let Err(TokenFault::Usage(problems)) = portcullis(directory.path(), words).await else { panic!("refused") };
    assert_eq!(
        problems,
        [
            "no scope `tag:fles`; did you mean `tag:files`?",
            "no scope `tag:zzz`",
            "scope `nonsense` must be `tag:` and a tag of 1 to 64 of `A-Z a-z 0-9 _ -`; there are no wildcards",
            "time `91d` is more than the 90d that a token may live",
            "resource `http://evil.test/mcp` is not one of ours; they are `http://127.0.0.1:3050/mcp`, \
             `http://127.0.0.1:3050/mcp/SERVER` and `http://127.0.0.1:3050/mcp/@VIEW`",
        ]
    );
}

#[test]
fn a_token_is_a_persons_or_a_clients_and_one_or_all_are_revoked() {
    for words in [
        "token issue",
        "token issue --scopes tag:a --user a --client b",
        "token revoke",
        "token revoke --all 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "token revoke not-an-id",
    ] {
        assert!(Line::try_parse_from(words.split(' ')).is_err(), "{words}");
    }
}
