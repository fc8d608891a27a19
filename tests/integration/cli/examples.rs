//! The examples, as their readers run them.

use super::{Said, at, run};
use crate::support::root;

fn on(example: &str, arguments: &[&str]) -> Said {
    let place = at("version: 1\n");
    let config = root().join("examples").join(example).join("portcullis.yaml").display().to_string();
    run(&place, &[arguments, &["--config", &config]].concat())
}

fn examples() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("examples")).unwrap();
    let mut names: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn check_finds_nothing_in_any_of_them_and_their_tests_pass() {
    let names = examples();
    for name in ["hardened", "laptop", "quickstart", "team"] {
        assert!(names.iter().any(|there| there == name), "{names:?}");
    }
    for name in names {
        let check = on(&name, &["check", "--env", "all"]);
        assert!(check.status == 0 && check.out.contains("No findings"), "{name}: {check:?}");
        let folder = root().join("examples").join(&name).display().to_string();
        let test = on(&name, &["test", "--fail-on-empty", &folder]);
        assert!(test.status == 0 && test.out.contains(" 0 failed"), "{name}: {test:?}");
    }
}

#[test]
fn the_laptop_is_what_init_makes_of_its_mcp_json() {
    let folder = root().join("examples/laptop");
    let place = at("version: 1\n");
    std::fs::copy(folder.join("mcp.json"), place.path("mcp.json")).unwrap();
    let made = run(&place, &["init", "--from", "mcp.json", "--stdout"]).out;
    let kept = std::fs::read_to_string(folder.join("portcullis.yaml")).unwrap();
    let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(body(&made), body(&kept));
}
