//! Passwords at a real terminal: asked for twice, never shown, and the terminal is left as it was.

use std::process::Command;

use serde_json::Value;

use super::{CONFIG, at};
use crate::support::{running::Running, skipped};

const GOOD: &str = "marzipan under 7 lanterns";

/// Runs a command at a new terminal, types each answer when its question stands there, and says how that
/// went. `\x03` is Ctrl-C; `TERM` sends that signal instead.
const AT_A_TERMINAL: &str = r#"
import fcntl, json, os, pty, select, signal, subprocess, sys, termios, time
typing, command = json.loads(sys.argv[1]), sys.argv[2:]
master, slave = pty.openpty()
def own():
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=own)
seen, hidden, end = b"", [], time.monotonic() + 60
def more(wait):
    global seen
    ready, _, _ = select.select([master], [], [], wait)
    if ready:
        seen += os.read(master, 4096)
    assert time.monotonic() < end, seen
def echoes():
    return bool(termios.tcgetattr(slave)[3] & termios.ECHO)
for question, answer in typing:
    while seen.count(question.encode()) == 0 or echoes():
        more(0.05)
        assert child.poll() is None, seen
    hidden.append(not echoes())
    if answer == "TERM":
        child.send_signal(signal.SIGTERM)
    else:
        os.write(master, answer.encode())
while child.poll() is None:
    more(0.05)
more(0)
print(json.dumps({"status": child.returncode, "seen": seen.decode(), "hidden": hidden, "echoes": echoes()}))
"#;

/// What came of it; nothing where there is no Python to make a terminal with.
fn typed(place: &Running, arguments: &[&str], typing: &[(&str, &str)]) -> Option<Value> {
    let ours = place.command(arguments);
    let mut command = Command::new("python3");
    command.args(["-c", AT_A_TERMINAL, &serde_json::to_string(typing).unwrap()]).arg(ours.get_program());
    command.args(ours.get_args()).current_dir(ours.get_current_dir().unwrap());
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    match command.output() {
        Err(error) => {
            skipped("a password at a terminal", &format!("there is no python3: {error}"));
            None
        }
        Ok(said) => {
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            Some(serde_json::from_slice(&said.stdout).unwrap())
        }
    }
}

#[test]
fn t216_a_password_is_asked_for_twice_and_not_shown() {
    let place = at(CONFIG);
    let line = format!("{GOOD}\n");
    for command in ["add", "passwd"] {
        let twice = [("Password for local/ana: ", line.as_str()), ("The same again: ", line.as_str())];
        let Some(said) = typed(&place, &["user", command, "ana"], &twice) else { return };
        let seen = said["seen"].as_str().unwrap();
        assert_eq!(said["status"], 0, "{said}");
        assert_eq!(said["hidden"], serde_json::json!([true, true]), "{said}");
        assert!(!seen.contains(GOOD) && seen.contains("local/ana: "), "{said}");
        assert_eq!(said["echoes"], true, "the terminal shows again what is typed: {said}");
    }
}

#[test]
fn t216_two_passwords_that_differ_change_nothing() {
    let place = at(CONFIG);
    let (first, second) = (format!("{GOOD}\n"), "marzipan under 8 lanterns\n");
    let typing = [("Password for local/ana: ", first.as_str()), ("The same again: ", second)];
    let Some(said) = typed(&place, &["user", "add", "ana"], &typing) else { return };
    let seen = said["seen"].as_str().unwrap();
    assert_eq!((&said["status"], &said["echoes"]), (&2.into(), &true.into()), "{said}");
    assert!(seen.contains("error: the two are not the same; nothing was changed"), "{said}");
    assert!(!seen.contains("lanterns"), "{said}");
    assert!(!place.path(".portcullis").exists(), "no store was made");
}

#[test]
fn t216_who_breaks_off_gets_the_terminal_back() {
    let place = at(CONFIG);
    let line = format!("{GOOD}\n");
    let (first, again) = ("Password for local/ana: ", "The same again: ");
    for typing in [vec![(first, "\u{3}")], vec![(first, "TERM")], vec![(first, line.as_str()), (again, "half\u{3}")]] {
        let Some(said) = typed(&place, &["user", "add", "ana"], &typing) else { return };
        let seen = said["seen"].as_str().unwrap();
        assert_eq!((&said["status"], &said["echoes"]), (&2.into(), &true.into()), "{typing:?}: {said}");
        assert!(seen.contains("error: broken off; nothing was changed"), "{said}");
        assert!(!seen.contains("half") && !seen.contains(GOOD), "{said}");
        assert!(!place.path(".portcullis").exists(), "no store was made");
    }
}
