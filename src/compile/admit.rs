//! What may come in, as far as the file says it: the pages that may use the gateway.
//!
//! SPEC: design §3 *admit*; SM-22.

use super::render::Draft;
use crate::{
    config::Config,
    policy::{Effect, Policy},
};

/// The checks that the file has a say in.
pub(super) fn policies(_config: &Config) -> Result<Vec<Policy>, String> {
    let id = "check/origin";
    let draft = Draft {
        id,
        notes: vec![
            ("http", "403".to_owned()),
            ("code", "bad-origin".to_owned()),
            ("message", "this `Origin` may not use this gateway".to_owned()),
        ],
        effect: Effect::Forbid,
        principal: "principal is Portcullis::Peer",
        resource: "resource",
        actions: vec!["request"],
        when: vec!["context has origin".to_owned()],
        unless: vec!["(context.origin.own || (!context.oauth && context.origin.loopback))".to_owned()],
    };
    Ok(vec![Policy::parse(id, &draft.text(), None, None)?])
}
