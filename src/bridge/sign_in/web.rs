//! What the gateway and its authorization server name, and whether it is gone to.
//!
//! Their URLs come from outside, and we stand in a person's own network: another host than the gateway's is
//! reached on the internet alone, plain `http` is for this machine, and this machine only for a gateway on it.
//! No redirect is followed.
//!
//! SPEC: CL-19, CL-20; MCP security best practices, "Server-Side Request Forgery"; T-107.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use oauth2::AsyncHttpClient;

use super::error::SignInError;
use crate::{
    bridge::challenge::cleaned,
    config::url::Url,
    egress::{self, Egress, EgressError, Options, Reach},
};

/// The largest document or answer.
const LARGEST: usize = 256 << 10;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The way to what a gateway names.
#[derive(Debug)]
pub(super) struct Web {
    gateway: Url,
    reach: Reach,
}

impl Web {
    /// The way to what the gateway at this URL names, which itself is reached like this.
    pub(super) const fn of(gateway: Url, reach: Reach) -> Self {
        Self { gateway, reach }
    }

    /// Takes a URL that is named, if it is one that we go to, or send a person to.
    pub(super) fn check(&self, what: &'static str, text: &str) -> Result<Url, SignInError> {
        let bad = |why| SignInError::Url { what, url: cleaned(text), why };
        let url = Url::parse(text).map_err(bad)?;
        match (url.scheme, url.is_loopback()) {
            (_, true) if !self.gateway.is_loopback() => Err(bad("is on this machine, and the gateway is not")),
            ("http", false) => Err(bad("does not begin with `https://`")),
            _ => Ok(url),
        }
    }

    /// Asks one that was checked.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, EgressError> {
        let egress = Egress::new(request.uri(), self.reach_of(request.uri()), &Options::default())?;
        let work = async {
            let answer = egress.send(request.map(|body| Full::new(Bytes::from(body)))).await?;
            let (head, body) = answer.into_parts();
            Ok(Response::from_parts(head, egress::read(body, LARGEST).await?.into()))
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(EgressError::ConnectTimeout))
    }

    fn reach_of(&self, url: &Uri) -> Reach {
        let host = url.host().unwrap_or_default();
        if host.eq_ignore_ascii_case(&self.gateway.host) {
            return self.reach.clone();
        }
        match Url::parse(&url.to_string()) {
            Ok(url) if url.is_loopback() && self.gateway.is_loopback() => {
                Reach::of_configured(&format!("{}/", url.origin()).parse().unwrap_or_default())
            }
            Ok(_) | Err(_) => Reach::Public,
        }
    }
}

impl<'w> AsyncHttpClient<'w> for Web {
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, EgressError>> + Send + 'w>>;

    fn call(&'w self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(gateway: &str) -> Web {
        let reach = match Reach::of_configured(&gateway.parse().unwrap()) {
            Reach::Public => Reach::Private,
            named => named,
        };
        Web::of(Url::parse(gateway).unwrap(), reach)
    }

    #[test]
    fn cl19_cl20_only_https_is_named_and_this_machine_by_itself_alone() {
        let far = web("https://gate.example/mcp");
        assert!(far.check("x", "https://id.example/authorize?a=b").is_ok());
        for bad in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://id.example/",
            "http://169.254.169.254/latest",
            "http://127.0.0.1:1/",
            "https://localhost/",
            "https://id.example/#x",
            "https://a:b@id.example/",
        ] {
            assert!(matches!(far.check("x", bad), Err(SignInError::Url { .. })), "{bad}");
        }
        let near = web("http://127.0.0.1:3050/mcp");
        assert!(near.check("x", "http://localhost:3051/authorize").is_ok());
        assert!(near.check("x", "http://id.example/").is_err());
    }

    #[tokio::test]
    async fn cl19_t107_another_host_is_reached_on_the_internet_alone() {
        for (gateway, url) in [
            ("https://gate.example/mcp", "https://10.0.0.1/"),
            ("https://gate.example/mcp", "https://169.254.169.254/"),
            ("https://gate.example/mcp", "https://127.0.0.1/"),
            ("https://gate.example/mcp", "https://[::ffff:192.168.0.1]/"),
            ("http://127.0.0.1:3050/mcp", "https://10.0.0.1/"),
            ("http://127.0.0.1:3050/mcp", "https://169.254.169.254/"),
        ] {
            let request = Request::get(url).body(Vec::new()).unwrap();
            assert_eq!(web(gateway).send(request).await.unwrap_err(), EgressError::Forbidden, "{url}");
        }
        // The gateway's own host is where the person wanted to go.
        let inside = web("https://gate.internal/mcp");
        assert_eq!(inside.reach_of(&"https://gate.internal:8443/x".parse().unwrap()), Reach::Private);
        assert_eq!(inside.reach_of(&"https://other.internal/x".parse().unwrap()), Reach::Public);
    }
}
