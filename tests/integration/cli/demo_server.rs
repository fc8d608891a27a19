//! `demo-server`: usage is talk, and the protocol has stdout to itself.

use super::{CONFIG, at, run, says};

#[test]
fn usage_says_which_servers_there_are() {
    let place = at(CONFIG);
    for (name, arguments) in
        [("none", &[][..]), ("unknown", &["clock"]), ("without_dir", &["notes"]), ("with_dir", &["time", "--dir", "x"])]
    {
        let said = run(&place, &[&["demo-server"], arguments].concat());
        says(&format!("demo_server_{name}"), &said);
        assert_eq!((said.status, said.out.as_str()), (2, ""), "{name}");
    }
}

#[test]
fn it_ends_with_its_input() {
    let said = run(&at(CONFIG), &["demo-server", "time"]);
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (0, "", ""));
}
