//! What persons approve, put straight into a gateway's store: codes without a browser.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use portcullis::{
    chance,
    id::Id,
    name::ScopeName,
    oauth::{Code, OAuthKeys},
    seal::{self, KeySource},
    store::{Approve, Approved, NewGrant, Once, Opened, Opening, Risk, Store},
};
use serde_json::Value;

use super::running::{Answer, Running};

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FORM: &str = "application/x-www-form-urlencoded";
/// Where codes of `desk` are sent.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/cb";

/// The store of a gateway that runs.
pub(crate) struct Consenting {
    runtime: tokio::runtime::Runtime,
    store: Store,
    keys: OAuthKeys,
    url: String,
}

/// What the owner approves.
pub(crate) struct Given<'a> {
    /// The endpoint, as in `/mcp`.
    pub(crate) endpoint: &'a str,
    pub(crate) scopes: &'a [&'a str],
    /// What each scope opened: scope, server, risk.
    pub(crate) opened: &'a [(&'a str, &'a str, Risk)],
}

/// Tokens as a client got them.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Consenting {
    /// Opens the store of a gateway that was started; `url` is its public URL.
    pub(crate) fn at(gateway: &Running, url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = gateway.path(".portcullis/portcullis.db");
        let (store, keys) = runtime.block_on(async {
            let store = Store::open(&path).await.unwrap();
            let keys = seal::open(&store, &path, KeySource { configured: None, environment: None }).await.unwrap();
            (store, OAuthKeys::of(&keys))
        });
        Self { runtime, store, keys, url: url.to_owned() }
    }

    /// The owner approves for `desk`: the code.
    pub(crate) fn approve(&self, given: &Given<'_>) -> String {
        self.approve_for("desk", given)
    }

    /// The owner approves for a client: the code.
    pub(crate) fn approve_for(&self, client: &str, given: &Given<'_>) -> String {
        let now = Timestamp::now();
        let (code, mac) = Code::mint(&self.keys, chance::bytes().unwrap());
        let scopes: Vec<ScopeName> = given.scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let mut opened: Opened = scopes.iter().map(|scope| (scope.clone(), BTreeSet::new())).collect();
        for (scope, server, risk) in given.opened {
            let opening = Opening { server: server.parse().unwrap(), risk: *risk };
            opened.get_mut(&scope.parse::<ScopeName>().unwrap()).unwrap().insert(opening);
        }
        let approve = Approve {
            once: Once { name: "consent", id: chance::bytes::<16>().unwrap().to_vec(), until: now },
            grant: NewGrant {
                id: Id::new(now, chance::bytes().unwrap()),
                user: "local/owner".parse().unwrap(),
                client: client.parse().unwrap(),
                resource: format!("{}{}", self.url, given.endpoint),
                scopes,
                opened,
                groups: BTreeSet::new(),
                remembered: None,
            },
            code: mac,
            proof: None,
            redirect_uri: REDIRECT.to_owned(),
            redirect_sent: true,
            challenge: CHALLENGE.to_owned(),
            renewable: true,
            expires_at: now + SignedDuration::from_secs(60),
            now,
        };
        assert!(matches!(self.runtime.block_on(self.store.approve(approve)).unwrap(), Approved::Done { .. }));
        code.expose().to_owned()
    }

    /// The code, redeemed.
    pub(crate) fn tokens(&self, gateway: &Running, given: &Given<'_>) -> Tokens {
        let answer = redeem(gateway, &self.approve(given));
        assert_eq!(answer.status, 200, "{answer:?}");
        Tokens::of(&answer)
    }

    /// The generation of the one family whose refresh token this is, and whether its successor was seen in use.
    pub(crate) fn family(&self, refresh: &str) -> (u32, bool) {
        let id = refresh.split('.').nth(1).unwrap().parse().unwrap();
        let family = self.runtime.block_on(self.store.family(id)).unwrap().unwrap();
        (family.generation, family.successor_used)
    }

    /// How many tokens there are.
    pub(crate) fn count(&self) -> usize {
        self.runtime.block_on(self.store.list_tokens()).unwrap().len()
    }
}

impl Tokens {
    pub(crate) fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let word = |name: &str| body[name].as_str().map(str::to_owned);
        Self { access: word("access_token").unwrap(), refresh: word("refresh_token").unwrap_or_default() }
    }
}

/// Posts a form.
pub(crate) fn form(gateway: &Running, path: &str, body: &str) -> Answer {
    gateway.send("POST", path, &[("Content-Type", FORM)], body)
}

/// Redeems a code as `desk`.
pub(crate) fn redeem(gateway: &Running, code: &str) -> Answer {
    let body = format!("grant_type=authorization_code&client_id=desk&code={code}&code_verifier={VERIFIER}");
    form(gateway, "/oauth/token", &body)
}

/// Refreshes as `desk`.
pub(crate) fn refresh(gateway: &Running, refresh: &str, more: &str) -> Answer {
    let body = format!("grant_type=refresh_token&client_id=desk&refresh_token={refresh}{more}");
    form(gateway, "/oauth/token", &body)
}

/// The status of a list of tools with this token.
pub(crate) fn lists(gateway: &Running, token: &str) -> u16 {
    let list: Value = serde_json::json!({});
    gateway.modern("/mcp", Some(token), "tools/list", list).status
}
