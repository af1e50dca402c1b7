//! Runs a model, counts its executions and holds it to a floor.
//!
//! Loom 0.7 remembers one last access for each atomic, so that a thread's own load can hide the load of another that races
//! with a later store: some shapes are explored once and prove nothing. Therefore every model runs four times: with the
//! threads' parts exchanged, and each of these also *mixed* (every step touches one word more, so that loom takes no two
//! steps for independent and leaves nothing out, within a bound on preemptions). The sum of the executions must reach a
//! floor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;
use loom::thread;
use rustix::time::{ClockId, clock_gettime};

use crate::sync::words;

/// Which part runs on the model's first thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Straight,
    Reversed,
}

/// Most preemptions of a model's executions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Where loom leaves out what it takes for independent; `None` = all.
    reduced: Option<usize>,
    /// Where it leaves out nothing.
    mixed: usize,
}

/// How far a model is explored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth {
    full: Bounds,
    /// For each change: `PEERGUARD_LOOM=quick`.
    quick: Bounds,
}

/// What finds every planted fault: `PEERGUARD_LOOM=mutants`.
const MUTANTS: Bounds = Bounds { reduced: Some(2), mixed: 1 };

/// Every interleaving that loom takes for different, and every one at all with up to two preemptions.
pub(super) const FULL: Depth = Depth { full: Bounds { reduced: None, mixed: 2 }, quick: MUTANTS };
/// For models that do not end in a minute otherwise.
pub(super) const BOUNDED: Depth = Depth { full: Bounds { reduced: Some(3), mixed: 2 }, quick: MUTANTS };
/// For long parts, which do not end in a minute with three preemptions either.
pub(super) const SHALLOW: Depth = Depth { full: MUTANTS, quick: Bounds { reduced: Some(1), mixed: 0 } };
/// For whole calls on a guard, from the look-up to the report.
pub(super) const WHOLE: Depth = Depth { full: Bounds { reduced: Some(1), mixed: 1 }, ..SHALLOW };

/// Explores `model` in both turns, reduced and mixed; fails below `floor` executions in sum.
pub(super) fn explore(name: &str, floor: usize, depth: Depth, model: impl Fn(Turn) + Copy + Send + Sync + 'static) {
    let depth = match std::env::var("PEERGUARD_LOOM").as_deref() {
        Ok("quick") => depth.quick,
        Ok("mutants") => MUTANTS,
        _ => depth.full,
    };
    let start = cpu_seconds();
    let turns = [Turn::Straight, Turn::Reversed];
    let reduced = turns.map(|turn| executions(depth.reduced, false, move || model(turn)));
    let mixed = turns.map(|turn| executions(Some(depth.mixed), true, move || model(turn)));
    let bound = depth.reduced.map_or("all".into(), |n| format!("{n} preemptions"));
    let seconds = cpu_seconds() - start;
    let sum: usize = reduced.iter().chain(&mixed).sum();
    println!(
        "loom: {name}: {sum} executions: {} + {} ({bound}), {} + {} (mixed, {} preemptions), {seconds:.1} s",
        reduced[0], reduced[1], mixed[0], mixed[1], depth.mixed
    );
    assert!(sum >= floor, "{name}: {sum} executions are below the floor of {floor}");
}

/// Processor time of this thread, which runs all threads of its models.
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn executions(bound: Option<usize>, mixed: bool, model: impl Fn() + Send + Sync + 'static) -> usize {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let mut builder = Builder::new();
    builder.preemption_bound = bound;
    builder.max_branches = 20_000;
    words::mix(mixed);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        words::step();
        model();
    });
    words::mix(false);
    executions.load(Ordering::Relaxed)
}

/// Runs two parts at once on what they share.
pub(super) fn race<S, A, B>(
    turn: Turn,
    shared: &Arc<S>,
    a: impl FnOnce(&S) -> A + Send + 'static,
    b: impl FnOnce(&S) -> B + Send + 'static,
) -> (A, B)
where
    S: Send + Sync + 'static,
    A: Send + 'static,
    B: Send + 'static,
{
    let other = shared.clone();
    match turn {
        Turn::Straight => {
            let b = thread::spawn(move || b(&other));
            (a(shared), b.join().unwrap())
        }
        Turn::Reversed => {
            let a = thread::spawn(move || a(&other));
            let b = b(shared);
            (a.join().unwrap(), b)
        }
    }
}

/// Runs three parts at once; the second never runs on the first thread.
pub(super) fn race3<S, A, B, C>(
    turn: Turn,
    shared: &Arc<S>,
    a: impl FnOnce(&S) -> A + Send + 'static,
    b: impl FnOnce(&S) -> B + Send + 'static,
    c: impl FnOnce(&S) -> C + Send + 'static,
) -> (A, B, C)
where
    S: Send + Sync + 'static,
    A: Send + 'static,
    B: Send + 'static,
    C: Send + 'static,
{
    let other = shared.clone();
    let b = thread::spawn(move || b(&other));
    let (a, c) = race(turn, shared, a, c);
    (a, b.join().unwrap(), c)
}
