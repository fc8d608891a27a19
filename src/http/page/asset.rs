//! What pages load: a stylesheet and an icon, from here and nowhere else.
//!
//! Their paths change with their content, so browsers may keep them for good. They stand outside the
//! paths of the authorization server, whose answers nobody keeps and whose limits they shall not use up.
//!
//! SPEC: T-066, T-073 (`style-src 'self'`, nothing of other places).

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::policy::hex;

/// A file that pages load.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Where it is.
    pub(crate) path: String,
    /// Its media type.
    pub(crate) kind: &'static str,
    /// Its content.
    pub(crate) body: &'static str,
}

impl Asset {
    /// What caches are told.
    pub(crate) const CACHE_CONTROL: &'static str = "public, max-age=31536000, immutable";

    fn new(name: &str, extension: &str, kind: &'static str, body: &'static str) -> Self {
        let digest: String = hex(&Sha256::digest(body)).chars().take(12).collect();
        Self { path: format!("/assets/{name}-{digest}.{extension}"), kind, body }
    }
}

/// Everything that pages load.
pub(crate) static ASSETS: LazyLock<[Asset; 2]> = LazyLock::new(|| {
    [
        Asset::new("page", "css", "text/css; charset=utf-8", include_str!("page.css")),
        Asset::new("mark", "svg", "image/svg+xml", include_str!("mark.svg")),
    ]
});

/// Where the stylesheet is.
pub(super) fn style() -> &'static str {
    let [style, _] = &*ASSETS;
    &style.path
}

/// Where the icon is.
pub(super) fn icon() -> &'static str {
    let [_, icon] = &*ASSETS;
    &icon.path
}
