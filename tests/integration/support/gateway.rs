//! A gateway as people run it: the real `portcullis serve` on a free port, in a directory of its own.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::lives;

/// How long a start, a stop or a script may take on a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running gateway. Dropping it asks it to stop, and it must stop well.
pub(crate) struct Gateway {
    directory: TempDir,
    child: Child,
    variables: Vec<(String, String)>,
    port: u16,
}

impl Gateway {
    /// Starts a gateway in a directory and waits until it is ready. The configuration finds its port
    /// in `${PORT}` and whatever else it needs in `variables`.
    pub(crate) fn start(directory: TempDir, configuration: &str, variables: &[(&str, &str)]) -> Self {
        std::fs::write(directory.path().join("portcullis.yaml"), configuration).unwrap();
        let port = free_port();
        let mut variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        variables.push(("PORT".into(), port.to_string()));
        let log = File::create(directory.path().join("serve.log")).unwrap();
        let child = command(directory.path(), &variables).arg("serve").stderr(log).spawn().unwrap();
        let mut gateway = Self { directory, child, variables, port };
        let ready = gateway.wait(|gateway| {
            let ended = gateway.child.try_wait().unwrap();
            assert!(ended.is_none(), "the gateway ended: {ended:?}\n{}", gateway.log());
            gateway.status("/readyz") == Some(200)
        });
        assert!(ready, "the gateway did not become ready\n{}", gateway.log());
        gateway
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Issues a token for a path, as an operator does. The words are further arguments.
    pub(crate) fn token(&self, scopes: &[&str], path: &str, words: &[&str]) -> String {
        let scopes = scopes.join(",");
        let resource = format!("{}{path}", self.url());
        let output = command(self.directory.path(), &self.variables)
            .args(["token", "issue", "--scopes", &scopes, "--resource", &resource])
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The directory that it runs in.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("serve.log")).unwrap_or_default()
    }

    /// The status of a GET, if there is an answer at all.
    fn status(&self, path: &str) -> Option<u16> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut connection = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        connection.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
        connection.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    }

    /// Waits until something holds, and says whether it came to.
    fn wait(&mut self, mut holds: impl FnMut(&mut Self) -> bool) -> bool {
        let begun = Instant::now();
        loop {
            if holds(self) {
                return true;
            }
            if begun.elapsed() > PATIENCE {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(&mut self) -> Option<ExitStatus> {
        let pid = Pid::from_child(&self.child);
        // It may have ended by itself, which its status says.
        _ = kill_process(pid, Signal::TERM);
        let mut status = None;
        self.wait(|gateway| {
            status = gateway.child.try_wait().unwrap();
            status.is_some()
        });
        if status.is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        status
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let children = children(self.child.id());
        let status = self.stop();
        if thread::panicking() {
            eprintln!("--- the gateway said\n{}", self.log());
            return;
        }
        let status = status.unwrap_or_else(|| panic!("the gateway did not stop when asked\n{}", self.log()));
        assert!(status.success(), "the gateway ended with {status}\n{}", self.log());
        let left: Vec<u64> = children.into_iter().filter(|child| lives(*child)).collect();
        assert!(left.is_empty(), "the gateway left its servers {left:?} behind\n{}", self.log());
    }
}

/// Runs a program to its end. What it says is printed where it fails or takes too long.
pub(crate) fn run(program: &Path, arguments: &[&Path], directory: &Path) {
    let said = directory.join("said.txt");
    let (out, err) = (File::create(&said).unwrap(), File::options().append(true).open(&said).unwrap());
    let mut child = Command::new(program).args(arguments).stdout(out).stderr(err).spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if begun.elapsed() > 4 * PATIENCE => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let ended = status.map_or_else(|| "did not end".to_owned(), |status| format!("ended with {status}"));
    let said = String::from_utf8_lossy(&std::fs::read(said).unwrap()).into_owned();
    assert!(status.is_some_and(|status| status.success()), "{} {ended}\n{said}", program.display());
}

/// Our binary in a directory, with nothing of ours in its environment but the variables.
fn command(directory: &Path, variables: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.current_dir(directory).envs(variables.iter().map(|(name, value)| (name, value)));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PORTCULLIS_")) {
        command.env_remove(name);
    }
    command
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The processes whose parent is this one.
fn children(parent: u32) -> Vec<u64> {
    let of = |pid: &u64| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let numbers =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers.filter(|pid| of(pid) == Some(parent)).collect()
}
