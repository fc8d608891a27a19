//! Work shared out among the processors, where there is enough of it: what is done anew for each of a
//! thousand servers when a configuration is read.

use std::{num::NonZeroUsize, panic, thread};

/// Items that one thread takes at a time; fewer are not worth a thread.
const BATCH: usize = 64;

/// What comes of all items, in their order; each thread works through a run of them. Where one falls, all
/// fall: nothing is taken for done that was not.
pub(crate) fn out<'i, T: Sync, R: Send>(items: &'i [T], work: impl Fn(&'i [T]) -> Vec<R> + Sync) -> Vec<R> {
    if items.len() <= BATCH {
        return work(items);
    }
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (ours, theirs) = items.split_at(items.len().div_ceil(processors).max(BATCH).min(items.len()));
    let work = &work;
    thread::scope(|scope| {
        let theirs: Vec<_> = theirs.chunks(ours.len()).map(|some| scope.spawn(move || work(some))).collect();
        let mut done = work(ours);
        for other in theirs {
            done.extend(other.join().unwrap_or_else(|fell| panic::resume_unwind(fell)));
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_items_is_in_their_order_however_many_there_are() {
        for count in [0, 1, BATCH, BATCH + 1, 10 * BATCH + 7] {
            let items: Vec<usize> = (0..count).collect();
            let done = out(&items, |some| some.iter().map(|item| item * 2).collect());
            assert_eq!(done, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn where_one_falls_all_fall() {
        let items: Vec<usize> = (0..10 * BATCH).collect();
        let last = |some: &[usize]| {
            assert!(!some.contains(&(10 * BATCH - 1)), "on purpose");
            some.to_vec()
        };
        assert!(panic::catch_unwind(|| out(&items, last)).is_err());
    }
}
