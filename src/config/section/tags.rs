//! `tags:`: the labels of servers and tools, each of which is one OAuth scope `tag:NAME`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        document::{Named, TextOr, Written},
        resolve::Resolver,
    },
    diagnostic::Place,
    name::TagName,
};

/// What is known of a tag.
#[derive(Debug, Clone)]
pub struct Tag {
    /// What it opens, in words for the consent page.
    pub description: String,
    /// Whether it opens something that deserves a second look.
    pub sensitive: bool,
    /// Where its name is written.
    pub place: Place,
}

/// What is said of a tag.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagSection {
    /// What the tag opens, in words for the consent page.
    description: Option<Written<String>>,
    /// Whether it opens something that deserves a second look. Default: `false`.
    sensitive: Option<Written<bool>>,
}

pub(crate) fn resolve(
    section: Option<Written<Named<TextOr<TagSection>>>>,
    cx: &mut Resolver<'_>,
) -> BTreeMap<TagName, Tag> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut tags = BTreeMap::new();
    for (name, written) in entries {
        let Some(name) = cx.name::<TagName>(&name) else { continue };
        let place = name.place;
        let tag = match written.value {
            None => continue,
            Some(TextOr::Text(description)) => Tag { description, sensitive: false, place },
            Some(TextOr::Map(TagSection { description, sensitive })) => Tag {
                description: description.and_then(|written| written.value).unwrap_or_default(),
                sensitive: sensitive.and_then(|written| written.value).unwrap_or_default(),
                place,
            },
        };
        tags.insert(name.value, tag);
    }
    tags
}
