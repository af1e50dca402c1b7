//! Threads that take from the bucket of all peers at once, and so from shares that it lends them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Takes until nothing is left, gives some of it back, and returns what it kept.
fn take_all(guard: &PeerGuard, thread: usize, mut rng: Rng, lent: &AtomicU64) -> u64 {
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
        if rng.u8(..4) == 0 {
            kept -= permit.refund(rng.u64(..=bytes));
        }
        // The lowest bit of the bucket's word.
        lent.fetch_add(guard.dump_global_words()[0] & 1, Ordering::Relaxed);
    }
    kept
}

#[test]
fn threads_get_the_burst_together_to_the_byte() {
    let lent = AtomicU64::new(0);
    for round in 0..ROUNDS {
        let guard = guard();
        // The first take makes the record, by the exact time.
        (0..THREADS).for_each(|thread| drop(guard.admit_bytes(&id(thread), Direction::Upload, 1).unwrap()));
        let start = Barrier::new(THREADS);
        let kept: u64 = std::thread::scope(|scope| {
            let work = |thread| {
                let (guard, start, lent) = (&guard, &start, &lent);
                let rng = Rng::with_seed(round << 8 | thread as u64);
                scope.spawn(move || {
                    start.wait();
                    take_all(guard, thread, rng, lent)
                })
            };
            let threads: Vec<_> = (0..THREADS).map(work).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let left = guard.get_summary().upload_available.unwrap();
        assert_eq!(THREADS as u64 + kept + left, RATE, "round {round}: what was kept and what is left is the burst");
        // One caller gets all of that, at once.
        if left > 0 {
            drop(guard.admit_bytes(&id(0), Direction::Upload, left).unwrap());
        }
        assert!(guard.admit_bytes(&id(0), Direction::Upload, 1).is_err(), "round {round}: and nothing more");
    }
    if std::thread::available_parallelism().is_ok_and(|threads| threads.get() > 1) {
        assert!(lent.into_inner() > 0, "shares were lent");
    }
}
