//! What an upstream says of itself when it is first spoken to. Shown, never believed (CL-23).

use bytes::Bytes;

use super::{
    Deadline, Manner, Outgoing, Reply, Trouble,
    setting::Purpose,
    words::{MODERN, US},
};
use crate::mcp::{Era, Kind, Method, Object, Version, code};

/// What we open a legacy session with.
pub(super) fn initialize(purpose: &Purpose, deadline: Deadline) -> Outgoing {
    let params = [
        br#"{"protocolVersion":""#,
        Version::LATEST_LEGACY.as_str().as_bytes(),
        br#"","capabilities":"#,
        purpose.capabilities(),
        br#","clientInfo":"#,
        US.as_bytes(),
        b"}",
    ];
    plain(Method::Initialize, params.concat().into(), deadline)
}

/// What we ask a server first, to learn whether it is of the modern era.
pub(super) fn discover(deadline: Deadline) -> Outgoing {
    plain(Method::ServerDiscover, Bytes::new(), deadline)
}

/// A request of our own.
pub(super) fn plain(method: Method, params: Bytes, deadline: Deadline) -> Outgoing {
    Outgoing { method, params, manner: Manner::default(), side: None, timeout: deadline.timeout }
}

/// What the answer to `server/discover` says of a server's era.
#[derive(Debug)]
pub(super) enum Probed {
    /// It speaks the modern version that we speak.
    Modern(Box<About>),
    /// It is of the modern era, and cannot be spoken to.
    Foreign(Trouble),
    /// It is of the legacy era.
    Legacy,
}

impl Probed {
    /// Reads the answer. No single code means the legacy era: every error does that is not the modern
    /// era's own (CL-05, CL-06).
    pub(super) fn read(reply: &Reply) -> Self {
        match reply {
            Reply::Error(error) => match error_code(error) {
                Some(code::UNSUPPORTED_VERSION) => Self::Foreign(Trouble::Version),
                Some(code::HEADER_MISMATCH | code::MISSING_CAPABILITY) => Self::Foreign(Trouble::Uninitialized),
                Some(_) | None => Self::Legacy,
            },
            Reply::InputRequired(_) => Self::Legacy,
            Reply::Result(result) => {
                let versions =
                    std::str::from_utf8(result).ok().and_then(|text| Object::read(text).ok()).and_then(|result| {
                        serde_json::from_str::<Vec<String>>(result.get("supportedVersions")?.get()).ok()
                    });
                let Some(versions) = versions else { return Self::Legacy };
                let speaks = |era| {
                    versions.iter().any(|text| Version::from_text(text).is_some_and(|version| version.era() == era))
                };
                if speaks(Era::Modern) {
                    About::discovered(result).map_or_else(Self::Foreign, |about| Self::Modern(Box::new(about)))
                } else if speaks(Era::Legacy) {
                    Self::Legacy
                } else {
                    Self::Foreign(Trouble::Version)
                }
            }
        }
    }
}

/// The code of an error, if it is one.
pub(super) fn error_code(error: &[u8]) -> Option<i32> {
    let error = Object::read(std::str::from_utf8(error).ok()?).ok()?;
    error.get("code")?.get().parse().ok()
}

/// A server's own words about itself.
#[derive(Debug, Clone)]
pub struct About {
    /// The version of the protocol that was agreed on.
    pub version: Box<str>,
    /// The era it speaks.
    pub era: Era,
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
        let info = result.get("serverInfo").map(|raw| raw.get().into());
        Self::of(&result, &version, Era::Legacy, info)
    }

    /// Reads the answer to `server/discover` of a server that speaks our version.
    fn discovered(result: &[u8]) -> Result<Self, Trouble> {
        let result = Object::read(std::str::from_utf8(result).map_err(|_| Trouble::Garbage)?);
        let result = result.map_err(|_| Trouble::Garbage)?;
        let in_meta = result.get("_meta").and_then(|meta| {
            let meta = Object::read(meta.get()).ok()?;
            Some(meta.get("io.modelcontextprotocol/serverInfo")?.get().into())
        });
        let info = in_meta.or_else(|| result.get("serverInfo").map(|raw| raw.get().into()));
        Self::of(&result, MODERN, Era::Modern, info)
    }

    fn of(result: &Object<'_>, version: &str, era: Era, server_info: Option<Box<str>>) -> Result<Self, Trouble> {
        let capabilities = result.get("capabilities").map_or("{}", |raw| raw.get());
        let declared = Object::read(capabilities).map_err(|_| Trouble::Garbage)?;
        Ok(Self {
            server_info,
            instructions: result.text("instructions").map(|text| text.into()),
            offers: Kind::ALL.into_iter().filter(|kind| declared.get(kind.capability()).is_some()).collect(),
            capabilities: capabilities.into(),
            version: version.into(),
            era,
        })
    }

    /// Whether the server declares a capability.
    #[must_use]
    pub fn declares(&self, capability: &str) -> bool {
        Object::read(&self.capabilities).is_ok_and(|declared| declared.get(capability).is_some())
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
    fn cl05_cl06_only_the_modern_era_s_own_answers_are_modern() {
        let result = |json: &'static str| Probed::read(&Reply::Result(Bytes::from_static(json.as_bytes())));
        let error = |code: i32| Probed::read(&Reply::Error(format!(r#"{{"code":{code},"message":"no"}}"#).into()));
        let Probed::Modern(about) = result(
            r#"{"supportedVersions":["2025-11-25","2026-07-28"],"capabilities":{"tools":{}},"instructions":"i",
                "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m"}}}"#,
        ) else {
            panic!("not modern")
        };
        assert_eq!((&*about.version, about.era), ("2026-07-28", Era::Modern));
        assert_eq!(about.server_info.as_deref(), Some(r#"{"name":"m"}"#));
        assert!(about.offers(Kind::Tools) && about.declares("tools") && !about.declares("logging"));
        assert!(matches!(result(r#"{"supportedVersions":["2027-01-01"]}"#), Probed::Foreign(Trouble::Version)));
        assert!(matches!(error(-32022), Probed::Foreign(Trouble::Version)));
        assert!(matches!(error(-32020), Probed::Foreign(Trouble::Uninitialized)));
        for legacy in ["{}", r#"{"supportedVersions":["2025-11-25"]}"#, r#"{"supportedVersions":7}"#] {
            assert!(matches!(result(legacy), Probed::Legacy), "{legacy}");
        }
        for code in [-32601, -32602, -32600, -32000, 0] {
            assert!(matches!(error(code), Probed::Legacy), "{code}");
        }
    }

    #[test]
    fn other_answers_open_no_session() {
        assert_eq!(read(r#"{"protocolVersion":"2026-07-28"}"#).unwrap_err(), Trouble::Version);
        assert_eq!(read(r#"{"protocolVersion":7}"#).unwrap_err(), Trouble::Garbage);
        assert_eq!(read("{}").unwrap_err(), Trouble::Garbage);
        assert_eq!(About::read(&Reply::Error(Bytes::new())).unwrap_err(), Trouble::Uninitialized);
    }
}
