//! A request of a person's browser to a page of ours: who it is, its form, and what it is answered.
//!
//! A refusal is one audit record and a page that says what to do; what is done is one event, before the answer
//! leaves. What a form says is believed where it carries the secret of the browser that was given it.
//!
//! SPEC: oauth §2.6; OA-16, OA-91, OA-137; T-065.

use jiff::Timestamp;
use poem::{
    Request, Response,
    http::{HeaderValue, StatusCode, header},
};

use super::{
    browser::Browser,
    errand::{Errand, nothing_here},
    page::{Frame, Html, Problem, Shown, problem},
    respond,
};
use crate::{
    oauth::{ErrorCode, Form, Issuer, OAuthError, Office, Why},
    policy::Because,
};

/// A request to a page of ours.
pub(super) struct Visit<'a> {
    pub(super) errand: &'a Errand,
    pub(super) office: &'a Office,
    pub(super) issuer: Issuer<'a>,
    pub(super) browser: Browser,
    pub(super) now: Timestamp,
}

/// What a page is not shown for.
#[derive(Debug)]
pub(super) struct Turned {
    /// The word of the audit trail, and the code on the page.
    pub(super) word: &'static str,
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) message: String,
    pub(super) help: &'static str,
}

impl Turned {
    /// A form without the secret of the browser that was given it.
    pub(super) fn forged() -> Self {
        Self {
            word: "csrf",
            status: StatusCode::FORBIDDEN,
            title: "This form is not good any more",
            message: "The form that was sent is not the one that this browser was given last.".to_owned(),
            help: "Nothing was done. Go back, reload the page and try again; the browser must keep cookies for it.",
        }
    }
}

impl std::convert::From<OAuthError> for Turned {
    fn from(error: OAuthError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (title, help) = match error.code() {
            ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => {
                ("This gateway cannot do that right now", "Nothing was done. Try again in a little while.")
            }
            _ => ("This request cannot be understood", "Nothing was done. Go back, reload the page and try again."),
        };
        Self { word: error.why().as_str(), status, title, message: error.description().to_owned(), help }
    }
}

impl<'a> Visit<'a> {
    /// What is known of a request.
    ///
    /// # Errors
    /// The answer, where there is no authorization server or the store cannot be read.
    pub(super) async fn of(errand: &'a Errand) -> Result<Self, Response> {
        let Some((office, issuer)) = errand.gateway.parts().office.as_ref().zip(errand.issuer()) else {
            return Err(nothing_here());
        };
        let now = errand.now();
        match Browser::of(&errand.headers, &issuer, now).await {
            Ok(browser) => Ok(Self { errand, office, issuer, browser, now }),
            Err(error) => {
                let frame = Frame::new(&errand.revision.snapshot, None);
                Err(turned(errand, &frame, &error.into(), Because::ValidationFailed))
            }
        }
    }

    /// The form that was sent, if it carries the secret of this browser.
    ///
    /// # Errors
    /// When it does not, or cannot be read.
    pub(super) async fn form(&self, request: &mut Request) -> Result<Form, Turned> {
        let form = self.sent(request).await?;
        if self.gave(&form)? { Ok(form) } else { Err(Turned::forged()) }
    }

    /// Whether a form carries the secret of this browser.
    ///
    /// # Errors
    /// When it carries two.
    pub(super) fn gave(&self, form: &Form) -> Result<bool, Turned> {
        let csrf = form.get(super::page::field::CSRF).map_err(OAuthError::from)?;
        Ok(self.browser.takes(csrf))
    }

    /// The form that was sent, wherever it comes from.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn sent(&self, request: &mut Request) -> Result<Form, Turned> {
        if !self.errand.sends("application/x-www-form-urlencoded") {
            let what = "the body must be application/x-www-form-urlencoded";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, Why::ParameterBad, what).into());
        }
        let body = self.errand.body(request).await?;
        Ok(Form::read(&body)?)
    }

    /// The parameters of the URL.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn parameters(&self) -> Result<Form, Turned> {
        Ok(Form::read(self.errand.query.as_deref().unwrap_or_default().as_bytes())?)
    }

    /// What stands around its pages.
    pub(super) fn frame(&self) -> Frame<'_> {
        let person = self.browser.signed_in().map(|session| (&session.person.user, self.browser.csrf()));
        Frame::new(&self.errand.revision.snapshot, person)
    }

    /// A page.
    pub(super) fn show(self, page: Html) -> Response {
        self.kept(page.answer(StatusCode::OK))
    }

    /// The way to another page of ours: a constant, never what somebody sent (OA-103).
    pub(super) fn go_to(self, path: &'static str) -> Response {
        let mut response = respond::empty(StatusCode::SEE_OTHER);
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(path));
        self.kept(response)
    }

    /// An answer, with the cookies that are new.
    pub(super) fn kept(self, mut response: Response) -> Response {
        self.browser.keep(&mut response);
        response
    }

    /// A refusal, once it is written down.
    pub(super) fn turn(self, turned: &Turned) -> Response {
        let response = self.turned(turned);
        self.kept(response)
    }

    /// The same, the cookies aside.
    pub(super) fn turned(&self, why: &Turned) -> Response {
        turned(self.errand, &self.frame(), why, Because::ValidationFailed)
    }

    /// A refusal that says itself on a page of its own, once it is written down.
    pub(super) fn refuse(self, word: &str, because: Because, response: Response) -> Response {
        let response = written(self.errand, (word, because), response);
        self.kept(response)
    }

    /// Writes down what was done; what cannot be written down is not told.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) fn note(&self, what: &str, facts: &[(&'static str, String)]) -> Result<(), Turned> {
        Ok(self.errand.note(what, facts)?)
    }
}

fn turned(errand: &Errand, frame: &Frame<'_>, why: &Turned, because: Because) -> Response {
    let Turned { word, status, title, message, help } = why;
    let page = Problem {
        title,
        message: Shown::line(message),
        help: Shown::line(help),
        code: Shown::name(word),
        request: None,
        back: None,
    };
    let mut response = problem(frame, &page).answer(*status);
    if *status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    written(errand, (word, because), response)
}

/// An answer, once it is written down.
fn written(errand: &Errand, (word, because): (&str, Because), response: Response) -> Response {
    match errand.put_down((word, response.status().as_u16()), because) {
        Ok(()) => response,
        Err(refusal) => respond::plain(StatusCode::SERVICE_UNAVAILABLE, "no-audit", &refusal.message()),
    }
}
