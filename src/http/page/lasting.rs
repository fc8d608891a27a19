//! Times in words.

use std::{fmt, time::Duration};

use jiff::Timestamp;

/// A length of time, in the largest unit that says it whole: `90 days`, `1 hour`.
pub(super) fn lasting(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = duration.as_secs();
    let whole = |(size, _): &(u64, &str)| seconds >= *size && seconds.is_multiple_of(*size);
    let (size, unit) = UNITS.into_iter().find(whole).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A length of time to wait, rounded up to minutes above one: never less than what is meant.
pub(super) fn waiting(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let rounded = if seconds <= 60 { seconds.max(1) } else { seconds.div_ceil(60) * 60 };
    lasting(Duration::from_secs(rounded))
}

/// A day and time of day, and the same for machines.
#[derive(Debug, Clone)]
pub(super) struct When {
    pub(super) words: String,
    pub(super) machine: String,
}

impl When {
    pub(super) fn of(at: Timestamp) -> Self {
        Self {
            words: at.strftime("%-d %B %Y, %H:%M UTC").to_string(),
            machine: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_largest_whole_unit() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (600, "10 minutes"),
            (3_600, "1 hour"),
            (5_400, "90 minutes"),
            (90 * 86_400, "90 days"),
        ] {
            assert_eq!(lasting(Duration::from_secs(seconds)), words);
        }
        for (millis, words) in [(0, "1 second"), (59_001, "1 minute"), (61_000, "2 minutes"), (3_599_000, "1 hour")] {
            assert_eq!(waiting(Duration::from_millis(millis)), words);
        }
        let when = When::of("2026-11-05T09:07:03.5Z".parse().unwrap());
        assert_eq!((&*when.words, &*when.machine), ("5 November 2026, 09:07 UTC", "2026-11-05T09:07:03Z"));
    }
}
