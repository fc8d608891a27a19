//! A client that asks a person, over real sockets: what both of them see, and what comes of it.

use serde_json::{Value, json};

use crate::support::{
    browsing::{Browsing, encoded, hidden},
    running::{Answer, Running},
};

/// RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const CALLBACK: &str = "http://127.0.0.1:4711/cb";

/// A client, as far as it speaks to us itself.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
}

impl Client {
    /// One that the configuration has.
    pub(super) fn known(id: &str) -> Self {
        Self { id: id.to_owned() }
    }

    /// One that registers itself.
    pub(super) fn registered(gateway: &Running) -> Self {
        let asked = json!({ "client_name": "Desk", "redirect_uris": ["http://127.0.0.1/cb"],
                            "grant_types": ["authorization_code", "refresh_token"],
                            "token_endpoint_auth_method": "none" });
        let made = gateway.send("POST", "/oauth/register", &[("Content-Type", "application/json")], &asked.to_string());
        assert_eq!(made.status, 201, "{made:?}");
        Self { id: made.json()["client_id"].as_str().unwrap().to_owned() }
    }

    /// A right request, as it is put into a URL or a form, but for `changes`: what is changed to nothing is left
    /// out, what is not there is added.
    pub(super) fn asks(&self, changes: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("state", "s1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", "tag:clock tag:notes"),
        ];
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            if !value.is_empty() {
                fields.push((name, value));
            }
        }
        encoded(&fields)
    }

    /// The same as a path.
    pub(super) fn path(&self, changes: &[(&str, &str)]) -> String {
        format!("/oauth/authorize?{}", self.asks(changes))
    }

    /// Calls the token endpoint.
    pub(super) fn token(&self, gateway: &Running, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", self.id.as_str())];
        all.extend_from_slice(fields);
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        gateway.send("POST", "/oauth/token", &form, &encoded(&all))
    }

    /// Redeems a code.
    pub(super) fn redeem(&self, gateway: &Running, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", CALLBACK),
        ];
        self.token(gateway, &fields)
    }

    /// Refreshes.
    pub(super) fn refresh(&self, gateway: &Running, token: &str) -> Answer {
        self.token(gateway, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// The tokens that come of a consent to everything that is ticked.
    pub(super) fn granted(&self, gateway: &Running, browser: &Browsing<'_>, changes: &[(&str, &str)]) -> Value {
        let page = browser.get(&self.path(changes));
        let code = parameter(place(&allow(browser, &page)), "code").unwrap();
        let got = self.redeem(gateway, &code);
        assert_eq!(got.status, 200, "{got:?}");
        got.json()
    }
}

/// A browser in which the owner has signed in.
pub(super) fn signed_in(gateway: &Running) -> Browsing<'_> {
    let browser = Browsing::new(gateway);
    assert_eq!(browser.sign_in().status, 303);
    browser
}

/// The scopes that a page has ticked.
pub(super) fn ticked(page: &Answer) -> Vec<String> {
    let boxes = page.body.split("<input type=\"checkbox\"").skip(1).filter_map(|rest| rest.split_once('>'));
    let ticked = boxes.filter(|(tag, _)| tag.ends_with(" checked"));
    ticked.map(|(tag, _)| tag.split_once("value=\"").unwrap().1.split_once('"').unwrap().0.to_owned()).collect()
}

/// Answers a page with what it has ticked.
pub(super) fn allow(browser: &Browsing<'_>, page: &Answer) -> Answer {
    answer(browser, page, "allow", &ticked(page))
}

/// Answers a page.
pub(super) fn answer(browser: &Browsing<'_>, page: &Answer, decision: &str, scopes: &[impl AsRef<str>]) -> Answer {
    assert_eq!(page.status, 200, "{page:?}");
    let (csrf, handle) = (hidden(page, "csrf"), hidden(page, "handle"));
    let (csrf, handle) = (csrf.unwrap(), handle.unwrap_or_else(|| panic!("no handle: {page:?}")));
    let mut fields = vec![("csrf", csrf.as_str()), ("handle", handle.as_str()), ("decision", decision)];
    fields.extend(scopes.iter().map(|scope| ("scope", scope.as_ref())));
    browser.post("/oauth/consent", &fields)
}

/// Where an answer leads by 303, with nothing in its body.
pub(super) fn place(answer: &Answer) -> &str {
    assert_eq!((answer.status, answer.body.as_str()), (303, ""), "{answer:?}");
    answer.header("location").unwrap()
}

/// A parameter of a URL, decoded; there must be no other of its name.
pub(super) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut found = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let (_, value) = found.next()?;
    assert!(found.next().is_none(), "{name} is there twice: {url}");
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => bytes.push(other),
        }
    }
    Some(String::from_utf8(bytes).unwrap())
}
