//! A limit as the bucket needs it: the cost of a byte, without a division at each request.
//!
//! ```text
//!  63    57 56                                             0
//! +--------+------------------------------------------------+
//! | shift  | units per byte · 2^shift, rounded up (57 bits) |
//! +--------+------------------------------------------------+
//! ```
//!
//! 0 is unlimited, all ones is "as the guard says" (in a peer's own limits). The rounding overcharges by less than 2^-56.

use crate::sync::Packed;

/// Largest limit: 2^40 bytes per second (1.1 TB/s).
pub(crate) const MAX_RATE: u64 = 1 << 40;
/// Units of a bucket's time in a nanosecond, as a shift.
pub(crate) const UNIT_SHIFT: u32 = 10;
/// Units in a second.
const SECOND: u128 = 1_000_000_000 << UNIT_SHIFT;
const FACTOR_BITS: u32 = 57;

/// A limit in bytes per second, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(u64);

impl Rate {
    pub(crate) const UNLIMITED: Self = Self(0);
    pub(crate) const INHERITED: Self = Self(u64::MAX);

    /// `bytes_per_second`: 0 = unlimited, at most [`MAX_RATE`].
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        if bytes_per_second == 0 {
            return Self::UNLIMITED;
        }
        let rate = u128::from(bytes_per_second);
        // The largest shift for which the factor fits; at least 17, for 1 byte per second.
        let mut shift = FACTOR_BITS - (SECOND / rate).max(1).ilog2() - 1;
        while (SECOND << shift).div_ceil(rate) >> FACTOR_BITS != 0 {
            shift -= 1;
        }
        Self(u64::from(shift) << FACTOR_BITS | (SECOND << shift).div_ceil(rate) as u64)
    }

    /// A peer's own limit: `None` inherits.
    pub(crate) fn own(limit: Option<u64>) -> Self {
        limit.map_or(Self::INHERITED, Self::new)
    }

    /// The limit in bytes per second; `None` = inherited.
    pub(crate) fn get(self) -> Option<u64> {
        match self {
            Self::INHERITED => None,
            Self::UNLIMITED => Some(0),
            _ => {
                let factor = u128::from(self.factor());
                Some((((SECOND << self.shift()) + factor / 2) / factor) as u64)
            }
        }
    }

    #[inline]
    pub(crate) fn is_unlimited(self) -> bool {
        self == Self::UNLIMITED
    }

    #[inline]
    fn factor(self) -> u64 {
        self.0 & ((1 << FACTOR_BITS) - 1)
    }

    #[inline]
    fn shift(self) -> u32 {
        (self.0 >> FACTOR_BITS) as u32
    }

    /// Time that `bytes` take at this rate, in units, rounded up; it saturates.
    #[inline]
    pub(crate) fn cost(self, bytes: u64) -> u64 {
        let exact = u128::from(bytes) * u128::from(self.factor());
        let units = (exact + ((1 << self.shift()) - 1)) >> self.shift();
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// Most bytes whose cost is within `units`.
    pub(crate) fn bytes_within(self, units: u64) -> u64 {
        let bytes = (u128::from(units) << self.shift()) / u128::from(self.factor());
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

#[cfg(test)]
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
        fn a_cost_is_rounded_up_by_less_than_a_unit_and_a_trifle(rate in any_rate(), bytes in 0u64..1 << 44) {
            let cost = u128::from(Rate::new(rate).cost(bytes));
            let exact = u128::from(bytes) * SECOND;
            if cost < u64::MAX.into() {
                prop_assert!(cost * u128::from(rate) >= exact);
                prop_assert!(cost <= exact.div_ceil(rate.into()) + (cost >> 55) + 1);
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
        assert_eq!(Rate::new(1).cost(1), SECOND as u64);
        assert_eq!(Rate::new(MAX_RATE).get(), Some(MAX_RATE));
        assert_eq!(Rate::new(1).cost(u64::MAX), u64::MAX);
    }
}
