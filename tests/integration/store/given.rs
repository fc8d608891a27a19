//! What the contract is asked with: numbered codes, families and tokens of one person and client.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use portcullis::{
    id::Id,
    name::{ClientId, ScopeName, UserId},
    store::{
        Approve, Approved, FreshToken, NewFamily, NewGrant, Once, Opened, Opening, RedeemCode, Redeemed, Risk, Rotate,
        Store,
    },
};

pub(super) const REDIRECT: &str = "http://127.0.0.1:9/cb";
pub(super) const RESOURCE: &str = "http://127.0.0.1:3050/mcp";

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A digest, an id, a nonce: all from a number, so that no two numbers share one.
pub(super) fn mac(kind: u8, number: u64) -> [u8; 32] {
    let mut mac = [kind; 32];
    mac[..8].copy_from_slice(&number.to_be_bytes());
    mac
}

pub(super) fn id(kind: u8, number: u64) -> Id {
    let mut random = [kind; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    Id::new(at(0), random)
}

pub(super) fn user(name: &str) -> UserId {
    UserId::written(name).unwrap()
}

pub(super) fn client(name: &str) -> ClientId {
    name.parse().unwrap()
}

pub(super) fn scopes(names: &[&str]) -> Vec<ScopeName> {
    names.iter().map(|name| format!("tag:{name}").parse().unwrap()).collect()
}

pub(super) fn opened(scope: &str, servers: &[&str]) -> Opened {
    let servers: BTreeSet<_> =
        servers.iter().map(|server| Opening { server: server.parse().unwrap(), risk: Risk::Read }).collect();
    BTreeMap::from([(scopes(&[scope]).remove(0), servers)])
}

/// The approval of `ana` for `app`, with code `number`, over a minute after `second`.
pub(super) fn approve(number: u64, second: i64) -> Approve {
    Approve {
        once: Once { name: "consent", id: number.to_be_bytes().to_vec(), until: at(second + 600) },
        proof: None,
        grant: NewGrant {
            id: id(b'g', number),
            user: user("ana"),
            client: client("app"),
            resource: RESOURCE.to_owned(),
            scopes: scopes(&["files", "web"]),
            opened: opened("web", &["docs"]),
            groups: ["idp/staff".parse().unwrap()].into(),
            remembered: None,
        },
        code: mac(b'c', number),
        redirect_uri: REDIRECT.to_owned(),
        redirect_sent: true,
        challenge: "challenge".to_owned(),
        renewable: true,
        expires_at: at(second + 60),
        now: at(second),
    }
}

/// Code `number` redeemed as it should be, for family and token `made`.
pub(super) fn redeem(number: u64, made: u64, second: i64) -> RedeemCode {
    RedeemCode {
        mac: mac(b'c', number),
        client: client("app"),
        redirect_uri: Some(REDIRECT.to_owned()),
        challenge: "challenge".to_owned(),
        resource: Some(RESOURCE.to_owned()),
        scopes: None,
        family: NewFamily {
            id: id(b'f', made),
            nonce: [7; 16],
            idle_expires_at: at(second + 14 * 24 * 3600),
            expires_at: at(second + 90 * 24 * 3600),
        },
        token: fresh(made, second),
        now: at(second),
    }
}

pub(super) fn fresh(number: u64, second: i64) -> FreshToken {
    FreshToken { mac: mac(b't', number), id: id(b't', number), expires_at: at(second + 600) }
}

/// Generation `generation` of family `family` presented as it should be, for token `made`.
pub(super) fn rotate(family: Id, generation: u32, made: u64, second: i64) -> Rotate {
    Rotate {
        family,
        generation,
        client: client("app"),
        scopes: None,
        ceiling: None,
        resource: None,
        rotates: true,
        grace: SignedDuration::from_secs(60),
        idle: SignedDuration::from_hours(14 * 24),
        token: fresh(made, second),
        now: at(second),
    }
}

/// A family by way of an approval and its code.
pub(super) async fn family(store: &Store, number: u64, second: i64) -> Id {
    assert!(matches!(store.approve(approve(number, second)).await.unwrap(), Approved::Done { .. }));
    match store.redeem_code(redeem(number, number, second)).await.unwrap() {
        Redeemed::Done { family, .. } => family.id,
        other => panic!("{other:?}"),
    }
}

/// Whether a token is there and not revoked.
pub(super) async fn good(store: &Store, number: u64) -> bool {
    store.find_token(&mac(b't', number)).await.unwrap().is_some_and(|found| found.row.revoked_at.is_none())
}
