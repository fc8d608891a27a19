//! Work shared out among the processors, where there is enough of it: what is done anew for each of a
//! thousand servers when a configuration is read.

use std::{num::NonZeroUsize, panic, thread};

/// What comes of all items, in their order; each thread works through a run of them, of `least` at least: fewer
/// are not worth a thread. Where one falls, all fall: nothing is taken for done that was not.
pub(crate) fn out<'i, T: Sync, R: Send>(
    items: &'i [T],
    least: usize,
    work: impl Fn(&'i [T]) -> Vec<R> + Sync,
) -> Vec<R> {
    if items.len() <= least {
        return work(items);
    }
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (ours, theirs) = items.split_at(items.len().div_ceil(processors).max(least).min(items.len()));
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

/// What comes of `ours`, while `other` is done beside it.
pub(crate) fn beside<T>(other: impl FnOnce() + Send, ours: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        scope.spawn(other);
        ours()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_items_is_in_their_order_however_many_there_are() {
        for (count, least) in [(0, 1), (1, 1), (2, 1), (7, 8), (8, 8), (9, 8), (87, 8), (5, 0)] {
            let items: Vec<usize> = (0..count).collect();
            let done = out(&items, least, |some| some.iter().map(|item| item * 2).collect());
            assert_eq!(done, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn where_one_falls_all_fall() {
        let items: Vec<usize> = (0..99).collect();
        let last = |some: &[usize]| {
            assert!(!some.contains(&98), "on purpose");
            some.to_vec()
        };
        assert!(panic::catch_unwind(|| out(&items, 1, last)).is_err());
        assert!(panic::catch_unwind(|| beside(|| panic!("on purpose"), || 1)).is_err());
    }
}
