//! From a test file as it is written to what it means: every name looked up, every problem gathered.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use jiff::Timestamp;

use super::{
    ask::Ask,
    expect::{self, ListTest, Test},
    file::{OneOrMany, SuiteFile},
    limit::{self, LimitTest},
    property::{self, Kind, Property},
    surface::{self, SurfaceTest},
    who::{self, Who},
};
use crate::{
    config::{Written, findings, read_as},
    diagnostic::{Diagnostic, Place, Placed, nearest},
    name::{NameError, ScopeName, ViewName},
    policy::Bundle,
};

/// The time that policies see where a file does not say: the same in every run.
const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// What a test file means.
#[derive(Debug)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// Its file, as the author would name it.
    pub file: Arc<str>,
    /// The configuration it names.
    pub config: Option<Placed<String>>,
    /// The inventory it names.
    pub inventory: Option<Placed<String>>,
    /// The time that policies see.
    pub now: Timestamp,
    /// Who asks, in the order of the file.
    pub principals: Vec<Arc<Who>>,
    /// Principals × requests.
    pub tests: Vec<Test>,
    /// What lists show.
    pub lists: Vec<ListTest>,
    /// What becomes of HTTP requests as such.
    pub surfaces: Vec<SurfaceTest>,
    /// How often somebody may ask for something.
    pub limits: Vec<LimitTest>,
    /// What never or always holds.
    pub properties: Vec<Property>,
    /// Every scope that it names.
    scopes: Vec<Placed<ScopeName>>,
    /// Every view that it names.
    views: Vec<Placed<ViewName>>,
}

impl Suite {
    /// Whether it holds no test at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let asks = self.tests.iter().any(|test| !test.pairs.is_empty());
        !asks
            && self.lists.is_empty()
            && self.surfaces.is_empty()
            && self.limits.is_empty()
            && self.properties.is_empty()
    }

    /// Scopes and views that the configuration does not declare are slips: nobody has them.
    #[must_use]
    pub fn undeclared(&self, bundle: &Bundle) -> Vec<Diagnostic> {
        let known = bundle.scopes();
        let unknown = self.scopes.iter().filter(|scope| !known.contains(&scope.value));
        let views = self.views.iter().filter(|view| bundle.view(&view.value).is_none());
        let views = views.map(|Placed { value, place }| {
            let finding = findings::WRONG_TYPE.at(place, format!("no view `{value}` is declared"));
            match nearest(value.as_str(), bundle.views().map(ViewName::as_str)) {
                Some(near) => finding.label(format!("did you mean `{near}`?")).help(format!("write `{near}`")),
                None => finding.help(format!("declare `{value}` under `views` of the configuration")),
            }
        });
        unknown
            .map(|Placed { value, place }| {
                let finding = findings::UNKNOWN_TAG.at(place, format!("no tag is declared for the scope `{value}`"));
                match nearest(value.as_str(), known.iter().map(ScopeName::as_str)) {
                    Some(near) => finding.label(format!("did you mean `{near}`?")).help(format!("write `{near}`")),
                    None => finding.help(format!("declare `{}` under `tags` of the configuration", value.tag())),
                }
            })
            .chain(views)
            .collect()
    }
}

/// Reads a test file; what is wrong with it goes to `findings`, and then there is no suite.
pub fn read(file: &Arc<str>, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Suite> {
    let before = findings.len();
    let written: Option<SuiteFile> = read_as(file, text, findings);
    if written.is_none() && findings.len() > before {
        return None;
    }
    let mut cx = Cx { findings, scopes: Vec::new(), views: Vec::new() };
    let suite = suite(file, written, &mut cx);
    if let Some(found) = findings.get_mut(before..) {
        found.sort_by(|a, b| (a.place(), a.code).cmp(&(b.place(), b.code)));
    }
    (findings.len() == before).then_some(suite)
}

fn suite(file: &Arc<str>, written: Option<SuiteFile>, cx: &mut Cx<'_>) -> Suite {
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let stem = stem.strip_suffix(".test.yaml").unwrap_or(stem).to_owned();
    let mut suite = Suite {
        name: stem,
        file: file.clone(),
        config: None,
        inventory: None,
        now: NOW,
        principals: Vec::new(),
        tests: Vec::new(),
        lists: Vec::new(),
        surfaces: Vec::new(),
        limits: Vec::new(),
        properties: Vec::new(),
        scopes: Vec::new(),
        views: Vec::new(),
    };
    // An empty file is no broken file: it tests nothing.
    let Some(written) = written else { return suite };
    let SuiteFile {
        suite: name,
        config,
        inventory,
        now,
        principals,
        groups,
        requests,
        tests,
        lists,
        headers,
        limits,
        never,
        always,
    } = written;
    if let Some(name) = name.and_then(|name| cx.filled("suite", name)) {
        suite.name = name.value;
    }
    suite.config = config.and_then(|path| cx.filled("config", path));
    suite.inventory = inventory.and_then(|path| cx.filled("inventory", path));
    if let Some(written) = now.and_then(Written::placed) {
        match written.value.parse() {
            Ok(now) => suite.now = now,
            Err(_) => cx.wrong(&written.place, "`now` must be an instant such as `2026-01-01T00:00:00Z`"),
        }
    }
    let principals = who::principals(principals, cx);
    let groups = who::groups(groups, &principals, cx);
    suite.principals = principals.iter().map(|(_, who)| who.clone()).collect();
    let names = who::Names::new(principals, groups);
    let requests: BTreeMap<String, Arc<Ask>> = Ask::all(requests, suite.now, cx);
    suite.tests = expect::tests(tests, &names, &requests, cx);
    suite.lists = expect::lists(lists, &names, cx);
    suite.surfaces = surface::surfaces(headers, suite.now, cx);
    suite.limits = limit::limits(limits, &names, &requests, cx);
    suite.properties = property::read(Kind::Never, never, cx);
    suite.properties.extend(property::read(Kind::Always, always, cx));
    suite.scopes = std::mem::take(&mut cx.scopes);
    suite.views = std::mem::take(&mut cx.views);
    suite
}

/// What reading gathers.
pub(super) struct Cx<'f> {
    findings: &'f mut Vec<Diagnostic>,
    scopes: Vec<Placed<ScopeName>>,
    views: Vec<Placed<ViewName>>,
}

impl Cx<'_> {
    pub(super) fn find(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    pub(super) fn wrong(&mut self, place: &Place, message: impl Into<String>) {
        let finding = findings::WRONG_TYPE.at(place, message);
        self.find(Diagnostic { help: None, ..finding });
    }

    /// A text that is not empty.
    pub(super) fn filled(&mut self, key: &str, written: Written<String>) -> Option<Placed<String>> {
        let written = written.placed()?;
        if written.value.trim().is_empty() || written.value.contains('\0') {
            self.wrong(&written.place, format!("`{key}` is empty"));
            return None;
        }
        Some(written)
    }

    /// A name, or PC012.
    pub(super) fn named<T>(&mut self, place: &Place, parsed: Result<T, NameError>) -> Option<T> {
        match parsed {
            Ok(name) => Some(name),
            Err(error) => {
                self.find(findings::INVALID_IDENTIFIER.at(place, error.to_string()));
                None
            }
        }
    }

    pub(super) fn name<T: FromStr<Err = NameError>>(&mut self, written: Written<String>) -> Option<T> {
        let written = written.placed()?;
        self.named(&written.place, written.value.parse())
    }

    /// A scope; whether the configuration declares it is looked at once that is known.
    pub(super) fn scope(&mut self, written: &Placed<String>) -> Option<ScopeName> {
        let scope: ScopeName = self.named(&written.place, written.value.parse())?;
        self.scopes.push(Placed::new(scope.clone(), written.place.clone()));
        Some(scope)
    }

    /// A view; whether the configuration declares it is looked at once that is known.
    pub(super) fn view(&mut self, written: Written<String>) -> Option<ViewName> {
        let view = written.placed()?;
        let name: ViewName = self.named(&view.place, view.value.parse())?;
        self.views.push(Placed::new(name.clone(), view.place));
        Some(name)
    }

    /// A tag, as its scope.
    pub(super) fn tag(&mut self, written: &Placed<String>) -> Option<ScopeName> {
        let tag: crate::name::TagName = self.named(&written.place, written.value.parse())?;
        let scope = tag.scope();
        self.scopes.push(Placed::new(scope.clone(), written.place.clone()));
        Some(scope)
    }

    /// The names of one name or many; none is a finding.
    pub(super) fn names(&mut self, key: &str, written: Written<OneOrMany>) -> Vec<Placed<String>> {
        let Written { place, value } = written;
        let Some(value) = value else { return Vec::new() };
        if matches!(&value, OneOrMany::Many(names) if names.is_empty()) {
            self.wrong(&place, format!("`{key}` names nothing"));
        }
        value.names(&place)
    }

    /// A name that the file does not declare.
    pub(super) fn unknown<'k>(
        &mut self,
        what: &str,
        section: &str,
        name: &Placed<String>,
        known: impl Iterator<Item = &'k str> + Clone,
    ) {
        let message = format!("unknown {what} `{}`", name.value.escape_debug());
        let finding = findings::WRONG_TYPE.at(&name.place, message);
        let finding = match nearest(&name.value, known.clone()) {
            Some(near) => finding.label(format!("did you mean `{near}`?")).help(format!("write `{near}`")),
            None => {
                let some: Vec<String> = known.take(12).map(|name| format!("`{name}`")).collect();
                match some.as_slice() {
                    [] => finding.help(format!("declare it under `{section}`, which has no entries")),
                    _ => finding.help(format!("declare it under `{section}`, or name one of {}", some.join(", "))),
                }
            }
        };
        self.find(finding);
    }

    /// Why a test is skipped. `skip` and its reason go together.
    pub(super) fn skip(
        &mut self,
        place: &Place,
        skip: Option<Written<bool>>,
        reason: Option<Written<String>>,
    ) -> Option<String> {
        let skipped = skip.as_ref().and_then(|skip| skip.value).unwrap_or_default();
        let reason = reason.and_then(|reason| self.filled("skip_reason", reason));
        match (skipped, reason) {
            (true, Some(reason)) => Some(reason.value),
            (true, None) => {
                let place = skip.map_or_else(|| place.clone(), |skip| skip.place);
                self.find(
                    findings::WRONG_TYPE
                        .at(&place, "a skipped test needs a `skip_reason`")
                        .help("say why it is skipped, so that somebody can take it up again"),
                );
                None
            }
            (false, Some(reason)) => {
                self.wrong(&reason.place, "`skip_reason` stands at a test that is not skipped");
                None
            }
            (false, None) => None,
        }
    }
}
