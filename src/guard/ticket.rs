//! What a permit carries.

use crate::breaker::gate::Generation;
use crate::decision::Traffic;
use crate::id::PeerId;
use crate::peer::admit::{Admitted, Charge};
use crate::peer::report::{Report, Standing};
use crate::table::{Pin, Tenancy};
use crate::token_bucket::Direction;

/// How a permit reaches its peer's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It was seen: the report reaches it by its life, or by a pin of its own.
    Seen,
    /// A [`Peer`](super::Peer) that the permit borrows holds it.
    Lent,
    /// The permit carries a pin of its own, because it holds a probe.
    Kept,
    /// There was none.
    Unknown,
    /// The table is full.
    Untracked,
}

/// The id comes last: a refusal, which takes the permit's place in a result, then lies over numbers and does not cut the id's
/// bytes into odd pieces when the result is moved.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Ticket {
    /// Of the record, where there is one.
    pub(crate) tenancy: Tenancy,
    /// Bytes that were granted and not refunded.
    pub(crate) bytes: u64,
    pub(crate) charge: Charge,
    pub(crate) generation: Generation,
    pub(crate) hold: Hold,
    pub(crate) probe: bool,
    pub(crate) direction: Direction,
    /// `NOBODY` where the record is lent.
    pub(crate) id: PeerId,
}

impl Ticket {
    /// A permit without bytes or probe.
    #[inline(always)]
    pub(crate) fn plain(id: &PeerId, hold: Hold, tenancy: Tenancy, generation: Generation) -> Self {
        let charge = Charge::default();
        Self { id: *id, hold, tenancy, generation, probe: false, direction: Direction::Upload, bytes: 0, charge }
    }

    #[inline(always)]
    pub(crate) fn of(id: &PeerId, hold: Hold, tenancy: Tenancy, direction: Direction, admitted: &Admitted) -> Self {
        let Admitted { generation, probe, bytes, charge } = *admitted;
        Self { id: *id, hold, tenancy, generation, probe, direction, bytes, charge }
    }

    /// A permit for a record that the caller holds, with or without bytes: whose it is stands there.
    #[inline(always)]
    pub(crate) fn lent(tenancy: Tenancy, direction: Direction, admitted: &Admitted) -> Self {
        Self::of(&PeerId::NOBODY, Hold::Lent, tenancy, direction, admitted)
    }

    /// The same ticket, field by field. What a call wrote to memory is so taken out of it, and a permit that was made on the
    /// fast path beside that call need not lie there: a copy as a whole would wait for the stores that it is pieced together
    /// from.
    #[inline(always)]
    pub(crate) fn unpacked(self, id: &PeerId) -> Self {
        let Self { id: _, hold, tenancy, generation, probe, direction, bytes, charge } = self;
        let tenancy = Tenancy { slot: tenancy.slot, life: tenancy.life };
        let charge = Charge { peer: charge.peer, global: charge.global };
        Self { id: *id, hold, tenancy, generation, probe, direction, bytes, charge }
    }

    /// A ticket for a record that is pinned; the pin stays with a probe, if it may.
    pub(crate) fn pinned(id: &PeerId, pin: Pin<'_>, direction: Direction, admitted: &Admitted) -> Self {
        let tenancy = pin.tenancy();
        let hold = if admitted.probe && pin.keep().is_some() { Hold::Kept } else { Hold::Seen };
        Self::of(id, hold, tenancy, direction, admitted)
    }

    #[inline]
    pub(crate) fn standing(&self) -> Standing {
        if self.probe { Standing::Probe(self.generation) } else { Standing::Permit(self.generation) }
    }

    /// Holds something that must be given back or counted.
    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        self.probe || self.bytes != 0 || self.hold == Hold::Kept
    }

    /// Nothing is left to give back.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        (self.hold, self.probe, self.bytes) = (Hold::Unknown, false, 0);
    }

    /// The traffic of a report, with the granted bytes.
    #[inline]
    pub(crate) fn traffic(&self, report: &Report) -> Traffic {
        let Traffic { sent, received } = report.traffic;
        match self.direction {
            Direction::Upload => Traffic { sent: sent.saturating_add(self.bytes), received },
            Direction::Download => Traffic { sent, received: received.saturating_add(self.bytes) },
        }
    }

    /// Takes `n` bytes out of the ticket; what they were charged comes back. Parts add up to the whole charge.
    pub(crate) fn split(&mut self, n: u64) -> Charge {
        let left = self.bytes - n;
        let keep = |charge: u64| (u128::from(charge) * u128::from(left)).div_ceil(self.bytes.max(1).into()) as u64;
        let kept = Charge { peer: keep(self.charge.peer), global: keep(self.charge.global) };
        let back = Charge { peer: self.charge.peer - kept.peer, global: self.charge.global - kept.global };
        (self.bytes, self.charge) = (left, kept);
        back
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn refunds_in_parts_give_back_the_whole_charge(bytes in 1u64..1 << 40, peer in 0u64..1 << 50, cuts in prop::collection::vec(0f64..1.0, 0..6)) {
            let mut ticket = Ticket::plain(&PeerId::new([0; 32]), Hold::Unknown, Tenancy::NONE, Generation::FIRST);
            (ticket.bytes, ticket.charge) = (bytes, Charge { peer, global: peer / 3 });
            let mut back = Charge::default();
            for cut in cuts.into_iter().chain([1.0]) {
                let part = ticket.split((ticket.bytes as f64 * cut) as u64);
                back = Charge { peer: back.peer + part.peer, global: back.global + part.global };
            }
            prop_assert_eq!(back, Charge { peer, global: peer / 3 });
            prop_assert_eq!(ticket.bytes, 0);
        }
    }
}
