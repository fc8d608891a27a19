//! The trail's own task: to the disk every second, counted refusals every ten.

use std::{sync::Arc, time::Duration};

use super::Trail;
use crate::{clock::Clock, tasks::Stop};

/// Seconds between two records of one kind of counted refusals.
const FLUSH_EVERY: u32 = 10;

/// Runs until told to stop. [`Trail::close`] is for after all other tasks: they still write.
pub async fn keep(trail: Arc<Trail>, clock: Arc<dyn Clock>, mut stop: Stop) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seconds = 0_u32;
    loop {
        let last = tokio::select! {
            _ = every.tick() => false,
            () = stop.stopped() => true,
        };
        seconds = (seconds + 1) % FLUSH_EVERY;
        let (trail, now) = (trail.clone(), clock.now());
        // The disk may take its time; no request waits for that.
        let work = tokio::task::spawn_blocking(move || {
            let flushed = if seconds == 0 || last { trail.flush(now) } else { Ok(()) };
            trail.sync().and(flushed)
        });
        match work.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the audit trail is behind"),
            Err(error) => tracing::error!(%error, "the audit trail's task failed"),
        }
        if last {
            return;
        }
    }
}
