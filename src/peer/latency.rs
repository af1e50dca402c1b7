//! The moving average of a peer's latencies, in milliseconds.

use crate::sync::{Ordering, Word};

/// Weight of the newest latency.
const ALPHA: f64 = 0.2;
/// No latency has been reported yet. A NaN never comes in from outside.
pub(crate) const NONE: f64 = f64::NAN;

/// The average after one latency more.
fn next(average: f64, milliseconds: f64) -> f64 {
    if average.is_nan() { milliseconds } else { ALPHA * milliseconds + (1.0 - ALPHA) * average }
}

/// Adds a latency, which is finite and not negative.
pub(crate) fn add(word: &Word<f64>, milliseconds: f64) {
    // Relaxed: the average orders nothing.
    let mut current = word.load(Ordering::Relaxed);
    while !word.swap_if(current, next(current, milliseconds), Ordering::Relaxed, Ordering::Relaxed) {
        current = word.load(Ordering::Relaxed);
    }
}

/// The average, if there is one.
pub(crate) fn get(word: &Word<f64>) -> Option<f64> {
    let average = word.load(Ordering::Relaxed);
    (!average.is_nan()).then_some(average)
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_latency_is_the_average_and_later_ones_weigh_a_fifth() {
        let word = Word::new(NONE);
        assert_eq!(get(&word), None);
        add(&word, 100.0);
        add(&word, 200.0);
        assert_eq!(get(&word), Some(120.0));
    }
}
