//! What is written under `oauth:` about the authorization server, read as it will be.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::*;
use crate::{
    config::{AuthMethod, GrantType, Redirects, Trust, document::read_as},
    diagnostic::Diagnostic,
};

fn read(text: &str) -> (Option<Authorization>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let section = read_as::<AuthorizationSection>(&Arc::from("oauth.yaml"), text, &mut findings);
    let mut found = Vec::new();
    let meant = section
        .and_then(|section| Authorization::resolve(section, &mut Resolver::for_test(&["web", "files"], &mut found)));
    findings.append(&mut found);
    (meant, findings)
}

/// The place and words of every finding.
fn problems(text: &str) -> Vec<String> {
    let (_, findings) = read(text);
    findings
        .iter()
        .map(|finding| {
            let place = finding.labels.first().map(|label| format!("{}:{}", label.place.line, label.place.column));
            format!("{} {} {}", place.unwrap_or_default(), finding.code, finding.message)
        })
        .collect()
}

#[test]
fn as12_as28_what_is_written_is_what_is_meant() {
    let (meant, findings) = read(
        "login: users
access_token: {lifetime: 5s}
code: {lifetime: 3s}
refresh_token: {idle: 30s, absolute: 90d, grace: 2s}
registration: loopback
documents: {hosts: [app.example.com], inside: ['127.0.0.1:8443']}
scope_drift: notify
clients:
  desk:
    name: Desk
    redirect_uris: ['http://127.0.0.1/callback']
  ci-bot:
    secret: {env: CI_SECRET}
    auth: client_secret_post
",
    );
    assert!(findings.is_empty(), "{findings:?}");
    let meant = meant.unwrap();
    assert_eq!(meant.login.unwrap().value, Login::Users);
    assert_eq!(meant.lifetimes.access_token, Duration::from_secs(5));
    assert_eq!(meant.lifetimes.refresh_grace, Duration::from_secs(2));
    assert_eq!(meant.registration.unwrap().redirects, Redirects::Loopback);
    assert_eq!(meant.documents.trust, Trust::Hosts(vec!["app.example.com".into()]));
    assert_eq!(meant.documents.inside, ["127.0.0.1:8443"]);
    assert_eq!(meant.scope_drift, ScopeDrift::Notify);
    let client = |id: &str| meant.clients.get(&id.parse().unwrap()).unwrap();
    assert_eq!(client("desk").auth, AuthMethod::None);
    assert_eq!(client("desk").grant_types, BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]));
    assert_eq!(client("ci-bot").auth, AuthMethod::SecretPost);
    assert_eq!(client("ci-bot").grant_types, BTreeSet::from([GrantType::ClientCredentials]));
}

#[test]
fn nothing_written_is_short_lived_and_closed() {
    let meant = read("scope_drift: reconsent\n").0.unwrap();
    assert_eq!(meant.lifetimes, Lifetimes::default());
    assert_eq!(meant.lifetimes.access_token, Duration::from_secs(600));
    assert!(meant.login.is_none() && meant.registration.is_none() && !meant.private_schemes);
}

#[test]
fn oa136_weak_settings_are_findings_at_their_place() {
    for (text, expected) in [
        ("access_token: {lifetime: 61m}", "1:26 PC005 `oauth.access_token.lifetime` is longer than `60m`"),
        ("code: {lifetime: 61s}", "1:18 PC005 `oauth.code.lifetime` is longer than `60s`"),
        ("refresh_token: {grace: 31m}", "1:24 PC005 `oauth.refresh_token.grace` is longer than `30m`"),
        ("login: nobody", "1:8 PC005 `oauth.login` cannot be `nobody`"),
        ("scope_drift: ignore", "1:14 PC005 `oauth.scope_drift` cannot be `ignore`"),
        ("registration: all", "1:15 PC005 `all` says nothing of registration"),
        ("documents: {hosts: []}", "1:20 PC113 the list of hosts is empty"),
        ("documents: {hosts: ['https://a.example']}", "1:21 PC005 `https://a.example` is no host"),
        ("clients: {a: {secret: hunter2hunter2}}", "1:23 PC401 `oauth.clients.a.secret` is written out"),
        (
            "clients: {a: {grant_types: [client_credentials]}}",
            "1:11 PC005 `oauth.clients.a` asks for tokens of its own and has no `secret`",
        ),
        (
            "clients: {a: {grant_types: [authorization_code]}}",
            "1:11 PC005 `oauth.clients.a` takes codes and has no `redirect_uris`",
        ),
        (
            "clients: {a: {redirect_uris: ['https://a.example/'], grant_types: [password]}}",
            "1:68 PC005 `password` is no grant type of ours",
        ),
        (
            "clients: {a: {redirect_uris: ['https://a.example/'], auth: client_secret_post}}",
            "1:60 PC005 `oauth.clients.a.auth` and `oauth.clients.a.secret` do not go together",
        ),
        (
            "clients: {'https://a.example/x': {redirect_uris: ['https://a.example/']}}",
            "1:11 PC012 the id `https://a.example/x` is of a form that clients get elsewhere",
        ),
        (
            "clients: {pc_c_1: {redirect_uris: ['https://a.example/']}}",
            "1:11 PC012 the id `pc_c_1` is of a form that clients get elsewhere",
        ),
    ] {
        assert_eq!(problems(text), [expected], "{text}");
        assert!(!problems(text).join("").contains("hunter2"));
    }
}

#[test]
fn oa04_oa05_oa07_a_redirect_uri_that_is_not_safe_is_a_finding() {
    let text = "clients:
  a:
    redirect_uris:
      - https://a.example/cb#x
      - http://a.example/cb
      - javascript:alert(1)
      - https://*.example.com/cb
      - com.example.app:/cb
";
    let found = problems(text);
    assert_eq!(found.len(), 5, "{found:?}");
    for (line, problem) in (4..).zip(&found) {
        assert!(problem.starts_with(&format!("{line}:9 PC005 the redirect URI")), "{problem}");
    }
    let (meant, findings) = read("private_schemes: true\nclients: {a: {redirect_uris: ['com.example.app:/cb']}}\n");
    assert!(findings.is_empty() && meant.unwrap().clients.len() == 1);
}
