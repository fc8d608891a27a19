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
