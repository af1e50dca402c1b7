//! A limit that can be changed at run time, with what spares its users a division.
//!
//! Beside the rate stands its inverse, in a second word. The two are not changed together: the inverse only gives a first
//! guess at a quotient, which the rate confirms or throws away. So no pair of old and new can give a wrong cost.

use super::rate::Rate;
use crate::sync::{Ordering, Word};

/// A limit in force.
pub(crate) struct Setting {
    rate: Word<Rate>,
    inverse: Word<u64>,
}

impl Setting {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate: Word::new(rate), inverse: Word::new(rate.inverse()) }
    }

    pub(crate) fn set(&self, rate: Rate) {
        // Relaxed, both: each stands alone.
        self.rate.store(rate, Ordering::Relaxed);
        self.inverse.store(rate.inverse(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn rate(&self) -> Rate {
        // Relaxed: the limit stands alone.
        self.rate.load(Ordering::Relaxed)
    }

    /// What `bytes` cost at `rate`, which was read here.
    #[inline(always)]
    pub(crate) fn cost(&self, rate: Rate, bytes: u64) -> u64 {
        // Relaxed: a guess.
        rate.cost_by(bytes, self.inverse.load(Ordering::Relaxed))
    }
}
