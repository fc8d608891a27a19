//! How the names of many servers live beside each other on `/mcp`: `server__tool`.
//!
//! A server's name has no underscore, so the first `__` is the seam and the mapping is reversible.
//! Resource URIs are never rewritten.
//!
//! SPEC: PX-01, PX-02, CG-02.

use crate::name::ServerName;

const SEAM: &str = "__";

/// The name by which `/mcp` shows what `server` calls `name`.
pub(crate) fn join(server: &ServerName, name: &str) -> String {
    format!("{server}{SEAM}{name}")
}

/// The server and its own name behind a name on `/mcp`.
pub(crate) fn split(name: &str) -> Option<(ServerName, &str)> {
    let (server, name) = name.split_once(SEAM)?;
    Some((server.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn px01_names_come_back_as_they_went() {
        let server: ServerName = "a-1".parse().unwrap();
        for name in ["read", "x__y", "_x", "a.b"] {
            let joined = join(&server, name);
            assert_eq!(split(&joined), Some((server.clone(), name)), "{joined}");
        }
        assert_eq!(split("read"), None);
        assert_eq!(split("A__read"), None);
    }
}
