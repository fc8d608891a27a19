//! JUnit XML, for findings and for tests alike.
//!
//! There is no standard, so only elements and attributes are written that every reader knows;
//! `tests/fixtures/junit.xsd` lists them. Characters that XML cannot hold are written as `\u{1b}`.

use std::{io, time::Duration};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::xml::holdable;

/// Cases that belong together: the findings of a file, the tests of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suite {
    /// What they belong to.
    pub name: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What it is one of: readers group by it.
    pub class: String,
    /// How long it took, if somebody measured.
    pub took: Option<Duration>,
    /// How it went.
    pub outcome: Outcome,
}

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Passed,
    /// Not as it should.
    Failed(Cause),
    /// It could not be tried.
    Errored(Cause),
    /// It was not tried, and why.
    Skipped(String),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What kind of thing: one word.
    pub kind: String,
    /// One line.
    pub message: String,
    /// All there is to say.
    pub text: String,
}

/// Writes the suites as one document.
///
/// # Errors
/// When `out` cannot be written to.
pub fn junit(out: &mut dyn io::Write, name: &str, suites: &[Suite]) -> io::Result<()> {
    let mut to = Writer::new_with_indent(out, b' ', 2);
    to.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let mut tag = BytesStart::new("testsuites");
    attribute(&mut tag, "name", name);
    count(&mut tag, all());
    time(&mut tag, all());
    to.write_event(Event::Start(tag))?;
    for suite in suites {
        let Suite { name, cases } = suite;
        let mut tag = BytesStart::new("testsuite");
        attribute(&mut tag, "name", name);
        count(&mut tag, cases.iter());
        let skipped = cases.iter().filter(|case| matches!(case.outcome, Outcome::Skipped(_))).count();
        attribute(&mut tag, "skipped", &skipped.to_string());
        time(&mut tag, cases.iter());
        to.write_event(Event::Start(tag))?;
        cases.iter().try_for_each(|one| case(&mut to, one))?;
        to.write_event(Event::End(BytesEnd::new("testsuite")))?;
    }
    to.write_event(Event::End(BytesEnd::new("testsuites")))?;
    writeln!(to.into_inner())
}

fn case(to: &mut Writer<&mut dyn io::Write>, case: &Case) -> io::Result<()> {
    let Case { name, class, took, outcome } = case;
    let mut tag = BytesStart::new("testcase");
    attribute(&mut tag, "name", name);
    attribute(&mut tag, "classname", class);
    if let Some(took) = took {
        attribute(&mut tag, "time", &seconds(*took));
    }
    let (inner, cause) = match outcome {
        Outcome::Passed => return to.write_event(Event::Empty(tag)),
        Outcome::Failed(cause) => ("failure", cause),
        Outcome::Errored(cause) => ("error", cause),
        Outcome::Skipped(why) => {
            to.write_event(Event::Start(tag))?;
            let mut skipped = BytesStart::new("skipped");
            attribute(&mut skipped, "message", why);
            to.write_event(Event::Empty(skipped))?;
            return to.write_event(Event::End(BytesEnd::new("testcase")));
        }
    };
    let Cause { kind, message, text } = cause;
    to.write_event(Event::Start(tag))?;
    let mut start = BytesStart::new(inner);
    attribute(&mut start, "type", kind);
    attribute(&mut start, "message", message);
    to.write_event(Event::Start(start))?;
    to.write_event(Event::Text(BytesText::new(&holdable(text))))?;
    to.write_event(Event::End(BytesEnd::new(inner)))?;
    to.write_event(Event::End(BytesEnd::new("testcase")))
}

fn count<'a>(tag: &mut BytesStart<'_>, cases: impl Iterator<Item = &'a Case>) {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            Outcome::Failed(_) => failures += 1,
            Outcome::Errored(_) => errors += 1,
            Outcome::Passed | Outcome::Skipped(_) => {}
        }
    }
    for (name, number) in [("tests", tests), ("failures", failures), ("errors", errors)] {
        attribute(tag, name, &i32::to_string(&number));
    }
}

/// The sum, where anything was measured.
fn time<'a>(tag: &mut BytesStart<'_>, cases: impl Iterator<Item = &'a Case>) {
    if let Some(took) = cases.filter_map(|case| case.took).reduce(|a, b| a + b) {
        attribute(tag, "time", &seconds(took));
    }
}

fn seconds(took: Duration) -> String {
    format!("{}.{:03}", took.as_secs(), took.subsec_millis())
}

/// Line breaks and tabs are written as references: readers make blanks of them in attributes.
fn attribute(tag: &mut BytesStart<'_>, name: &str, value: &str) {
    tag.push_attribute((name, &*holdable(value)));
}
