//! How the names of many servers live beside each other on `/mcp`: `server__tool`.
//!
//! A server's name has no underscore, so the first `__` is the seam and the mapping is reversible.
//! Resource URIs are never rewritten.
//!
//! SPEC: PX-01, PX-02, CG-02.

use crate::name::ServerName;

const SEAM: &str = "__";
/// The longest name that the protocol lets a tool have (PX-02).
const LONGEST: usize = 128;
/// The longest name that every client takes.
const COMFORTABLE: usize = 64;

/// The name by which `/mcp` shows what `server` calls `name`; nothing where it would be too long, and
/// the thing can be had at `/mcp/{server}` alone.
pub(crate) fn join(server: &ServerName, name: &str) -> Option<String> {
    let joined = format!("{server}{SEAM}{name}");
    (joined.len() <= LONGEST).then_some(joined)
}

/// Says once for a list which of its names are trouble on `/mcp`.
pub(crate) fn warn_of_long_names<'n>(server: &ServerName, names: impl Iterator<Item = &'n str>) {
    for name in names {
        match server.as_str().len() + SEAM.len() + name.len() {
            length if length > LONGEST => {
                tracing::warn!(%server, name, length, "left out of `/mcp`: its name there would be longer than 128");
            }
            length if length > COMFORTABLE => {
                tracing::warn!(%server, name, length, "some clients refuse names longer than 64; use `/mcp/SERVER` for them");
            }
            _ => {}
        }
    }
}

/// The server and its own name behind a name on `/mcp`.
pub(crate) fn split(name: &str) -> Option<(ServerName, &str)> {
    let (server, name) = name.split_once(SEAM).filter(|_| name.len() <= LONGEST)?;
    Some((server.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn px01_names_come_back_as_they_went() {
        let server: ServerName = "a-1".parse().unwrap();
        for name in ["read", "x__y", "_x", "a.b"] {
            let joined = join(&server, name).unwrap();
            assert_eq!(split(&joined), Some((server.clone(), name)), "{joined}");
        }
        let long = "x".repeat(128);
        assert_eq!((join(&server, &long), split(&format!("a-1__{long}"))), (None, None));
        assert_eq!(split("read"), None);
        assert_eq!(split("A__read"), None);
    }
}
