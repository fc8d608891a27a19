//! PC503 `rate-tier-inverted`: a tier that never binds, or that gives less to whom more was meant.
//!
//! Reads `rates`. Three shapes: a burst below one, which lets nothing through; a tier within the reach
//! of another with the same key, which is full before it (shadowing, for numbers); and a tier named
//! for more, such as `paid`, below one that is named for less, such as `free`. What two conditions
//! (`when`) say of each other is not known here, so a tier with one is not compared by reach.
//!
//! To add a name: its place in [`LADDER`].

use super::{Check, Page, Subject, page::and, written};
use crate::{
    config::{Node, Span},
    diagnostic::{About, Class, Confidence, Diagnostic, Place},
};

pub(super) struct RateTierInverted;

const ABOUT: About = About {
    code: "PC503",
    name: "rate-tier-inverted",
    class: Class::Warning,
    summary: "a rate tier that never binds, or gives less where more is meant",
    help: "mend the numbers, or remove the tier",
};

const PAGE: Page = Page::new(
    "a limit that another one always reaches first is never felt, and whoever reads it believes in a bound that is not there",
    and!(
        r#"rates:
  general: {limit: 100, window: 15m, by: address, on: [oauth]}
  sensitive: {limit: 200, window: 15m, by: address, on: [token]}
"#
    ),
    and!(
        r#"rates:
  general: {limit: 100, window: 15m, by: address, on: [oauth]}
  sensitive: {limit: 10, window: 15m, by: address, on: [token]}
"#
    ),
);

/// Names of tiers, from the least to the most.
const LADDER: &[&[&str]] = &[
    &["anonymous", "guest"],
    &["free", "trial"],
    &["basic", "bronze", "standard"],
    &["paid", "pro", "silver"],
    &["gold", "premium"],
    &["enterprise", "platinum", "unlimited"],
];

/// The most tiers that are compared with each other.
const MOST: usize = 200;

impl Check for RateTierInverted {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, findings: &mut Vec<Diagnostic>) {
        let rates = subject.tree.and_then(|tree| tree.get("rates")).map(Node::entries).unwrap_or_default();
        for entry in rates {
            let Some(burst) = entry.value.get("burst") else { continue };
            if number(burst).is_some_and(|burst| burst < 1.0) {
                let finding = ABOUT.at(&burst.place, format!("the burst of `{}` is below one", entry.key));
                findings.push(finding.help("write at least `1`, or remove `burst`").label("nothing gets through"));
            }
        }
        // Each pair is compared, which a hostile file must not be able to make expensive.
        let tiers = rates.iter().filter_map(|entry| Tier::of(&entry.key, &entry.value)).take(MOST);
        let tiers: Vec<Tier<'_>> = tiers.collect();
        for tier in &tiers {
            let mut others = tiers.iter().filter(|other| other.name != tier.name);
            if let Some(wide) = others.clone().find(|wide| tier.never_binds_within(wide)) {
                let message = format!("the tier `{}` never binds: `{}` is reached first", tier.name, wide.name);
                findings.push(ABOUT.at(tier.place, message).also(wide.place, "reached first"));
            } else if let Some(more) = others.find(|more| tier.gives_more_than(more)) {
                let message = format!("the tier `{}` allows more than `{}`", tier.name, more.name);
                let finding = ABOUT.at(tier.place, message).also(more.place, "meant to allow more");
                findings.push(finding.confidence(Confidence::Medium));
            }
        }
    }
}

/// What a tier says in numbers.
struct Tier<'t> {
    name: &'t str,
    place: &'t Place,
    limit: f64,
    /// In seconds.
    window: f64,
    burst: Option<f64>,
    by: &'t str,
    on: Vec<&'t str>,
    conditional: bool,
}

impl<'t> Tier<'t> {
    fn of(name: &'t str, node: &'t Node) -> Option<Self> {
        let limit = node.get("limit")?;
        let Span(window) = node.get("window")?.text()?.parse().ok()?;
        let on = node.get("on").map(written::each).unwrap_or_default();
        Some(Self {
            name,
            place: &limit.place,
            limit: number(limit)?,
            window: window.as_secs_f64(),
            burst: node.get("burst").and_then(number),
            by: node.get("by").and_then(Node::text).unwrap_or_default(),
            on: on.into_iter().filter_map(Node::text).collect(),
            conditional: node.get("when").is_some(),
        })
    }

    /// Whether another tier, which every request of this one draws from as well, is always full
    /// before this one.
    fn never_binds_within(&self, wide: &Tier<'_>) -> bool {
        let same_key = self.by == wide.by && !self.conditional && !wide.conditional;
        let inside = !self.on.is_empty() && self.on.iter().all(|on| wide.on.iter().any(|wide| covers(wide, on)));
        // Of two tiers that reach the same, the later one would shadow the earlier and be shadowed by it.
        let alike = inside && wide.on.iter().all(|on| self.on.contains(on));
        if !same_key || !inside || (alike && self.most(wide.window) <= wide.most(wide.window)) {
            return false;
        }
        match self.burst {
            None => self.limit >= wide.most(self.window),
            Some(burst) => burst >= wide.most(0.0) && self.limit / self.window >= wide.limit / wide.window,
        }
    }

    /// The most that gets through in so many seconds.
    fn most(&self, seconds: f64) -> f64 {
        match self.burst {
            None => self.limit * (seconds / self.window).ceil().max(1.0),
            Some(burst) => burst + self.limit * seconds / self.window,
        }
    }

    /// Whether it allows more than one that is named for more, on the same endpoints.
    fn gives_more_than(&self, more: &Tier<'_>) -> bool {
        let rung = |name: &str| LADDER.iter().position(|names| names.contains(&name.to_ascii_lowercase().as_str()));
        let below = rung(self.name).zip(rung(more.name)).is_some_and(|(less, more)| less < more);
        below && self.on == more.on && self.limit / self.window > more.limit / more.window
    }
}

/// Whether every request to one endpoint is one to another.
fn covers(wide: &str, narrow: &str) -> bool {
    const OAUTH: &[&str] = &["consent", "token", "register"];
    let server = narrow.split_once('/').map(|(server, _)| server);
    wide == narrow
        || (wide == "oauth" && OAUTH.contains(&narrow))
        || (wide == "mcp" && narrow != "oauth" && !OAUTH.contains(&narrow))
        || server == Some(wide)
}

fn number(node: &Node) -> Option<f64> {
    node.scalar()?.parse().ok()
}
