//! The whole guard under schedulers that decide at every atomic access who runs next.
//!
//! Shuttle plays one schedule after the other: at random, and by priorities that change a few times (PCT: Burckhardt et al.,
//! "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs"). What is played are the histories of
//! `tests/linearizability.rs`, each searched for a legal order, and four threads on a table that is too small. A failure
//! prints its schedule, which `shuttle::replay` plays again. Shuttle runs one thread at a time, so that every access is
//! sequentially consistent: what a weaker order may do is loom's and the hardware's to show.
//!
//! `PEERGUARD_SCHEDULES` sets how many are played of each kind (2,000).

#![cfg(peerguard_shuttle)]

#[allow(dead_code, reason = "what only sequences need is another test's")]
#[path = "../model/mod.rs"]
mod reference;

#[allow(dead_code, reason = "faults are another test's")]
#[path = "../linear/mod.rs"]
mod linear;

mod frozen;
mod small_table;

/// Threads that shuttle drives.
mod threads {
    pub use shuttle::sync::atomic::AtomicU64;
    pub use shuttle::thread::yield_now;

    pub const DRIVEN: bool = true;
}

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use linear::calls::{THREADS, Topic};
use linear::faults::Fault;
use linear::record::Stage;
use linear::sum::Sum;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

pub fn schedules() -> usize {
    match std::env::var("PEERGUARD_SCHEDULES") {
        Ok(text) => text.parse().expect("PEERGUARD_SCHEDULES is a number"),
        Err(_) => 2_000,
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 1 << 17;
    config.failure_persistence = FailurePersistence::Print;
    config.max_steps = MaxSteps::FailAfter(1_000_000);
    config
}

/// Plays `body` under both schedulers, from the same seeds in every run.
pub fn play(what: &str, body: impl Fn() + Clone + Send + Sync + 'static) {
    let random = RandomScheduler::new_from_seed(0x7065_6572, schedules());
    let played = Runner::new(random, config()).run(body.clone());
    println!("{what}: {played} schedules at random");
    for depth in [2, 4] {
        let priorities = PctScheduler::new_from_seed(0x7065_6572, depth, schedules() / 2);
        let played = Runner::new(priorities, config()).run(body.clone());
        println!("{what}: {played} schedules by priorities, {depth} deep");
    }
}

fn histories(topic: Topic) {
    let seed = Arc::new(AtomicU64::new(1 << 40));
    let sum = Arc::new(Mutex::new(Sum::default()));
    let all = sum.clone();
    play(&format!("{topic:?}"), move || {
        let stage = Arc::new(Stage::new(seed.fetch_add(1, Ordering::Relaxed), topic, Fault::None));
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let stage = stage.clone();
                shuttle::thread::spawn(move || stage.play(number))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let stage = Arc::into_inner(stage).expect("all threads have ended");
        let (history, totals) = stage.end();
        let mut own = Sum::default();
        own.check(&history, &totals, topic);
        if let Some(what) = &own.first {
            panic!("{what}");
        }
        sum.lock().unwrap().add(own);
    });
    let sum = all.lock().unwrap();
    let overlap = sum.overlapping as f64 / sum.calls as f64;
    println!(
        "{topic:?}: {} histories, {:.1} % of the calls overlapping another, {} illegal, {} undecided",
        sum.histories,
        100.0 * overlap,
        sum.illegal,
        sum.undecided
    );
    assert!(overlap >= 0.3, "only {:.1} % overlap", 100.0 * overlap);
}

#[test]
fn histories_of_breakers_and_standings() {
    histories(Topic::Peers);
}

#[test]
fn histories_of_bytes() {
    histories(Topic::Bytes);
}
