//! The flow words: what plain successes and byte takes count, without a pin.
//!
//! ```text
//!  63                      34 33         27 26      20 19                   0
//! +--------------------------+-------------+----------+----------------------+
//! | bytes (30)               | message     | sync     | life (20)            |
//! |                          | successes(7)| succ. (7)|                      |
//! +--------------------------+-------------+----------+----------------------+
//! ```
//!
//! A record has one for each direction. The life is that of the tenancy: a report adds by a CAS that fails on another life,
//! so that it never counts for the next tenant, and eviction exchanges the word for an empty one of the next life, so that
//! it writes down all that was counted.
//!
//! The fields are narrow. What does not fit any more is emptied into the record's wide counters, under a pin: see
//! [`Record::empty_flow`](super::record::Record::empty_flow).

use crate::reputation::outcome::Outcome;
use crate::sync::{Field, packed};

type LifeField = Field<0, 20>;
type SyncField = Field<20, 7>;
type MessageField = Field<27, 7>;
type BytesField = Field<34, 30>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow(u64);

impl Flow {
    /// Nothing counted in this life.
    pub(crate) fn empty(life: u32) -> Self {
        Self(LifeField::pack(life.into()))
    }

    #[inline]
    pub(crate) fn life(self) -> u32 {
        LifeField::get(self.0) as u32
    }

    #[inline]
    pub(crate) fn sync_successes(self) -> u64 {
        SyncField::get(self.0)
    }

    #[inline]
    pub(crate) fn message_successes(self) -> u64 {
        MessageField::get(self.0)
    }

    #[inline]
    pub(crate) fn bytes(self) -> u64 {
        BytesField::get(self.0)
    }

    /// A field is at least half full.
    pub(crate) fn is_crowded(self) -> bool {
        let half = |count: u64, max: u64| count > max / 2;
        half(self.sync_successes(), SyncField::MAX)
            || half(self.message_successes(), MessageField::MAX)
            || half(self.bytes(), BytesField::MAX)
    }

    /// With an outcome and bytes more; `None` where a field is full. Only successes are counted here.
    #[inline(always)]
    pub(crate) fn with(self, outcome: Outcome, bytes: u64) -> Option<Self> {
        let (one, room) = match outcome {
            Outcome::SyncSuccess => (SyncField::ONE, self.sync_successes() < SyncField::MAX),
            Outcome::MessageSuccess => (MessageField::ONE, self.message_successes() < MessageField::MAX),
            _ => (0, true),
        };
        let fits = room && bytes <= BytesField::MAX - self.bytes();
        fits.then(|| Self(self.0 + one + (bytes << BytesField::ONE.trailing_zeros())))
    }
}

packed!(Flow);

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_flow_counts_until_a_field_is_full(life in 0u32..1 << 20, steps in prop::collection::vec((0usize..3, 0u64..1 << 29), 0..300)) {
            let mut flow = Flow::empty(life);
            let mut sums = [0u64; 3];
            for (kind, bytes) in steps {
                let outcome = [Outcome::SyncSuccess, Outcome::MessageSuccess, Outcome::Cancelled][kind];
                let mut next = sums;
                if kind < 2 {
                    next[kind] += 1;
                }
                next[2] += bytes;
                let fits = next[0] < 1 << 7 && next[1] < 1 << 7 && next[2] < 1 << 30;
                prop_assert_eq!(flow.with(outcome, bytes).is_some(), fits);
                if let Some(more) = flow.with(outcome, bytes) {
                    (flow, sums) = (more, next);
                }
                prop_assert_eq!([flow.sync_successes(), flow.message_successes(), flow.bytes()], sums);
                prop_assert_eq!(flow.life(), life);
            }
        }
    }
}
