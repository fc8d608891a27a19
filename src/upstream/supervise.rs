//! Keeping a line open: a child's pipes or a stream of events; start, open the session, notice the
//! end, start again.
//!
//! A child that ends fails what it was asked, at once, and is started again after a pause that
//! doubles (100 ms … 30 s); nothing is ever asked twice. Ending it is polite first: its input
//! closes, then its group is told, then killed. A line that is private to a caller is opened once.
//!
//! SPEC: MCP lifecycle, "Shutdown"; CL-03, CL-04, threats T-174, T-175, T-177, T-204.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    process::Child,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    About, Deadline, Health, Options, Outgoing, Reply, Trouble, background,
    open::{Unopened, open},
    session::Session,
    setting::{Purpose, Setting},
    spawn::{self, Group},
    spec::{StdioSpec, Wire},
    stdio, stream,
};
use crate::mcp::Era;

/// How many messages may wait for a child to read them.
const QUEUE: usize = 64;
/// A pause up to this long is waited out by requests; before a longer one they fail.
const BRIEF: Duration = Duration::from_secs(1);
/// A child that lived this long has earned a short pause again.
pub(super) const STABLE: Duration = Duration::from_secs(30);
/// How long an ended child's last words are read for.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The keeper of one server's child.
#[derive(Debug)]
pub(super) struct Supervisor {
    keeper: Arc<Keeper>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Supervisor {
    pub(super) fn new(setting: Arc<Setting>, purpose: Purpose) -> Self {
        let (state, stop) = (watch::Sender::new(State::Unused), watch::Sender::new(false));
        Self { keeper: Arc::new(Keeper { setting, purpose, state, stop }), task: Mutex::new(None) }
    }

    /// Starts the child if it was not started yet.
    pub(super) fn start(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() && !*self.keeper.stop.borrow() {
            *task = Some(background(self.keeper.clone().keep()));
        }
    }

    /// How the child is.
    pub(super) fn health(&self) -> Health {
        match &*self.keeper.state.borrow() {
            State::Unused => Health::Unused,
            State::Starting => Health::Starting,
            State::Ready(_) => Health::Up,
            State::Down { why, .. } => Health::Down(*why),
            State::Stopped => Health::Stopped,
        }
    }

    /// Asks and waits, first for the child where it is not up.
    pub(super) async fn request(&self, outgoing: &Outgoing, deadline: Deadline) -> Result<Reply, Trouble> {
        self.ready(deadline).await?.session.request(outgoing, deadline).await
    }

    /// Keeps a stream of changes open until it ends; `patience` is how long it may take to begin.
    pub(super) async fn listen(&self, outgoing: &Outgoing, patience: Duration) -> Result<Reply, Trouble> {
        self.ready(Deadline::after(patience)).await?.session.listen(outgoing, patience).await
    }

    /// What the child said of itself.
    pub(super) async fn about(&self, deadline: Deadline) -> Result<Arc<About>, Trouble> {
        Ok(self.ready(deadline).await?.about.clone())
    }

    /// Ends the child for good and waits until it is gone.
    pub(super) async fn shutdown(&self) {
        self.keeper.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            drop(task.await);
        }
        self.keeper.state.send_replace(State::Stopped);
    }

    async fn ready(&self, deadline: Deadline) -> Result<Arc<Life>, Trouble> {
        if let State::Ready(life) = &*self.keeper.state.borrow() {
            return Ok(life.clone());
        }
        self.start();
        let mut state = self.keeper.state.subscribe();
        loop {
            match &*state.borrow_and_update() {
                State::Ready(life) => return Ok(life.clone()),
                State::Stopped => return Err(Trouble::Stopped),
                State::Down { why, .. } if self.keeper.purpose.is_private() || !restarts(*why) => return Err(*why),
                State::Down { until, .. } if until.saturating_duration_since(Instant::now()) > BRIEF => {
                    return Err(Trouble::Restarting);
                }
                State::Down { .. } | State::Unused | State::Starting => {}
            }
            if deadline.bound(state.changed()).await?.is_err() {
                return Err(Trouble::Stopped);
            }
        }
    }
}

impl Drop for Supervisor {
    /// Nobody needs the child any more: its task goes on only to end it.
    fn drop(&mut self) {
        self.keeper.stop.send_replace(true);
    }
}

/// Waits until the child is to end for good.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Whether a child that ended so is likely to come back.
fn restarts(why: Trouble) -> bool {
    matches!(why, Trouble::Crashed | Trouble::TooLarge)
}

#[derive(Debug)]
struct Keeper {
    setting: Arc<Setting>,
    purpose: Purpose,
    state: watch::Sender<State>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
enum State {
    Unused,
    Starting,
    Ready(Arc<Life>),
    Down { why: Trouble, until: Instant },
    Stopped,
}

/// A child with an open session.
#[derive(Debug)]
struct Life {
    session: Arc<Session>,
    about: Arc<About>,
}

/// How a life ended.
enum Ended {
    ByUs,
    /// It is to be started again at once, in the words of the other era.
    Again,
    Because(Trouble),
}

impl Keeper {
    async fn keep(self: Arc<Self>) {
        let mut failures = 0;
        let mut stop = self.stop.subscribe();
        loop {
            self.state.send_replace(State::Starting);
            let began = Instant::now();
            let why = match self.live(&mut stop).await {
                Ended::ByUs => break,
                Ended::Again => continue,
                Ended::Because(why) => why,
            };
            if self.purpose.is_private() {
                self.state.send_replace(State::Down { why, until: Instant::now() });
                return;
            }
            failures = if began.elapsed() > STABLE { 0 } else { failures + 1 };
            let pause = pause(&self.setting.options, failures, chance());
            tracing::warn!(server = %self.setting.server, %why, pause_ms = pause.as_millis(), "will be started again");
            let until = Instant::now() + pause;
            self.state.send_replace(State::Down { why, until });
            tokio::select! {
                () = sleep_until(until) => {}
                () = stopped(&mut stop) => break,
            }
        }
        self.state.send_replace(State::Stopped);
    }

    /// One life of the line.
    async fn live(&self, stop: &mut watch::Receiver<bool>) -> Ended {
        match &self.setting.spec.wire {
            Wire::Stdio(spec) => self.live_as_child(spec, stop).await,
            Wire::Sse(spec) | Wire::Http(spec) => {
                let (out, queue) = mpsc::channel(QUEUE);
                let session = Arc::new(Session::new(self.setting.clone(), &self.purpose, out));
                let mut line = pin!(stream::run(&self.setting, spec, &session, queue));
                let mut serve = pin!(self.serve(&session));
                let ended = tokio::select! {
                    unopened = &mut serve => self.ended(unopened),
                    why = &mut line => self.ended(why.into()),
                    () = stopped(stop) => Ended::ByUs,
                };
                self.close(&session, &ended);
                ended
            }
        }
    }

    async fn live_as_child(&self, spec: &StdioSpec, stop: &mut watch::Receiver<bool>) -> Ended {
        let Setting { server, options, starts, .. } = &*self.setting;
        if let Err(error) = starts.note(&self.setting, &self.purpose, spec) {
            tracing::error!(%server, error, "its process is not started: the audit trail cannot be written");
            return Ended::Because(Trouble::NotStarted);
        }
        let (mut child, group) = match spawn::spawn(spec, options).await {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(%server, %error, "its process could not be started");
                return Ended::Because(Trouble::NotStarted);
            }
        };
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Ended::Because(Trouble::NotStarted);
        };
        let (out, queue) = mpsc::channel(QUEUE);
        let session = Arc::new(Session::new(self.setting.clone(), &self.purpose, out));
        let writer = background(stdio::write(stdin, queue));
        let mut talk = background(stdio::talk(stderr, self.setting.clone()));
        let mut reader = pin!(stdio::read(stdout, &session, options.largest_message));
        let mut serve = pin!(self.serve(&session));
        let ended = tokio::select! {
            unopened = &mut serve => self.ended(unopened),
            why = &mut reader => self.ended(why.into()),
            _ = child.wait() => {
                drop(timeout(LAST_WORDS, &mut reader).await);
                self.ended(Trouble::Crashed.into())
            }
            () = stopped(stop) => Ended::ByUs,
        };
        self.close(&session, &ended);
        writer.abort();
        drop(writer.await);
        self.end(&mut child, &group, matches!(ended, Ended::ByUs)).await;
        drop(group);
        // Who dies at its start says why on its error output.
        drop(timeout(LAST_WORDS, &mut talk).await);
        talk.abort();
        ended
    }

    /// What the end of a life means, by how far it had come.
    fn ended(&self, why: Unopened) -> Ended {
        let was_up = matches!(&*self.state.borrow(), State::Ready(_));
        match why {
            Unopened::Silent => Ended::Again,
            Unopened::Because(why) if was_up => Ended::Because(why),
            Unopened::Because(Trouble::Crashed) => {
                // It may be the question of the other era that it died of.
                let unasked = self.setting.era().is_none();
                self.setting.learn(unasked.then_some(Era::Legacy));
                if unasked { Ended::Again } else { Ended::Because(Trouble::NotStarted) }
            }
            Unopened::Because(Trouble::TimedOut(_)) => Ended::Because(Trouble::NotStarted),
            Unopened::Because(why) => Ended::Because(why),
        }
    }

    fn close(&self, session: &Session, ended: &Ended) {
        let why = match ended {
            Ended::ByUs => Trouble::Stopped,
            Ended::Again => Trouble::NotStarted,
            Ended::Because(why) => *why,
        };
        // Down before the session closes: who then asks again finds the pause, not a dead session.
        if matches!(ended, Ended::Because(_)) {
            self.state.send_replace(State::Down { why, until: Instant::now() });
        }
        session.close(why);
    }

    /// Opens the session, then waits for ever; ends with what went wrong.
    async fn serve(&self, session: &Arc<Session>) -> Unopened {
        let setting = &self.setting;
        let deadline = Deadline::after(setting.options.start_timeout);
        match open(setting, session, &self.purpose, deadline).await {
            Ok(about) => {
                if !self.purpose.is_private() {
                    tracing::info!(server = %setting.server, version = %about.version, "is up");
                    setting.changes.opened();
                }
                self.state
                    .send_replace(State::Ready(Arc::new(Life { session: session.clone(), about: Arc::new(about) })));
                std::future::pending().await
            }
            Err(why) => why,
        }
    }

    /// Ends the child and its group. Its input is closed already.
    async fn end(&self, child: &mut Child, group: &Group, politely: bool) {
        if politely {
            if timeout(self.setting.options.grace, child.wait()).await.is_ok() {
                return;
            }
            group.signal(Signal::TERM);
            if timeout(self.setting.options.term_grace, child.wait()).await.is_ok() {
                return;
            }
            tracing::warn!(server = %self.setting.server, "did not end when told to, and is killed");
        }
        group.signal(Signal::KILL);
        drop(child.wait().await);
    }
}

/// The pause after so many failures in a row, a fifth of it left to chance (0 to 1).
pub(super) fn pause(options: &Options, failures: u32, chance: f64) -> Duration {
    let doubled = options.backoff.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(options.longest_backoff).mul_f64(0.8 + 0.2 * chance)
}

/// A number from 0 to 1. Without chance all children wait alike, which is no harm.
pub(super) fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t175_pauses_double_up_to_a_bound() {
        let options = Options::new("portcullis".into(), Default::default());
        let millis = |failures| pause(&options, failures, 1.0).as_millis();
        assert_eq!([1, 2, 3, 9, 10, u32::MAX].map(millis), [100, 200, 400, 25_600, 30_000, 30_000]);
        assert_eq!(pause(&options, 1, 0.0).as_millis(), 80);
        assert!((0.0..=1.0).contains(&chance()));
    }
}
