//! What other processes did, every quarter of a second: revoked tokens are dropped, and what
//! commands did is put into the audit trail. What this one saw in use is told to the store.
//!
//! INVARIANT: an event is marked as recorded after the trail has it, so that none is lost over a
//! restart; after a crash between the two it may be there twice.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::Bearer;
use crate::{
    audit::{Trail, TrailError},
    chance,
    clock::Clock,
    id::Id,
    record::{self, Family, Gateway},
    store::{Lease, Store, StoreError, StoredEvent},
    tasks::Stop,
};

const EVERY: Duration = Duration::from_millis(250);
const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// Batches of one sweep; what is left then waits for the next.
const MOST_BATCHES: u32 = 100;
/// The mark of the store that says which events the trail has.
const RECORDED: &str = "events-recorded";

/// The number of the last event that the trail has; where [`Bearer::new`] is to begin.
///
/// # Errors
/// When the store cannot be read.
pub async fn recorded(store: &Store) -> Result<i64, StoreError> {
    let mark = store.mark(RECORDED).await?.unwrap_or_else(|| "0".to_owned());
    mark.parse().map_err(|_| StoreError::Corrupt { what: "mark", problem: format!("`{RECORDED}` is no number") })
}

/// Runs until told to stop.
pub async fn keep_up<F: Default + Send + Sync + 'static>(
    bearer: Arc<Bearer<F>>,
    store: Arc<Store>,
    trail: Arc<Trail>,
    gateway: Gateway<'static>,
    clock: Arc<dyn Clock>,
    mut stop: Stop,
) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let holder = format!("{:016x}", chance::bytes().map_or(0, u64::from_be_bytes));
    let (mut waiting, mut swept, mut well) = (VecDeque::new(), clock.now(), true);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.stopped() => return,
        }
        let now = clock.now();
        let round = async {
            waiting.extend(bearer.catch_up(now).await?);
            bearer.tell_arrivals().await?;
            hand_over(&mut waiting, &store, &trail, gateway).await?;
            if now.duration_since(swept) >= SWEEP_EVERY {
                swept = now;
                sweep(&store, &holder, now).await?;
            }
            Ok::<(), Behind>(())
        };
        match round.await {
            Ok(()) => well = true,
            // Said once: four lines a second would help nobody.
            Err(error) if well => {
                well = false;
                tracing::error!(%error, "the store's events are not read or recorded");
            }
            Err(_) => {}
        }
    }
}

/// Drops what is over, in batches between which others write. One process does it for all of them.
async fn sweep(store: &Store, holder: &str, now: Timestamp) -> Result<(), StoreError> {
    if let Lease::Held(_) = store.lease("sweep", holder, SWEEP_EVERY, now).await? {
        return Ok(());
    }
    let recorded = recorded(store).await?;
    for _ in 0..MOST_BATCHES {
        if store.sweep(now, recorded).await? == 0 {
            break;
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum Behind {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error("no randomness: {0}")]
    Chance(#[from] getrandom::Error),
}

/// Records what waits, oldest first; what cannot be recorded waits on.
async fn hand_over(
    waiting: &mut VecDeque<StoredEvent>,
    store: &Store,
    trail: &Trail,
    gateway: Gateway<'_>,
) -> Result<(), Behind> {
    let mut last = None;
    let outcome = loop {
        let Some(StoredEvent { seq, at, event }) = waiting.front() else { break Ok(()) };
        let facts = event.facts();
        let facts: Vec<(&str, &str)> = facts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let id = match chance::bytes() {
            Ok(random) => Id::new(*at, random),
            Err(error) => break Err(error.into()),
        };
        let event = record::Event { id, at: *at, gateway, family: Family::Admin, what: event.what(), facts: &facts };
        if let Err(error) = trail.event(event) {
            break Err(error.into());
        }
        last = Some(*seq);
        waiting.pop_front();
    };
    if let Some(last) = last {
        store.set_mark(RECORDED, &last.to_string()).await?;
    }
    outcome
}
