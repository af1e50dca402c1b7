//! Publication of snapshots.

use std::sync::Arc;

use super::explore::{BOUNDED, FULL, explore, race, race3};
use crate::snapshot::publish::Board;
use crate::sync::{Ordering, Word};

/// What stands for a snapshot: its number, and a counter that must not fall.
struct Figures {
    number: u64,
    total: u64,
}

struct Stage {
    board: Board<Figures>,
    counter: Word<u64>,
}

impl Stage {
    fn new() -> Arc<Self> {
        Arc::new(Self { board: Board::new(Figures { number: 0, total: 0 }), counter: Word::new(0) })
    }

    /// Counts one more and publishes.
    fn publish(&self) -> u64 {
        self.counter.add(1, Ordering::Relaxed);
        let next = |before: &Figures| Figures {
            number: before.number + 1,
            // As a pass over the counters reads them.
            total: self.counter.load(Ordering::Relaxed),
        };
        self.board.publish(next).number
    }

    fn latest(&self) -> (u64, u64) {
        let latest = self.board.latest();
        (latest.number, latest.total)
    }
}

#[test]
fn publications_come_one_after_the_other() {
    explore("publish x publish", 26, FULL, |turn| {
        let stage = Stage::new();
        let (a, b) = race(turn, &stage, Stage::publish, Stage::publish);
        assert!(a != b && a.max(b) == 2, "each publication has a number of its own: {a} {b}");
        assert_eq!(stage.latest(), (2, 2), "the last one is what stands, and holds what both have counted");
    });
}

#[test]
fn no_figure_falls_for_a_reader() {
    explore("publish x publish x reader", 170, BOUNDED, |turn| {
        let stage = Stage::new();
        let (_, (first, second), _) =
            race3(turn, &stage, Stage::publish, |stage| (stage.latest(), stage.latest()), Stage::publish);
        assert!(first.0 <= second.0, "a later load is never of an earlier publication: {first:?} {second:?}");
        assert!(first.1 <= second.1, "and no counter falls from one to the next: {first:?} {second:?}");
    });
}
