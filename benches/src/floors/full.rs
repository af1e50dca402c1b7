//! F2, the least that the operation itself costs: F1's look-up, and as many read-modify-writes, lines and clock reads as
//! it must have.
//!
//! | operation | lines beside the index | read-modify-writes | reads of the coarse clock |
//! |---|---|---|---|
//! | admit | key and gate | – | – |
//! | admit + success, check + report | the same, and on it score, last seen, count | the outcome's count | 1: last seen, decay |
//! | admit_bytes + success | the same, the buckets', the global bucket's | both buckets; count of success and bytes, in one word | 2: one per call |
//! | try_upload | the same | both buckets, the bytes' count | 1 |
//! | record_failure | key, gate, score, count, window | count, failure window, score | 1 |
//! | failure + 3 successes | the same | 3, then count, window and score, then 2 × count and score: 10 | 4: one per call |
//!
//! The outcome's count is exact and on the record's line: it needs one read-modify-write and no pin. A score that stands
//! at its bound takes no write; a failure moves it, and the successes after it. A coarse clock is enough even for the
//! buckets while they are far from empty, so no floor asks for an exact one. What is global and read only (limits) is in
//! the first cache.

use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};
use zerocopy::{FromBytes, IntoBytes, KnownLayout};

use super::table::{Record, Table};
use crate::subject::{Operation, REQUEST, SUCCESSES_PER_FAILURE, Subject};
use crate::workload::{Key, Workload};

/// Nanoseconds that a request costs a bucket.
const COST: u64 = 4;
const BURST: u64 = 1_000_000_000;

/// Two lines: what every exchange touches, and what bytes and failures do.
#[derive(FromBytes, IntoBytes, KnownLayout)]
#[repr(C, align(128))]
pub struct TwoLines {
    key: Key,
    gate: AtomicU64,
    score: AtomicU64,
    count: AtomicU64,
    last_seen: AtomicU64,
    buckets: [AtomicU64; 2],
    bytes: [AtomicU64; 2],
    window: AtomicU64,
    rest: [u64; 3],
}

impl Record for TwoLines {
    fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    fn key(&self) -> &Key {
        &self.key
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

/// Changes a word by CAS. Relaxed: it publishes nothing but itself.
#[inline]
fn change(word: &AtomicU64, next: impl Fn(u64) -> Option<u64>) -> bool {
    let mut current = word.load(Ordering::Relaxed);
    while let Some(next) = next(current) {
        match word.compare_exchange_weak(current, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(other) => current = other,
        }
    }
    false
}

/// One request on a bucket whose word is the time at which all debts are paid.
#[inline]
fn take(bucket: &AtomicU64, now: u64) -> bool {
    change(bucket, |paid_at| Some(paid_at.max(now) + COST).filter(|&next| next <= now + BURST))
}

impl TwoLines {
    #[inline]
    fn closed(&self) -> bool {
        self.gate.load(Ordering::Acquire) == 0
    }

    #[inline]
    fn success(&self) {
        let now = coarse_now();
        // What is counted in one word: an outcome, and the bytes that went with it.
        self.count.fetch_add(1 + (u64::from(REQUEST) << 32), Ordering::Relaxed);
        self.last_seen.store(now, Ordering::Relaxed);
        black_box(self.score.load(Ordering::Relaxed));
    }

    #[inline]
    fn take(&self, global: &AtomicU64) -> bool {
        let now = coarse_now();
        take(&self.buckets[0], now) && take(global, now)
    }

    #[inline]
    fn failure(&self) {
        let now = coarse_now();
        self.count.fetch_add(1, Ordering::Relaxed);
        change(&self.window, |failures| Some(failures + 1));
        change(&self.score, |score| Some(score.wrapping_sub(5)));
        self.last_seen.store(now, Ordering::Relaxed);
    }

    /// After a failure: the score moves again, and the first one empties the window.
    #[inline]
    fn recover(&self) {
        let now = coarse_now();
        self.count.fetch_add(1, Ordering::Relaxed);
        change(&self.window, |failures| (failures != 0).then_some(0));
        change(&self.score, |score| Some(score.wrapping_add(2)));
        self.last_seen.store(now, Ordering::Relaxed);
    }
}

pub struct Full {
    table: Table<TwoLines>,
    global: Global,
    held: bool,
}

impl Full {
    /// `held`: through a pointer to the record, without the look-up.
    pub fn new(peers: &[Key], held: bool) -> Self {
        Full { table: Table::new(peers), global: Global(AtomicU64::new(0)), held }
    }

    /// Runs one operation per peer of the stretch: what of `first` and, when that passes, `later` times what of `then`,
    /// each on a record looked up anew unless it is held.
    #[inline(always)]
    fn each(
        &self,
        load: &Workload,
        stretch: Range<usize>,
        first: impl Fn(&TwoLines) -> bool,
        later: usize,
        then: impl Fn(&TwoLines),
    ) -> usize {
        if self.held {
            let passes = |slot: u32| {
                let record = self.table.at(slot);
                let passed = first(record);
                (0..later).for_each(|_| then(record));
                passed
            };
            load.order[stretch].iter().map(|&slot| usize::from(!passes(slot))).sum()
        } else {
            let passes = |key: &Key| {
                let passed = self.table.find(key).is_some_and(&first);
                (0..later).for_each(|_| self.table.find(key).into_iter().for_each(&then));
                passed
            };
            load.ids[stretch].iter().map(|id| usize::from(!passes(id.as_bytes()))).sum()
        }
    }
}

impl Subject for Full {
    fn run(&self, operation: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let global = &self.global.0;
        let report = |record: &TwoLines| {
            record.success();
            true
        };
        let failure = |record: &TwoLines| {
            record.failure();
            true
        };
        let nothing = |_: &TwoLines| {};
        match operation {
            Operation::Admit | Operation::Check => self.each(load, stretch, TwoLines::closed, 0, nothing),
            // A permit leads back to its record, so that one look-up serves both calls.
            Operation::AdmitSuccess | Operation::Batch(_) | Operation::CheckReport => {
                self.each(load, stretch, |record| record.closed() && report(record), 0, nothing)
            }
            Operation::AdmitBytesSuccess => {
                self.each(load, stretch, |record| record.closed() && record.take(global) && report(record), 0, nothing)
            }
            Operation::TryUpload => {
                let taken = |record: &TwoLines| {
                    let taken = record.take(global);
                    record.bytes[0].fetch_add(u64::from(REQUEST), Ordering::Relaxed);
                    taken
                };
                self.each(load, stretch, taken, 0, nothing)
            }
            Operation::Failure => self.each(load, stretch, failure, 0, nothing),
            Operation::FourReports => self.each(load, stretch, failure, SUCCESSES_PER_FAILURE, TwoLines::recover),
            Operation::Recover => self.each(load, stretch, |_| true, SUCCESSES_PER_FAILURE, TwoLines::recover),
        }
    }
}

/// The prefetched floor: index lines of a whole batch first, then its records, then what F2 does; one read of the clock
/// for the batch.
pub struct Prefetched(Table<TwoLines>);

const LARGEST_BATCH: usize = 64;

impl Prefetched {
    pub fn new(peers: &[Key]) -> Self {
        Prefetched(Table::new(peers))
    }
}

impl Subject for Prefetched {
    fn run(&self, operation: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let Operation::Batch(size) = operation else { unreachable!("batches only") };
        let table = &self.0;
        let mut refused = 0;
        let mut hashes = [0; LARGEST_BATCH];
        let mut slots = [None; LARGEST_BATCH];
        for batch in load.ids[stretch].chunks(size.min(LARGEST_BATCH)) {
            for (hash, id) in hashes.iter_mut().zip(batch) {
                *hash = table.hash(id.as_bytes());
                table.prefetch_group(*hash);
            }
            for (slot, &hash) in slots.iter_mut().zip(&hashes[..batch.len()]) {
                *slot = table.prefetch_record(hash);
            }
            let now = coarse_now();
            for ((id, &slot), &hash) in batch.iter().zip(&slots).zip(&hashes) {
                let first = slot.map(|slot| table.at(slot)).filter(|record| record.key() == id.as_bytes());
                let found = first.or_else(|| table.find_hashed(id.as_bytes(), hash));
                match found {
                    Some(record) if record.closed() => {
                        record.count.fetch_add(1, Ordering::Relaxed);
                        record.last_seen.store(now, Ordering::Relaxed);
                        black_box(record.score.load(Ordering::Relaxed));
                    }
                    _ => refused += 1,
                }
            }
        }
        refused
    }
}
