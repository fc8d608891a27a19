//! The static checks: pure functions from a configuration, as it is written and as what it means, to
//! findings. One file a rule, each with its page.
//!
//! What reading and compiling find by themselves is raised there (`config/findings.rs`,
//! `compile/findings.rs`); their rules have a file here all the same, with their page and nothing to
//! run. Findings are sorted by place, so that the author mends the file from the top.
//!
//! SPEC: `requirements/lint-rules.md`. To add a rule: a file named after it, and a line in [`CHECKS`].

mod admin_default_credential;
mod admin_public;
mod audience_unchecked;
mod baseline;
mod check_never_runs;
mod confusable_name;
mod consent_disabled;
mod cors_reflect_or_regex;
mod cors_wildcard_with_auth;
mod csp_missing_directive;
mod csp_unsafe_inline;
mod csp_wildcard;
mod destructive_by_read_scope;
mod duplicate_key;
mod duplicate_key_case;
mod empty_selector;
mod fields;
mod fingerprint;
pub mod fix;
mod forbid_can_error;
mod forbid_never_denies;
mod guard_fails_open;
mod header_conflict;
mod header_injection;
mod header_rule_overridden;
mod hop_by_hop_header;
mod hsts_weak;
mod hsts_without_tls;
mod invalid_identifier;
mod inventory_drift;
mod judge;
mod list_call_mismatch;
mod mend;
mod merge_key_ignored;
mod multi_document;
mod no_authorization_block;
mod no_body_limit;
mod no_rate_limit;
mod no_timeout;
mod omnibus_scope;
mod origin_check_missing;
mod page;
mod path_prefix_escapes;
mod permit_overridden;
mod pkce_not_s256;
mod plaintext_secret;
mod policy_always_allows;
mod policy_always_denies;
mod policy_never_matches;
mod policy_redundant;
mod policy_shadowed;
mod public_bind_no_auth;
mod public_bind_no_tls;
mod rate_tier_inverted;
mod redirect_uri_wildcard;
mod scope_never_grantable;
mod scope_over_broad;
mod server_unreachable;
mod stage_unavailable_field;
mod stdio_through_shell;
mod suppression_expired;
mod suppression_without_reason;
mod tls_proxy_unnamed;
mod tool_pattern_no_match;
mod tool_unreachable;
mod undefined_env;
mod unknown_field;
mod unknown_rate_tier;
mod unknown_rule;
mod unknown_tag;
mod unpinned_package;
mod unsupported_version;
mod unused_suppression;
mod upstream_http;
mod upstream_tls_unverified;
mod version_disclosure;
mod weak_signing_key;
mod written;
mod wrong_type;
mod yaml_ambiguous_scalar;
mod yaml_syntax;

use std::{collections::BTreeMap, sync::Arc};

pub use baseline::{Baseline, Known, Unusable};
pub(crate) use fingerprint::{fingerprint, yaml_path};
pub use judge::{Asked, By, Chosen, Effective, Judged, Kind, NoSuchRule, Origin, Suppressed, effective, judge};
pub use mend::{Unfit, mend};
pub use page::{Example, Fixable, Page, Profile};

use crate::{
    compile,
    config::{Config, Loaded, Node, Server, Sources, findings},
    diagnostic::{About, Diagnostic, Place},
    lock::{Inventory, Lock},
    name::ServerName,
    policy::Bundle,
    reach::Reach,
};

/// A rule.
pub trait Check: Sync {
    /// What it is.
    fn about(&self) -> &'static About;

    /// What its page says.
    fn page(&self) -> &'static Page;

    /// Looks at the subject and adds what it finds. Nothing for what reading or compiling raises.
    fn run(&self, _subject: &Subject<'_>, _findings: &mut Vec<Diagnostic>) {}
}

/// What checks look at: more of it the sounder the configuration is, so that one mistake hides no
/// other.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What is written.
    pub(crate) tree: Option<&'a Node>,
    /// The texts themselves.
    pub(crate) sources: &'a Sources,
    /// What it means, as far as it could be read: entries with findings of their own are missing.
    pub(crate) config: Option<&'a Config>,
    /// What `portcullis.lock` pins, where there is one and it could be read.
    pub(crate) lock: Option<&'a Lock>,
    /// What servers offer now, where they were asked.
    pub(crate) live: Option<&'a BTreeMap<ServerName, Inventory>>,
    /// What can be reached, where everything could be read and compiled. Rules about who may do what
    /// ask this, and are silent without it.
    pub(crate) reach: Option<&'a Reach<'a>>,
}

impl<'a> Subject<'a> {
    /// The servers that could be read.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&'a ServerName, &'a Server)> {
        self.config.into_iter().flat_map(|config| &config.servers)
    }
}

/// Every rule, by code.
pub const CHECKS: &[&dyn Check] = &[
    &yaml_syntax::YamlSyntax,
    &duplicate_key::DuplicateKey,
    &duplicate_key_case::DuplicateKeyCase,
    &unknown_field::UnknownField,
    &wrong_type::WrongType,
    &yaml_ambiguous_scalar::YamlAmbiguousScalar,
    &merge_key_ignored::MergeKeyIgnored,
    &unsupported_version::UnsupportedVersion,
    &undefined_env::UndefinedEnv,
    &multi_document::MultiDocument,
    &confusable_name::ConfusableName,
    &invalid_identifier::InvalidIdentifier,
    &unknown_tag::UnknownTag,
    &scope_never_grantable::ScopeNeverGrantable,
    &policy_never_matches::PolicyNeverMatches,
    &permit_overridden::PermitOverridden,
    &policy_shadowed::PolicyShadowed,
    &policy_redundant::PolicyRedundant,
    &forbid_never_denies::ForbidNeverDenies,
    &forbid_can_error::ForbidCanError,
    &guard_fails_open::GuardFailsOpen,
    &server_unreachable::ServerUnreachable,
    &tool_unreachable::ToolUnreachable,
    &tool_pattern_no_match::ToolPatternNoMatch,
    &empty_selector::EmptySelector,
    &no_authorization_block::NoAuthorizationBlock,
    &policy_always_allows::PolicyAlwaysAllows,
    &policy_always_denies::PolicyAlwaysDenies,
    &scope_over_broad::ScopeOverBroad,
    &omnibus_scope::OmnibusScope,
    &destructive_by_read_scope::DestructiveByReadScope,
    &list_call_mismatch::ListCallMismatch,
    &stage_unavailable_field::StageUnavailableField,
    &path_prefix_escapes::PathPrefixEscapes,
    &public_bind_no_auth::PublicBindNoAuth,
    &public_bind_no_tls::PublicBindNoTls,
    &admin_public::AdminPublic,
    &admin_default_credential::AdminDefaultCredential,
    &cors_wildcard_with_auth::CorsWildcardWithAuth,
    &cors_reflect_or_regex::CorsReflectOrRegex,
    &origin_check_missing::OriginCheckMissing,
    &hsts_without_tls::HstsWithoutTls,
    &hsts_weak::HstsWeak,
    &csp_unsafe_inline::CspUnsafeInline,
    &csp_missing_directive::CspMissingDirective,
    &csp_wildcard::CspWildcard,
    &header_rule_overridden::HeaderRuleOverridden,
    &header_injection::HeaderInjection,
    &hop_by_hop_header::HopByHopHeader,
    &header_conflict::HeaderConflict,
    &version_disclosure::VersionDisclosure,
    &consent_disabled::ConsentDisabled,
    &redirect_uri_wildcard::RedirectUriWildcard,
    &pkce_not_s256::PkceNotS256,
    &audience_unchecked::AudienceUnchecked,
    &tls_proxy_unnamed::TlsProxyUnnamed,
    &upstream_http::UpstreamHttp,
    &upstream_tls_unverified::UpstreamTlsUnverified,
    &stdio_through_shell::StdioThroughShell,
    &unpinned_package::UnpinnedPackage,
    &plaintext_secret::PlaintextSecret,
    &weak_signing_key::WeakSigningKey,
    &no_rate_limit::NoRateLimit,
    &unknown_rate_tier::UnknownRateTier,
    &rate_tier_inverted::RateTierInverted,
    &no_body_limit::NoBodyLimit,
    &no_timeout::NoTimeout,
    &check_never_runs::CheckNeverRuns,
    &inventory_drift::InventoryDrift,
    &unused_suppression::UnusedSuppression,
    &suppression_without_reason::SuppressionWithoutReason,
    &suppression_expired::SuppressionExpired,
    &unknown_rule::UnknownRule,
];

/// What a check found, and the bundle where the policies compile.
#[derive(Debug)]
pub struct Examined {
    /// Everything that was found, by place.
    pub findings: Vec<Diagnostic>,
    /// What the policies compile to; nothing where something in them is wrong.
    pub bundle: Option<Arc<Bundle>>,
    /// What `portcullis.lock` pins, where there is one and it could be read.
    pub lock: Option<Arc<Lock>>,
}

/// Everything that was found in reading, in compiling, and by the checks. Where all environments were
/// asked for, what is found in each of them, once; the bundle is that of the file alone.
#[must_use]
pub fn examine(loaded: &Loaded) -> Examined {
    examine_live(loaded, None)
}

/// The same, with what servers were found to offer now.
#[must_use]
pub fn examine_live(loaded: &Loaded, live: Option<&BTreeMap<ServerName, Inventory>>) -> Examined {
    let mut examined = examine_one(loaded, live);
    if !loaded.others.is_empty() {
        examined.findings = in_environments(examined.findings, &loaded.others);
    }
    examined
}

fn examine_one(loaded: &Loaded, live: Option<&BTreeMap<ServerName, Inventory>>) -> Examined {
    let mut findings = loaded.findings.clone();
    let mut bundle = None;
    let whole = loaded.whole();
    let before = findings.len();
    let lock = loaded.lock.as_ref().and_then(|tree| Lock::read(tree, &mut findings)).map(Arc::new);
    // Where it could not be read, what was pinned is not known, and must not be taken for nothing.
    let known = findings.len() == before;
    if let Some(config) = whole {
        match compile::bundle(config, lock.as_deref()) {
            // What was pinned decides what has drifted.
            Ok(compiled) if known => {
                bundle = Some(match &lock {
                    Some(lock) => compiled.with_inventory(&lock.digest()),
                    None => compiled,
                });
            }
            Ok(_) => {}
            Err(mut problems) => {
                problems.retain(|problem| known || problem.code != compile::findings::ARGUMENTS.code);
                findings.extend(problems);
            }
        }
    }
    // A bundle that the engine refuses has a finding from the compiler.
    let bundle = bundle.map(Arc::new);
    let reach = whole.zip(bundle.clone()).and_then(|(config, bundle)| Reach::new(config, bundle, lock.as_deref()).ok());
    if let Some(reach) = &reach {
        reach.look_ahead();
    }
    let subject = Subject {
        tree: loaded.tree.as_ref(),
        sources: &loaded.sources,
        config: loaded.config.as_ref().or(loaded.part.as_ref()),
        lock: lock.as_deref(),
        live,
        reach: reach.as_ref(),
    };
    for check in CHECKS {
        check.run(&subject, &mut findings);
    }
    findings.retain(|finding| !loaded.of_missing(finding));
    sort(&mut findings);
    Examined { findings, bundle, lock }
}

/// What Cedar finds at one place comes in no order.
fn sort(findings: &mut [Diagnostic]) {
    findings.sort_by(|a, b| (a.place(), a.code, &a.message).cmp(&(b.place(), b.code, &b.message)));
}

/// What is found in a file alone and with each environment laid over it: every finding once, and
/// where it is not found everywhere, the message says where.
fn in_environments(base: Vec<Diagnostic>, others: &[Loaded]) -> Vec<Diagnostic> {
    let mut found: BTreeMap<Found, (Diagnostic, Vec<String>)> = BTreeMap::new();
    let base = ("the base".to_owned(), base);
    let others = others.iter().map(|other| {
        let name = other.environment.as_ref().map(ToString::to_string).unwrap_or_default();
        (format!("`{name}`"), examine_one(other, None).findings)
    });
    let all: Vec<_> = std::iter::once(base).chain(others).collect();
    let count = all.len();
    for (name, findings) in all {
        for finding in findings {
            let (_, names) = found.entry(Found::of(&finding)).or_insert((finding, Vec::new()));
            if names.last() != Some(&name) {
                names.push(name.clone());
            }
        }
    }
    let mut findings: Vec<Diagnostic> = found
        .into_values()
        .map(|(mut finding, names)| {
            if names.len() < count {
                finding.message = format!("{} (in {})", finding.message, names.join(", "));
            }
            finding
        })
        .collect();
    sort(&mut findings);
    findings
}

/// What makes two findings one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    code: &'static str,
    places: Vec<Place>,
    message: String,
}

impl Found {
    fn of(finding: &Diagnostic) -> Self {
        Self {
            code: finding.code,
            places: finding.labels.iter().map(|label| label.place.clone()).collect(),
            message: finding.message.clone(),
        }
    }
}

/// The findings alone.
#[must_use]
pub fn run(loaded: &Loaded) -> Vec<Diagnostic> {
    examine(loaded).findings
}

/// Every rule that can fire, by code.
#[must_use]
pub fn catalogue() -> Vec<&'static About> {
    let checks = CHECKS.iter().map(|check| check.about());
    let mut rules: Vec<_> = findings::RAISED.iter().copied().chain(compile::findings::ALL).chain(checks).collect();
    rules.sort_by_key(|about| about.code);
    // A rule that several stages raise is one rule.
    rules.dedup_by_key(|about| about.code);
    rules
}
