//! To complete an argument of a prompt or of a resource template.
//!
//! What may be suggested tells of what there is, so it is decided on the prompt or resource that is
//! referred to (PX-27). It is passed on to a server that does not say that it completes, too: some do.
//!
//! SPEC: MCP, "Completion"; PX-27, CG-04.

use std::sync::Arc;

use super::{
    super::{
        Answer, Gateway, Inquiry, Refusal, Stop,
        classify::{Act, Asked, Complete},
        denied,
        record::Known,
    },
    find::singular,
    form::{Form, whole},
};
use crate::{
    mcp::{Id, Kind, with_value},
    policy::{Arguments, Question, Verb, hex},
    seal,
    upstream::{Call, Manner, Outgoing},
};

impl Gateway {
    /// Completes, if it is allowed.
    pub(in super::super) async fn complete(
        self: &Arc<Self>,
        inquiry: &Inquiry<'_>,
        asked: &Asked<'_>,
        complete: &Complete<'_>,
        known: &mut Known,
    ) -> Result<Answer, Stop> {
        known.digest = Some(hex(&seal::mac(&self.parts.digest_key, complete.argument.get().as_bytes())));
        let act = Act::on(complete.kind, complete.name.clone());
        let found = self.find(inquiry, &act, known).await?;
        known.target = Some(found.target.clone());
        let (moment, findings) = inquiry.moment_of(&found);
        known.findings = findings;
        let question = Question {
            asker: &inquiry.ready.asker,
            verb: Verb::CompletionComplete,
            target: &found.target,
            inventory: found.inventory(),
            moment: &moment,
            arguments: Arguments::NONE,
        };
        let outgoing = Outgoing {
            method: asked.method,
            params: params(complete, found.target.name()).into(),
            manner: Manner { meta: asked.meta.unreserved().into(), ..Manner::default() },
            side: None,
            timeout: inquiry.revision.snapshot.config.listen.limits.request,
        };
        let call = Call { server: found.target.server().clone(), outgoing };
        let allowed = match inquiry.engine().allow(&question, call) {
            Ok(allowed) => allowed,
            Err(decision) => {
                let open = self.write_decision(known, &decision)?;
                let unknown =
                    Refusal::Unknown { kind: singular(complete.kind), name: complete.name.as_ref().to_owned() };
                let refusal = denied(&decision, found.is_listed(inquiry, &question), unknown);
                return Err(Stop::After(refusal, open));
            }
        };
        let open = self.write_decision(known, allowed.decision())?;
        // No result of a completion is kept or comes in rounds.
        let form =
            Form { id: asked.id.clone(), era: asked.version.era(), kind: Kind::Prompts, token: None, level: None };
        let strange = |_: &_| Err(Refusal::Upstream("the server answered something that is not MCP".into()));
        let message = match inquiry.revision.upstreams.send(allowed).await {
            Some(Ok(reply)) => form.message(&reply, strange),
            Some(Err(error)) => Err(Refusal::Upstream(error.to_string())),
            None => Err(Refusal::Internal),
        };
        Ok(whole(&form, message, open))
    }
}

/// The parameters as the upstream gets them: its own name in the reference, all other bytes the caller's.
fn params(complete: &Complete<'_>, name: &str) -> Vec<u8> {
    let mut own = Vec::new();
    Id::Text(name.into()).write(&mut own);
    let key = if complete.kind == Kind::Prompts { "name" } else { "uri" };
    let reference = with_value(complete.reference.get(), key, std::str::from_utf8(&own).unwrap_or_default());
    let mut out = format!("{{\"ref\":{reference},\"argument\":{}", complete.argument.get());
    if let Some(context) = complete.context {
        out.push_str(",\"context\":");
        out.push_str(context.get());
    }
    out.push('}');
    out.into_bytes()
}
