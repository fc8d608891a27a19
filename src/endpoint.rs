//! Which endpoint of the gateway is meant: everything, one server, or a view.
//!
//! Its path is its identity: the resource identifier that tokens are bound to is the public URL with
//! this path behind it, and the metadata stands under the same path (RFC 9728, RFC 8707). Whether
//! there is such a server or view is not known here and shows only after authentication.
//!
//! SPEC: design §6. To add an endpoint: a variant, its path in both directions, then follow the compiler.

use std::{fmt, str::FromStr};

use crate::name::{ServerName, ViewName};

/// An endpoint of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `/mcp`: all servers in one.
    All,
    /// `/mcp/{server}`
    One(ServerName),
    /// `/mcp/@{view}`: all servers in one, as far as the view keeps them.
    View(ViewName),
}

/// A path that no endpoint can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no endpoint")]
pub struct NoEndpoint;

impl Endpoint {
    /// The one server that a path names.
    #[must_use]
    pub fn server_at(path: &str) -> Option<ServerName> {
        match path.parse() {
            Ok(Self::One(server)) => Some(server),
            Ok(Self::All | Self::View(_)) | Err(NoEndpoint) => None,
        }
    }

    /// The one server that it stands for; nothing where servers are merged.
    #[must_use]
    pub const fn server(&self) -> Option<&ServerName> {
        match self {
            Self::One(server) => Some(server),
            Self::All | Self::View(_) => None,
        }
    }

    /// The view that it is.
    #[must_use]
    pub const fn view(&self) -> Option<&ViewName> {
        match self {
            Self::View(view) => Some(view),
            Self::All | Self::One(_) => None,
        }
    }
}

/// The path, as in `/mcp/@frontend`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("/mcp"),
            Self::One(server) => write!(f, "/mcp/{server}"),
            Self::View(view) => write!(f, "/mcp/@{view}"),
        }
    }
}

/// Reads a path: to the letter, nothing is decoded or folded.
impl FromStr for Endpoint {
    type Err = NoEndpoint;

    fn from_str(path: &str) -> Result<Self, NoEndpoint> {
        if path == "/mcp" {
            return Ok(Self::All);
        }
        let name = path.strip_prefix("/mcp/").ok_or(NoEndpoint)?;
        match name.strip_prefix('@') {
            Some(view) => view.parse().map(Self::View).map_err(|_| NoEndpoint),
            None => name.parse().map(Self::One).map_err(|_| NoEndpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t004_an_endpoint_is_its_path_to_the_letter() {
        for path in ["/mcp", "/mcp/files", "/mcp/@frontend", "/mcp/a-1", "/mcp/@0"] {
            assert_eq!(path.parse::<Endpoint>().unwrap().to_string(), path);
        }
        for bad in [
            "",
            "/",
            "/mcp/",
            "/mcp/@",
            "/mcp/@@a",
            "/mcp/@a/b",
            "/mcp/@A",
            "/mcp/@a ",
            "/mcp/@a.",
            "/mcp/%40a",
            "/mcp/@-a",
            "/MCP",
            "/mcp/a@",
            "/mcp//a",
            "/mcp/@a%00",
        ] {
            assert_eq!(bad.parse::<Endpoint>(), Err(NoEndpoint), "{bad}");
        }
    }
}
