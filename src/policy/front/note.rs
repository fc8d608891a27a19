//! What the annotations of a policy say: how a refusal is answered, what a tier takes, what a header is.
//!
//! Read once, when a bundle is loaded. What does not parse makes the bundle invalid: a limit that cannot
//! be read is not "no limit".

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    super::{
        bundle::Policy,
        decision::{Effect, Reason},
        question::QuestionKind,
    },
    field::{Unfit, unsendable},
};

/// What the annotations of one policy say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notes {
    /// Nothing is needed.
    None,
    /// How a refusal is answered; of *admit*.
    Check(Arc<Check>),
    /// What is drawn from; of *charge*.
    Tier(Arc<Tier>),
    /// What goes out; of *emit*.
    Header(Arc<Header>),
}

/// How a check that forbids is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The HTTP status; `@http`, 400 to 499.
    pub status: u16,
    /// One permanent word; `@code`.
    pub code: Arc<str>,
    /// What the caller is told; `@message`, else a sentence with the word.
    pub message: Arc<str>,
}

/// By what a tier tells callers apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// Where the request came from; IPv6 by its first 64 bits.
    Address,
    /// The OAuth client; where there is none, the person, else the address.
    Client,
    /// The person; where there is none, the client, else the address.
    User,
    /// The token; where there is none, the address.
    Token,
    /// The server that is asked, whoever asks.
    Server,
    /// The tool that is called, whoever calls.
    Tool,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Address, Self::Client, Self::User, Self::Token, Self::Server, Self::Tool];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Client => "client",
            Self::User => "user",
            Self::Token => "token",
            Self::Server => "server",
            Self::Tool => "tool",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

/// How a tier tightens after failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Penalty {
    /// The failures of one key that bring it about.
    pub after: u64,
    /// By what the limit is divided.
    pub factor: u64,
    /// For how long.
    pub time: Duration,
}

/// A rate tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its name; `@tier`.
    pub name: Arc<str>,
    /// How many in a window; `@limit`, at least 1.
    pub limit: u64,
    /// The window; `@window`, in whole seconds, at least 1.
    pub window: Duration,
    /// How many at once, where it refills steadily; `@burst`, at least 1.
    pub burst: Option<u64>,
    /// By what it tells callers apart; `@by`.
    pub by: By,
    /// How it tightens; `@penalty`, as `AFTER FACTOR SECONDS`.
    pub penalty: Option<Penalty>,
    /// The policy behind it.
    pub reason: Reason,
}

impl Tier {
    /// Whether another one has the same count.
    pub(super) fn counts_like(&self, other: &Self) -> bool {
        let Self { name, limit, window, burst, by, penalty, reason: _ } = self;
        (name, limit, window, burst, by, penalty)
            == (&other.name, &other.limit, &other.window, &other.burst, &other.by, &other.penalty)
    }
}

/// A header that goes out, or that is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name, in lower case; `@header`.
    pub name: Arc<str>,
    /// Its value; nothing takes the header away. `@value`.
    pub value: Option<Arc<str>>,
    /// Which of several of one name counts: the last; `@order`. Up to 0 it gives way to what an answer
    /// says of itself.
    pub order: i64,
    /// The policy behind it.
    pub reason: Reason,
}

impl Notes {
    /// Reads the annotations that the question of a policy asks for.
    ///
    /// # Errors
    /// What is missing or cannot be read, in words.
    pub fn of(policy: &Policy) -> Result<Self, String> {
        // Cedar parses a name to look it up.
        let notes: BTreeMap<&str, &str> = policy.cedar.annotations().collect();
        let note = |name: &str| notes.get(name).copied();
        let wanted = |name: &str| note(name).ok_or_else(|| format!("this policy has no `@{name}`"));
        match (policy.of, policy.shape.effect) {
            (QuestionKind::Admit, Effect::Forbid) => {
                let status = number(note("http").unwrap_or("403"), "http", 400..=499)?;
                let code = note("code").unwrap_or_else(|| policy.id());
                let message = note("message").map_or_else(|| format!("this request is not taken: {code}"), Into::into);
                let status = u16::try_from(status).map_err(|error| error.to_string())?;
                Ok(Self::Check(Arc::new(Check { status, code: code.into(), message: message.into() })))
            }
            (QuestionKind::Charge, Effect::Permit) if policy.id() != NO_TIER => {
                let by = wanted("by")?;
                Ok(Self::Tier(Arc::new(Tier {
                    name: wanted("tier")?.into(),
                    limit: number(wanted("limit")?, "limit", 1..=u64::MAX)?,
                    window: Duration::from_secs(number(wanted("window")?, "window", 1..=YEAR)?),
                    burst: note("burst").map(|burst| number(burst, "burst", 1..=u64::MAX)).transpose()?,
                    by: By::of_word(by).ok_or_else(|| format!("`@by` is {by:?}, and no key of a tier"))?,
                    penalty: note("penalty").map(penalty).transpose()?,
                    reason: policy.reason.clone(),
                })))
            }
            (QuestionKind::Emit, Effect::Permit) => {
                let order = note("order").unwrap_or("0");
                if let Some(unfit) = Unfit::of(wanted("header")?) {
                    return Err(format!("`@header` is {:?}, which {}", wanted("header")?, unfit.problem()));
                }
                if let Some(problem) = note("value").and_then(unsendable) {
                    return Err(format!("the value in `@value` {problem}"));
                }
                Ok(Self::Header(Arc::new(Header {
                    name: wanted("header")?.to_ascii_lowercase().into(),
                    value: note("value").map(Into::into),
                    order: order.parse().map_err(|_| format!("`@order` is {order:?}, and no whole number"))?,
                    reason: policy.reason.clone(),
                })))
            }
            (QuestionKind::Charge | QuestionKind::Emit, Effect::Forbid) => {
                Err(format!("*{}* is answered by permits alone", policy.of))
            }
            (QuestionKind::Admit | QuestionKind::Charge, Effect::Permit)
            | (QuestionKind::Grant | QuestionKind::Use, _) => Ok(Self::None),
        }
    }
}

/// The permit of *charge* that draws from no tier.
pub(super) const NO_TIER: &str = "rate/none";
const YEAR: u64 = 366 * 24 * 3600;

fn penalty(text: &str) -> Result<Penalty, String> {
    let mut parts = text.split(' ');
    let mut part = |most: u64| number(parts.next().unwrap_or_default(), "penalty", 1..=most);
    let (after, factor, time) = (part(u64::MAX)?, part(u64::MAX)?, part(YEAR)?);
    match parts.next() {
        None => Ok(Penalty { after, factor, time: Duration::from_secs(time) }),
        Some(_) => Err(format!("`@penalty` is {text:?}, and not `AFTER FACTOR SECONDS`")),
    }
}

fn number(text: &str, name: &str, within: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    text.parse().ok().filter(|number| within.contains(number)).ok_or_else(|| {
        format!("`@{name}` is {text:?}, and no whole number from {} to {}", within.start(), within.end())
    })
}
