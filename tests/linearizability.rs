//! Ten thousand histories of three threads on the real guard, each explained by an order of its calls.
//!
//! `PEERGUARD_HISTORIES` asks for another number, `PEERGUARD_SEED` for another first seed. What the search is and what is
//! promised stands in `linear/mod.rs`. An illegal history is printed.

#[allow(dead_code, reason = "the sequences of `model` are another test's")]
#[path = "model/mod.rs"]
mod reference;

mod linear;

/// The system's threads; `tests/schedules` has the same calls made by others.
mod threads {
    pub use std::sync::atomic::AtomicU64;
    pub use std::thread::yield_now;

    /// Whether somebody else decides who runs.
    pub const DRIVEN: bool = false;
}

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use linear::calls::{CALLS, THREADS, Topic};
use linear::faults::Fault;
use linear::history::History;
use linear::record::Stage;
use linear::sum::Sum;
use peerguard::Totals;

/// Records one history for each seed; each with the totals at its end.
fn record(seeds: std::ops::Range<u64>, topic: Topic, fault: Fault) -> Vec<(History, Totals)> {
    let stages: Vec<Stage> = seeds.map(|seed| Stage::new(seed, topic, fault)).collect();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let stages = &stages;
            scope.spawn(move || stages.iter().for_each(|stage| stage.play(number)));
        }
    });
    stages.into_iter().map(Stage::end).collect()
}

/// Records and searches so many histories, a few hundred at a time.
fn run(histories: u64, first: u64, topic: Topic, fault: Fault) -> Sum {
    let sum = Mutex::new(Sum::default());
    let mut seed = first;
    while seed < first + histories {
        let until = (seed + 250).min(first + histories);
        let recorded = record(seed..until, topic, fault);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    let mut own = Sum::default();
                    while let Some((history, totals)) = recorded.get(next.fetch_add(1, Ordering::Relaxed)) {
                        own.check(history, totals, topic);
                    }
                    sum.lock().unwrap().add(own);
                });
            }
        });
        seed = until;
    }
    sum.into_inner().unwrap()
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}

fn all_are_legal(topic: Topic, share: u64) {
    let histories = number("PEERGUARD_HISTORIES", 10_000) * share / 10;
    let sum = run(histories, number("PEERGUARD_SEED", 0), topic, Fault::None);
    let overlap = sum.overlapping as f64 / sum.calls as f64;
    println!(
        "{topic:?}: {} histories of {THREADS} threads x {CALLS} operations, {} calls, {:.1} % overlapping another; \
         {} illegal, {} undecided, {} miscounted; {} steps, at most {} in one search",
        sum.histories,
        sum.calls,
        100.0 * overlap,
        sum.illegal,
        sum.undecided,
        sum.miscounted,
        sum.steps,
        sum.most_steps
    );
    if let Some(what) = sum.first {
        panic!("the first: {what}");
    }
    assert!(overlap >= 0.3, "only {:.1} % of the calls overlapped another", 100.0 * overlap);
}

#[test]
fn breakers_and_standings_are_linearizable() {
    all_are_legal(Topic::Peers, 7);
}

#[test]
fn byte_buckets_are_linearizable_as_a_whole() {
    all_are_legal(Topic::Bytes, 3);
}

/// Each planted fault is found within so many histories.
const ENOUGH: u64 = 500;

#[test]
fn planted_faults_are_caught() {
    let of_peers = Fault::OF_PEERS.map(|fault| (fault, Topic::Peers));
    let of_bytes = Fault::OF_BYTES.map(|fault| (fault, Topic::Bytes));
    for (fault, topic) in of_peers.into_iter().chain(of_bytes) {
        let sum = run(ENOUGH, 0, topic, fault);
        println!("{fault:?}: {} of {ENOUGH} histories are illegal", sum.illegal);
        assert!(sum.illegal > 0, "{fault:?} was not caught");
    }
}
