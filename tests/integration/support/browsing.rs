//! A browser, as far as signing in needs one: it keeps cookies, finds forms and sends them, and follows nothing.

use std::{cell::RefCell, collections::BTreeMap};

use super::running::{Answer, Running};

/// A browser at a gateway.
pub(crate) struct Browsing<'a> {
    gateway: &'a Running,
    /// Header fields that every request carries, as a proxy before the gateway would say them.
    more: Vec<(&'static str, &'static str)>,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'a> Browsing<'a> {
    pub(crate) fn new(gateway: &'a Running) -> Self {
        Self::behind(gateway, &[])
    }

    /// One behind a proxy, which says so in these fields.
    pub(crate) fn behind(gateway: &'a Running, more: &[(&'static str, &'static str)]) -> Self {
        Self { gateway, more: more.to_vec(), cookies: RefCell::default() }
    }

    /// A cookie that it keeps.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    /// Has it keep a cookie that no answer set.
    pub(crate) fn plant(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// The same browser in another window: its cookies, as they are now.
    pub(crate) fn again(&self) -> Self {
        Self { gateway: self.gateway, more: self.more.clone(), cookies: self.cookies.clone() }
    }

    /// Opens a page.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Sends a form.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send("POST", path, &[], &encoded(fields))
    }

    /// Sends a form with more header fields.
    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        self.send("POST", path, headers, &encoded(fields))
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let kept: Vec<String> = self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let kept = kept.join("; ");
        let mut all: Vec<(&str, &str)> = self.more.clone();
        all.extend_from_slice(headers);
        if !kept.is_empty() {
            all.push(("Cookie", &kept));
        }
        if method == "POST" && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            all.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        let answer = self.gateway.send(method, path, &all, body);
        for line in set_cookies(&answer) {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.borrow_mut();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Signs the owner in by a link that the command line makes; what the last answer was.
    pub(crate) fn sign_in(&self) -> Answer {
        let path = link(self.gateway);
        let page = self.get(&path);
        assert_eq!(page.status, 200, "{page:?}");
        let (csrf, link) = (hidden(&page, "csrf").unwrap(), hidden(&page, "link").unwrap());
        self.post("/login/link", &[("csrf", &csrf), ("link", &link)])
    }

    /// Signs somebody in by a password.
    pub(crate) fn sign_in_by(&self, name: &str, password: &str) -> Answer {
        let csrf = hidden(&self.get("/login"), "csrf").unwrap();
        self.post("/login", &[("csrf", &csrf), ("name", name), ("password", password)])
    }

    /// Who the gateway says is signed in.
    pub(crate) fn person(&self) -> Option<String> {
        let page = self.get("/login");
        let (_, rest) = page.body.split_once("Signed in as <strong><bdi>")?;
        Some(rest.split_once('<')?.0.to_owned())
    }
}

/// A link that the command line makes, as the path that it leads to.
pub(crate) fn link(gateway: &Running) -> String {
    let output = gateway.command(&["login"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, path) = text.trim().split_once("/login/").unwrap();
    format!("/login/{path}")
}

/// The value of a hidden field.
pub(crate) fn hidden(page: &Answer, name: &str) -> Option<String> {
    let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// The cookies that an answer sets.
pub(crate) fn set_cookies(answer: &Answer) -> Vec<&str> {
    let set = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    set.map(|(_, value)| value.as_str()).collect()
}

/// Fields as forms send them.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let one = |text: &str| -> String {
        text.bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", one(name), one(value))).collect::<Vec<_>>().join("&")
}
