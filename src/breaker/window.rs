//! The failures of the current closed period, in eight slices of time.
//!
//! ```text
//!  63                                    24 23          10 9          0
//! +----------------------------------------+--------------+------------+
//! | failures of 8 slices, 5 bits each,     | newest slice | generation |
//! | the newest lowest                      | (14)         | (low 10)   |
//! +----------------------------------------+--------------+------------+
//! ```
//!
//! The breaker opens when the slices add up to the threshold; from then on the word is *full*, and every report that
//! meets it completes the trip. A success empties it. The slice number is kept to 14 bits: a record without any report
//! for a whole window is told by its last-seen stamp (`idle`), so that a wrap is never taken for a fresh failure.

use super::gate::Generation;
use crate::sync::{Field, packed};

type GenerationField = Field<0, 10>;
type SliceField = Field<10, 14>;
type CountsField = Field<24, 40>;

/// Slices in a window.
pub(crate) const SLICES: u64 = 8;
/// Bits of one slice's count.
const COUNT_BITS: u64 = 5;
/// Most failures that a slice counts, and so the largest threshold.
pub(crate) const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;

/// How far slice `now` lies after slice `then`, where only the low 14 bits of `then` are kept.
pub(super) fn slices_since(then: u64, now: u64) -> i64 {
    let difference = (now.wrapping_sub(then) & SliceField::MAX) as i64;
    if difference > (SliceField::MAX / 2) as i64 { difference - (SliceField::MAX as i64 + 1) } else { difference }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailureWindow(u64);

impl FailureWindow {
    /// No failure in the period `generation`.
    pub(crate) fn empty(generation: Generation) -> Self {
        Self(GenerationField::pack(generation.number().into()))
    }

    /// Whether the failures were counted in the period `generation`.
    #[inline]
    fn belongs_to(self, generation: Generation) -> bool {
        GenerationField::get(self.0) == u64::from(generation.number()) & GenerationField::MAX
    }

    /// Failures in all slices, whatever the time.
    fn sum(self) -> u32 {
        let counts = CountsField::get(self.0);
        (0..SLICES).map(|slice| (counts >> (slice * COUNT_BITS) & MAX_COUNT) as u32).sum()
    }

    /// No failure stands in the word for the period `generation`.
    #[inline]
    pub(crate) fn is_empty(self, generation: Generation) -> bool {
        !self.belongs_to(generation) || CountsField::get(self.0) == 0
    }

    /// The failure that opens the breaker of the period `generation` has been counted.
    pub(crate) fn is_full(self, generation: Generation, threshold: u32) -> bool {
        self.belongs_to(generation) && self.sum() >= threshold
    }

    /// The window as seen in slice `now`: older slices have moved up, those past the eighth are gone.
    ///
    /// `idle`: the record had no report for a whole window. A `now` that lies back by less than a window is taken for the
    /// newest slice; further back the clock was set, and nothing counts.
    fn rolled(self, generation: Generation, now: u64, idle: bool) -> Self {
        let passed = slices_since(SliceField::get(self.0), now);
        if self.is_empty(generation) || idle || passed >= SLICES as i64 || passed <= -(SLICES as i64) {
            return Self(Self::empty(generation).0 | SliceField::pack(now));
        }
        if passed <= 0 {
            return self;
        }
        let counts = CountsField::get(self.0) << (passed as u64 * COUNT_BITS);
        Self(CountsField::set(SliceField::set(self.0, now), counts))
    }

    /// One failure more, in slice `now`.
    pub(crate) fn failed(self, generation: Generation, now: u64, idle: bool) -> Self {
        let rolled = self.rolled(generation, now, idle);
        let counts = CountsField::get(rolled.0);
        let grown = if counts & MAX_COUNT == MAX_COUNT { counts } else { counts + 1 };
        Self(CountsField::set(rolled.0, grown))
    }

    /// Failures that count in slice `now`.
    pub(crate) fn count(self, generation: Generation, now: u64, idle: bool) -> u32 {
        self.rolled(generation, now, idle).sum()
    }
}

packed!(FailureWindow);

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERIOD: Generation = Generation::new(3);

    proptest! {
        /// Against a list of the slices in which a failure fell.
        #[test]
        fn failures_count_for_eight_slices(start: u64, steps in prop::collection::vec(0u64..12, 1..30)) {
            let mut window = FailureWindow::empty(PERIOD);
            let mut list = Vec::new();
            let mut now = start >> 1;
            for step in steps {
                now += step;
                window = window.failed(PERIOD, now, step >= SLICES);
                list.push(now);
                let expected = list.iter().filter(|&&slice| now - slice < SLICES).count() as u32;
                prop_assert_eq!(window.count(PERIOD, now, false), expected);
            }
        }
    }

    #[test]
    fn another_period_reads_as_empty() {
        let window = FailureWindow::empty(PERIOD).failed(PERIOD, 9, false);
        assert!(!window.is_empty(PERIOD));
        assert!(window.is_empty(PERIOD.next()));
        assert_eq!(window.count(PERIOD.next(), 9, false), 0);
    }

    #[test]
    fn a_full_window_stays_full_whatever_the_time() {
        let mut window = FailureWindow::empty(PERIOD);
        for _ in 0..5 {
            window = window.failed(PERIOD, 100, false);
        }
        assert!(window.is_full(PERIOD, 5));
        assert_eq!(window.count(PERIOD, 108, false), 0);
    }

    #[test]
    fn a_clock_set_back_within_the_window_counts_as_the_newest_slice() {
        let window = FailureWindow::empty(PERIOD).failed(PERIOD, 100, false).failed(PERIOD, 94, false);
        assert_eq!(window.count(PERIOD, 100, false), 2);
        assert_eq!(window.count(PERIOD, 92, false), 0);
    }
}
