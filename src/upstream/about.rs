//! What an upstream says of itself when its session is opened. Shown, never believed (CL-23).

use bytes::Bytes;

use super::{Deadline, Manner, Outgoing, Reply, Trouble};
use crate::mcp::{Era, Kind, Object, Version};

/// What we open a session with: no capability is declared, so nothing is asked of us (PX-18).
pub(super) fn initialize(deadline: Deadline) -> Outgoing {
    const PARAMS: &str = concat!(
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"portcullis","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""}}"#
    );
    Outgoing {
        method: crate::mcp::Method::Initialize,
        params: Bytes::from_static(PARAMS.as_bytes()),
        manner: Manner::default(),
        side: None,
        timeout: deadline.timeout,
    }
}

/// A server's own words about itself.
#[derive(Debug, Clone)]
pub struct About {
    /// The version of the protocol that was agreed on.
    pub version: Box<str>,
    /// `serverInfo`, as JSON.
    pub server_info: Option<Box<str>>,
    /// Its instructions for models.
    pub instructions: Option<Box<str>>,
    /// `capabilities`, as JSON.
    pub capabilities: Box<str>,
    offers: Vec<Kind>,
}

impl About {
    /// Reads the answer to `initialize`.
    pub(super) fn read(reply: &Reply) -> Result<Self, Trouble> {
        let Reply::Result(result) = reply else { return Err(Trouble::Uninitialized) };
        let text = std::str::from_utf8(result).map_err(|_| Trouble::Garbage)?;
        let result = Object::read(text).map_err(|_| Trouble::Garbage)?;
        let version = result.text("protocolVersion").ok_or(Trouble::Garbage)?;
        // Servers of 2024-11-05 differ in nothing that we use of them.
        let spoken = Version::from_text(&version).is_some_and(|version| version.era() == Era::Legacy);
        if !spoken && version != "2024-11-05" {
            return Err(Trouble::Version);
        }
        let capabilities = result.get("capabilities").map_or("{}", |raw| raw.get());
        let declared = Object::read(capabilities).map_err(|_| Trouble::Garbage)?;
        Ok(Self {
            server_info: result.get("serverInfo").map(|raw| raw.get().into()),
            instructions: result.text("instructions").map(|text| text.into()),
            offers: Kind::ALL.into_iter().filter(|kind| declared.get(kind.capability()).is_some()).collect(),
            capabilities: capabilities.into(),
            version: version.into(),
        })
    }

    /// Whether the server says that it has things of this kind.
    #[must_use]
    pub fn offers(&self, kind: Kind) -> bool {
        self.offers.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &'static str) -> Result<About, Trouble> {
        About::read(&Reply::Result(Bytes::from_static(json.as_bytes())))
    }

    #[test]
    fn capabilities_say_what_is_asked_for() {
        let about = read(r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{}}}"#).unwrap();
        assert!(about.offers(Kind::Tools) && about.offers(Kind::Templates) && !about.offers(Kind::Prompts));
    }

    #[test]
    fn other_answers_open_no_session() {
        assert_eq!(read(r#"{"protocolVersion":"2026-07-28"}"#).unwrap_err(), Trouble::Version);
        assert_eq!(read(r#"{"protocolVersion":7}"#).unwrap_err(), Trouble::Garbage);
        assert_eq!(read("{}").unwrap_err(), Trouble::Garbage);
        assert_eq!(About::read(&Reply::Error(Bytes::new())).unwrap_err(), Trouble::Uninitialized);
    }
}
