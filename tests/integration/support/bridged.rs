//! A client's end of `portcullis connect`: it says lines, and hears what the bridge says.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take before a test gives up.
const LONG: Duration = Duration::from_secs(30);

/// A running bridge. Dropped, it is killed.
pub(crate) struct Bridged {
    folder: tempfile::TempDir,
    child: Child,
    input: Option<ChildStdin>,
    heard: mpsc::Receiver<String>,
}

impl Bridged {
    /// Starts a bridge to `url`, with a token where there is one; else nobody is asked but on its log.
    pub(crate) fn start(url: &str, token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        match token {
            Some(token) => {
                let file = folder.path().join("token");
                write_token(&file, token);
                Self::start_with(folder, url, &data, &["--token-file", file.to_str().unwrap()], &[])
            }
            None => Self::start_in(&data, url, &[]),
        }
    }

    /// Starts a bridge that keeps its tokens below `data`, and opens no browser.
    pub(crate) fn start_in(data: &Path, url: &str, arguments: &[&str]) -> Self {
        let arguments = [&["--no-browser"], arguments].concat();
        Self::start_with(tempfile::tempdir().unwrap(), url, data, &arguments, &[])
    }

    /// Starts a bridge with these variables besides.
    pub(crate) fn start_with(
        folder: tempfile::TempDir,
        url: &str,
        data: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(["connect", url]).args(arguments).env_remove("PORTCULLIS_LOG");
        command.env("XDG_DATA_HOME", data).envs(variables.iter().copied());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (to, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                // The test may have ended meanwhile.
                drop(to.send(line.unwrap()));
            }
        });
        Self { folder, input: child.stdin.take(), child, heard }
    }

    /// Puts another token into its file.
    pub(crate) fn renew(&self, token: &str) {
        write_token(&self.token_file(), token);
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The pages that it asks a person to open, once there are so many.
    pub(crate) fn pages(&self, many: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let log = self.log();
            let pages: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("  http")).collect();
            // A line may be half there.
            if pages.len() >= many && (log.is_empty() || log.ends_with('\n')) {
                return pages.into_iter().map(|rest| format!("http{rest}")).collect();
            }
            assert!(begun.elapsed() < LONG, "no page is named: {log}");
            std::thread::yield_now();
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says a message.
    pub(crate) fn say(&mut self, message: &Value) {
        self.say_line(&message.to_string());
    }

    /// Says a line as it is.
    pub(crate) fn say_line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        input.write_all(b"\n").unwrap();
    }

    /// The next message.
    pub(crate) fn hear(&self) -> Value {
        let line = self.heard.recv_timeout(LONG).unwrap_or_else(|_| panic!("nothing is heard: {}", self.log()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Says a request and hears its answer, which is the next message.
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        self.say(request);
        let answer = self.hear();
        assert_eq!(answer["id"], request["id"], "{answer}");
        answer
    }

    /// Ends the input, waits for the end, and gives what was heard until then.
    pub(crate) fn end(&mut self) -> (ExitStatus, Vec<Value>) {
        self.input = None;
        self.ended()
    }

    /// Tells it to stop, waits for the end, and gives what was heard until then.
    pub(crate) fn stop(&mut self) -> (ExitStatus, Vec<Value>) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ended()
    }

    fn ended(&mut self) -> (ExitStatus, Vec<Value>) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < LONG, "the bridge does not end: {}", self.log());
            std::thread::yield_now();
        };
        (status, self.heard.iter().map(|line| serde_json::from_str(&line).unwrap()).collect())
    }
}

impl Drop for Bridged {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Writes a token into a file that nobody else may read.
pub(crate) fn write_token(path: &Path, token: &str) {
    std::fs::write(path, format!("{token}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
