//! A configuration with people, clients and scopes, and the calls that a client and a browser would make.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    config::{self, AuthMethod, Authorization, Documents, GrantType, Lifetimes, Login, Trust},
    diagnostic::{Place, Placed},
    egress::Resolve,
    name::{GroupId, ScopeName},
    oauth::{
        Answer, Approved, Call, Decided, ErrorCode, Form, Issued, Issuer, OAuthError, OAuthKeys, Refused, SignedIn,
        TokenKeys, Why, approve, authorize,
        client::{Client, Directory, Fetcher, public},
        token,
    },
    policy::Engine,
    seal::Keys,
    secret::Secret,
    store::{AccountRow, AddAccount, Once, Opaque, Store},
};

pub(super) const URL: &str = "http://127.0.0.1:3050";
pub(super) const MCP: &str = "http://127.0.0.1:3050/mcp";
/// RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const YAML: &str = "version: 1
tags: {web: w, files: f, secret: s}
servers:
  docs: {tags: [web], http: {url: 'https://docs.example.com/mcp'}}
  files: {tags: [files], http: {url: 'https://files.example.com/mcp'}}
  vault: {tags: [secret], http: {url: 'https://vault.example.com/mcp'}}
views: {frontend: {tags: [web]}}
grants:
  - {to: {user: '*'}, scopes: [tag:web, tag:files]}
  - {to: {client: ci-bot}, scopes: [tag:files]}
";

/// Everything that an authorization server is made of.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) baseline: BTreeSet<ScopeName>,
    pub(super) settings: Authorization,
    pub(super) directory: Directory,
    pub(super) keys: OAuthKeys,
    pub(super) tokens: TokenKeys,
    pub(super) store: Store,
    pub(super) now: Timestamp,
    /// The groups of ana when she consents.
    pub(super) groups: BTreeSet<GroupId>,
    pages: std::cell::Cell<u8>,
}

pub(super) fn scopes(words: &[&str]) -> BTreeSet<ScopeName> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

pub(super) fn engine(yaml: &str) -> Engine {
    let config = config::load_text("f", yaml, &|_| None).config.unwrap();
    Engine::new(Arc::new(crate::compile::bundle(&config, None).unwrap())).unwrap()
}

impl Bench {
    pub(super) async fn new() -> Self {
        let keys = Keys::from_master(&Secret::new([5; 32]));
        let oauth = OAuthKeys::of(&keys);
        let desk = Client {
            grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            ..public("desk", &["http://127.0.0.1/cb", "https://desk.example.com/cb"])
        };
        let plain = Client {
            grant_types: [GrantType::AuthorizationCode].into(),
            ..public("plain", &["https://plain.example.com/cb"])
        };
        let web = Client {
            auth: AuthMethod::SecretBasic,
            secret: Some(oauth.digest("web-secret")),
            ..public("web", &["https://web.example.com/cb"])
        };
        let bot = Client {
            auth: AuthMethod::SecretPost,
            secret: Some(oauth.digest("bot-secret")),
            grant_types: [GrantType::ClientCredentials].into(),
            ..public("ci-bot", &[])
        };
        let place = Place::of_file(std::path::Path::new("f"));
        let settings = Authorization {
            login: Some(Placed::new(Login::Users, place)),
            lifetimes: Lifetimes::default(),
            documents: Documents { trust: Trust::Off, inside: Vec::new() },
            ..Authorization::default()
        };
        let bench = Self {
            engine: engine(YAML),
            baseline: BTreeSet::new(),
            directory: Directory::new(
                [desk, plain, web, bot],
                settings.documents.clone(),
                false,
                Arc::new(Fetcher::new(Resolve::system())),
            ),
            settings,
            keys: oauth,
            tokens: TokenKeys::of(&keys),
            store: Store::in_memory(),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            groups: BTreeSet::new(),
            pages: 0.into(),
        };
        bench.with_store(Store::in_memory()).await
    }

    /// The same over another store, in which ana has an account.
    pub(super) async fn with_store(self, store: Store) -> Self {
        let account = AccountRow {
            user: "local/ana".parse().unwrap(),
            password: Opaque::new("x".into()),
            created_at: self.now,
            changed_at: self.now,
            disabled_at: None,
        };
        assert!(matches!(store.add_account(account).await.unwrap(), AddAccount::Done));
        Self { store, ..self }
    }

    pub(super) fn issuer(&self) -> Issuer<'_> {
        Issuer {
            url: URL,
            engine: &self.engine,
            baseline: &self.baseline,
            settings: &self.settings,
            directory: &self.directory,
            keys: &self.keys,
            tokens: &self.tokens,
            store: &self.store,
        }
    }

    pub(super) fn later(&mut self, seconds: i64) {
        self.now = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    /// A request that is right, but for `changes`: a parameter with nothing behind `=` is left out, one that is
    /// not there is added.
    pub(super) fn query(changes: &str) -> String {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", "desk"),
            ("redirect_uri", "http%3A%2F%2F127.0.0.1%3A9%2Fcb"),
            ("state", "s1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", "tag%3Aweb+tag%3Afiles"),
            ("resource", "http%3A%2F%2F127.0.0.1%3A3050%2Fmcp"),
        ];
        for change in changes.split('&').filter(|change| !change.is_empty()) {
            let (name, value) = change.split_once('=').unwrap();
            pairs.retain(|(known, _)| *known != name);
            if !value.is_empty() {
                pairs.push((name, value));
            }
        }
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    pub(super) async fn ask(&self, query: &str) -> Result<(Client, crate::oauth::AuthorizationRequest), Refused> {
        let form = Form::read(query.as_bytes()).map_err(Refused::Page)?;
        authorize(&self.issuer(), &form, self.now).await
    }

    pub(super) fn ana() -> SignedIn {
        SignedIn { user: "local/ana".parse().unwrap(), groups: BTreeSet::new() }
    }

    /// Where the browser goes when ana ticks these for a request.
    pub(super) async fn consent(&self, query: &str, ticked: &[&str]) -> Result<String, OAuthError> {
        let (client, request) = self.ask(query).await.unwrap();
        self.pages.set(self.pages.get() + 1);
        let once =
            Once { name: "consent", id: vec![self.pages.get()], until: self.now + SignedDuration::from_secs(600) };
        let answer = Answer { ticked, once, proof: None, remember: false };
        let opened = |_: &[ScopeName]| crate::store::Opened::new();
        let ana = SignedIn { groups: self.groups.clone(), ..Self::ana() };
        let approved = approve(&self.issuer(), &client, &request, &ana, answer, opened, self.now).await?;
        Ok(done(approved).location.expose().clone())
    }

    /// A code for a right request, all ticked.
    pub(super) async fn code(&self, changes: &str) -> String {
        let location = self.consent(&Self::query(changes), &["tag:web", "tag:files"]).await.unwrap();
        parameter(&location, "code").unwrap()
    }

    /// Calls the token endpoint: `header` is `id:secret` for Basic.
    pub(super) async fn token(&self, header: Option<&str>, body: &str) -> Result<Value, OAuthError> {
        let basic = header.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        let headers: Vec<&[u8]> = basic.iter().map(|basic| basic.as_bytes()).collect();
        let call = Call {
            query: None,
            content_type: Some(b"application/x-www-form-urlencoded"),
            authorization: &headers,
            body: body.as_bytes(),
            proven: false,
        };
        let issued = called(&self.issuer(), &call, self.now).await?;
        Ok(serde_json::from_str(&issued.body()).unwrap())
    }

    /// Redeems a code as `desk`.
    pub(super) async fn redeem(&self, code: &str, more: &str) -> Result<Value, OAuthError> {
        let body = format!("grant_type=authorization_code&client_id=desk&code={code}&code_verifier={VERIFIER}{more}");
        self.token(None, &body).await
    }

    /// Refreshes as `desk`.
    pub(super) async fn refresh(&self, refresh: &str, more: &str) -> Result<Value, OAuthError> {
        let body = format!("grant_type=refresh_token&client_id=desk&refresh_token={refresh}{more}");
        self.token(None, &body).await
    }

    /// Whether an access token is good.
    pub(super) async fn is_good(&self, access: &Value) -> bool {
        let looked = self.tokens.look(access["access_token"].as_str().unwrap()).unwrap();
        let row = self.store.find_token(&looked.mac).await.unwrap().unwrap().row;
        row.revoked_at.is_none() && self.now < row.expires_at
    }

    /// How many tokens there ever were.
    pub(super) async fn count(&self) -> usize {
        self.store.list_tokens().await.unwrap().len()
    }
}

/// Calls the token endpoint.
pub(super) async fn called(issuer: &Issuer<'_>, call: &Call<'_>, now: Timestamp) -> Result<Issued, OAuthError> {
    let admitted = issuer.admit(call, now).await?;
    token(issuer, &admitted, now).await
}

/// What was approved.
pub(super) fn done(decided: Decided) -> Approved {
    match decided {
        Decided::Approved(approved) => approved,
        Decided::Used | Decided::Stale => panic!("{decided:?}"),
    }
}

/// A parameter of a URL, decoded.
pub(super) fn parameter(url: &str, name: &'static str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let form = Form::read(query.as_bytes()).unwrap();
    form.get(name).unwrap().map(str::to_owned)
}

/// Code and reason of a refusal.
pub(super) fn seen<T: std::fmt::Debug>(answer: Result<T, OAuthError>) -> (ErrorCode, Why) {
    let error = answer.unwrap_err();
    (error.code(), error.why())
}
