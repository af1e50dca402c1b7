//! Paired rounds. In every round each contender of a scenario runs the same stretch of the stream, one after the other;
//! the order moves on by one each round, so that nobody always follows the same neighbour. A figure is the median over
//! rounds, a ratio the median of the rounds' own ratios: what slows the machine for a while slows a whole round.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::stats::Quartiles;
use crate::subject::{Contender, Role, Subject};
use crate::workload::Workload;

/// How often and how long.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// Least operations that each thread runs per contender and round.
    pub operations: usize,
}

/// A contender's nanoseconds per operation, one figure per round.
pub struct Timing {
    pub name: &'static str,
    pub role: Role,
    pub rounds: Vec<f64>,
}

impl Timing {
    pub fn quartiles(&self) -> Quartiles {
        Quartiles::of(&self.rounds)
    }

    /// How many times as long as `other` this one takes.
    pub fn ratio_to(&self, other: &Timing) -> Quartiles {
        Quartiles::of_ratios(&self.rounds, &other.rounds)
    }
}

/// Runs the rounds. With several threads the figure is the time that each thread spends per operation.
pub fn paired(contenders: &[Contender], load: &Workload, threads: usize, effort: Effort) -> Vec<Timing> {
    let shares: Vec<Workload> = (0..threads).map(|t| load.share(t, threads)).collect();
    let mut timings: Vec<Timing> = contenders
        .iter()
        .map(|c| Timing { name: c.name, role: c.role, rounds: Vec::with_capacity(effort.rounds) })
        .collect();
    for round in 0..=effort.rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let contender = &contenders[at];
            let figure = if threads == 1 {
                alone(contender.subject.as_ref(), &shares[0], effort.operations)
            } else {
                together(contender.subject.as_ref(), &shares, effort.operations)
            };
            let figure = figure.unwrap_or_else(|refused| panic!("{}: {refused} refused", contender.name));
            // The first round makes the peers known to everyone and is not counted.
            if round > 0 {
                timings[at].rounds.push(figure);
            }
        }
    }
    timings
}

/// On one thread its own processor time is the measure: a neighbour on the machine then costs it caches, not whole slices.
fn alone(subject: &dyn Subject, load: &Workload, operations: usize) -> Result<f64, usize> {
    // Not timed: it brings the contender's memory back into the caches, from which its predecessor drove it.
    let mut refused = subject.run(load, 0..load.len());
    let passes = operations.div_ceil(load.len());
    let start = processor_time();
    for _ in 0..passes {
        refused += subject.run(load, 0..load.len());
    }
    let took = processor_time() - start;
    per_operation(took, passes * load.len(), refused)
}

/// With several threads waiting counts, so the wall clock measures; the threads' figures are averaged.
fn together(subject: &dyn Subject, shares: &[Workload], operations: usize) -> Result<f64, usize> {
    let start_line = Barrier::new(shares.len());
    let figures: Vec<Result<f64, usize>> = thread::scope(|scope| {
        let running: Vec<_> = shares
            .iter()
            .map(|share| {
                scope.spawn(|| {
                    let mut refused = subject.run(share, 0..share.len());
                    let passes = operations.div_ceil(share.len());
                    start_line.wait();
                    let start = Instant::now();
                    for _ in 0..passes {
                        refused += subject.run(share, 0..share.len());
                    }
                    per_operation(start.elapsed(), passes * share.len(), refused)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("a benchmark thread panicked")).collect()
    });
    let figures = figures.into_iter().collect::<Result<Vec<f64>, usize>>()?;
    Ok(figures.iter().sum::<f64>() / figures.len() as f64)
}

fn per_operation(took: Duration, operations: usize, refused: usize) -> Result<f64, usize> {
    match refused {
        0 => Ok(took.as_nanos() as f64 / operations as f64),
        _ => Err(refused),
    }
}

/// Processor time of this thread.
pub fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
