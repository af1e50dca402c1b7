//! A limit, and what a byte costs at it.
//!
//! 0 is unlimited, all ones is "as the guard says" (in a peer's own limits), anything else is bytes per second. Costs are
//! exact but for being rounded up to a unit.

use crate::sync::Packed;

/// Largest limit: 2^40 bytes per second (1.1 TB/s).
pub(crate) const MAX_RATE: u64 = 1 << 40;
/// Units of a bucket's time in a nanosecond, as a shift.
pub(crate) const UNIT_SHIFT: u32 = 10;
/// Units in a second.
const SECOND: u64 = 1_000_000_000 << UNIT_SHIFT;

/// A limit in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rate(u64);

impl Rate {
    pub(crate) const UNLIMITED: Self = Self(0);
    pub(crate) const INHERITED: Self = Self(u64::MAX);

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

    /// The largest whole number of times that the rate fits into 2^64 − 1; 0 for `UNLIMITED`.
    pub(crate) fn inverse(self) -> u64 {
        u64::MAX.checked_div(self.0).unwrap_or(0)
    }

    /// As [`Self::cost`], by a product where `inverse` is this rate's: then the quotient is the guess or one more. Any other
    /// number gives the same cost, only later.
    #[inline(always)]
    pub(crate) fn cost_by(self, bytes: u64, inverse: u64) -> u64 {
        let Some(exact) = bytes.checked_mul(SECOND) else { return self.cost_of_many(bytes) };
        let guess = ((u128::from(exact) * u128::from(inverse)) >> 64) as u64;
        if let Some(product) = guess.checked_mul(self.0)
            && let Some(rest) = exact.checked_sub(product)
            && rest <= 2 * self.0
        {
            return guess + u64::from(rest > 0) + u64::from(rest > self.0);
        }
        self.cost(bytes)
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

impl Packed for Rate {
    #[inline]
    fn to_bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_rate() -> impl Strategy<Value = u64> {
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
        fn a_guess_changes_no_cost(rate in any_rate(), other in any_rate(), any: u64, bytes in 0u64..1 << 44) {
            let rate = Rate::new(rate);
            for inverse in [rate.inverse(), Rate::new(other).inverse(), any, 0] {
                prop_assert_eq!(rate.cost_by(bytes, inverse), rate.cost(bytes));
            }
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
