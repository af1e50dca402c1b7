//! A limit, and what a byte costs at it.
//!
//! 0 is unlimited, all ones is "as the guard says" (in a peer's own limits), anything else is bytes per second. Costs are
//! exact but for being rounded up to a unit.

use crate::sync::packed;

/// Largest limit: 2^40 bytes per second (1.1 TB/s).
pub(crate) const MAX_RATE: u64 = 1 << 40;
/// Units of a bucket's time in a nanosecond, as a shift.
pub(crate) const UNIT_SHIFT: u32 = 10;
/// Units in a second.
pub(super) const SECOND: u64 = 1_000_000_000 << UNIT_SHIFT;

/// A limit in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rate(u64);

impl Rate {
    pub(crate) const UNLIMITED: Self = Self(0);
    pub(crate) const INHERITED: Self = Self(u64::MAX);
    /// More than any burst.
    pub(super) const MOST_UNITS: u64 = 1 << 63;

    /// `bytes_per_second`: 0 = unlimited, at most [`MAX_RATE`].
    pub(crate) const fn new(bytes_per_second: u64) -> Self {
        Self(bytes_per_second)
    }

    /// A peer's own limit: `None` inherits.
    pub(crate) fn own(limit: Option<u64>) -> Self {
        limit.map_or(Self::INHERITED, Self::new)
    }

    /// The limit in bytes per second; `None` = inherited.
    pub(crate) fn get(self) -> Option<u64> {
        (self != Self::INHERITED).then_some(self.0)
    }

    #[inline]
    pub(crate) fn is_unlimited(self) -> bool {
        self == Self::UNLIMITED
    }

    /// Time that `bytes` take at this rate, in units, rounded up; it saturates. Not for `UNLIMITED`.
    #[inline]
    pub(crate) fn cost(self, bytes: u64) -> u64 {
        match bytes.checked_mul(SECOND) {
            Some(exact) => exact.div_ceil(self.0),
            None => self.cost_of_many(bytes),
        }
    }

    /// As [`Self::cost`], at most [`Self::MOST_UNITS`]; 0 for `UNLIMITED`.
    #[cold]
    #[inline(never)]
    pub(crate) fn cost_if_limited(self, bytes: u64) -> u64 {
        if self.is_unlimited() { 0 } else { self.cost(bytes).min(Self::MOST_UNITS) }
    }

    /// The limit as a number; 0 for `UNLIMITED`. Not for `INHERITED`.
    pub(super) fn bytes_per_second(self) -> u64 {
        self.0
    }

    /// The lowest rate at which a byte comes in `units`.
    pub(crate) fn of_a_byte_in(units: u64) -> Self {
        Self(SECOND.div_ceil(units.max(1)))
    }

    /// As `cost`, for more than 18 MB.
    fn cost_of_many(self, bytes: u64) -> u64 {
        let units = (u128::from(bytes) * u128::from(SECOND)).div_ceil(self.0.into());
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// Most bytes whose cost is within `units`.
    pub(crate) fn bytes_within(self, units: u64) -> u64 {
        let bytes = u128::from(units) * u128::from(self.0) / u128::from(SECOND);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

packed!(Rate);

#[cfg(all(test, not(peerguard_loom)))]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_rate() -> impl Strategy<Value = u64> {
        (0u32..=40, any::<u64>()).prop_map(|(bits, n)| (n >> (63 - bits)).clamp(1, MAX_RATE))
    }

    proptest! {
        #[test]
        fn a_rate_survives_its_word(rate in any_rate()) {
            prop_assert_eq!(Rate::new(rate).get(), Some(rate));
        }

        #[test]
        fn a_cost_is_exact_but_for_rounding_up(rate in any_rate(), bytes in 0u64..1 << 44) {
            let exact = (u128::from(bytes) * u128::from(SECOND)).div_ceil(rate.into());
            prop_assert_eq!(Rate::new(rate).cost(bytes), u64::try_from(exact).unwrap_or(u64::MAX));
        }

        #[test]
        fn the_bytes_within_a_time_are_the_most_that_fit(rate in any_rate(), units in 0u64..1 << 50) {
            let rate = Rate::new(rate);
            let bytes = rate.bytes_within(units);
            prop_assert!(rate.cost(bytes) <= units);
            prop_assert!(rate.cost(bytes + 1) > units);
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(Rate::new(0), Rate::UNLIMITED);
        assert_eq!(Rate::own(None).get(), None);
        assert_eq!(Rate::own(Some(0)).get(), Some(0));
        assert_eq!(Rate::new(1).cost(1), SECOND);
        assert_eq!(Rate::new(MAX_RATE).get(), Some(MAX_RATE));
        assert_eq!(Rate::new(1).cost(u64::MAX), u64::MAX);
    }
}
