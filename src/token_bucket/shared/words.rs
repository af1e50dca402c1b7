//! The words of a bucket that lends.

use crate::sync::{Field, packed};
use crate::token_bucket::bucket::{debt, unpaid};
use crate::token_bucket::rate::UNIT_SHIFT;

/// After so many renewals in a row by one thread, shares are of no use.
pub(super) const ALONE: u64 = 8;

type LentField = Field<0, 1>;
/// Halves of a unit in a nanosecond, as a shift: the lowest bit is not time.
const HALVES_SHIFT: u32 = UNIT_SHIFT + 1;

/// The bucket's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account(u64);

packed!(Account);

impl Account {
    pub(super) fn full(now: u64) -> Self {
        Self(now << HALVES_SHIFT)
    }

    #[inline(always)]
    pub(super) fn is_lent(self) -> bool {
        self.0 & LentField::MASK != 0
    }

    pub(super) fn lent(self) -> Self {
        Self(self.0 | LentField::MASK)
    }

    /// The same time, and nothing lent.
    pub(super) fn whole(self) -> Self {
        Self(self.0 & !LentField::MASK)
    }

    /// Units from now to the word's time; one that has passed is behind, unless it is more than 52 days ago.
    #[inline(always)]
    pub(super) fn ahead(self, now: u64) -> i64 {
        self.0.wrapping_sub(now << HALVES_SHIFT) as i64 >> 1
    }

    /// What is owed at `now`, in units, at most `burst`.
    #[inline]
    pub(crate) fn debt(self, now: u64, burst: u64) -> u64 {
        // A time that has passed is far ahead.
        debt(self.ahead(now) as u64, burst)
    }

    /// How much of a take of `cost` units that left this word is owed at `now`, where a bucket owes `floor` units at least.
    pub(super) fn unpaid(self, cost: u64, floor: u64, now: u64) -> u64 {
        unpaid(self.ahead(now).saturating_sub_unsigned(floor), cost)
    }

    /// The word when so many units less are owed.
    pub(super) fn less(self, units: u64) -> Self {
        Self(self.0.wrapping_sub(units << 1))
    }

    /// The same bucket when it owes so many units at `now`.
    #[inline(always)]
    pub(super) fn owing(self, owed: u64, now: u64) -> Self {
        Self((now << HALVES_SHIFT).wrapping_add(owed << 1) | (self.0 & LentField::MASK))
    }
}

/// Whether shares are open; for those who open and close them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lending(u64);

impl Lending {
    pub(super) const CLOSED: Self = Self(0);
    /// By one thread, for which nobody waits: who finds his share closed or short takes from the bucket.
    pub(super) const CHANGING: Self = Self(1);
    pub(super) const OPEN: Self = Self(2);
}

packed!(Lending);

type HeldField = Field<0, 63>;
type OpenField = Field<63, 1>;

/// What a thread may take without asking the bucket, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(u64);

impl Share {
    /// Closed, and empty.
    pub(super) const NONE: Self = Self(0);

    pub(super) fn open(units: u64) -> Self {
        Self(OpenField::MASK | HeldField::pack(units))
    }

    /// The same share with so many units.
    pub(super) fn with(self, units: u64) -> Self {
        Self(HeldField::set(self.0, units))
    }

    #[inline(always)]
    pub(super) fn is_open(self) -> bool {
        self.0 & OpenField::MASK != 0
    }

    #[inline(always)]
    pub(super) fn held(self) -> u64 {
        HeldField::get(self.0)
    }
}

packed!(Share);

type TurnsField = Field<0, 32>;
type ThreadField = Field<32, 32>;

/// Who has renewed its share lately, and how often in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Renewals(u64);

impl Renewals {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn and_of(self, thread: usize) -> Self {
        let thread = ThreadField::pack(thread as u64);
        let turns = if self.0 & ThreadField::MASK == thread { TurnsField::get(self.0) } else { 0 };
        Self(thread | TurnsField::pack(turns + 1))
    }

    pub(super) fn are_of_one(self) -> bool {
        TurnsField::get(self.0) >= ALONE
    }
}

packed!(Renewals);

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Before the wrap and after it, and whatever stood in the word.
        #[test]
        fn an_account_tells_what_it_owes_and_whether_it_has_lent(bits: u64, owed in 0u64..1 << 56, now: u64, lent: bool) {
            let before = if lent { Account(bits).lent() } else { Account(bits).whole() };
            let account = before.owing(owed, now);
            prop_assert_eq!((account.ahead(now), account.debt(now, 1 << 57), account.is_lent()), (owed as i64, owed, lent));
            prop_assert_eq!(account.lent().whole().ahead(now), account.ahead(now));
            prop_assert!(account.lent().is_lent() && !account.whole().is_lent());
        }

        #[test]
        fn a_share_survives_its_word(units in 0u64..1 << 56, others in 0u64..1 << 56) {
            let share = Share::open(others).with(units);
            prop_assert_eq!((share.is_open(), share.held()), (true, units));
            prop_assert!(!Share::NONE.is_open());
        }

        #[test]
        fn renewals_count_those_of_one_thread_in_a_row(one in 0usize..1 << 20, turns in 1u64..20) {
            let renewals = (0..turns).fold(Renewals::NONE.and_of(one + 1), |renewals, _| renewals.and_of(one));
            prop_assert_eq!(renewals.are_of_one(), turns >= ALONE);
        }
    }
}
