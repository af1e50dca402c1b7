//! What a permit carries.

use crate::breaker::gate::Generation;
use crate::decision::Traffic;
use crate::id::PeerId;
use crate::peer::admit::{Admitted, Charge};
use crate::peer::report::Standing;
use crate::table::Tenancy;
use crate::token_bucket::Direction;

/// How a permit reaches its peer's record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hold {
    /// There was none.
    Unknown,
    /// It was seen: the report reaches it by its life, or by a pin of its own.
    Seen(Tenancy),
    /// The permit carries a pin of its own, because it holds a probe.
    Kept(u32),
    /// A [`Peer`](super::Peer) that the permit borrows holds it.
    Lent(u32),
    /// The table is full.
    Untracked,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) id: PeerId,
    pub(crate) hold: Hold,
    pub(crate) generation: Generation,
    pub(crate) probe: bool,
    pub(crate) direction: Direction,
    /// Bytes that were granted and not refunded.
    pub(crate) bytes: u64,
    pub(crate) charge: Charge,
}

impl Ticket {
    /// A permit without bytes or probe.
    #[inline]
    pub(crate) fn plain(id: &PeerId, hold: Hold, generation: Generation) -> Self {
        let charge = Charge::default();
        Self { id: *id, hold, generation, probe: false, direction: Direction::Upload, bytes: 0, charge }
    }

    #[inline]
    pub(crate) fn of(id: &PeerId, hold: Hold, direction: Direction, admitted: &Admitted) -> Self {
        let Admitted { generation, probe, bytes, charge } = *admitted;
        Self { id: *id, hold, generation, probe, direction, bytes, charge }
    }

    #[inline]
    pub(crate) fn standing(&self) -> Standing {
        if self.probe { Standing::Probe(self.generation) } else { Standing::Permit(self.generation) }
    }

    /// Holds something that must be given back or counted.
    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        self.probe || self.bytes != 0 || matches!(self.hold, Hold::Kept(_))
    }

    /// Nothing is left to give back.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        (self.hold, self.probe, self.bytes) = (Hold::Unknown, false, 0);
    }

    /// The granted bytes as traffic.
    #[inline]
    pub(crate) fn traffic(&self) -> Traffic {
        match self.direction {
            Direction::Upload => Traffic { sent: self.bytes, received: 0 },
            Direction::Download => Traffic { sent: 0, received: self.bytes },
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
            let mut ticket = Ticket::plain(&PeerId::new([0; 32]), Hold::Unknown, Generation::FIRST);
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
