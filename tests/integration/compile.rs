//! The compiled Cedar of every example is a golden file: its diff is the review.

use portcullis::{check, cli, compile, config};

use crate::support::{golden, root};

#[test]
fn every_example_compiles_to_its_golden_file() {
    let mut seen = 0;
    for example in std::fs::read_dir(root().join("examples")).unwrap() {
        let folder = example.unwrap().path();
        let loaded = config::load(&folder.join("portcullis.yaml"), &|_| Some("from-the-environment".into()));
        let examined = check::examine(&loaded);
        let bundle = examined.bundle.unwrap_or_else(|| panic!("{}: {:#?}", folder.display(), examined.findings));
        let name = folder.file_name().unwrap().to_str().unwrap();
        golden("compile", name, &cli::bundle_as_cedar(&bundle, false));
        seen += 1;
    }
    assert!(seen > 0, "there are no examples");
}

#[test]
fn the_vocabulary_is_the_golden_schema() {
    let path = root().join("schema/portcullis.cedarschema");
    let text = compile::vocabulary();
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "renew with INSTA_UPDATE=always cargo test");
}

#[test]
fn t139_templates_are_refused_and_what_is_compiled_is_the_same_as_json() {
    for (slot, wrong) in [
        ("principal == ?principal", "templates are not used"),
        ("principal in ?principal", "templates are not used"),
        ("principal == ?resource", "?resource"),
        ("principal in ?resource", "?resource"),
    ] {
        let cedar = format!(
            "@id(\"x\")\nforbid ({slot}, action in [Portcullis::Action::\"tools/call\", Portcullis::Action::\"tools/list\"], resource);\n"
        );
        let found = crate::support::written(&cedar);
        assert!(found.iter().any(|finding| finding.contains(wrong)), "{slot}: {found:?}");
    }
    let mut seen = 0;
    for example in std::fs::read_dir(root().join("examples")).unwrap() {
        let loaded =
            config::load(&example.unwrap().path().join("portcullis.yaml"), &|_| Some("from-the-environment".into()));
        for policy in check::examine(&loaded).bundle.unwrap().policies() {
            let policy: cedar_policy::Policy = policy.text().parse().unwrap();
            let json = policy.to_json().unwrap();
            let back = cedar_policy::Policy::from_json(Some(policy.id().clone()), json.clone()).unwrap();
            assert_eq!(back.to_json().unwrap(), json, "{policy}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} policies");
}

/// The versions below which a crate has a known hole that would be ours: threats §4.
#[test]
fn t139_t228_no_crate_is_below_its_floor() {
    let floors = [
        ("ammonia", "999"), // sanitizes no SVG animation as of yet: none is used
        ("cedar-policy", "4.11.2"),
        ("h2", "0.4.16"),
        ("idna", "1.0.3"),
        ("jsonwebtoken", "10.3.0"),
        ("ring", "0.17.12"),
        ("rmcp", "2.1.0"),
        ("rustls", "0.23.18"),
        ("rustls-webpki", "0.103.13"),
        ("sqlx", "0.8.1"),
        ("time", "0.3.47"),
        ("tracing-subscriber", "0.3.20"),
        ("url", "2.5.4"),
    ];
    let parts = |version: &str| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut checked = 0;
    for package in lock.split("[[package]]") {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")))?;
            line.strip_suffix('"')
        };
        let (Some(name), Some(version)) = (value("name"), value("version")) else { continue };
        if let Some((_, floor)) = floors.iter().find(|(crate_name, _)| *crate_name == name) {
            assert!(parts(version) >= parts(floor), "{name} {version} is below {floor}");
            checked += 1;
        }
    }
    assert!(checked >= 9, "{checked} of them are used");
    // And what is not known today: CI asks of every commit.
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains("cargo deny --log-level error check --disable-fetch advisories"), "CI asks for advisories");
}
