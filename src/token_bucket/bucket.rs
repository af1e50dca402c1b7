//! One bucket: the transition on its word, and the loop that applies it.
//!
//! The word is the time, in units of 2^-10 ns modulo 2^64 (208 days), at which all that was taken will have been paid for.
//! It is in debt when that time lies ahead of now by no more than the burst and [`SKEW`]; anything else is a time that has
//! passed, or a clock that was set back, and the bucket is full. A thread that read its clock earlier than the last taker
//! may see more debt than the burst: that counts as the whole burst.

use super::rate::{Rate, UNIT_SHIFT};
use crate::clock::{Clock, SKEW};
use crate::sync::{Ordering, Word, packed};

/// A bucket's word: when all debts are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaidAt(u64);

packed!(PaidAt);

/// A bucket that cannot give what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// It will fit after so many nanoseconds.
    For(u64),
    /// It never fits: it costs more than the burst.
    Exceeds,
}

/// A limit as one request meets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) rate: Rate,
    /// Units; at least the cost of one byte.
    pub(crate) burst: u64,
}

/// How long every bucket's burst lasts at its rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst {
    units: u64,
    /// At lower rates a burst is one byte, and lasts longer.
    least: Rate,
}

impl Burst {
    pub(crate) fn new(nanos: u64) -> Self {
        let units = nanos << UNIT_SHIFT;
        Self { units, least: Rate::of_a_byte_in(units) }
    }

    pub(crate) fn units(self) -> u64 {
        self.units
    }

    pub(crate) fn nanos(self) -> u64 {
        self.units >> UNIT_SHIFT
    }
}

impl Limit {
    #[inline(always)]
    pub(crate) fn new(rate: Rate, burst: &Burst) -> Self {
        Self { rate, burst: if rate >= burst.least { burst.units } else { rate.cost(1) } }
    }

    /// Bytes that a full bucket holds.
    pub(crate) fn burst_bytes(&self) -> u64 {
        self.rate.bytes_within(self.burst)
    }
}

/// How roughly the time of a take is known, and the burst that is judged by it, in units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rough {
    grain: u64,
    burst: u64,
}

/// Takes are booked by a rough time where a burst lasts at least so many times its grain.
const ROUGH_BURST: u64 = 64;

impl Rough {
    /// `grain`: nanoseconds by which a time may be too early.
    pub(crate) fn new(grain: u64, burst: &Burst) -> Self {
        let long = burst.nanos() >= ROUGH_BURST * grain;
        Self { grain: grain << UNIT_SHIFT, burst: if long { burst.units } else { 0 } }
    }

    /// Whether a time is exact.
    pub(crate) fn is_exact(&self) -> bool {
        self.grain == 0
    }

    /// How much too early a time may be, in units.
    pub(super) fn grain(&self) -> u64 {
        self.grain
    }

    /// For a bucket that owes at least `floor` units.
    pub(super) fn above(self, floor: u64) -> Self {
        Self { grain: self.grain + floor, ..self }
    }

    /// Units in half a burst.
    pub(super) fn half(&self) -> u64 {
        self.burst / 2
    }

    /// What a bucket whose word lies `ahead` of a time, in units, owes after a take of `cost` units, at most
    /// [`Rate::MOST_UNITS`]; `None` where they may not fit. See [`PaidAt::take_at_about`].
    ///
    /// A time that is not ahead has passed. One that is too far ahead, as after a clock was set back, is left to the exact time.
    /// A cost of 0 always fits, and is not to be carried out: the word of a bucket without a limit may be of any time.
    #[inline(always)]
    pub(super) fn fit(&self, ahead: i64, cost: u64) -> Option<u64> {
        debug_assert!(cost <= Rate::MOST_UNITS);
        let owed = ahead.max(self.grain as i64) as u64 + cost;
        (owed <= self.burst || cost == 0).then_some(owed)
    }
}

/// What is owed, at most `burst`, when a bucket's word lies `ahead` of now; all in units.
#[inline]
pub(super) fn debt(ahead: u64, burst: u64) -> u64 {
    if ahead > burst + (SKEW << UNIT_SHIFT) { 0 } else { ahead.min(burst) }
}

/// How much of a take of `cost` units is owed, when the word that it left lies `ahead` of now.
pub(super) fn unpaid(ahead: i64, cost: u64) -> u64 {
    cost.min(ahead.max(0) as u64)
}

impl Limit {
    /// What is owed after a take of `cost` units, all in units.
    #[inline]
    pub(super) fn fit(&self, debt: u64, cost: u64) -> Result<u64, Short> {
        let room = self.burst - debt;
        if cost <= room {
            return Ok(debt + cost);
        }
        if cost > self.burst {
            return Err(Short::Exceeds);
        }
        Err(Short::For((cost - room).div_ceil(1 << UNIT_SHIFT)))
    }
}

impl PaidAt {
    /// A bucket that is full at `now`.
    pub(crate) fn full(now: u64) -> Self {
        Self(now << UNIT_SHIFT)
    }

    /// A bucket that owes so many units at `now`.
    #[inline(always)]
    fn owing(owed: u64, now: u64) -> Self {
        Self((now << UNIT_SHIFT).wrapping_add(owed))
    }

    /// Units from now to the word's time; one that has passed is far ahead.
    #[inline(always)]
    fn ahead(self, now: u64) -> u64 {
        self.0.wrapping_sub(now << UNIT_SHIFT)
    }

    /// What is owed at `now`, in units, at most `burst`.
    #[inline]
    pub(crate) fn debt(self, now: u64, burst: u64) -> u64 {
        debt(self.ahead(now), burst)
    }

    /// How much of a take of `cost` units that left this word is owed at `now`: time pays for it last.
    fn unpaid(self, cost: u64, now: u64) -> u64 {
        unpaid(self.ahead(now) as i64, cost)
    }

    /// The word when so many units less are owed.
    fn less(self, units: u64) -> Self {
        Self(self.0.wrapping_sub(units))
    }

    /// What a take of `cost` units would do at a time that is at least `now` and at most a grain later, if they fit whichever
    /// it is.
    ///
    /// What is left is judged as at `now`, and the take is booked as a grain later: so no more is ever admitted than by the
    /// exact time. `None` says nothing about the exact time, nor about limits under which a byte lasts longer than a burst.
    #[inline(always)]
    pub(crate) fn take_at_about(self, cost: u64, now: u64, rough: &Rough) -> Option<Taken<Self>> {
        rough.fit(self.ahead(now) as i64, cost).map(|owed| Taken { before: self, after: Self::owing(owed, now) })
    }

    /// Takes `cost` units at `now`.
    #[inline]
    pub(crate) fn take(self, cost: u64, now: u64, limit: &Limit) -> Result<Self, Short> {
        limit.fit(self.debt(now, limit.burst), cost).map(|owed| Self::owing(owed, now))
    }
}

/// A bucket that threads share.
pub(crate) struct Bucket {
    paid_at: Word<PaidAt>,
}

impl Bucket {
    pub(crate) fn new(now: u64) -> Self {
        Self { paid_at: Word::new(PaidAt::full(now)) }
    }

    /// Fills the bucket for a new tenant. Relaxed: its record is not published while it is made.
    pub(crate) fn fill(&self, now: u64) {
        self.paid_at.store_over(PaidAt::full(now), Ordering::Relaxed);
    }

    /// The word. Relaxed: a bucket publishes nothing but itself.
    #[inline]
    pub(crate) fn paid_at(&self) -> PaidAt {
        self.paid_at.load(Ordering::Relaxed)
    }

    /// Takes `cost` units, or tells why not and changes nothing.
    ///
    /// The loop ends: each failed CAS is another thread's take or refund.
    #[inline]
    pub(crate) fn take(&self, cost: u64, now: u64, limit: &Limit) -> Result<Taken<PaidAt>, Short> {
        loop {
            let before = self.paid_at();
            let after = before.take(cost, now, limit)?;
            // Relaxed: the word is all that takers share; modification order makes the sum of takes exact.
            if self.paid_at.swap_if(before, after, Ordering::Relaxed, Ordering::Relaxed) {
                return Ok(Taken { before, after });
            }
        }
    }

    /// Carries out a take of `cost` units at a time that is only roughly known, see [`PaidAt::take_at_about`]; `None`, and
    /// nothing done, where only the exact time can tell.
    ///
    /// `taken`: as it was worked out from the word. Who takes from two buckets works both out first, so that the second does
    /// not wait for the first CAS.
    #[inline(always)]
    pub(crate) fn carry_out(
        &self,
        mut taken: Taken<PaidAt>,
        cost: u64,
        now: u64,
        rough: &Rough,
    ) -> Option<Taken<PaidAt>> {
        // Relaxed: as in `take`.
        while !self.paid_at.swap_if(taken.before, taken.after, Ordering::Relaxed, Ordering::Relaxed) {
            taken = self.paid_at().take_at_about(cost, now, rough)?;
        }
        Some(taken)
    }

    /// Undoes a take whose request was refused elsewhere: the word as it was, or, if someone has used it since, without what
    /// the take still owes.
    ///
    /// What time has paid for does not come back: without the take, the bucket might have stood full meanwhile, and time would
    /// have given it nothing. That is judged by the word as the take left it, as if nothing had been given back since: see what
    /// is not guaranteed in `DESIGN.md`.
    ///
    /// The loop ends: each failed CAS is another thread's take or refund.
    pub(crate) fn undo(&self, taken: Taken<PaidAt>, cost: u64, clock: &Clock) {
        if self.restore(taken) {
            return;
        }
        loop {
            let before = self.paid_at();
            // After the word, by a processor's clock: who has used it did so at this time or before.
            let after = before.less(taken.after.unpaid(cost, clock.now()));
            // Relaxed: as in `take`.
            if self.paid_at.swap_if_strong(before, after, Ordering::Relaxed, Ordering::Relaxed) {
                return;
            }
        }
    }

    /// The word as it was before a take; `false`, and nothing done, when someone has used it since.
    pub(crate) fn restore(&self, taken: Taken<PaidAt>) -> bool {
        // Relaxed: as in `take`.
        self.paid_at.swap_if_strong(taken.after, taken.before, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// Gives back `cost` units. Never above full: a time that has passed is full, however long ago it was.
    pub(crate) fn refund(&self, cost: u64) {
        // Relaxed: as in `take`.
        self.paid_at.bits_sub(cost);
    }
}

impl Word<PaidAt> {
    fn bits_sub(&self, cost: u64) {
        self.add_bits(cost.wrapping_neg(), Ordering::Relaxed);
    }
}

/// What a take did to the word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken<W> {
    pub(super) before: W,
    pub(super) after: W,
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;

    /// 1 MB/s with a burst of 1 s.
    fn limit() -> Limit {
        Limit::new(Rate::new(1_000_000), &Burst::new(1_000_000_000))
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_tells_when_the_next_fits() {
        let (bucket, limit) = (Bucket::new(7), limit());
        assert!(bucket.take(limit.rate.cost(1_000_000), 7, &limit).is_ok());
        assert_eq!(bucket.take(limit.rate.cost(500), 7, &limit).unwrap_err(), Short::For(500_000));
        assert!(bucket.take(limit.rate.cost(500), 500_007, &limit).is_ok());
        assert_eq!(bucket.take(limit.rate.cost(1_000_001), 1 << 40, &limit).unwrap_err(), Short::Exceeds);
    }

    #[test]
    fn an_undone_take_leaves_the_word_as_it_was() {
        let (bucket, limit) = (Bucket::new(0), limit());
        let before = bucket.paid_at();
        let taken = bucket.take(limit.rate.cost(10), 5_000_000_000, &limit).unwrap();
        bucket.undo(taken, limit.rate.cost(10), &Clock::manual(5_000_000_000).0);
        assert_eq!(bucket.paid_at(), before);
    }

    #[test]
    fn a_lagging_thread_gets_no_second_burst() {
        let (bucket, limit) = (Bucket::new(0), limit());
        bucket.take(limit.burst, 10_000_000_000, &limit).unwrap();
        assert!(bucket.take(limit.rate.cost(1), 9_999_999_000, &limit).is_err());
    }

    #[test]
    fn a_limit_below_a_byte_per_burst_holds_one_byte() {
        let limit = Limit::new(Rate::new(1), &Burst::new(1_000));
        assert_eq!(limit.burst_bytes(), 1);
    }

    proptest! {
        /// Over every window at most burst + rate·T, whatever the spacing and across the wrap of the word, and however late others
        /// are undone, the last one first.
        #[test]
        fn never_above_burst_and_rate(
            start in prop_oneof![Just(0u64), Just((1u64 << 54) - 1_000_000_000)],
            rate in 1u64..100_000_000_000,
            asks in prop::collection::vec((0u64..3_000_000_000, 1u64..1_000_000_000, 0..4), 1..50),
        ) {
            let limit = Limit::new(Rate::new(rate), &Burst::new(1_000_000_000));
            let bucket = Bucket::new(start);
            let (clock, hand) = Clock::manual(start);
            let mut log: Vec<(u64, u128)> = Vec::new();
            let mut held = Vec::new();
            for (wait, bytes, fate) in asks {
                hand.advance(Duration::from_nanos(wait));
                let (now, cost) = (hand.now(), limit.rate.cost(bytes));
                match bucket.take(cost, now, &limit) {
                    // A request that is refused elsewhere, and told so later.
                    Ok(taken) if fate == 0 => held.push((taken, cost)),
                    Ok(_) => log.push((now, bytes.into())),
                    Err(_) => {}
                }
                if fate == 1 && let Some((taken, cost)) = held.pop() {
                    bucket.undo(taken, cost, &clock);
                }
            }
            for first in 0..log.len() {
                let mut sum = 0;
                for (at, bytes) in &log[first..] {
                    sum += bytes;
                    let span = u128::from(at - log[first].0) + 1_000_000_000;
                    prop_assert!(sum * 1_000_000_000 <= u128::from(rate) * span);
                }
            }
        }
    }
}
