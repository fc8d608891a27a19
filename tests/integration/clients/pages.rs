//! The pages of the authorization server in Chromium: what axe-core finds, what the content policy stops,
//! what is loaded, and whether everything fits a telephone. Pictures of all of them go to `target/pages`.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::{Node, clients, needed, package_of, said};
use crate::support::root;

/// Chromium, by whichever name it has.
pub(super) fn chromium() -> Result<PathBuf, String> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.into_iter().find_map(|name| said(Path::new("sh"), &["-c", &format!("command -v {name}")]).ok());
    found.map(PathBuf::from).ok_or_else(|| format!("there is none of {}", names.join(", ")))
}

#[test]
fn oa94_t066_t073_pages_hold_in_a_real_browser_and_axe_finds_nothing_serious() {
    let both = Node::find().and_then(|node| chromium().map(|chromium| (node, chromium)));
    let Some((Node(node), chromium)) = needed("the pages in Chromium", both) else { return };
    assert!(package_of("axe-core").is_dir());
    let page = root().join("src/http/page");
    let folder = tempfile::tempdir().unwrap();
    let (plan, log) = (folder.path().join("plan.json"), folder.path().join("log"));
    let policy = policy();
    let said = json!({
        "pages": root().join("snapshots/page"),
        "pictures": root().join("target/pages"),
        "chromium": chromium,
        "origin": "https://gateway.example.com",
        "assets": {"/assets/page.css": page.join("page.css"), "/assets/mark.svg": page.join("mark.svg")},
        "headers": {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"},
    });
    std::fs::write(&plan, said.to_string()).unwrap();
    let out = File::create(&log).unwrap();
    let status = Command::new(node)
        .args([clients().join("node/pages.mjs"), plan])
        .stderr(out.try_clone().unwrap())
        .stdout(out)
        .status()
        .unwrap();
    assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap());
}

/// The content policy that pages are sent with by default, as it is compiled.
fn policy() -> String {
    let bundle = crate::support::bundle("version: 1\n");
    let engine = portcullis::policy::Engine::new(std::sync::Arc::new(bundle)).unwrap();
    let headers = engine.emit(portcullis::policy::EndpointClass::Consent, true, true).unwrap();
    let policy = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-security-policy"));
    policy.and_then(|header| header.value.as_deref()).unwrap().to_owned()
}
