//! What bucket and shares have together: one thread after the other, and threads at once.

use std::sync::Barrier;
use std::thread;

use super::words::ALONE;
use super::*;
use crate::clock::ManualClock;
use fastrand::Rng;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const THREADS: usize = 2;

fn burst() -> Burst {
    Burst::new(SECOND)
}

fn bucket(now: u64) -> (SharedBucket, ManualClock) {
    let (clock, hand) = Clock::manual(now);
    (SharedBucket::new(Rate::new(1_000_000), &burst(), THREADS, clock), hand)
}

fn limit() -> Limit {
    Limit::new(Rate::new(1_000_000), &burst())
}

fn rough(grain: u64) -> Rough {
    Rough::new(grain, &burst())
}

fn held(bucket: &SharedBucket) -> u64 {
    bucket.shares.iter().map(|share| share.load(Ordering::Relaxed).held()).sum()
}

/// What the bucket and its shares have together.
fn left(bucket: &SharedBucket, now: u64) -> u64 {
    let account = bucket.account();
    let owed = account.debt(now, burst().units()).max(bucket.floor(account));
    burst().units() - owed + held(bucket)
}

#[test]
fn lending_and_recalling_takes_nothing_and_gives_nothing() {
    let (bucket, hand) = bucket(5);
    bucket.lend(5, &rough(0));
    assert_eq!((bucket.account().is_lent(), held(&bucket)), (true, burst().units() / LENT));
    assert_eq!((left(&bucket, 5), bucket.debt(5, burst().units())), (burst().units(), 0));
    // However long nobody asks.
    assert_eq!(left(&bucket, 1 << 40), burst().units());
    hand.set(1 << 40);
    assert!(bucket.recall());
    assert_eq!((bucket.account().is_lent(), held(&bucket)), (false, 0));
    assert_eq!(bucket.debt(1 << 40, burst().units()), 0);
}

#[test]
fn what_is_lent_is_recalled_before_it_is_missed() {
    let (bucket, _) = bucket(0);
    bucket.lend(0, &rough(0));
    assert!(bucket.take_as(0, 77, 0, &rough(0)));
    assert!(bucket.take(burst().units() - 77, 0, &limit()).is_ok());
    assert!(!bucket.account().is_lent());
    assert_eq!(bucket.take(1 << 10, 0, &limit()).unwrap_err(), Short::For(1));
}

#[test]
fn a_thread_that_is_alone_has_the_whole_bucket_again() {
    let (bucket, _) = bucket(0);
    bucket.lend(0, &rough(0));
    // Each renewal gives one share at once, and fills another.
    let takes = 2 * ALONE;
    for _ in 0..takes {
        assert!(bucket.take_as(1, bucket.share, 0, &rough(0)));
    }
    assert!(!bucket.account().is_lent());
    assert_eq!(bucket.debt(0, burst().units()), takes * bucket.share);
}

#[test]
fn nothing_is_lent_from_a_bucket_that_is_half_used() {
    let (bucket, _) = bucket(0);
    bucket.take(burst().units() / 2, 0, &limit()).unwrap();
    bucket.lend(0, &rough(0));
    assert!(!bucket.account().is_lent());
}

#[test]
fn a_bucket_for_one_thread_lends_nothing() {
    let bucket = SharedBucket::new(Rate::new(1_000_000), &burst(), 1, Clock::manual(0).0);
    bucket.lend(0, &rough(0));
    assert!(!bucket.account().is_lent());
}

/// Takes until nothing is left, gives back some of it if it may, and returns what it kept.
fn take_all(bucket: &SharedBucket, thread: usize, mut rng: Rng, refunds: bool) -> u64 {
    let (mut kept, mut refused) = (0, 0);
    while refused < 3 {
        let cost = rng.u64(1..=bucket.share >> 9);
        if rng.u8(..64) == 0 {
            bucket.lend(0, &rough(0));
        }
        if bucket.take_as(thread, cost, 0, &rough(0)) || bucket.take(cost, 0, &limit()).is_ok() {
            kept += cost;
            if refunds && rng.u8(..4) == 0 {
                bucket.refund_as(thread, cost);
                kept -= cost;
            }
        } else {
            refused += 1;
        }
    }
    kept
}

/// What threads have kept of a burst and what is left, for each round; shares are lent before the first take and again
/// meanwhile.
fn rounds(refunds: bool) -> impl Iterator<Item = u64> {
    (0..50).map(move |round| {
        let (bucket, _) = bucket(0);
        bucket.lend(0, &rough(0));
        assert!(bucket.account().is_lent());
        let start = Barrier::new(THREADS);
        let kept: u64 = thread::scope(|scope| {
            let work = |thread| {
                let (bucket, start) = (&bucket, &start);
                scope.spawn(move || {
                    start.wait();
                    take_all(bucket, thread, Rng::with_seed(round << 8 | thread as u64), refunds)
                })
            };
            let threads: Vec<_> = (0..THREADS).map(work).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let left = left(&bucket, 0);
        // Whatever is left can be had at once, and nothing more.
        assert!(left == 0 || bucket.take(left, 0, &limit()).is_ok());
        assert!(bucket.take(1, 0, &limit()).is_err());
        kept + left
    })
}

#[test]
fn threads_get_a_burst_together_to_the_unit() {
    assert!(rounds(false).all(|sum| sum == burst().units()));
}

/// A refund that meets lending or a recall may be lost while the bucket is full to its floor; none is given twice.
#[test]
fn refunds_are_given_once() {
    for sum in rounds(true) {
        assert!((burst().units() / 100 * 99..=burst().units()).contains(&sum), "{sum}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Take {
        thread: usize,
        exact: bool,
        cost: u64,
    },
    Refund {
        thread: usize,
    },
    /// A request that is refused elsewhere takes, and is told so later: of the whole or of a part.
    Hold {
        exact: bool,
        cost: u64,
    },
    Undo {
        whole: bool,
    },
    Lend,
    Recall,
}

enum Held {
    Exactly(Taken<Account>, u64),
    Roughly(u64, u64),
}

fn wait() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 2 => 0..SECOND / 100, 2 => 0..SECOND / 4, 1 => 0..4 * SECOND]
}

fn step() -> impl Strategy<Value = Step> {
    // Up to a share, up to all shares, up to the burst.
    let cost = || prop_oneof![1..burst().units() / 32, 1..burst().units() / 8, 1..=burst().units()];
    prop_oneof![
        8 => (0usize..4, prop::bool::weighted(0.2), cost()).prop_map(|(thread, exact, cost)| Step::Take { thread, exact, cost }),
        2 => (0usize..4).prop_map(|thread| Step::Refund { thread }),
        2 => (any::<bool>(), cost()).prop_map(|(exact, cost)| Step::Hold { exact, cost }),
        2 => any::<bool>().prop_map(|whole| Step::Undo { whole }),
        2 => Just(Step::Lend),
        1 => Just(Step::Recall),
    ]
}

proptest! {
    /// Over every window at most burst and rate, across the wrap of the word too, whatever is lent meanwhile; at any moment
    /// bucket and shares have at most a burst; an exact take is refused only when they have too little. Takes are undone
    /// however late, the last one first.
    #[test]
    fn never_above_burst_and_rate(
        start in prop_oneof![Just(1u64 << 30), Just((1u64 << 53) - SECOND)],
        grain in prop_oneof![Just(0), Just(8_000_000u64)],
        steps in prop::collection::vec((wait(), step()), 1..200),
    ) {
        let ((bucket, hand), rough, burst) = (bucket(start), rough(grain), burst().units());
        let mut now = start;
        let mut taken: Vec<(u64, u64)> = Vec::new();
        let mut held: Vec<Held> = Vec::new();
        for (wait, step) in steps {
            now += wait;
            hand.set(now);
            // As late as a recent time can be.
            let recent = now - grain;
            match step {
                Step::Take { exact: true, cost, .. } => {
                    let enough = left(&bucket, now) >= cost;
                    let got = bucket.take(cost, now, &limit()).is_ok();
                    prop_assert_eq!(got, enough);
                    taken.extend(got.then_some((now, cost)));
                }
                Step::Take { thread, cost, .. } => {
                    let got = bucket.take_as(thread, cost, recent, &rough);
                    taken.extend(got.then_some((now, cost)));
                }
                // Only of what was taken at this very moment, so that the windows need not know.
                Step::Refund { thread } => {
                    if let Some((_, cost)) = taken.pop_if(|(at, _)| *at == now) {
                        bucket.refund_as(thread, cost);
                    }
                }
                Step::Hold { exact: true, cost } => {
                    held.extend(bucket.take(cost, now, &limit()).ok().map(|taken| Held::Exactly(taken, cost)));
                }
                Step::Hold { cost, .. } => {
                    let offer = bucket.offer(cost, recent, &rough);
                    let got = offer.is_some_and(|offer| bucket.accept(offer, cost, recent, &rough));
                    held.extend(got.then_some(Held::Roughly(recent, cost)));
                }
                Step::Undo { whole } => match held.pop() {
                    Some(Held::Exactly(taken, cost)) if whole => bucket.undo(taken, cost),
                    Some(Held::Exactly(taken, cost)) => bucket.undo_part(taken, cost / 3),
                    Some(Held::Roughly(at, cost)) => bucket.undo_rough(cost, at, &rough),
                    None => {}
                },
                Step::Lend => bucket.lend(recent, &rough),
                Step::Recall => drop(bucket.recall()),
            }
            prop_assert!(left(&bucket, now) <= burst);
        }
        for first in 0..taken.len() {
            let mut sum = 0;
            for (at, cost) in &taken[first..] {
                sum += u128::from(*cost);
                prop_assert!(sum <= u128::from(burst) + (u128::from(at - taken[first].0) << 10));
            }
        }
    }
}
