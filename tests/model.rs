//! The guard against a slow and obvious model of it, over random sequences of all calls under a manual clock.
//!
//! `PEERGUARD_SEQUENCES` sets how many sequences are played (100,000); `PEERGUARD_SEED` the first seed (0). A failure
//! prints its seed and the shortest list of calls that still fails; `PEERGUARD_SEED=… PEERGUARD_SEQUENCES=1` plays it again.

#[path = "model/mod.rs"]
mod reference;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use reference::coverage::Coverage;
use reference::sequence::Sequence;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}

#[test]
fn the_guard_and_the_model_agree() {
    let sequences = number("PEERGUARD_SEQUENCES", 100_000);
    let first = number("PEERGUARD_SEED", 0);
    let next = AtomicU64::new(first);
    let failure = Mutex::new(None);
    let coverage = Mutex::new(Coverage::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // A sequence that panics is a failure with its calls; the hook's report would only bury them.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Coverage::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + sequences || failure.lock().unwrap().is_some() {
                        break;
                    }
                    if let Err(what) = Sequence::new(seed).check(seed, &mut own) {
                        failure.lock().unwrap().get_or_insert(what);
                    }
                }
                coverage.lock().unwrap().add(&own);
            });
        }
    });
    drop(std::panic::take_hook());
    if let Some(what) = failure.into_inner().unwrap() {
        panic!("{what}");
    }
    let coverage = coverage.into_inner().unwrap();
    println!("{sequences} sequences: {coverage:?}");
    if sequences >= 10_000 {
        coverage.assert_all_reached(sequences / 1_000);
    }
}
