//! `portcullis.yaml`: found, read twice, and turned into what it means.

mod section;

use std::collections::BTreeMap;

pub use section::{
    audit::Audit,
    encryption::Encryption,
    grants::{Grant, Grantee},
    listen::{Limits, Listen},
    oauth::OAuth,
    policies::PolicyFile,
    rules::{Rule, Selector},
    servers::{Exception, Http, Require, SecretRef, Server, Stdio, Text, Transport},
    store::Store,
    tags::Tag,
};

use crate::name::{ServerName, TagName};

/// What a configuration means, every reference resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the gateway listens.
    pub listen: Listen,
    /// Every tag.
    pub tags: BTreeMap<TagName, Tag>,
    /// Every server.
    pub servers: BTreeMap<ServerName, Server>,
    /// Every ceiling, in the order of the file.
    pub grants: Vec<Grant>,
    /// Every rule, in the order of the file.
    pub rules: Vec<Rule>,
    /// Whether callers need a token.
    pub oauth: OAuth,
    /// Where the audit trail goes.
    pub audit: Audit,
    /// Where tokens are kept.
    pub store: Store,
    /// Where the master key is kept.
    pub encryption: Encryption,
    /// Hand-written Cedar, sorted by path.
    pub policies: Vec<PolicyFile>,
}
