//! F1, the least that any look-up with a change costs: keyed hash, tag line, one record line, one CAS. And the same
//! through a held pointer: gate load and one CAS. And the gate load alone.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use zerocopy::{FromBytes, IntoBytes, KnownLayout};

use super::table::{Record, Table};
use crate::subject::{Operation, Subject};
use crate::workload::{Key, Workload};

#[derive(FromBytes, IntoBytes, KnownLayout)]
#[repr(C, align(64))]
pub struct OneLine {
    key: Key,
    gate: AtomicU64,
    count: AtomicU64,
    rest: [u64; 2],
}

impl Record for OneLine {
    fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    fn key(&self) -> &Key {
        &self.key
    }
}

impl OneLine {
    /// Gate load and one CAS, again where another thread was faster.
    #[inline]
    fn bump(&self) -> bool {
        if self.gate.load(Ordering::Acquire) != 0 {
            return false;
        }
        let mut count = self.count.load(Ordering::Relaxed);
        while let Err(now) =
            self.count.compare_exchange_weak(count, count.wrapping_add(1), Ordering::AcqRel, Ordering::Relaxed)
        {
            count = now;
        }
        true
    }
}

/// F1: keyed hash, tag line, record line, one CAS.
pub struct ByKey(pub Table<OneLine>);

impl Subject for ByKey {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let passes = |key: &Key| self.0.find(key).is_some_and(OneLine::bump);
        load.ids[stretch].iter().map(|id| usize::from(!passes(id.as_bytes()))).sum()
    }
}

/// The held pointer: gate load and one CAS, no look-up.
pub struct Held(pub Table<OneLine>);

impl Subject for Held {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        load.order[stretch].iter().map(|&at| usize::from(!self.0.at(at).bump())).sum()
    }
}

/// One atomic load through a held pointer, in a loop.
pub struct OneLoad(pub Table<OneLine>);

impl Subject for OneLoad {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let closed = |at: u32| self.0.at(at).gate.load(Ordering::Acquire) == 0;
        load.order[stretch].iter().map(|&at| usize::from(!closed(at))).sum()
    }
}
