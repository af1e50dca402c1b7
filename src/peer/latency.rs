//! The moving average of a peer's latencies, in milliseconds.
//!
//! ```text
//!  63                       32 31     20 19                   0
//! +---------------------------+---------+----------------------+
//! | average (f32)             |         | life (20)            |
//! +---------------------------+---------+----------------------+
//! ```
//!
//! The life is that of the tenancy: a report adds by a CAS that fails on another life, and so needs no pin.

use crate::sync::{Field, Ordering, Word, packed};

type LifeField = Field<0, 20>;
type AverageField = Field<32, 32>;

/// Weight of the newest latency.
const ALPHA: f64 = 0.2;
/// No latency has been reported yet. A NaN never comes in from outside.
const NONE: f32 = f32::NAN;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Latency(u64);

impl Latency {
    /// None in this life.
    pub(crate) fn none(life: u32) -> Self {
        Self(AverageField::pack(NONE.to_bits().into()) | LifeField::pack(life.into()))
    }

    #[inline]
    pub(crate) fn life(self) -> u32 {
        LifeField::get(self.0) as u32
    }

    /// The average, if there is one.
    pub(crate) fn get(self) -> Option<f64> {
        let average = f32::from_bits(AverageField::get(self.0) as u32);
        (!average.is_nan()).then_some(average.into())
    }

    /// The average after one latency more, to 24 bits; a latency above all that an `f32` holds counts as the largest.
    fn with(self, milliseconds: f64) -> Self {
        let next = self.get().map_or(milliseconds, |average| ALPHA * milliseconds + (1.0 - ALPHA) * average);
        let next = (next as f32).min(f32::MAX);
        Self(AverageField::set(self.0, next.to_bits().into()))
    }
}

packed!(Latency);

/// Adds a latency, which is finite and not negative, unless the word is of another life by now.
#[inline(never)]
pub(crate) fn add(word: &Word<Latency>, life: u32, milliseconds: f64) {
    // Relaxed, all: the average orders nothing.
    let mut current = word.load(Ordering::Relaxed);
    while current.life() == life
        && !word.swap_if(current, current.with(milliseconds), Ordering::Relaxed, Ordering::Relaxed)
    {
        current = word.load(Ordering::Relaxed);
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    fn get(word: &Word<Latency>) -> Option<f64> {
        word.load(Ordering::Relaxed).get()
    }

    #[test]
    fn the_first_latency_is_the_average_and_later_ones_weigh_a_fifth() {
        let word = Word::new(Latency::none(7));
        assert_eq!(get(&word), None);
        add(&word, 7, 100.0);
        add(&word, 7, 200.0);
        assert_eq!(get(&word), Some(120.0));
    }

    #[test]
    fn a_latency_of_another_life_and_one_beyond_the_range() {
        let word = Word::new(Latency::none(7));
        add(&word, 8, 100.0);
        assert_eq!(get(&word), None);
        add(&word, 7, f64::MAX);
        add(&word, 7, f64::MAX);
        assert_eq!(get(&word), Some(f32::MAX.into()));
    }
}
