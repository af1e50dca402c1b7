//! What is counted of a peer while it is known, but for the flow: words that only slow paths touch, in a slab of their own
//! beside the records.

use crate::counters::bytes;
use crate::decision::Traffic;
use crate::reputation::outcome::Outcome;
use crate::sync::{Ordering, Packed, Word};
use crate::token_bucket::Direction;

/// Counters, and since when.
pub(crate) struct Tally {
    /// By direction.
    pub(crate) bytes: [Word<u64>; 2],
    pub(crate) message_successes: Word<u64>,
    /// Sync; message.
    pub(crate) failures: Word<Pair>,
    /// Timeouts; unreachable.
    pub(crate) unanswered: Word<Pair>,
    /// Protocol violations; fatal.
    pub(crate) offences: Word<Pair>,
    /// Nanoseconds.
    pub(crate) first_seen: Word<u64>,
}

impl Tally {
    /// Of a slot that no peer has had.
    pub(crate) fn free() -> Self {
        Self {
            bytes: [Word::new(0), Word::new(0)],
            message_successes: Word::new(0),
            failures: Word::new(Pair::default()),
            unanswered: Word::new(Pair::default()),
            offences: Word::new(Pair::default()),
            first_seen: Word::new(0),
        }
    }

    /// Begins anew for a peer that is first seen at `now`. Relaxed: as for `Record::furnish`.
    pub(crate) fn begin(&self, now: u64) {
        let [sent, received] = &self.bytes;
        [sent, received, &self.message_successes].into_iter().for_each(|count| count.store(0, Ordering::Relaxed));
        let pairs = [&self.failures, &self.unanswered, &self.offences];
        pairs.into_iter().for_each(|pair| pair.store(Pair::default(), Ordering::Relaxed));
        self.first_seen.store(now, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn count_bytes(&self, traffic: &Traffic) {
        if traffic.sent != 0 {
            bytes::add(&self.bytes[Direction::Upload.index()], traffic.sent);
        }
        if traffic.received != 0 {
            bytes::add(&self.bytes[Direction::Download.index()], traffic.received);
        }
    }

    /// The bytes, by direction, with those that were moved `lately`.
    pub(crate) fn bytes_with(&self, lately: [u64; 2]) -> [u64; 2] {
        // Relaxed: who must not miss any has made them visible.
        Direction::ALL.map(Direction::index).map(|i| bytes::sum(self.bytes[i].load(Ordering::Relaxed), lately[i]))
    }

    /// Counts an outcome; not a sync success, which the record counts.
    #[inline(always)]
    pub(super) fn count(&self, outcome: Outcome) {
        match outcome {
            // Relaxed: a counter orders nothing.
            Outcome::MessageSuccess => _ = self.message_successes.add(1, Ordering::Relaxed),
            Outcome::SyncFailure => self.failures.count_first(),
            Outcome::MessageFailure => self.failures.count_second(),
            Outcome::Timeout => self.unanswered.count_first(),
            Outcome::Unreachable => self.unanswered.count_second(),
            Outcome::ProtocolViolation => self.offences.count_first(),
            Outcome::Fatal => self.offences.count_second(),
            Outcome::SyncSuccess | Outcome::Cancelled | Outcome::LocalError => {}
        }
    }

    /// The words, for tests that nothing changed.
    pub(crate) fn words(&self) -> [u64; 7] {
        let [sent, received] = self.bytes.each_ref().map(Word::bits);
        let pairs = [&self.failures, &self.unanswered, &self.offences].map(Word::bits);
        [sent, received, self.message_successes.bits(), pairs[0], pairs[1], pairs[2], self.first_seen.bits()]
    }
}

/// Two counts in a word; each saturates at 2^32 − 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pair(pub(crate) u32, pub(crate) u32);

impl Pair {
    pub(super) fn sum(&self) -> u64 {
        u64::from(self.0) + u64::from(self.1)
    }
}

impl Packed for Pair {
    fn to_bits(self) -> u64 {
        u64::from(self.0) | u64::from(self.1) << 32
    }

    fn from_bits(bits: u64) -> Self {
        Self(bits as u32, (bits >> 32) as u32)
    }
}

impl Word<Pair> {
    pub(crate) fn count_first(&self) {
        self.count(|pair| Pair(pair.0.saturating_add(1), pair.1));
    }

    pub(crate) fn count_second(&self) {
        self.count(|pair| Pair(pair.0, pair.1.saturating_add(1)));
    }

    fn count(&self, next: impl Fn(Pair) -> Pair) {
        // Relaxed: a counter orders nothing.
        let mut current = self.load(Ordering::Relaxed);
        while !self.swap_if(current, next(current), Ordering::Relaxed, Ordering::Relaxed) {
            current = self.load(Ordering::Relaxed);
        }
    }
}
