//! Every task of the process: the one place that starts any, so that shutdown waits for all.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
};

/// The tasks of the process. Dropping it stops them where they stand.
#[derive(Debug)]
pub struct Tasks {
    running: Mutex<Running>,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Running {
    set: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// Tells a task that the process is about to end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self { running: Mutex::default(), stop: watch::Sender::new(false) }
    }

    /// Starts a task. `name` is what the log calls it.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = running.set.try_join_next_with_id() {
            running.bury(ended);
        }
        let id = running.set.spawn(task).id();
        running.names.insert(id, name);
    }

    /// The sign by which tasks end themselves.
    #[must_use]
    pub fn stop(&self) -> Stop {
        Stop(self.stop.subscribe())
    }

    /// Asks all tasks to end, waits until `deadline` at most, and gives the names of those that had
    /// to be cut off, sorted.
    pub async fn shut_down(&self, deadline: Duration) -> Vec<&'static str> {
        self.stop.send_replace(true);
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            while let Some(ended) = running.set.join_next_with_id().await {
                running.bury(ended);
            }
        };
        if tokio::time::timeout(deadline, all).await.is_ok() {
            return Vec::new();
        }
        running.set.shutdown().await;
        let mut names: Vec<_> = running.names.into_values().collect();
        names.sort_unstable();
        names
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Running {
    fn bury(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id).unwrap_or("?");
        if let Err(error) = ended {
            tracing::error!(task = name, %error, "a task ended badly");
        }
    }
}

impl Stop {
    /// Waits for the sign.
    pub async fn stopped(&mut self) {
        // An error means that nobody is left to give it.
        let given = self.0.wait_for(|stop| *stop).await;
        drop(given);
    }

    /// Whether the sign was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_tasks_that_end_themselves_and_cuts_off_the_others() {
        let (tasks, ended) = (Tasks::new(), Arc::new(Notify::new()));
        let (mut stop, told) = (tasks.stop(), ended.clone());
        tasks.spawn("good", async move {
            stop.stopped().await;
            told.notify_one();
        });
        assert!(tasks.shut_down(Duration::from_secs(60)).await.is_empty());
        ended.notified().await;
        let tasks = Tasks::new();
        tasks.spawn("endless", std::future::pending());
        tasks.spawn("panics", async { panic!("on purpose") });
        assert_eq!(tasks.shut_down(Duration::from_millis(10)).await, ["endless"]);
    }
}
