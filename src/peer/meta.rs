//! A slot's meta word: whose it is, and who holds it.
//!
//! ```text
//!  63          42 41          22 21  20 19                   0
//! +--------------+--------------+------+----------------------+
//! | changes (22) | pins (20)    | state| life (20)            |
//! +--------------+--------------+------+----------------------+
//! ```
//!
//! `life` is the tenancy: another key, another life. `pins` counts those who may change the record's words; a pinned record
//! is never evicted. `changes` moves with each pin that is given back, so that an evictor's CAS fails when the record
//! changed after it was judged; it stands at the top, where its overflow falls off.

use crate::sync::{Field, packed};

type LifeField = Field<0, 20>;
type StateField = Field<20, 2>;
type PinsField = Field<22, 20>;
type ChangesField = Field<42, 22>;

const FREE: u64 = 0;
const BUSY: u64 = 1;
const LIVE: u64 = 2;

/// Most pins that a record carries at one time.
#[cfg(not(peerguard_loom))]
const MOST_PINS: u64 = PinsField::MAX;
/// Few under loom, so that a record with as many as fit is met.
#[cfg(peerguard_loom)]
const MOST_PINS: u64 = 3;

/// Most of them that handles and probes keep. The others are for calls, which give theirs back at once: a record that is
/// held by a great many is not taken for none.
#[cfg(not(peerguard_loom))]
const MOST_KEPT: u64 = MOST_PINS.div_ceil(2);
#[cfg(peerguard_loom)]
const MOST_KEPT: u64 = MOST_PINS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta(u64);

impl Meta {
    /// A slot that no peer has had.
    pub(crate) const FREE: Self = Self(FREE);
    /// The bits that tell the tenancy: life and state.
    #[cfg(feature = "capi")]
    pub(crate) const TENANT: u64 = LifeField::MASK | StateField::MASK;
    #[cfg(feature = "capi")]
    pub(crate) const LIFE: u64 = LifeField::MASK;
    /// The state of a live record, at its place.
    #[cfg(feature = "capi")]
    pub(crate) const LIVE_BITS: u64 = StateField::pack(LIVE);
    /// Added when a pin is given back: one pin less, one change more.
    pub(crate) const UNPIN: u64 = ChangesField::ONE.wrapping_sub(PinsField::ONE);

    #[inline]
    pub(crate) fn life(self) -> u32 {
        LifeField::get(self.0) as u32
    }

    #[inline]
    pub(crate) fn is_live(self) -> bool {
        StateField::get(self.0) == LIVE
    }

    pub(crate) fn is_free(self) -> bool {
        StateField::get(self.0) == FREE
    }

    pub(crate) fn pins(self) -> u64 {
        PinsField::get(self.0)
    }

    /// Live, and of this life.
    #[inline]
    pub(crate) fn is(self, life: u32) -> bool {
        self.0 & (LifeField::MASK | StateField::MASK) == LifeField::pack(life.into()) | StateField::pack(LIVE)
    }

    /// One pin more; `None` when there are as many as fit.
    #[inline]
    pub(crate) fn pinned(self) -> Option<Self> {
        (self.pins() < MOST_PINS).then_some(Self(self.0.wrapping_add(PinsField::ONE)))
    }

    /// Whether one of these pins may be kept.
    pub(crate) fn may_keep(self) -> bool {
        self.pins() <= MOST_KEPT
    }

    /// Claimed for the next tenant: nobody else may write the record now.
    pub(crate) fn claimed(self) -> Self {
        let word = LifeField::set(self.0, LifeField::get(self.0) + 1);
        Self(PinsField::set(StateField::set(word, BUSY), 0))
    }

    /// Open for use, with the maker's pin.
    pub(crate) fn published(self) -> Self {
        Self(PinsField::set(StateField::set(self.0, LIVE), 1))
    }
}

packed!(Meta);

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_tenancy_from_claim_to_claim() {
        let live = Meta::FREE.claimed().published();
        assert!(live.is(1) && live.pins() == 1);
        let unpinned = Meta(live.0.wrapping_add(Meta::UNPIN));
        assert!(unpinned.is(1) && unpinned.pins() == 0 && unpinned != live);
        let next = unpinned.claimed();
        assert!(!next.is_live() && next.life() == 2);
        assert!(Meta(u64::MAX).pinned().is_none());
    }

    #[test]
    fn lives_and_changes_wrap_into_nothing_else() {
        let last = Meta(LifeField::MASK | ChangesField::MASK | StateField::pack(LIVE) | PinsField::pack(1));
        assert_eq!(last.claimed().life(), 0);
        assert!(!last.claimed().is_live());
        let unpinned = Meta(last.0.wrapping_add(Meta::UNPIN));
        assert!(unpinned.is(last.life()) && unpinned.pins() == 0);
    }
}
