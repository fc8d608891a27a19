//! Keys that the design names and this version does not build.
//!
//! They are refused like unknown keys, but told apart: a reader of the design is not sent to
//! look for a spelling mistake. To build one: remove it here and add it to its section.

/// Section by section, the keys that are known but not built.
const UNBUILT: &[(&str, &[&str])] = &[
    ("AuditSection", &["mask", "on_error", "record_args", "seal"]),
    ("ClientSection", &["rate"]),
    ("Document", &["admin", "invariants", "reload", "telemetry"]),
    ("ListenSection", &["behind_tls_proxy"]),
    ("OAuthSection", &["allow"]),
    ("PrincipalSection", &["claims"]),
    ("StoreSection", &["postgres", "privacy", "valkey"]),
];

/// Whether `key` of `section` is named in the design.
pub(super) fn is_known(section: &str, key: &str) -> bool {
    UNBUILT.iter().any(|(name, keys)| *name == section && keys.contains(&key))
}
