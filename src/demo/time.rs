//! `time`: tells the time and converts between UTC offsets. Knows offsets only, no zones.

use jiff::{Timestamp, tz::Offset};
use serde_json::Value;

use super::{Arguments, Demo, Done, Effect, Failure, tool};
use crate::clock::Clock;

/// The demo server `time`.
#[derive(Debug)]
pub(super) struct Time {
    clock: Box<dyn Clock>,
}

impl Time {
    pub(super) fn new(clock: Box<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl Demo for Time {
    fn name(&self) -> &'static str {
        "time"
    }

    fn instructions(&self) -> &'static str {
        "Tells the present time and converts times between UTC offsets such as +02:00."
    }

    fn tools(&self) -> Vec<Value> {
        vec![
            tool(
                "now",
                "Now",
                "The present time, in UTC or at an offset.",
                Effect::Reads,
                &[("offset", "An offset from UTC, such as +02:00.", false)],
            ),
            tool(
                "convert",
                "Convert",
                "The same instant at another offset.",
                Effect::Reads,
                &[
                    ("time", "A time with its offset, such as 2026-07-28T12:00:00+02:00.", true),
                    ("offset", "The offset wanted, such as -05:00, or Z.", true),
                ],
            ),
        ]
    }

    fn call(&self, tool: &str, arguments: &Arguments, _: &mut dyn FnMut(usize, usize)) -> Result<Done, Failure> {
        match tool {
            "now" => {
                arguments.only(&["offset"])?;
                at(self.clock.now(), arguments.optional("offset")?.unwrap_or("Z"))
            }
            "convert" => {
                arguments.only(&["time", "offset"])?;
                let time = arguments.text("time")?;
                let instant: Timestamp = time.parse().map_err(|_| {
                    Failure::Failed(format!("`{time}` is no time with an offset, such as 2026-07-28T12:00:00Z"))
                })?;
                at(instant, arguments.text("offset")?)
            }
            _ => Err(Failure::Unknown(format!("there is no tool `{tool}`"))),
        }
    }
}

/// An instant, to the second, at an offset.
fn at(instant: Timestamp, written: &str) -> Result<Done, Failure> {
    let offset = offset(written)
        .ok_or_else(|| Failure::Failed(format!("`{written}` is no offset from UTC, such as +02:00 or Z")))?;
    let whole = Timestamp::from_second(instant.as_second()).unwrap_or(instant);
    Ok(Done::said(whole.display_with_offset(offset).to_string()))
}

fn offset(written: &str) -> Option<Offset> {
    if written == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, rest) = match written.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, most: i32| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| digits && *number <= most)
    };
    Offset::from_seconds(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60)).ok()
}
