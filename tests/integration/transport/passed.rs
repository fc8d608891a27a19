//! The socket that systemd passes: taken, answered on, and held to the same rules.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use crate::{cli::CONFIG, support::running::Running};

/// As systemd starts a service: the socket is descriptor 3.
fn activated(place: &Running, socket: TcpListener) -> Command {
    let serve = place.command(&["serve"]);
    let mut command = Command::new("sh");
    let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve";
    command.arg("-c").arg(script).arg(serve.get_program()).current_dir(place.path(""));
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::from(OwnedFd::from(socket)));
    command
}

#[test]
fn the_socket_of_systemd_is_taken() {
    let mut place = Running::prepare(CONFIG);
    let socket = TcpListener::bind(place.address()).unwrap();
    // A caller who comes before the gateway does is answered when it does.
    let mut command = activated(&place, socket);
    place.launch_by(&mut command);
    assert_eq!(place.send("GET", "/healthz", &[], "").status, 200);
    let environment = std::fs::read(format!("/proc/{}/task/{}/children", place.pid(), place.pid())).unwrap_or_default();
    for child in String::from_utf8_lossy(&environment).split_whitespace() {
        let variables = std::fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&variables).contains("LISTEN_FDS"), "a child has it");
    }
    assert!(place.stop().success());
}

#[test]
fn az24_a_socket_that_others_reach_needs_tls_whatever_the_file_says() {
    let place = Running::prepare(CONFIG);
    let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let said = activated(&place, socket).output().unwrap();
    let words = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.code() == Some(2) && words.contains("error: other machines reach 0.0.0.0:"), "{words}");
    assert!(!place.path(".portcullis").exists());
}
