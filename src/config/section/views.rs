//! `views:`: filters by tags that have an endpoint of their own, `/mcp/@NAME`.
//!
//! A view is `?tags=` written down: it keeps what has a tag and has every tag named here, and can only
//! narrow what a token opens. An empty list would keep nothing, which nobody means.
//!
//! SPEC: design §2 "Filters", §6.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::servers::known_tags;
use crate::{
    config::{
        document::{Named, Written},
        findings,
        resolve::Resolver,
    },
    diagnostic::{Place, Placed},
    name::{TagName, ViewName},
};

/// The most tags of a view: as many as a request may name, and as a token may hold.
const MOST: usize = 50;

/// A filter with an endpoint of its own.
#[derive(Debug, Clone)]
pub struct View {
    /// The tags that it names, sorted, not empty.
    pub tags: Vec<Placed<TagName>>,
    /// What it is for, in words.
    pub description: String,
    /// Where its name is written.
    pub place: Place,
}

/// A view: which tags a tool and its server may have to be seen there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewSection {
    /// The tags that it keeps, each declared under `tags`: it shows a tool whose server has a tag if all
    /// tags of both are among them. A token must hold every one of them.
    #[schemars(extend("minItems" = 1, "maxItems" = 50, "uniqueItems" = true))]
    tags: Written<Vec<Written<String>>>,
    /// What it is for, in words.
    description: Option<Written<String>>,
}

pub(crate) fn resolve(section: Option<Written<Named<ViewSection>>>, cx: &mut Resolver<'_>) -> BTreeMap<ViewName, View> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut views = BTreeMap::new();
    for (name, written) in entries {
        let parsed = cx.name::<ViewName>(&name);
        let Some(ViewSection { tags, description }) = written.value else { continue };
        let place = tags.place.clone();
        let Some(tags) = known_tags(tags, &format!("views.{}.tags", name.value), cx) else { continue };
        if tags.len() > MOST {
            let message = format!("a view of {} tags; no token has more than {MOST}", tags.len());
            let finding = findings::WRONG_TYPE.at(&place, message);
            cx.find(finding.help("make several views of it"));
        }
        let description = description.and_then(|written| written.value).unwrap_or_default();
        if let Some(parsed) = parsed {
            views.insert(parsed.value, View { tags, description, place: name.place });
        }
    }
    views
}
