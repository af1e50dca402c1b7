//! The slowest calls. Each operation is timed on its own, two threads at once on the same skewed peers, into an
//! hdrhistogram; the clock's own cost is in every figure and is measured beside them.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::subject::{Contender, Subject};
use crate::workload::Workload;

pub const THREADS: usize = 2;
const LONGEST_NS: u64 = 10_000_000_000;

pub struct Tail {
    pub name: &'static str,
    pub latencies: Histogram<u64>,
}

impl Tail {
    pub fn at(&self, percentile: f64) -> u64 {
        self.latencies.value_at_percentile(percentile)
    }
}

/// What reading the clock twice costs.
struct TimerOnly;

impl Subject for TimerOnly {
    fn run(&self, _: &Workload, _: std::ops::Range<usize>) -> usize {
        0
    }
}

/// Runs the stream once per contender, each thread from its own place in it.
pub fn measure(contenders: &[Contender], load: &Workload) -> Vec<Tail> {
    let timer = Tail { name: "the timer itself", latencies: latencies(&TimerOnly, load) };
    let subjects = contenders.iter().map(|c| Tail { name: c.name, latencies: latencies(c.subject.as_ref(), load) });
    std::iter::once(timer).chain(subjects).collect()
}

fn latencies(subject: &dyn Subject, load: &Workload) -> Histogram<u64> {
    // Makes every peer of the stream known first: a first contact is another operation.
    subject.run(load, 0..load.len());
    let start_line = Barrier::new(THREADS);
    thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS)
            .map(|thread| {
                let start_line = &start_line;
                scope.spawn(move || {
                    let mut seen = empty();
                    let offset = thread * load.len() / THREADS;
                    start_line.wait();
                    for i in 0..load.len() {
                        let at = (offset + i) % load.len();
                        let start = Instant::now();
                        subject.run(load, at..at + 1);
                        seen.saturating_record(start.elapsed().as_nanos() as u64);
                    }
                    seen
                })
            })
            .collect();
        let mut all = empty();
        for thread in running {
            let seen = thread.join().expect("a benchmark thread panicked");
            all.add(seen).expect("histograms of one shape");
        }
        all
    })
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST_NS, 3).expect("three digits over ten seconds")
}
