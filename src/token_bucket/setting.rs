//! A limit that can be changed at run time, with what spares its users a division.
//!
//! Beside the rate stands its price, in a second word. The two are not changed at once: a request that overlaps a change meets
//! the old limit or the new one.

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

    /// Of calls that overlap, one is the last, and both words are left as it wrote them.
    pub(crate) fn set(&self, mut rate: Rate) {
        // Relaxed: published by the exchange.
        self.rate.store(rate, Ordering::Relaxed);
        loop {
            // AcqRel: pairs with the exchange of another call: whoever comes after it sees its rate.
            self.price.swap(Price::at(rate), Ordering::AcqRel);
            let latest = self.rate();
            if latest == rate {
                return;
            }
            rate = latest;
        }
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
