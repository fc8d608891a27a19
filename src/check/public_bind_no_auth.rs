//! PC201 `public-bind-no-auth`: other machines can reach the gateway, and nobody needs a token.
//!
//! Reading raises it (`config/section/listen.rs`), since the configuration then means nothing that
//! could be served (CWE-306).

use super::{Check, Fixable, Page, page::and};
use crate::{config::findings, diagnostic::About};

pub(super) struct PublicBindNoAuth;

const PAGE: Page = Page {
    fix: Fixable::Unsafe,
    tags: &["CWE-306", "OWASP-MCP07"],
    ..Page::new(
        "without tokens everybody who reaches the gateway may use every server behind it",
        and!(
            r#"listen: {address: "0.0.0.0:3050", public_url: "http://localhost:3050"}
oauth: {enabled: false}
"#
        ),
        and!(
            r#"listen: {address: "127.0.0.1:3050", public_url: "http://localhost:3050"}
oauth: {enabled: false}
"#
        ),
    )
};

impl Check for PublicBindNoAuth {
    fn about(&self) -> &'static About {
        &findings::PUBLIC_BIND_NO_AUTH
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }
}
