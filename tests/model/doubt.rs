//! Where the guard may not know how old a stamp is, and the sequences end.

use crate::reference::breaker::{Breaker, Phase};
use crate::reference::rules::Rules;
use crate::reference::time::{STEP_BACK_NS, TICK_BITS, tick};

/// Slice numbers and lease ticks are kept by their low bits.
const SLICE_TURN: i128 = 1 << 14;
const LEASE_TURN: i128 = 1 << 27;

impl Breaker {
    /// Whether the age of a stamp is in doubt, for one of two reasons that lie in how stamps are kept.
    ///
    /// The field of an old stamp has gone round, and other things that were recorded of the peer hide how long ago it was
    /// written. Or the clock stepped back, something was recorded then, and the clock came forward again: for the guard
    /// nothing has been recorded for long, so that what came before the step is forgotten.
    pub fn is_doubtful(&self, now: u64, last_seen: u64, rules: &Rules) -> bool {
        let idle = i128::from(now) - i128::from(last_seen);
        let near = |age: i128, reach: i128, turn: i128| {
            let low = age.rem_euclid(turn);
            age.abs() > reach && (low <= reach || low >= turn - reach)
        };
        let slice = rules.slice(now);
        let window_ns = rules.slice_ns * 8;
        let mut slices = self.streak.newest().into_iter().chain(self.calls.slices());
        if idle < window_ns && slices.any(|counted| near(slice - counted, 8, SLICE_TURN)) {
            return true;
        }
        // Slices next to the present one, by their low bits, are never emptied.
        if self.calls.slices().any(|counted| near(slice - counted, 1, SLICE_TURN)) {
            return true;
        }
        // A call of the failure-rate window stands in its own slice; those ahead of a clock that stepped back may be gone.
        if self.calls.slices().any(|counted| counted > slice) {
            return true;
        }
        if idle >= window_ns && (self.streak.count(slice) > 0 || self.calls.count(slice).0 > 0) {
            return true;
        }
        let Phase::HalfOpen(trial) = &self.phase else {
            return false;
        };
        let skew = STEP_BACK_NS >> TICK_BITS;
        let age = tick(now) - trial.last_admitted;
        let low = age.rem_euclid(LEASE_TURN);
        let over = age < -skew || age >= rules.lease_ticks;
        let lease_ns = rules.lease_ticks << TICK_BITS;
        // Only half a turn without any record tells that the lease is of long ago.
        let known_idle = idle >= (LEASE_TURN / 2) << TICK_BITS;
        let gone_round = !(known_idle && idle >= lease_ns + (1 << TICK_BITS))
            && over
            && (low < rules.lease_ticks || low >= LEASE_TURN - skew);
        trial.out() > 0 && (gone_round || (known_idle && idle >= lease_ns && !trial.lost(now, rules)))
    }
}
