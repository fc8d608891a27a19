//! PC503 `rate-tier-inverted`: a tier that never binds, or that gives less to whom more was meant.
//!
//! Reads `rates`. Three shapes: a burst below one, which lets nothing through; a tier within the reach
//! of another with the same key, which is full before it (shadowing, for numbers); and a tier named
//! for more, such as `paid`, below one that is named for less, such as `free`. What a condition (`when`)
//! says is not known here, so a tier with one is taken to be drawn from less often than it could be; so is
//! what becomes of one with a `penalty`.
//!
//! To add a name: its place in [`LADDER`].

use std::collections::BTreeSet;

use super::{Check, Page, Subject, page::and, written};
use crate::{
    config::{Node, Span},
    diagnostic::{About, Class, Confidence, Diagnostic, Place},
    name::Pattern,
    policy::EndpointClass,
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
    on: Sites<'t>,
    conditional: bool,
    tightens: bool,
}

impl<'t> Tier<'t> {
    fn of(name: &'t str, node: &'t Node) -> Option<Self> {
        let limit = node.get("limit")?;
        let Span(window) = node.get("window")?.text()?.parse().ok()?;
        Some(Self {
            name,
            place: &limit.place,
            limit: number(limit)?,
            window: window.as_secs_f64(),
            burst: node.get("burst").and_then(number),
            by: node.get("by").map_or(Some("address"), Node::text)?,
            on: Sites::of(node.get("on")),
            conditional: node.get("when").is_some(),
            tightens: node.get("penalty").is_some(),
        })
    }

    /// Whether another tier, which every request of this one draws from as well, is always full
    /// before this one.
    fn never_binds_within(&self, wide: &Tier<'_>) -> bool {
        let inside = shares(wide.by, self.by) && !wide.conditional && !self.tightens && wide.on.cover(&self.on);
        // Of two tiers that reach the same, the later one would shadow the earlier and be shadowed by it.
        let alike = inside && self.by == wide.by && !self.conditional && self.on.cover(&wide.on);
        if !inside || (alike && self.most(wide.window) <= wide.most(wide.window)) {
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

/// Whether requests that have one count in a tier by `narrow` have one count in a tier by `wide`.
fn shares(wide: &str, narrow: &str) -> bool {
    wide == narrow || matches!((wide, narrow), ("server", "tool") | ("client" | "user", "token"))
}

/// Where a tier is drawn from.
#[derive(Debug, PartialEq)]
struct Sites<'t> {
    classes: BTreeSet<EndpointClass>,
    /// Servers, and tools of servers.
    places: BTreeSet<&'t str>,
}

impl<'t> Sites<'t> {
    fn of(on: Option<&'t Node>) -> Self {
        let Some(on) = on else {
            let classes = EndpointClass::ALL.into_iter().filter(|class| *class != EndpointClass::Health).collect();
            return Self { classes, places: BTreeSet::new() };
        };
        let mut sites = Self { classes: BTreeSet::new(), places: BTreeSet::new() };
        for word in written::each(on).into_iter().filter_map(Node::text) {
            match EndpointClass::of_word(word) {
                Some(classes) => sites.classes.extend(classes),
                None => _ = sites.places.insert(word),
            }
        }
        sites
    }

    /// Whether every request that draws there draws here.
    fn cover(&self, narrow: &Self) -> bool {
        let whole = self.classes.contains(&EndpointClass::Mcp);
        narrow.classes.is_subset(&self.classes)
            && narrow.places.iter().all(|place| whole || self.places.iter().any(|wide| covers(wide, place)))
    }
}

/// Whether every request about one server or tool is one about another.
fn covers(wide: &str, narrow: &str) -> bool {
    let Some((server, tool)) = narrow.split_once('/') else { return wide == narrow };
    match wide.split_once('/') {
        None => wide == server,
        Some((other, pattern)) => {
            let fits = || pattern.parse::<Pattern>().is_ok_and(|pattern| pattern.matches(tool));
            wide == narrow || (other == server && !tool.contains('*') && fits())
        }
    }
}

fn number(node: &Node) -> Option<f64> {
    node.scalar()?.parse().ok()
}
