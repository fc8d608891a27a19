//! What several tests need.

/// An HTTP server that answers what a test tells it to.
pub(crate) mod fake_http;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use portcullis::diagnostic::{Place, Placed};

/// A place for what no file says.
pub(crate) fn nowhere() -> Place {
    Place { file: "test.yaml".into(), line: 1, column: 1, start: 0, end: 0 }
}

/// A value at no place.
pub(crate) fn placed<T>(value: T) -> Placed<T> {
    Placed::new(value, nowhere())
}

/// The misbehaving upstream, which cargo builds beside the tests.
pub(crate) fn hostile_upstream() -> String {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples/hostile-upstream");
    assert!(path.exists(), "run `cargo build --example hostile-upstream` first");
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
