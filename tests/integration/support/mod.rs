//! What several tests need: a configuration from text, an engine over it, a question asked.

use std::{collections::BTreeSet, net::Ipv4Addr, path::PathBuf, sync::Arc};

use portcullis::{
    compile,
    config::{self, Config},
    name::ScopeName,
    policy::{Bundle, Decision, Engine, Moment, Question, Standing, Target, Verb},
    principal::Principal,
};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Settings that put golden files under `snapshots/` by their name alone.
pub(crate) fn golden(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("snapshots").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

/// The meaning of a text that must be a good configuration.
pub(crate) fn config(text: &str) -> Config {
    let loaded = config::load_text("portcullis.yaml", text, &|_| None);
    loaded.config.unwrap_or_else(|| panic!("{:#?}\n{text}", loaded.findings.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// The bundle of a good configuration.
pub(crate) fn bundle(text: &str) -> Bundle {
    compile::bundle(&config(text))
        .unwrap_or_else(|problems| panic!("{:#?}\n{text}", problems.iter().map(ToString::to_string).collect::<Vec<_>>()))
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
    engine.decide(&Question { asker: &asker, verb, target, inventory: &inventory, moment })
}

/// Asks one question of the full policy set.
pub(crate) fn ask_unsharded(engine: &Engine, standing: Standing, verb: Verb, target: &Target, moment: &Moment) -> Decision {
    let asker = engine.asker(standing).unwrap();
    let inventory = engine.inventory(target.server(), [target.clone()]).unwrap();
    engine.decide_unsharded(&Question { asker: &asker, verb, target, inventory: &inventory, moment })
}
