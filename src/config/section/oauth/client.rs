//! `oauth.clients`: OAuth clients that the operator knows, by their id.
//!
//! A client with a secret is confidential; one without is public and can only act for a person. What a client
//! may be granted without a person stands under `grants:`, not here.
//!
//! SPEC: OAuth 2.1 §2; AS-28, AS-29, OA-46.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        document::{Named, TextOr, Written},
        findings,
        redirect_uri::RedirectUri,
        resolve::{Resolver, good},
        section::secret::{SecretRef, SecretSection},
    },
    diagnostic::{Place, Placed, Safety},
    name::ClientId,
};

/// The most redirect URIs of a client.
pub(crate) const MOST_REDIRECTS: usize = 10;

/// A client that the operator knows.
#[derive(Debug, Clone)]
pub struct ConfiguredClient {
    /// What people are told it is called.
    pub name: String,
    /// Where its secret is kept; nothing for a public client.
    pub secret: Option<Placed<SecretRef>>,
    /// How it proves who it is.
    pub auth: AuthMethod,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask tokens for.
    pub grant_types: BTreeSet<GrantType>,
    /// Where its id is written.
    pub place: Place,
}

/// What a client may ask tokens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantType {
    /// A code that a person's consent gave.
    AuthorizationCode,
    /// Nothing but its own authentication.
    ClientCredentials,
    /// A token that an earlier grant gave.
    RefreshToken,
}

impl GrantType {
    /// All of them, sorted.
    pub const ALL: [Self; 3] = [Self::AuthorizationCode, Self::ClientCredentials, Self::RefreshToken];

    /// Its word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// What a word on the wire means.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == word)
    }
}

/// How a client proves who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthMethod {
    /// It does not.
    None,
    /// By a secret in the `Authorization` header.
    SecretBasic,
    /// By a secret in the form.
    SecretPost,
}

impl AuthMethod {
    /// All of them, sorted.
    pub const ALL: [Self; 3] = [Self::None, Self::SecretBasic, Self::SecretPost];

    /// Its word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
        }
    }

    /// What a word on the wire means.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

/// A client that the operator knows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientSection {
    /// What people are told it is called. Default: its id.
    name: Option<Written<String>>,
    /// Where its secret is kept: `{env: NAME}` or `{file: PATH}`. Without one the client is public.
    #[schemars(with = "Option<SecretSection>")]
    secret: Option<Written<TextOr<SecretSection>>>,
    /// How it sends its secret. Default: `client_secret_basic`.
    #[schemars(extend("enum" = ["client_secret_basic", "client_secret_post"]))]
    auth: Option<Written<String>>,
    /// Where codes may be sent: `https`, or `http` to `127.0.0.1`, `[::1]` or `localhost`. They are compared
    /// whole; of a loopback address any port fits.
    #[schemars(extend("minItems" = 1, "maxItems" = 10, "uniqueItems" = true))]
    redirect_uris: Option<Written<Vec<Written<String>>>>,
    /// What it may ask tokens for. Default: `authorization_code` and `refresh_token` with redirect URIs,
    /// `client_credentials` without.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    grant_types: Option<Written<Vec<Written<String>>>>,
}

pub(super) fn resolve(
    section: Option<Written<Named<ClientSection>>>,
    private_schemes: bool,
    cx: &mut Resolver<'_>,
) -> BTreeMap<ClientId, ConfiguredClient> {
    let Named(entries) = section.and_then(|section| section.value).unwrap_or_default();
    let mut clients = BTreeMap::new();
    for (id, written) in entries {
        let parsed = client_id(&id, cx);
        let Some(section) = written.value else { continue };
        if let (client, Some(parsed)) = (ConfiguredClient::resolve(&id, section, private_schemes, cx), parsed)
            && let Some(client) = client
        {
            clients.insert(parsed.value, client);
        }
    }
    clients
}

/// An id that no other way of becoming a client gives out.
fn client_id(written: &Placed<String>, cx: &mut Resolver<'_>) -> Option<Placed<ClientId>> {
    let id = cx.name::<ClientId>(written)?;
    if id.value.as_str().contains(':') || id.value.as_str().starts_with("pc_") {
        let message = format!("the id `{}` is of a form that clients get elsewhere", id.value);
        let help = "choose one without `:` that does not begin with `pc_`: those belong to metadata documents and to registration";
        cx.find(findings::INVALID_IDENTIFIER.at(&id.place, message).help(help));
        return None;
    }
    Some(id)
}

impl ConfiguredClient {
    fn resolve(
        id: &Placed<String>,
        section: ClientSection,
        private_schemes: bool,
        cx: &mut Resolver<'_>,
    ) -> Option<Self> {
        let ClientSection { name, secret, auth, redirect_uris, grant_types } = section;
        let key = format!("oauth.clients.{}", id.value.escape_debug());
        let secret = match secret {
            Some(secret) => Some(self::secret(secret, &key, cx)?),
            None => None,
        };
        let auth = self::auth(auth, secret.is_some(), &key, cx);
        let redirects = redirect_uris.map(|uris| self::redirects(uris, private_schemes, &key, cx));
        let redirect_uris = match redirects {
            Some(redirects) => redirects?,
            None => Vec::new(),
        };
        let grant_types = self::grant_types(grant_types, !redirect_uris.is_empty(), &key, cx)?;
        let wants = |grant| grant_types.contains(&grant);
        let mut lacks = |what: &str, help: &str| {
            cx.find(findings::WRONG_TYPE.at(&id.place, format!("`{key}` {what}")).help(help.to_owned()));
        };
        let mut good = true;
        if wants(GrantType::AuthorizationCode) && redirect_uris.is_empty() {
            lacks("takes codes and has no `redirect_uris`", "write where its codes may be sent");
            good = false;
        }
        if wants(GrantType::ClientCredentials) && secret.is_none() {
            let help = "give it a `secret`: anybody could say that they are a client without one";
            lacks("asks for tokens of its own and has no `secret`", help);
            good = false;
        }
        let name = name.and_then(|name| name.value).unwrap_or_else(|| id.value.clone());
        (good && auth.is_some()).then_some(())?;
        Some(Self { name, secret, auth: auth?, redirect_uris, grant_types, place: id.place.clone() })
    }
}

fn secret(written: Written<TextOr<SecretSection>>, key: &str, cx: &mut Resolver<'_>) -> Option<Placed<SecretRef>> {
    let Written { place, value } = written;
    match value? {
        TextOr::Map(secret) => Some(Placed::new(secret.resolve(&place, &format!("{key}.secret"), cx)?, place)),
        TextOr::Text(_) => {
            let finding = findings::PLAINTEXT_SECRET.at(&place, format!("`{key}.secret` is written out"));
            let help = "write `{env: NAME}` or `{file: PATH}` in its place, and replace the secret: it has been seen";
            let name = format!("{key}_secret").to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let title = format!("read it from the environment variable `{name}`");
            let finding = finding.label("a secret stands here").help(help);
            cx.find(finding.fix(Safety::Unsafe, title, &place, format!("{{env: {name}}}")));
            None
        }
    }
}

fn auth(written: Option<Written<String>>, secret: bool, key: &str, cx: &mut Resolver<'_>) -> Option<AuthMethod> {
    let Some(written) = written else {
        return Some(if secret { AuthMethod::SecretBasic } else { AuthMethod::None });
    };
    let written = written.placed()?;
    match AuthMethod::read(&written.value) {
        Some(method) if (method == AuthMethod::None) != secret => Some(method),
        Some(_) => {
            let message = format!("`{key}.auth` and `{key}.secret` do not go together");
            let help =
                "remove `auth` where there is no secret; with one, write `client_secret_basic` or `client_secret_post`";
            cx.find(findings::WRONG_TYPE.at(&written.place, message).help(help));
            None
        }
        None => {
            let message = format!("`{}` is no way to send a secret", cx.shown("auth", &written));
            let help = "write `client_secret_basic` or `client_secret_post`";
            cx.find(findings::WRONG_TYPE.at(&written.place, message).help(help));
            None
        }
    }
}

fn redirects(
    written: Written<Vec<Written<String>>>,
    private_schemes: bool,
    key: &str,
    cx: &mut Resolver<'_>,
) -> Option<Vec<RedirectUri>> {
    let Written { place, value } = written;
    let listed = value?;
    if listed.is_empty() || listed.len() > MOST_REDIRECTS {
        let message = format!("`{key}.redirect_uris` must list 1 to {MOST_REDIRECTS}");
        cx.find(findings::WRONG_TYPE.at(&place, message).help("name the ones it uses, or remove the key"));
        return None;
    }
    let mut uris = Vec::new();
    let mut all_good = true;
    for uri in good(listed) {
        match RedirectUri::parse(&uri.value, private_schemes) {
            Ok(uri) if uris.contains(&uri) => {}
            Ok(uri) => uris.push(uri),
            Err(problem) => {
                let message = format!("the redirect URI `{}` {problem}", cx.shown("redirect_uris", &uri));
                let help = "write it out as the client sends it, as in `https://app.example.com/callback`";
                cx.find(findings::WRONG_TYPE.at(&uri.place, message).help(help));
                all_good = false;
            }
        }
    }
    all_good.then_some(uris)
}

fn grant_types(
    written: Option<Written<Vec<Written<String>>>>,
    redirects: bool,
    key: &str,
    cx: &mut Resolver<'_>,
) -> Option<BTreeSet<GrantType>> {
    let Some(written) = written else {
        return Some(match redirects {
            true => [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            false => [GrantType::ClientCredentials].into(),
        });
    };
    let Written { place, value } = written;
    let listed = value?;
    if listed.is_empty() {
        let finding = findings::EMPTY_SELECTOR.at(&place, format!("`{key}.grant_types` is empty"));
        cx.find(finding.help("name at least one, or remove the key"));
        return None;
    }
    let mut grants = BTreeSet::new();
    let mut all_good = true;
    for word in good(listed) {
        match GrantType::read(&word.value) {
            Some(grant) => {
                grants.insert(grant);
            }
            None => {
                let message = format!("`{}` is no grant type of ours", cx.shown("grant_types", &word));
                let help = "write `authorization_code`, `client_credentials` or `refresh_token`";
                cx.find(findings::WRONG_TYPE.at(&word.place, message).help(help));
                all_good = false;
            }
        }
    }
    all_good.then_some(grants)
}
