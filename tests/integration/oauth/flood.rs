//! A flood of registrations: the tier stops it, and where there is none, what one address may register in an hour.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use portcullis::store::{ClientKind, Store};
use serde_json::json;

use super::{DEMO, flow};
use crate::support::running::Running;

const MANY: usize = 1000;
/// As many as may register themselves from one address.
const MOST: usize = 100;

/// So many registrations from a few connections at once: how they were answered, by status.
fn register(gateway: &Running, many: usize) -> std::collections::BTreeMap<u16, usize> {
    let (next, body) = (AtomicUsize::new(0), json!({ "redirect_uris": ["http://127.0.0.1/cb"], "client_name": "x" }));
    let body = body.to_string();
    let answers = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = Vec::new();
                    while next.fetch_add(1, Ordering::Relaxed) < many {
                        let json = [("Content-Type", "application/json")];
                        answers.push(gateway.send("POST", "/oauth/register", &json, &body));
                    }
                    answers
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let mut counts = std::collections::BTreeMap::new();
    for answer in &answers {
        if answer.status != 201 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(wait > 0 && answer.header("cache-control") == Some("no-store"), "{answer:?}");
        }
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// What registered itself and is kept, and until when.
fn kept(gateway: &Running) -> Vec<(String, Timestamp)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&gateway.path(".portcullis/portcullis.db")).await.unwrap();
        let clients = store.list_clients().await.unwrap();
        store.close().await;
        let ours = clients.into_iter().filter(|client| client.kind == ClientKind::Registered);
        ours.map(|client| (client.id.to_string(), client.expires_at)).collect()
    })
}

#[test]
fn oa109_t090_a_thousand_registrations_end_at_the_tier() {
    let tier = "oauth: {failure_delay: 0}\nrates: {doors: {limit: 40, window: 1h, on: [register]}}\n";
    let gateway = Running::start(&format!("{DEMO}{tier}"));
    assert_eq!(register(&gateway, MANY), [(201, 40), (429, MANY - 40)].into());
    assert_eq!(kept(&gateway).len(), 40, "who was refused left nothing");
}

#[test]
fn oa109_t090_without_a_tier_one_address_takes_no_more_than_its_part_and_a_client_in_use_outlives_the_rest() {
    let gateway = Running::start(&format!("{DEMO}oauth: {{failure_delay: 0, baseline: ['tag:clock']}}\n"));
    // One that a person approves, before all the others come.
    let client = flow::Client::registered(&gateway);
    client.granted(&gateway, &flow::signed_in(&gateway), &[]);
    let hour = Timestamp::now() + SignedDuration::from_hours(1);
    assert_eq!(register(&gateway, MANY), [(201, MOST - 1), (429, MANY + 1 - MOST)].into());
    let kept = kept(&gateway);
    assert_eq!(kept.len(), MOST);
    let late: Vec<_> = kept.iter().filter(|(_, until)| *until > hour + SignedDuration::from_mins(10)).collect();
    assert_eq!(
        late.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        [client.id.as_str()],
        "the rest has an hour"
    );
}
