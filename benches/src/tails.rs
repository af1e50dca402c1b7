//! The slowest calls. Two threads work on the same skewed peers: exchanges with and without bytes, and now and then a
//! failure with the successes after it. Each exchange is timed on its own, by the processor's time stamp; what the stamp
//! itself costs is in every figure and is measured beside them.

use std::ops::Range;
use std::sync::Barrier;
use std::thread;

use hdrhistogram::Histogram;
use quanta::Clock;

use crate::measure::Effort;
use crate::stats::Quartiles;
use crate::subject::{Contender, Operation, Role, Subject};
use crate::workload::Workload;

pub const THREADS: usize = 2;
pub const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];
const LONGEST_NS: u64 = 10_000_000_000;

/// The operations that the load is mixed of.
pub const MIX: [Operation; 3] = [Operation::AdmitBytesSuccess, Operation::AdmitSuccess, Operation::FourReports];

/// What the `at`th message brings: of 16 ten exchanges with bytes, five without, one failure.
fn mixed(at: usize) -> Operation {
    match at % 16 {
        0..10 => Operation::AdmitBytesSuccess,
        10..15 => Operation::AdmitSuccess,
        _ => Operation::FourReports,
    }
}

pub struct Tail {
    pub name: &'static str,
    pub role: Role,
    /// Nanoseconds at each of [`PERCENTILES`], in each round.
    pub rounds: Vec<[f64; PERCENTILES.len()]>,
}

impl Tail {
    fn column(&self, percentile: usize) -> Vec<f64> {
        self.rounds.iter().map(|round| round[percentile]).collect()
    }

    pub fn quartiles(&self, percentile: usize) -> Quartiles {
        Quartiles::of(&self.column(percentile))
    }

    /// How many times as long as at `other` it takes, at one percentile.
    pub fn ratio_to(&self, other: &Tail, percentile: usize) -> Quartiles {
        Quartiles::of_ratios(&self.column(percentile), &other.column(percentile))
    }
}

/// Nothing between two time stamps.
struct TimerOnly;

impl Subject for TimerOnly {
    fn run(&self, _: Operation, _: &Workload, _: Range<usize>) -> usize {
        0
    }
}

/// Runs the rounds: in each, every contender once, on the same stretch of the stream.
pub fn measure(contenders: &[&Contender], load: &Workload, effort: Effort) -> Vec<Tail> {
    let timer = Contender { name: "the timer itself", role: Role::Part, subject: Box::new(TimerOnly) };
    let all: Vec<&Contender> = std::iter::once(&timer).chain(contenders.iter().copied()).collect();
    let mut tails: Vec<Tail> = all.iter().map(|c| Tail { name: c.name, role: c.role, rounds: Vec::new() }).collect();
    for round in 0..effort.rounds {
        for turn in 0..all.len() {
            let at = (round + turn) % all.len();
            let seen = latencies(all[at].subject.as_ref(), load, round, effort.operations);
            tails[at].rounds.push(PERCENTILES.map(|p| seen.value_at_percentile(p) as f64));
        }
    }
    tails
}

fn latencies(subject: &dyn Subject, load: &Workload, round: usize, operations: usize) -> Histogram<u64> {
    let start_line = Barrier::new(THREADS);
    thread::scope(|scope| {
        let start_line = &start_line;
        let work = move |thread: usize| {
            let clock = Clock::new();
            let mut seen = empty();
            let place = |i: usize| (round * operations + thread * load.len() / THREADS + i) % load.len();
            // Untimed, for the caches.
            for at in (0..operations).map(&place) {
                subject.run(mixed(at), load, at..at + 1);
            }
            start_line.wait();
            for i in 0..operations {
                let at = place(operations + i);
                let operation = mixed(at);
                let start = clock.raw();
                subject.run(operation, load, at..at + 1);
                let end = clock.raw();
                if operation != Operation::FourReports {
                    seen.saturating_record(clock.delta_as_nanos(start, end));
                }
            }
            seen
        };
        let running: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        let mut all = empty();
        for thread in running {
            all.add(thread.join().expect("a benchmark thread panicked")).expect("histograms of one shape");
        }
        all
    })
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST_NS, 3).expect("three digits over ten seconds")
}
