//! Starting a child so that it cannot outlive us.
//!
//! A child is our own executable with hidden arguments, which binds itself to our life and then
//! becomes the command (`cli/child.rs`). The kernel binds it to the *thread* that started it: that
//! thread's end counts as the parent's death. A worker of the runtime may end at any time, so all
//! children are started by one thread that lives as long as the process.
//!
//! SPEC: prctl(2), `PR_SET_PDEATHSIG`; threats T-171, T-172, T-176, T-177.

use std::{
    io,
    process::Stdio,
    sync::{OnceLock, mpsc},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

use super::spec::{Options, StdioSpec};

/// Starts the child of a server: leader of its own process group, with nothing of ours but three
/// pipes and the environment of its specification.
pub(super) async fn spawn(spec: &StdioSpec, options: &Options) -> io::Result<(Child, Group)> {
    let mut command = Command::new(&options.launcher);
    command
        .arg("__child")
        .arg(std::process::id().to_string())
        .args(&spec.command)
        .env_clear()
        .envs(spec.environment.expose())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    let (started, child) = oneshot::channel();
    let runtime = Handle::current();
    let job: Job = Box::new(move || {
        let _entered = runtime.enter();
        drop(started.send(command.spawn()));
    });
    let gone = || io::Error::other("the thread that starts children is gone");
    starter().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
    let child = child.await.map_err(|_| gone())??;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    Ok((child, Group(pid)))
}

/// The process group of a child. What is left of it dies when this is dropped.
///
/// The kernel gives a group's number to nobody else while the group has members; dropped right after
/// its leader was reaped, the signal reaches the leader's own children or nobody.
#[derive(Debug)]
pub(super) struct Group(Option<Pid>);

impl Group {
    /// Sends a signal to all of it; a group that is gone is no error.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0
            && let Err(error) = kill_process_group(pid, signal)
        {
            tracing::trace!(%error, "a process group is gone already");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// The one thread that starts children.
fn starter() -> Option<&'static mpsc::Sender<Job>> {
    static STARTER: OnceLock<Option<mpsc::Sender<Job>>> = OnceLock::new();
    STARTER
        .get_or_init(|| {
            let (send, jobs) = mpsc::channel::<Job>();
            let run = move || jobs.into_iter().for_each(|job| job());
            std::thread::Builder::new().name("children".into()).spawn(run).ok().map(|_| send)
        })
        .as_ref()
}
