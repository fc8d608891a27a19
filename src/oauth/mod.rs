//! The authorization server: what tokens are and how they come to be.
//!
//! Pure decisions over values, the store and the policies; HTTP and pages stand on top. `authorize` reads
//! a request, `consent` turns a person's answer into a code, `token` turns codes and refresh tokens into tokens
//! (one file a grant in `grant/`), `revoke` and `introspect` are what they say, `metadata` says what is on, and
//! `client/` knows who asks. `error` has the one outward form of every refusal.
//!
//! INVARIANT: a token leaves this module once, to whoever it is for; all that stays is its digest.
//! SPEC: OAuth 2.1; oauth §2, §3.

mod access_token;
mod authorize;
pub mod client;
mod code;
mod consent;
mod error;
mod failure;
mod form;
mod grant;
mod handle;
mod introspect;
mod issuer;
mod key;
mod metadata;
mod office;
mod pkce;
mod redirect;
mod refresh_token;
mod revoke;
mod scope;
mod signin;
mod token;

#[cfg(test)]
mod tests;

pub use access_token::{AccessToken, Issue, LONGEST_LIFE, Looked, Malformed, Resource, ResourceError, TokenKeys};
pub use authorize::{AuthorizationRequest, Refused, authorize};
pub(crate) use client::Guess;
pub use code::Code;
pub use consent::{Answer, Approved, Decided, Offer, Offered, Proof, SignedIn, approve, offer, proof};
pub use error::{ErrorCode, OAuthError, Why};
pub use failure::held_up;
pub use form::{Form, LONGEST_FORM, Repeated};
pub use handle::{Handle, Holder, LONGEST_WAIT, Page, used};
pub use introspect::introspect;
pub use issuer::{Admitted, Call, Issuer, OWNER};
pub use key::{OAuthKeys, SecretDigest};
pub use metadata::{authorization_server, protected_resource, registration};
pub(crate) use office::{Office, Roll};
pub use pkce::Challenge;
pub use redirect::Target;
pub use refresh_token::RefreshToken;
pub use revoke::revoke;
pub use scope::Asked;
pub use signin::{NotSignedIn, OpenedSession, Session, owner, users};
pub use token::{Issued, token};
