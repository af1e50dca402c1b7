//! A limit that can be changed at run time, with what spares its users a division.
//!
//! Beside the rate stands its price, in a second word. The two are not changed together: each stands alone, so that a request
//! that overlaps a change meets the old limit or the new one.

use super::price::Price;
use super::rate::Rate;
use crate::sync::{Ordering, Word};

/// A limit in force.
pub(crate) struct Setting {
    rate: Word<Rate>,
    price: Word<Price>,
}

impl Setting {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate: Word::new(rate), price: Word::new(Price::at(rate)) }
    }

    pub(crate) fn set(&self, rate: Rate) {
        // Relaxed, both: each stands alone.
        self.rate.store(rate, Ordering::Relaxed);
        self.price.store(Price::at(rate), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn rate(&self) -> Rate {
        // Relaxed: the limit stands alone.
        self.rate.load(Ordering::Relaxed)
    }

    /// What `bytes` cost, as [`Rate::cost`] says; 0 where they are not limited.
    #[inline(always)]
    pub(crate) fn cost(&self, bytes: u64) -> u64 {
        if bytes > Price::MOST {
            return self.rate().cost_if_limited(bytes);
        }
        // Relaxed: the limit stands alone.
        self.price.load(Ordering::Relaxed).of(bytes)
    }
}
