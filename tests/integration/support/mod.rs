//! What several tests need: configurations from text, an engine over one, a question asked, golden
//! files, and processes watched.

/// A client's end of `portcullis connect`.
pub(crate) mod bridged;
/// A browser that signs in.
pub(crate) mod browsing;
/// What persons approve, without a browser.
pub(crate) mod consenting;
/// An HTTP server that answers what a test tells it to.
pub(crate) mod fake_http;
/// A gateway that runs.
pub(crate) mod running;

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::civil::Date;
use portcullis::{
    check::{self, Asked, Judged},
    cli::report::{self, Look, Report, Style},
    compile,
    config::{self, Config, Loaded},
    diagnostic::{Diagnostic, Place, Placed},
    name::ScopeName,
    policy::{Arguments, Bundle, Decision, Engine, Moment, Question, Standing, Target, Verb},
    principal::Principal,
};

/// Says aloud that a part of a test is left out, and why; where everything is required it fails.
pub(crate) fn skipped(what: &str, why: &str) {
    use std::io::Write as _;
    assert!(std::env::var("PORTCULLIS_TEST_ALL").as_deref() != Ok("1"), "{what} cannot run: {why}");
    // Not `eprintln!`, which the harness keeps to itself where a test passes.
    writeln!(std::io::stderr().lock(), "SKIPPED: {what} because {why}; `bash .ci/run` installs what is needed")
        .unwrap();
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The meaning of a text that must be a good configuration.
pub(crate) fn config(text: &str) -> Config {
    let loaded = config::load_text("portcullis.yaml", text, &|_| None);
    loaded
        .config
        .unwrap_or_else(|| panic!("{:#?}\n{text}", loaded.findings.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// The bundle of a good configuration.
pub(crate) fn bundle(text: &str) -> Bundle {
    compile::bundle(&config(text), None).unwrap_or_else(|problems| {
        panic!("{:#?}\n{text}", problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    })
}

/// What is found in a configuration with a `portcullis.lock` of these servers beside it.
pub(crate) fn examine_with(text: &str, servers: &serde_json::Value) -> check::Examined {
    let folder = tempfile::tempdir().unwrap();
    let lock = serde_json::json!({"version": 1, "servers": servers});
    std::fs::write(folder.path().join("portcullis.lock"), lock.to_string()).unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, text).unwrap();
    check::examine(&config::load(&file, &no_env))
}

/// The engine of a good configuration with such a lock.
pub(crate) fn engine_with(text: &str, servers: &serde_json::Value) -> Engine {
    let examined = examine_with(text, servers);
    let bundle = examined.bundle.unwrap_or_else(|| panic!("{:#?}\n{text}", lines(&examined.findings)));
    Engine::new(bundle).unwrap()
}

/// The engine of a good configuration.
pub(crate) fn engine(text: &str) -> Engine {
    Engine::new(Arc::new(bundle(text))).unwrap()
}

/// A person's standing with these scopes.
pub(crate) fn user(scopes: &[&str]) -> Standing {
    Standing {
        principal: Principal::User("local/ana".parse().unwrap()),
        client: None,
        groups: BTreeSet::new(),
        scopes: self::scopes(scopes),
        named: None,
    }
}

/// Scopes from their text.
pub(crate) fn scopes(names: &[&str]) -> BTreeSet<ScopeName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// A tool of a server.
pub(crate) fn tool(server: &str, name: &str) -> Target {
    Target::Tool(server.parse().unwrap(), name.parse().unwrap())
}

/// An uneventful moment.
pub(crate) fn moment() -> Moment {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    Moment { now, address: Ipv4Addr::LOCALHOST.into(), tls: false, findings: BTreeSet::new(), drifted: false }
}

/// Asks one question.
pub(crate) fn ask(engine: &Engine, standing: Standing, verb: Verb, target: &Target) -> Decision {
    ask_at(engine, standing, verb, target, &moment())
}

/// Asks one question at a moment.
pub(crate) fn ask_at(engine: &Engine, standing: Standing, verb: Verb, target: &Target, moment: &Moment) -> Decision {
    let asker = engine.asker(standing).unwrap();
    let inventory = engine.inventory(target.server(), [target.clone()]).unwrap();
    engine.decide(&Question { asker: &asker, verb, target, inventory: &inventory, moment, arguments: Arguments::NONE })
}

/// Asks one question of the full policy set.
pub(crate) fn ask_unsharded(
    engine: &Engine,
    standing: Standing,
    verb: Verb,
    target: &Target,
    moment: &Moment,
) -> Decision {
    let asker = engine.asker(standing).unwrap();
    let inventory = engine.inventory(target.server(), [target.clone()]).unwrap();
    engine.decide_unsharded(&Question {
        asker: &asker,
        verb,
        target,
        inventory: &inventory,
        moment,
        arguments: Arguments::NONE,
    })
}

/// An environment without variables.
pub(crate) fn no_env(_: &str) -> Option<String> {
    None
}

/// Reads a text as `portcullis.yaml`, in an empty environment.
pub(crate) fn load(text: &str) -> Loaded {
    config::load_text("portcullis.yaml", text, &no_env)
}

/// Every finding as a line: place, code, message.
pub(crate) fn lines(findings: &[Diagnostic]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let place = finding.place().unwrap();
            format!("{}:{} {} {}", place.line, place.column, finding.code, finding.message)
        })
        .collect()
}

/// What `check` prints of a text.
pub(crate) fn checked(text: &str) -> String {
    let loaded = load(text);
    human(&check::run(&loaded), &loaded)
}

/// Findings of a file as `check` prints them.
pub(crate) fn human(findings: &[Diagnostic], loaded: &Loaded) -> String {
    let examined = check::examine(loaded);
    told(&Report::of(loaded, examined.bundle.as_deref(), findings, &[]), Style::Human)
}

/// A report in a format, without colours and addresses.
pub(crate) fn told(report: &Report<'_>, style: Style) -> String {
    let mut out = Vec::new();
    report::write(&mut out, style, report, &Look::default()).unwrap();
    String::from_utf8(out).unwrap()
}

/// A day on which nothing is special.
pub(crate) fn today() -> Date {
    "2026-06-01".parse().unwrap()
}

/// What is asked of a check where nothing special is, on that day.
pub(crate) fn asked() -> Asked {
    Asked::nothing(today())
}

/// What counts of a configuration's findings.
pub(crate) fn judged(loaded: &Loaded, asked: &Asked) -> Judged {
    check::judge(loaded, &check::examine(loaded), asked)
}

/// The codes that `check` finds in a text.
pub(crate) fn codes(text: &str) -> Vec<&'static str> {
    check::run(&load(text)).iter().map(|finding| finding.code).collect()
}

/// Compares with a file of a folder under the top-level `snapshots/`.
pub(crate) fn golden(folder: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("{}/snapshots/{folder}", env!("CARGO_MANIFEST_DIR")));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A place for what no file says.
pub(crate) fn nowhere() -> Place {
    Place { file: "test.yaml".into(), line: 1, column: 1, start: 0, end: 0 }
}

/// A value at no place.
pub(crate) fn placed<T>(value: T) -> Placed<T> {
    Placed::new(value, nowhere())
}

/// The misbehaving upstream.
pub(crate) fn hostile_upstream() -> String {
    example("hostile-upstream")
}

/// The upstream that offers everything.
pub(crate) fn fixture_upstream() -> String {
    example("fixture-upstream")
}

/// A program that cargo builds beside the tests.
fn example(name: &str) -> String {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "run `cargo build --example {name}` first");
    path.to_str().unwrap().to_owned()
}

/// Waits until something holds, at most 20 s.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come to hold");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process is there and no zombie.
pub(crate) fn lives(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

/// Whether a process is there at all, if only as a zombie.
pub(crate) fn is_there(pid: u64) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

/// A small good configuration.
pub(crate) const BASE: &str = "version: 1\ntags: {a: A, b: {description: B, sensitive: true}}\ngrants: [{to: {user: '*'}, scopes: ['tag:a']}]\nservers:\n  s0:\n    tags: [a]\n    stdio: {command: [cat]}\n    tools:\n      write: {tags: [b]}\n";

/// The findings of a configuration with one hand-written file.
pub(crate) fn written(cedar: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/extra.cedar"), cedar).unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, format!("{BASE}policies: [policies/*.cedar]\n")).unwrap();
    let loaded = config::load(&file, &|_| None);
    let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    match compile::bundle(&config, None) {
        Ok(_) => Vec::new(),
        Err(findings) => findings
            .iter()
            .map(|finding| format!("{}:{} {}", finding.code, finding.place().unwrap().line, finding.message))
            .collect(),
    }
}
