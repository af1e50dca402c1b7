//! F2, the least that the operation itself costs: F1's look-up, and as many read-modify-writes, lines and clock reads as
//! it must have.
//!
//! | operation | lines | read-modify-writes | clock |
//! |---|---|---|---|
//! | admit + success | tags, key and gate, counters | the outcome's count | coarse: last seen, decay |
//! | admit_bytes + success | the same, and the global bucket's | and both buckets, the bytes' count | the same |
//!
//! A coarse clock is enough even for the buckets while they are far from empty, so no floor asks for an exact one.

use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

use super::table::{Record, Table};
use crate::subject::{Operation, Subject};
use crate::workload::{Key, Workload};

/// Nanoseconds that a request costs a bucket.
const COST: u64 = 4;
const BURST: u64 = 1_000_000_000;

#[repr(align(64))]
struct Checked {
    key: Key,
    gate: AtomicU64,
    score: AtomicU64,
}

#[repr(align(64))]
struct Written {
    bucket: AtomicU64,
    bytes: AtomicU64,
    successes: AtomicU64,
    last_seen: AtomicU64,
}

pub struct TwoLines {
    checked: Checked,
    written: Written,
}

impl Record for TwoLines {
    fn of(key: Key) -> Self {
        let word = || AtomicU64::new(0);
        TwoLines {
            checked: Checked { key, gate: word(), score: word() },
            written: Written { bucket: word(), bytes: word(), successes: word(), last_seen: word() },
        }
    }

    fn key(&self) -> &Key {
        &self.checked.key
    }
}

#[repr(align(128))]
struct Global(AtomicU64);

/// The kernel's time of its last timer tick.
#[inline]
pub fn coarse_now() -> u64 {
    let t = clock_gettime(ClockId::MonotonicCoarse);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// One request on a bucket whose word is the time at which all debts are paid.
#[inline]
fn take(bucket: &AtomicU64, now: u64) -> bool {
    let mut paid_at = bucket.load(Ordering::Relaxed);
    loop {
        let next = paid_at.max(now) + COST;
        if next > now + BURST {
            return false;
        }
        // Relaxed: a bucket publishes nothing but itself.
        match bucket.compare_exchange_weak(paid_at, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(other) => paid_at = other,
        }
    }
}

pub struct Full {
    table: Table<TwoLines>,
    global: Global,
    operation: Operation,
    held: bool,
}

impl Full {
    /// `held`: through a pointer to the record, without the look-up.
    pub fn new(peers: &[Key], operation: Operation, held: bool) -> Self {
        Full { table: Table::new(peers), global: Global(AtomicU64::new(0)), operation, held }
    }

    #[inline]
    fn cycle(&self, record: &TwoLines, bytes: u64) -> bool {
        let open = record.checked.gate.load(Ordering::Acquire) != 0;
        let now = coarse_now();
        let written = &record.written;
        if open || (bytes != 0 && !(take(&written.bucket, now) && take(&self.global.0, now))) {
            return false;
        }
        if bytes != 0 {
            written.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        written.successes.fetch_add(1, Ordering::Relaxed);
        written.last_seen.store(now, Ordering::Relaxed);
        black_box(record.checked.score.load(Ordering::Relaxed));
        true
    }
}

impl Subject for Full {
    fn run(&self, load: &Workload, stretch: Range<usize>) -> usize {
        let mut refused = 0;
        let bytes = black_box(u64::from(self.operation.bytes()));
        if self.held {
            for &slot in &load.order[stretch] {
                refused += usize::from(!self.cycle(self.table.at(slot), bytes));
            }
        } else {
            for id in &load.ids[stretch] {
                let passed = self.table.find(id.as_bytes()).is_some_and(|r| self.cycle(r, bytes));
                refused += usize::from(!passed);
            }
        }
        refused
    }
}
