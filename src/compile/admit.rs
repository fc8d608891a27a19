//! What may come in, as far as the file says it: the pages that may use the gateway.
//!
//! Pages of our own origin may. With OAuth on, those of `cors.origins` may besides, but not where people
//! decide: authorizing, consenting and signing in are done on our own pages. With OAuth off, pages of
//! this machine may, and where origins are listed only those of them; nobody else ever.
//!
//! SPEC: design §2 "OAuth off", §3 *admit*; SM-22, OA-17, OA-91.

use super::{
    press::Written,
    render::{Draft, endpoints, set},
};
use crate::{
    config::Config,
    policy::{Effect, EndpointClass},
};

/// Whether pages of other origins may be let in there: not where people decide, nor where only servers ask.
pub(crate) const fn takes_other_pages(class: EndpointClass) -> bool {
    match class {
        EndpointClass::Authorize
        | EndpointClass::Consent
        | EndpointClass::Grants
        | EndpointClass::Introspect
        | EndpointClass::Login => false,
        EndpointClass::Elsewhere
        | EndpointClass::Health
        | EndpointClass::Jwks
        | EndpointClass::Mcp
        | EndpointClass::Metadata
        | EndpointClass::Register
        | EndpointClass::Revoke
        | EndpointClass::Token => true,
    }
}

/// The checks that the file has a say in.
pub(super) fn policies(config: &Config) -> Vec<Written> {
    let cors = &config.cors;
    let mut may = vec!["context.origin.own".to_owned()];
    if cors.origins.is_empty() {
        may.push("(!context.oauth && context.origin.loopback)".to_owned());
    } else {
        let listed = set(cors.origins.iter().map(|origin| origin.value.as_str()));
        may.push(format!(
            "((context.oauth || context.origin.loopback) && {} && {listed}.contains(context.origin.text))",
            others()
        ));
    }
    if cors.any.is_some() {
        may.push(format!("(context.oauth && {} && context.origin.text != \"null\")", others()));
    }
    let draft = Draft {
        id: "check/origin",
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
        unless: vec![format!("({})", may.join("\n        || "))],
    };
    vec![draft.written(cors.place.as_ref())]
}

fn others() -> String {
    endpoints(EndpointClass::ALL.into_iter().filter(|class| takes_other_pages(*class)))
}
