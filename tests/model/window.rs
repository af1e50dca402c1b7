//! The rolling windows of eight slices, as plain lists of slice numbers.

use std::collections::{BTreeMap, VecDeque};

/// How many slices before the current one still count.
const REACH: i128 = 7;

/// The slices in which failures came, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    slices: VecDeque<i128>,
}

impl Failures {
    /// The slice that a failure at `now` belongs to: a clock that stepped back a little writes to the newest slice there
    /// is, and one that stepped back further finds the window void.
    fn place(&self, now: i128) -> Option<i128> {
        match self.slices.back() {
            Some(newest) if newest - now > REACH => None,
            Some(newest) => Some(now.max(*newest)),
            None => Some(now),
        }
    }

    pub fn add(&mut self, now: i128) {
        let Some(at) = self.place(now) else {
            self.slices.clear();
            self.slices.push_back(now);
            return;
        };
        self.slices.push_back(at);
        self.slices.retain(|slice| at - slice <= REACH);
    }

    pub fn clear(&mut self) {
        self.slices.clear();
    }

    pub fn newest(&self) -> Option<i128> {
        self.slices.back().copied()
    }

    pub fn count(&self, now: i128) -> u32 {
        let Some(at) = self.place(now) else {
            return 0;
        };
        self.slices.iter().filter(|slice| at - *slice <= REACH).count() as u32
    }
}

/// Calls and failures by slice, each in the slice of its own clock reading.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// One slice for each place of the ring of eight.
    ring: BTreeMap<i128, Slice>,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    number: i128,
    calls: u32,
    failures: u32,
}

impl Calls {
    pub fn add(&mut self, now: i128, failed: bool) {
        let empty = Slice { number: now, calls: 0, failures: 0 };
        let slice = self.ring.entry(now % (REACH + 1)).or_insert(empty);
        if slice.number != now {
            *slice = empty;
        }
        slice.calls += 1;
        slice.failures += u32::from(failed);
    }

    pub fn clear(&mut self) {
        self.ring.clear();
    }

    pub fn slices(&self) -> impl Iterator<Item = i128> + '_ {
        self.ring.values().map(|slice| slice.number)
    }

    /// Calls, and how many of them failed.
    pub fn count(&self, now: i128) -> (u32, u32) {
        let near = self.ring.values().filter(|slice| (now - slice.number).abs() <= REACH);
        near.fold((0, 0), |sum, slice| (sum.0 + slice.calls, sum.1 + slice.failures))
    }
}
