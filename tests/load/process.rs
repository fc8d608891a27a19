//! The processes that are measured: started, watched through `/proc`, ended with the harness.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;

/// What Linux counts CPU time in, on every architecture.
const TICKS_PER_SECOND: u64 = 100;

/// A process of ours; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// Memory, in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self { child: child.with_context(|| format!("{command:?} does not start"))? })
    }

    /// The CPU time it has used, its threads together.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        // The name, in brackets, may hold anything; the fields are counted after it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = fields.get(11..13).context("a short /proc/PID/stat")?;
        let ticks = ticks.iter().map(|field| field.parse::<u64>()).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// The memory that is its own or mapped and touched.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = self.read("status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let missing = || "no memory in /proc/PID/status: the process has ended";
        Ok(Memory { now: field("VmRSS:").with_context(missing)?, peak: field("VmHWM:").with_context(missing)? })
    }

    #[expect(clippy::disallowed_methods, reason = "/proc is no configuration")]
    fn read(&self, file: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).context("a process ended early")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let asked = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = asked {
            // One that is gone already cannot be told.
            _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
