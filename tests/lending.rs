//! Threads that take from the bucket of all peers at once, and so from shares that it lends them when they collide. The
//! scheduler decides whether they do; what is lent in any case is in the tests of the bucket itself.

use std::sync::Barrier;

use fastrand::Rng;
use peerguard::{Clock, Config, Direction, PeerGuard, PeerId};

const THREADS: usize = 4;
const ROUNDS: u64 = 20;
/// Bytes per second, and in a burst. A byte costs a nanosecond, so that nothing is rounded.
const RATE: u64 = 1_000_000_000;

/// A guard with one limit, that of all peers' uploads, on a clock that stands still.
fn guard() -> PeerGuard {
    let mut config = Config { max_peers: 64, ..Config::default() };
    config.bandwidth.upload_limit_bps = RATE;
    PeerGuard::with_clock(config, Clock::manual(1 << 40).0).unwrap()
}

fn id(thread: usize) -> PeerId {
    PeerId::new([thread as u8 + 1; 32])
}

/// Takes until nothing is left, gives back some of it if it may, and returns what it kept.
fn take_all(guard: &PeerGuard, thread: usize, mut rng: Rng, refunds: bool) -> u64 {
    let (mut kept, mut refused) = (0, 0);
    while refused < 3 {
        let bytes = rng.u64(1..=1 << 16);
        let taken = match rng.u8(..8) {
            0 => guard.grant_up_to(&id(thread), Direction::Upload, bytes),
            _ => guard.admit_bytes(&id(thread), Direction::Upload, bytes),
        };
        let Ok(mut permit) = taken else {
            refused += 1;
            continue;
        };
        kept += permit.bytes();
        if refunds && rng.u8(..4) == 0 {
            kept -= permit.refund(rng.u64(..=bytes));
        }
    }
    kept
}

/// What threads have kept and what is left, for each round.
fn rounds(refunds: bool) -> Vec<u64> {
    let round = |round| {
        let guard = guard();
        // The first take makes the record, by the exact time.
        (0..THREADS).for_each(|thread| drop(guard.admit_bytes(&id(thread), Direction::Upload, 1).unwrap()));
        let start = Barrier::new(THREADS);
        let kept: u64 = std::thread::scope(|scope| {
            let work = |thread| {
                let (guard, start) = (&guard, &start);
                let rng = Rng::with_seed(round << 8 | thread as u64);
                scope.spawn(move || {
                    start.wait();
                    take_all(guard, thread, rng, refunds)
                })
            };
            let threads: Vec<_> = (0..THREADS).map(work).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let left = guard.get_summary().upload_available.unwrap();
        // One caller gets all of that, at once.
        if left > 0 {
            drop(guard.admit_bytes(&id(0), Direction::Upload, left).unwrap());
        }
        assert!(guard.admit_bytes(&id(0), Direction::Upload, 1).is_err(), "round {round}: and nothing more");
        THREADS as u64 + kept + left
    };
    (0..ROUNDS).map(round).collect()
}

#[test]
fn threads_get_the_burst_together_to_the_byte() {
    assert_eq!(rounds(false), vec![RATE; ROUNDS as usize]);
}

/// A refund that meets lending or a recall may be lost while the bucket is full to its floor; none is given twice.
#[test]
fn refunds_are_given_once() {
    for (round, sum) in rounds(true).into_iter().enumerate() {
        assert!((RATE - RATE / 100..=RATE).contains(&sum), "round {round}: {sum}");
    }
}
