//! What a byte costs at a rate, kept so that the cost of a request is a product.

use super::rate::{Rate, SECOND};
use crate::sync::{Field, packed};

type DigitsField = Field<0, 58>;
type ShiftField = Field<58, 6>;

/// The price of a byte in units, as a binary floating-point number cut off after 58 digits.
///
/// ```text
///  63       58 57                                              0
/// +-----------+------------------------------------------------+
/// | shift (6) | digits (58): price = digits · 2^(shift - 58)   |
/// +-----------+------------------------------------------------+
/// ```
///
/// 0 is the price at no limit. What is cut off is less than the 2^57th part, and so, over [`Self::MOST`] bytes, less than the
/// least by which a cost that is no whole number can lie above one: rounded up, the product is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price(u64);

impl Price {
    /// Most bytes whose cost a price tells: 128 KiB. A cost is a multiple of 1 / rate, and this many bytes cost less than
    /// 2^57 / rate.
    pub(crate) const MOST: u64 = 1 << 17;

    /// The price at a limit.
    pub(crate) fn at(rate: Rate) -> Self {
        let price = (u128::from(SECOND) << DIGITS).checked_div(rate.bytes_per_second().into()).unwrap_or(0);
        let shift = (u128::BITS - price.leading_zeros()).saturating_sub(DIGITS);
        Self(ShiftField::pack(shift.into()) | DigitsField::pack((price >> shift) as u64))
    }

    /// What at most [`Self::MOST`] bytes cost, in units, rounded up.
    #[inline(always)]
    pub(crate) fn of(self, bytes: u64) -> u64 {
        let digits = self.0 << (u64::BITS - DIGITS);
        let product = u128::from(bytes << ShiftField::get(self.0)) * u128::from(digits);
        (product >> u64::BITS) as u64 + u64::from(product as u64 != 0)
    }
}

/// Binary digits that are kept of a price.
const DIGITS: u32 = 58;

packed!(Price);

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::super::rate::{MAX_RATE, tests::any_rate};
    use super::*;
    use proptest::prelude::*;

    fn exact(rate: u64, bytes: u64) -> u64 {
        Rate::new(rate).cost(bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn a_product_is_the_exact_cost(rate in any_rate(), bytes in 0u64..=Price::MOST) {
            prop_assert_eq!(Price::at(Rate::new(rate)).of(bytes), exact(rate, bytes));
        }

        /// Rates at which the cost lies as little above a whole number as it can.
        #[test]
        fn a_cost_that_is_almost_whole_is_rounded_up(units in 1u64..1 << 30, bytes in 1u64..=Price::MOST) {
            for rate in [bytes * SECOND / units, bytes * SECOND / units + 1] {
                if (1..=MAX_RATE).contains(&rate) {
                    prop_assert_eq!(Price::at(Rate::new(rate)).of(bytes), exact(rate, bytes));
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for rate in [1, 2, 3, 999_999_999, 1 << 39, MAX_RATE - 1, MAX_RATE] {
            for bytes in [0, 1, 2, 3, Price::MOST - 1, Price::MOST] {
                assert_eq!(Price::at(Rate::new(rate)).of(bytes), exact(rate, bytes), "{bytes} bytes at {rate}");
            }
        }
        assert_eq!(Price::at(Rate::UNLIMITED).of(Price::MOST), 0);
    }
}
