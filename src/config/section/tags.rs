//! `tags:`: the labels of servers and tools, each of which is one OAuth scope `tag:NAME`.

use crate::diagnostic::Place;

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
