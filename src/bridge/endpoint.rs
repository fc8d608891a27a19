//! The URL of the gateway: `https`, or `http` where the token does not leave this machine.
//!
//! SPEC: AZ-24.

use http::Uri;

use crate::{
    config::url::Url,
    egress::{Egress, EgressError, Options, Reach},
};

/// Where messages go.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(super) url: Uri,
    pub(super) egress: Egress,
    pub(super) place: Url,
    pub(super) reach: Reach,
    shown: String,
}

/// A URL that messages may not go to. Says nothing of the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    /// It is no URL of ours.
    #[error("the URL {0}")]
    Form(&'static str),
    /// The token would cross the network as it is.
    #[error(
        "the URL must begin with `https://`: `http://` is for this machine alone (`localhost`, `127.0.0.1`, `[::1]`)"
    )]
    Plain,
    /// It cannot be reached at all.
    #[error("the URL cannot be used: {0}")]
    Egress(#[from] EgressError),
}

impl Endpoint {
    /// Reads a URL. Who names a host on the command line wants to reach it, inside or outside.
    pub(crate) fn parse(text: &str) -> Result<Self, EndpointError> {
        let place = Url::parse(text).map_err(EndpointError::Form)?;
        if place.scheme == "http" && !place.is_loopback() {
            return Err(EndpointError::Plain);
        }
        let path = place.rest.split('?').next().unwrap_or_default();
        let shown = format!("{}{path}", place.origin());
        let url = Uri::try_from(text).map_err(|_| EndpointError::Form("is no URL"))?;
        let reach = match Reach::of_configured(&url) {
            Reach::Public => Reach::Private,
            named => named,
        };
        Ok(Self { egress: Egress::new(&url, reach.clone(), &Options::default())?, url, place, reach, shown })
    }

    /// As people are told of it: without the query.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn az24_plain_http_is_for_this_machine() {
        for good in
            ["http://127.0.0.1:3050/mcp", "http://localhost/mcp", "http://[::1]:1/mcp", "https://gate.example/mcp"]
        {
            assert_eq!(Endpoint::parse(good).unwrap().shown(), good);
        }
        assert_eq!(Endpoint::parse("https://gate.example:443/mcp?tags=a").unwrap().shown(), "https://gate.example/mcp");
        for bad in ["http://gate.example/mcp", "http://10.0.0.1/mcp", "http://localhost.evil.example/mcp"] {
            assert_eq!(Endpoint::parse(bad).unwrap_err(), EndpointError::Plain, "{bad}");
        }
        let with_password = Endpoint::parse("https://me:hunter2@gate.example/mcp").unwrap_err();
        assert!(!with_password.to_string().contains("hunter2"));
        assert!(Endpoint::parse("gate.example/mcp").is_err());
    }
}
