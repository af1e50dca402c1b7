//! Counts of the rarer outcomes, two in a word; each saturates at 2^32 − 1.

use crate::sync::{Ordering, Packed, Word};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pair(pub(crate) u32, pub(crate) u32);

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
