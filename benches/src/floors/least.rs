//! F1, the least that any look-up with a change costs: keyed hash, tag line, one record line, one CAS. And the same
//! through a held pointer: gate load and one CAS.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::table::{Record, Table};
use crate::subject::Subject;
use crate::workload::{Key, Workload};

#[repr(align(64))]
pub struct OneLine {
    key: Key,
    gate: AtomicU64,
}

impl Record for OneLine {
    fn of(key: Key) -> Self {
        OneLine { key, gate: AtomicU64::new(0) }
    }

    fn key(&self) -> &Key {
        &self.key
    }
}

impl OneLine {
    /// Gate load and one CAS, again where another thread was faster.
    #[inline]
    fn bump(&self) {
        let mut gate = self.gate.load(Ordering::Acquire);
        while let Err(now) =
            self.gate.compare_exchange_weak(gate, gate.wrapping_add(1), Ordering::AcqRel, Ordering::Acquire)
        {
            gate = now;
        }
    }
}

/// F1: keyed hash, tag line, record line, one CAS.
pub struct ByKey(pub Table<OneLine>);

impl Subject for ByKey {
    fn run(&self, load: &Workload, stretch: Range<usize>) -> usize {
        let mut refused = 0;
        for id in &load.ids[stretch] {
            match self.0.find(id.as_bytes()) {
                Some(record) => record.bump(),
                None => refused += 1,
            }
        }
        refused
    }
}

/// The held pointer: gate load and one CAS, no look-up.
pub struct Held(pub Table<OneLine>);

impl Subject for Held {
    fn run(&self, load: &Workload, stretch: Range<usize>) -> usize {
        for &at in &load.order[stretch] {
            self.0.at(at).bump();
        }
        0
    }
}
