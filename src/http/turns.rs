//! A connection that goes on by itself with what it woke itself for.
//!
//! A request, its body, the call to the upstream and the answer are parts of one task, and wake it when one has
//! something for another. The runtime puts a task that was woken while it ran at the end of its queue and wakes
//! another thread to take it from there: two switches and a foreign cache for a call, for nothing. Here it is
//! polled again at once instead, a few times; then it is the turn of others.
//!
//! INVARIANT: no wake is lost. One that comes between two polls goes to the runtime, one that comes during a poll
//! means another, and where the turns are used up the runtime is asked for more.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Polls in a row before others have their turn.
const TURNS: usize = 8;

/// Nobody polls it, and it waits for a wake.
const ASLEEP: u8 = 0;
/// It is polled.
const AT_WORK: u8 = 1;
/// It was woken, and not polled since.
const WOKEN: u8 = 2;

/// A future that takes several turns in one.
pub(super) struct Turns<F> {
    work: Pin<Box<F>>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// What wakes it.
#[derive(Debug)]
struct Bell {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            self.task.wake();
        }
    }
}

impl<F: Future> Turns<F> {
    pub(super) fn new(work: F) -> Self {
        let bell = Arc::new(Bell { state: AtomicU8::new(ASLEEP), task: AtomicWaker::new() });
        Self { work: Box::pin(work), waker: Waker::from(Arc::clone(&bell)), bell }
    }
}

impl<F: Future> Future for Turns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { work, bell, waker } = &mut *self;
        bell.task.register(cx.waker());
        for _ in 0..TURNS {
            bell.state.store(AT_WORK, Ordering::Release);
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(waker)) {
                return Poll::Ready(done);
            }
            let slept = bell.state.compare_exchange(AT_WORK, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
            if slept.is_ok() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::atomic::AtomicUsize};

    use super::*;

    /// Counts its wakes.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Wakes itself so often, and is done when it is polled after that.
    fn waking(times: usize) -> Turns<impl Future<Output = usize>> {
        let mut polled = 0;
        Turns::new(poll_fn(move |cx| {
            polled += 1;
            if polled > times {
                return Poll::Ready(polled);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn polled<F: Future>(work: &mut Turns<F>, by: &Arc<Counted>) -> Poll<F::Output> {
        Pin::new(work).poll(&mut Context::from_waker(&Waker::from(Arc::clone(by))))
    }

    #[test]
    fn what_wakes_itself_goes_on_without_the_runtime() {
        let by = Arc::new(Counted::default());
        assert_eq!(polled(&mut waking(TURNS - 1), &by), Poll::Ready(TURNS));
        assert_eq!(by.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_never_stops_waking_itself_lets_others_have_their_turn() {
        let by = Arc::new(Counted::default());
        let mut work = waking(2 * TURNS + 1);
        assert_eq!(polled(&mut work, &by), Poll::Pending);
        assert_eq!(by.0.load(Ordering::SeqCst), 1);
        assert_eq!(polled(&mut work, &by), Poll::Pending);
        assert_eq!(by.0.load(Ordering::SeqCst), 2);
        assert_eq!(polled(&mut work, &by), Poll::Ready(2 * TURNS + 2));
    }

    #[test]
    fn a_wake_between_two_polls_goes_to_the_runtime_once() {
        let by = Arc::new(Counted::default());
        let (send, mut heard) = tokio::sync::mpsc::unbounded_channel::<u8>();
        let mut work = Turns::new(async move { heard.recv().await.zip(heard.recv().await) });
        assert_eq!(polled(&mut work, &by), Poll::Pending);
        assert_eq!(by.0.load(Ordering::SeqCst), 0);
        send.send(1).unwrap();
        assert_eq!(by.0.load(Ordering::SeqCst), 1);
        send.send(2).unwrap();
        assert_eq!(by.0.load(Ordering::SeqCst), 1, "it is woken already");
        assert_eq!(polled(&mut work, &by), Poll::Ready(Some((1, 2))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_from_another_thread_is_lost() {
        let (send, mut heard) = tokio::sync::mpsc::channel::<usize>(1);
        let sum = Turns::new(async move {
            let mut sum = 0;
            while let Some(more) = heard.recv().await {
                sum += more;
            }
            sum
        });
        let sender = async move {
            for one in 0..20_000 {
                send.send(one).await.unwrap();
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a thread of its own, awaited below")]
        let sender = tokio::spawn(sender);
        assert_eq!(sum.await, (0..20_000).sum::<usize>());
        sender.await.unwrap();
    }
}
