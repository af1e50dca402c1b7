//! Paired rounds. In every round each contender of a scenario runs the same stretch of the stream, one after the other;
//! the order moves on by one each round, so that nobody always follows the same neighbour. A figure is the median over
//! rounds, a ratio the median of the rounds' own ratios: what slows the machine for a while slows a whole round.

use std::ops::Range;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::stats::Quartiles;
use crate::subject::{Contender, Operation, Role, Subject};
use crate::workload::Workload;

/// How often and how long.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// Operations that each thread runs per contender and round.
    pub operations: usize,
}

/// Up to so many peers the untimed stretch meets all of them, or in a quick run most: what fits a cache is then measured
/// in it. More peers fit no cache.
const CACHEABLE: usize = 1 << 18;

impl Effort {
    /// Operations that run untimed before the timed ones: they bring a contender's memory back into the caches, from
    /// which its predecessors drove it.
    fn warm_up(self, peers: usize) -> usize {
        if peers <= CACHEABLE { peers.clamp(1 << 11, 8 * self.operations) } else { self.operations }
    }

    /// A stream from which rounds can take stretches in different places.
    pub fn stream(self, peers: usize) -> usize {
        2 * (self.warm_up(peers) + self.operations)
    }
}

/// A contender's nanoseconds per operation, one figure per round.
pub struct Timing {
    pub name: &'static str,
    pub role: Role,
    pub rounds: Vec<f64>,
    /// With several threads: what one alone needs per operation over all peers, in the same rounds.
    pub alone: Vec<f64>,
}

impl Timing {
    pub fn quartiles(&self) -> Quartiles {
        Quartiles::of(&self.rounds)
    }

    /// How many times as long as `other` this one takes.
    pub fn ratio_to(&self, other: &Timing) -> Quartiles {
        Quartiles::of_ratios(&self.rounds, &other.rounds)
    }

    /// How many times its own cost alone an operation costs each of several threads, round by round.
    pub fn slowdown(&self) -> Vec<f64> {
        self.rounds.iter().zip(&self.alone).map(|(together, alone)| together / alone).collect()
    }
}

/// Runs the rounds. With several threads the figure is the time that each thread spends per operation.
pub fn paired(
    contenders: &[&Contender],
    operation: Operation,
    load: &Workload,
    threads: usize,
    effort: Effort,
) -> Vec<Timing> {
    let shares: Vec<Workload> = if threads > 1 { load.shares(threads) } else { Vec::new() };
    let mut timings: Vec<Timing> = contenders
        .iter()
        .map(|c| Timing { name: c.name, role: c.role, rounds: Vec::new(), alone: Vec::new() })
        .collect();
    for round in 0..=effort.rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let contender = contenders[at];
            let run = Run { subject: contender.subject.as_ref(), operation, effort, round };
            let void = |refused| -> f64 { panic!("{}: {refused} of {} refused", contender.name, operation.name()) };
            let alone = run.alone(load, threads > 1).unwrap_or_else(void);
            let figure = if threads > 1 { run.together(&shares).unwrap_or_else(void) } else { alone };
            // The first round is not counted: it brings up what a contender makes at its first turn.
            if round > 0 {
                timings[at].rounds.push(figure);
                if threads > 1 {
                    timings[at].alone.push(alone);
                }
            }
        }
    }
    timings
}

/// One contender's turn in a round.
struct Run<'a> {
    subject: &'a dyn Subject,
    operation: Operation,
    effort: Effort,
    round: usize,
}

impl Run<'_> {
    /// The untimed stretch and the timed one, in another place of the stream each round.
    fn stretches(&self, load: &Workload) -> (Range<usize>, Range<usize>) {
        let timed = self.effort.operations.min(load.len());
        let warm_up = self.effort.warm_up(load.peers.len()).min(load.len() - timed);
        let room = load.len() - timed - warm_up;
        let start = if room == 0 { 0 } else { self.round * (timed + warm_up) % room };
        (start..start + warm_up, start + warm_up..start + warm_up + timed)
    }

    /// One thread; its own processor time is the measure: a neighbour on the machine then costs it caches, not whole
    /// slices. Beside several threads the wall clock is, as for them.
    fn alone(&self, load: &Workload, wall: bool) -> Result<f64, usize> {
        let (warm_up, timed) = self.stretches(load);
        let clock = |since: Instant| if wall { since.elapsed() } else { processor_time() };
        let origin = Instant::now();
        if self.operation == Operation::Failure {
            return self.failures(load, warm_up);
        }
        load.touch_order(timed.clone());
        let mut refused = self.subject.run(self.operation, load, warm_up);
        let operations = timed.len();
        let start = clock(origin);
        refused += self.subject.run(self.operation, load, timed);
        per_operation(clock(origin) - start, operations, refused)
    }

    /// Every peer fails once, timed, and is brought back up, untimed, until enough have failed.
    fn failures(&self, load: &Workload, warm_up: Range<usize>) -> Result<f64, usize> {
        let peers = load.peers.len();
        self.subject.run(Operation::Recover, load, warm_up);
        let (mut took, mut done) = (Duration::ZERO, 0);
        for first in (0..load.len()).step_by(peers).take(self.effort.operations.div_ceil(peers)) {
            let once = first..(first + peers).min(load.len());
            let start = processor_time();
            self.subject.run(Operation::Failure, load, once.clone());
            took += processor_time() - start;
            done += once.len();
            self.subject.run(Operation::Recover, load, once);
        }
        per_operation(took, done, 0)
    }

    /// Waiting counts, so the wall clock measures; the threads' figures are averaged.
    fn together(&self, shares: &[Workload]) -> Result<f64, usize> {
        let start_line = Barrier::new(shares.len());
        let figures: Vec<Result<f64, usize>> = thread::scope(|scope| {
            let running: Vec<_> = shares
                .iter()
                .map(|share| {
                    scope.spawn(|| {
                        let (warm_up, timed) = self.stretches(share);
                        share.touch_order(timed.clone());
                        let mut refused = self.subject.run(self.operation, share, warm_up);
                        let operations = timed.len();
                        start_line.wait();
                        let start = Instant::now();
                        refused += self.subject.run(self.operation, share, timed);
                        per_operation(start.elapsed(), operations, refused)
                    })
                })
                .collect();
            running.into_iter().map(|thread| thread.join().expect("a benchmark thread panicked")).collect()
        });
        let figures = figures.into_iter().collect::<Result<Vec<f64>, usize>>()?;
        Ok(figures.iter().sum::<f64>() / figures.len() as f64)
    }
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
