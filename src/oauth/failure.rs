//! How long a failing answer of an endpoint that authenticates is held up.
//!
//! What comparing costs says nothing as it is (`alike`, and the same work for what is unknown and what is
//! wrong); the delay covers what is left of it, in the store and below. Only failures wait, so that it
//! costs nobody who is let in, and never an answer on `/mcp`, where it would only hold connections.
//!
//! INVARIANT: a success is answered at once.
//! SPEC: SM-27, T-214.

use std::time::Duration;

use crate::config::FailureDelay;

/// Hands on what was made of a request, failures after a while. `random` is fresh for each request.
///
/// # Errors
/// The failure, later.
pub async fn held_up<T, E>(made: Result<T, E>, delay: Option<FailureDelay>, random: [u8; 8]) -> Result<T, E> {
    if let (Err(_), Some(delay)) = (&made, delay) {
        tokio::time::sleep(while_of(delay, random)).await;
    }
    made
}

/// A time within the bounds, every one as likely as any other.
fn while_of(delay: FailureDelay, random: [u8; 8]) -> Duration {
    let FailureDelay { least, most } = delay;
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let span = u128::from(nanos(most.saturating_sub(least))) + 1;
    // The high half of a product: no part of the range is preferred, as a remainder would.
    let within = (u128::from(u64::from_le_bytes(random)) * span) >> 64;
    least + Duration::from_nanos(u64::try_from(within).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(least: u64, most: u64) -> FailureDelay {
        FailureDelay { least: Duration::from_millis(least), most: Duration::from_millis(most) }
    }

    #[test]
    fn sm27_delays_fill_their_range_and_never_leave_it() {
        let delay = FailureDelay::default();
        assert_eq!(while_of(delay, [0; 8]), delay.least);
        assert_eq!(while_of(delay, [0xff; 8]), delay.most);
        let mut tenths = [0_u32; 10];
        for nth in 0..10_000_u64 {
            let random = blake3::hash(&nth.to_le_bytes()).as_bytes().first_chunk::<8>().copied().unwrap();
            let held = while_of(delay, random);
            assert!((delay.least..=delay.most).contains(&held), "{held:?}");
            let tenth = (held - delay.least).as_micros() / 4_001;
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1200).contains(count)), "{tenths:?}");
        assert_eq!(while_of(bounds(20, 20), [0x5a; 8]), Duration::from_millis(20));
    }

    #[tokio::test(start_paused = true)]
    async fn sm27_failures_wait_and_successes_do_not() {
        let begun = tokio::time::Instant::now();
        let delay = Some(bounds(10, 50));
        assert_eq!(held_up(Ok::<_, ()>(1), delay, [0xff; 8]).await, Ok(1));
        assert_eq!(held_up(Err::<(), _>(2), None, [0xff; 8]).await, Err(2));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(held_up(Err::<(), _>(3), delay, [0xff; 8]).await, Err(3));
        assert_eq!(begun.elapsed().as_millis(), 50);
        assert_eq!(held_up(Err::<(), _>(4), delay, [0; 8]).await, Err(4));
        assert_eq!(begun.elapsed().as_millis(), 60);
    }
}
