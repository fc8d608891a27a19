//! Group commit: operations that wait for the writer are run in one transaction and answered when
//! it is on the disk.
//!
//! INVARIANT: an operation is answered after its commit, and what one of them fails at leaves no
//! trace in the others: a batch with a failure is undone and its operations are run one by one.
//! A caller that goes away does not take its operation back.

use std::{future::Future, pin::Pin};

use sqlx::SqlitePool;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
};

use super::Line;
use crate::store::{
    Process, StoreError,
    rows::{Op, Read},
};

/// Operations in one transaction, so that another process waits a few milliseconds at most.
const BATCH: usize = 64;
/// Operations that wait; who comes then waits to wait.
const WAITING: usize = 1024;

#[derive(Debug)]
pub(super) struct Writer {
    /// Nothing once it was ended.
    jobs: Mutex<Option<Running>>,
    sender: mpsc::WeakSender<Box<dyn Job>>,
}

#[derive(Debug)]
struct Running {
    sender: mpsc::Sender<Box<dyn Job>>,
    task: JoinHandle<()>,
}

impl Writer {
    #[expect(clippy::disallowed_methods, reason = "it ends with the store, which whoever stops us closes last")]
    pub(super) fn start(pool: SqlitePool, process: Process) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let weak = sender.downgrade();
        let task = tokio::spawn(work(pool, process, receiver));
        Self { jobs: Mutex::new(Some(Running { sender, task })), sender: weak }
    }

    pub(super) async fn run<O: Op>(&self, op: O) -> Read<O::Answer> {
        let (reply, answer) = oneshot::channel();
        let sender = self.sender.upgrade().ok_or(StoreError::Closed)?;
        let job = Pending { op, answer: None, reply };
        sender.send(Box::new(job)).await.map_err(|_| StoreError::Closed)?;
        drop(sender);
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Takes no more, and waits for what is under way.
    pub(super) async fn end(&self) {
        let running = self.jobs.lock().await.take();
        if let Some(Running { sender, task }) = running {
            drop(sender);
            // A panic in it was said where it was.
            drop(task.await);
        }
    }
}

async fn work(pool: SqlitePool, process: Process, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        // Whoever is about to ask, as those are that were answered just now, comes along.
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        let outcome = together(&pool, process, &mut batch).await;
        match (outcome, batch.len()) {
            (Ok(()), _) => batch.drain(..).for_each(|job| job.finish(Ok(()))),
            (Err(error), 1) => drop(batch.pop().map(|job| job.finish(Err(error)))),
            (Err(_), _) => {
                for mut job in batch.drain(..) {
                    let outcome = together(&pool, process, std::slice::from_mut(&mut job)).await;
                    job.finish(outcome);
                }
            }
        }
    }
}

/// Runs all of them in one transaction. After an error nothing of it stays.
async fn together(pool: &SqlitePool, process: Process, jobs: &mut [Box<dyn Job>]) -> Read<()> {
    let mut tx = pool.begin_with("begin immediate").await?;
    let mut line = Line::on(&mut tx, process);
    for job in jobs {
        job.run(&mut line).await?;
    }
    line.settle().await?;
    Ok(tx.commit().await?)
}

/// An operation with whoever waits for it.
trait Job: Send {
    fn run<'a>(&'a mut self, rows: &'a mut Line<'_>) -> Step<'a>;

    /// Answers: what it gave, now that it is kept, or why nothing was.
    fn finish(self: Box<Self>, outcome: Read<()>);
}

type Step<'a> = Pin<Box<dyn Future<Output = Read<()>> + Send + 'a>>;

struct Pending<O: Op> {
    op: O,
    answer: Option<O::Answer>,
    reply: oneshot::Sender<Read<O::Answer>>,
}

impl<O: Op> Job for Pending<O> {
    fn run<'a>(&'a mut self, rows: &'a mut Line<'_>) -> Step<'a> {
        Box::pin(async move {
            self.answer = Some(self.op.run(rows).await?);
            Ok(())
        })
    }

    fn finish(self: Box<Self>, outcome: Read<()>) {
        let Self { op: _, answer, reply } = *self;
        // Whoever asked may be gone.
        drop(reply.send(outcome.and_then(|()| answer.ok_or(StoreError::Closed))));
    }
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}
