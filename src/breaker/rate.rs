//! Calls and failures of the current closed period, for opening by failure rate: eight words, one for each slice.
//!
//! ```text
//!  63         45 44          26 25          12 11          2  1     0
//! +-------------+--------------+--------------+-------------+------+-+
//! | failures    | calls (19)   | slice (14)   | generation  |   -  |T|
//! | (18)        |              |              | (low 10)    |      | |
//! +-------------+--------------+--------------+-------------+------+-+
//! ```
//!
//! A report adds to the word of its slice by CAS, so that calls and failures of a slice change together. The failure
//! that reaches the rate sets T in the same CAS: as with a full failure window, a report that meets T completes the trip.
//! Failures in two slices at once may each miss the other's; so a failure that did not reach the rate looks once more when
//! it has been added, and then the later of the two sees both.
//! A slice that is full halves both counts, which keeps their ratio.

use super::gate::Generation;
use super::window::{SLICES, slices_since};
use crate::sync::{Field, Ordering, Word, fence, packed};

type TripField = Field<0, 1>;
type GenerationField = Field<2, 10>;
type SliceField = Field<12, 14>;
type CallsField = Field<26, 19>;
type FailuresField = Field<45, 18>;

/// When a share of failed calls opens a breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateThreshold {
    pub(crate) rate: f64,
    pub(crate) min_calls: u64,
}

impl RateThreshold {
    fn reached(&self, calls: u64, failures: u64) -> bool {
        // Not `rate * calls`, which may be rounded up above a share that is met exactly: 0.55 * 100 is above 55.
        calls >= self.min_calls && failures as f64 / calls as f64 >= self.rate
    }
}

/// What a report did to the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It was added.
    Added,
    /// It was added, and the rate was reached by it.
    Reached,
    /// It was not added: another failure had reached the rate.
    Full,
}

/// One slice, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slice(u64);

impl Slice {
    /// Calls and failures, if the slice belongs to the period and counts in slice `now`.
    fn counts(self, generation: Generation, now: u64) -> (u64, u64) {
        let passed = slices_since(SliceField::get(self.0), now);
        let counts = self.belongs_to(generation) && passed > -(SLICES as i64) && passed < SLICES as i64;
        if counts { (CallsField::get(self.0), FailuresField::get(self.0)) } else { (0, 0) }
    }

    fn belongs_to(self, generation: Generation) -> bool {
        GenerationField::get(self.0) == u64::from(generation.number()) & GenerationField::MAX
    }

    /// Of the same slice and period.
    fn is_slice_of(self, other: Self) -> bool {
        let mask = GenerationField::MASK | SliceField::MASK;
        (self.0 ^ other.0) & mask == 0
    }

    fn tripped(self, generation: Generation, now: u64) -> bool {
        TripField::get(self.0) == 1 && self.counts(generation, now).0 != 0
    }

    /// One call more in slice `now`.
    fn called(self, generation: Generation, now: u64, failed: bool) -> Self {
        let same = self.belongs_to(generation) && slices_since(SliceField::get(self.0), now) == 0;
        let (mut calls, mut failures) =
            if same { (CallsField::get(self.0), FailuresField::get(self.0)) } else { (0, 0) };
        if calls == CallsField::MAX || failures == FailuresField::MAX {
            calls /= 2;
            failures /= 2;
        }
        calls += 1;
        failures += u64::from(failed);
        Self(
            GenerationField::pack(generation.number().into())
                | SliceField::pack(now)
                | CallsField::pack(calls)
                | FailuresField::pack(failures),
        )
    }
}

packed!(Slice);

/// The eight slices of one record.
pub(crate) struct RateWindow {
    slices: [Word<Slice>; SLICES as usize],
}

impl RateWindow {
    pub(crate) fn new() -> Self {
        Self { slices: std::array::from_fn(|_| Word::new(Slice(0))) }
    }

    /// Empties the counters for a new tenant. Relaxed: the record is not published while it is made.
    pub(crate) fn clear(&self) {
        for slice in &self.slices {
            slice.store(Slice(0), Ordering::Relaxed);
        }
    }

    /// Adds a call; a failure is judged by `threshold`.
    ///
    /// `idle`: the record had no report for a whole window; what stands in the slices is of long ago, however their numbers
    /// look.
    pub(crate) fn call(
        &self,
        generation: Generation,
        now: u64,
        idle: bool,
        failed: bool,
        threshold: &RateThreshold,
    ) -> Counted {
        if idle {
            self.forget(now);
        }
        let word = &self.slices[(now % SLICES) as usize];
        loop {
            // Acquire, all: pair with the AcqRel below; a trip seen here comes after the call that caused it.
            let current = word.load(Ordering::Acquire);
            if self.slices.iter().any(|slice| slice.load(Ordering::Acquire).tripped(generation, now)) {
                return Counted::Full;
            }
            let mut next = current.called(generation, now, failed);
            let (calls, failures) = self.others(generation, now, next);
            let reached = failed && threshold.reached(calls, failures);
            if reached {
                next = Slice(next.0 | TripField::MASK);
            }
            if word.swap_if(current, next, Ordering::AcqRel, Ordering::Relaxed) {
                let reached = reached || failed && self.reached_with_others(word, next, generation, now, threshold);
                return if reached { Counted::Reached } else { Counted::Added };
            }
        }
    }

    /// Whether the rate has been reached by a failure that stands in `word`, and by failures that other slices have taken
    /// meanwhile; then the word is marked.
    #[cold]
    fn reached_with_others(
        &self,
        word: &Word<Slice>,
        added: Slice,
        generation: Generation,
        now: u64,
        threshold: &RateThreshold,
    ) -> bool {
        // SeqCst: pairs with itself in a failure of another slice. Each of the two has added before its fence and looks after
        // it, so that one of them sees both.
        fence(Ordering::SeqCst);
        loop {
            // Relaxed: the CAS decides.
            let current = word.load(Ordering::Relaxed);
            // Of its own slice as it was: who has added there since has judged with this failure in it.
            let (calls, failures) = self.others(generation, now, added);
            if !current.is_slice_of(added) || !threshold.reached(calls, failures) {
                return false;
            }
            let marked = Slice(current.0 | TripField::MASK);
            // AcqRel: as in `call`.
            if word.swap_if(current, marked, Ordering::AcqRel, Ordering::Relaxed) {
                return true;
            }
        }
    }

    /// Empties what is left of long ago. Slices next to `now` are spared: another thread may be writing them.
    fn forget(&self, now: u64) {
        for slice in &self.slices {
            // Relaxed: as in `others`.
            let old = slice.load(Ordering::Relaxed);
            if slices_since(SliceField::get(old.0), now).abs() <= 1 {
                continue;
            }
            slice.swap_if_strong(old, Slice(0), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The slices as they stand. Relaxed: the table validates that they are one tenant's.
    pub(crate) fn image(&self) -> RateImage {
        RateImage(std::array::from_fn(|i| self.slices[i].load(Ordering::Relaxed)))
    }

    /// Calls and failures that count in slice `now`, with `own` in place of its word. Relaxed: the other slices change only
    /// through threads whose clock reading is of another slice, with whom the fence of `reached_with_others` settles it.
    fn others(&self, generation: Generation, now: u64, own: Slice) -> (u64, u64) {
        let mut image = self.image();
        image.0[(now % SLICES) as usize] = own;
        image.counts(generation, now)
    }
}

/// A copy of the slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateImage([Slice; SLICES as usize]);

impl RateImage {
    /// Calls and failures that count in slice `now`.
    pub(crate) fn counts(&self, generation: Generation, now: u64) -> (u64, u64) {
        let counts = self.0.iter().map(|slice| slice.counts(generation, now));
        counts.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
    }

    /// A slice has calls of a period that looks like `generation`.
    pub(crate) fn carry(&self, generation: Generation) -> bool {
        self.0.iter().any(|slice| slice.belongs_to(generation) && CallsField::get(slice.0) != 0)
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    const PERIOD: Generation = Generation::new(7);
    const HALF: RateThreshold = RateThreshold { rate: 0.5, min_calls: 20 };

    #[test]
    fn the_rate_is_judged_at_a_failure_once_enough_calls_are_in_the_window() {
        let window = RateWindow::new();
        for _ in 0..10 {
            assert_eq!(window.call(PERIOD, 4, false, true, &HALF), Counted::Added);
        }
        for _ in 0..10 {
            assert_eq!(window.call(PERIOD, 5, false, false, &HALF), Counted::Added);
        }
        assert_eq!(window.image().counts(PERIOD, 11), (20, 10));
        assert_eq!(window.call(PERIOD, 11, false, true, &HALF), Counted::Reached);
        assert_eq!(window.call(PERIOD, 11, false, false, &HALF), Counted::Full);
        assert_eq!(window.image().counts(PERIOD.next(), 11), (0, 0));
    }

    #[test]
    fn a_share_that_is_met_exactly_is_reached() {
        for percent in 1..=100u32 {
            let threshold = RateThreshold { rate: f64::from(percent) / 100.0, min_calls: 1 };
            for times in 1..=655 {
                let (calls, failures) = (100 * times, u64::from(percent) * times);
                assert!(threshold.reached(calls, failures), "{failures} of {calls} are {percent} %");
                assert!(!threshold.reached(calls, failures - 1), "one less than {failures} of {calls}");
            }
        }
    }

    #[test]
    fn slices_leave_the_window_and_full_ones_keep_their_ratio() {
        let window = RateWindow::new();
        let never = RateThreshold { rate: 1.0, min_calls: u64::MAX };
        for i in 0..CallsField::MAX + 5 {
            window.call(PERIOD, 1, false, i % 4 == 0, &never);
        }
        let (calls, failures) = window.image().counts(PERIOD, 8);
        assert!((failures as f64 / calls as f64 - 0.25).abs() < 1e-3, "{failures} of {calls}");
        assert_eq!(window.image().counts(PERIOD, 9), (0, 0));
    }
}
