//! PC122 `list-call-mismatch`: something could be callable but hidden, or listed but never callable.
//!
//! The compiler raises it of hand-written policies that name an action of listing and not the one of
//! acting, or the other way round. Here it is raised of tools whose rules leave no arguments with which
//! somebody who sees them could call them, where trying shows that.

use super::{Check, Example, Page, Subject};
use crate::{
    compile::findings,
    diagnostic::{About, Diagnostic},
    policy::Verb,
    reach::Known,
};

pub(super) struct ListCallMismatch;

const PAGE: Page = Page {
    tags: &[],
    ..Page::new(
        "what a caller may call it should see, and what it sees it may call: a list that differs hides an access from its reviewer",
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"hidden\")\nforbid (principal, action in Portcullis::Action::\"tools/list\", resource)\nwhen { context.filtered };\n",
            )],
        },
        Example {
            yaml: "version: 1\ntags: {web: Pages, mail: Letters}\nservers:\n  docs:\n    tags: [web]\n    http: {url: \"https://docs.example.com/mcp\"}\ngrants:\n  - {to: {user: \"*\"}, scopes: [\"tag:web\", \"tag:mail\"]}\npolicies: [extra.cedar]\n",
            files: &[(
                "extra.cedar",
                "@id(\"hidden\")\nforbid (principal, action in [Portcullis::Action::\"tools/list\", Portcullis::Action::\"tools/call\"], resource)\nwhen { context.filtered };\n",
            )],
        },
    )
};

impl Check for ListCallMismatch {
    fn about(&self) -> &'static About {
        &findings::LIST_CALL
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn run(&self, subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
        let Some(reach) = subject.reach else { return };
        let verb = Verb::ToolsCall;
        let aims = reach.servers().flat_map(|server| reach.aims(server, verb));
        for aim in aims.filter(|aim| aim.known == Known::Pinned && reach.engine().reads_arguments(verb, &aim.target)) {
            let target = &aim.target;
            let in_vain = reach.everybody().find(|caller| {
                reach.opens(caller, Verb::ToolsList, target) && reach.callable(caller, target) == Some(false)
            });
            let rules = reach.policies(verb, target).filter(|policy| policy.shape().reads("args"));
            let first = rules.filter_map(|policy| policy.place()).min();
            if let (Some(caller), Some(first)) = (in_vain, first) {
                let message = format!(
                    "{} sees `{target}` listed, and may call it with no arguments whatever they are",
                    caller.who
                );
                let finding = findings::LIST_CALL.at(first, message);
                found.push(finding.help(
                    "mend the rules, of which one holds for all arguments that the others leave; or deny the tool",
                ));
            }
        }
    }
}
