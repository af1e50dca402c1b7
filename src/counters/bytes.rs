//! Counts of bytes, which saturate at 2^63 − 1.

use crate::sync::{Ordering, Word};

/// The largest count that is shown: what a signed 64-bit number holds.
const MOST: u64 = i64::MAX as u64;
/// Counts below this are added before it is known whether the word is full: it would take 2^31 threads at once to wrap it.
const SMALL: u64 = 1 << 32;

#[inline(always)]
pub(crate) fn add(word: &Word<u64>, n: u64) {
    // Relaxed: a counter orders nothing.
    if n >= SMALL || word.add(n, Ordering::Relaxed) > MOST {
        add_large(word, n);
    }
}

#[cold]
fn add_large(word: &Word<u64>, n: u64) {
    // Relaxed: as above.
    let mut current = word.load(Ordering::Relaxed);
    while !word.swap_if(current, sum(current, n), Ordering::Relaxed, Ordering::Relaxed) {
        current = word.load(Ordering::Relaxed);
    }
}

/// The count of a word and `lately` more.
pub(crate) fn sum(count: u64, lately: u64) -> u64 {
    count.min(MOST).saturating_add(lately).min(MOST)
}

/// The counts of both directions and others more.
pub(crate) fn sums(counts: [u64; 2], more: [u64; 2]) -> [u64; 2] {
    [sum(counts[0], more[0]), sum(counts[1], more[1])]
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_count_saturates() {
        let word = Word::new(5);
        add(&word, 7);
        assert_eq!(sum(word.bits(), 5), 17);
        add(&word, u64::MAX);
        add(&word, 1);
        add(&word, u64::MAX);
        assert_eq!((sum(word.bits(), 0), sum(word.bits(), 5)), (MOST, MOST));
    }

    #[test]
    fn a_full_count_stays_full() {
        let word = Word::new(MOST);
        (0..4).for_each(|_| add(&word, SMALL - 1));
        assert!((MOST..MOST + SMALL).contains(&word.bits()), "{}", word.bits());
    }
}
