//! One peer's own byte limits. Few peers have any, so they lie beside the records, in a slab of their own; a bit of the gate
//! tells whether to look.

use super::record::Record;
use crate::breaker::gate::{Gate, GateWord};
use crate::config::PeerLimits;
use crate::sync::{Ordering, Word};
use crate::token_bucket::Direction;
use crate::token_bucket::rate::Rate;

/// By direction.
pub(crate) struct OwnLimits([Word<Rate>; 2]);

impl OwnLimits {
    /// None.
    pub(crate) fn none() -> Self {
        Self([Word::new(Rate::INHERITED), Word::new(Rate::INHERITED)])
    }

    /// Forgets the limits, for a new tenant. Relaxed: its record is not published while it is made.
    pub(crate) fn clear(&self) {
        self.0.iter().for_each(|limit| limit.store(Rate::INHERITED, Ordering::Relaxed));
    }

    pub(crate) fn get(&self) -> PeerLimits {
        // Relaxed: for display; takes read one limit under the gate's bit.
        let [upload, download] = Direction::ALL.map(|direction| self.0[direction.index()].load(Ordering::Relaxed));
        PeerLimits { upload: upload.get(), download: download.get() }
    }

    /// The limit of a direction: the peer's own where it has one.
    pub(crate) fn rate(&self, direction: Direction, inherited: Rate) -> Rate {
        // Relaxed: the Acquire load of the gate whose bit led here pairs with `Record::set_limits`.
        match self.0[direction.index()].load(Ordering::Relaxed) {
            Rate::INHERITED => inherited,
            own => own,
        }
    }

    pub(crate) fn words(&self) -> [u64; 2] {
        [self.0[0].bits(), self.0[1].bits()]
    }
}

impl Record {
    /// Writes the peer's own limits. The buckets keep their used share.
    pub(crate) fn set_limits(&self, own: &OwnLimits, limits: PeerLimits) {
        // Relaxed: the gate's bit below publishes them.
        own.0[Direction::Upload.index()].store(Rate::own(limits.upload), Ordering::Relaxed);
        own.0[Direction::Download.index()].store(Rate::own(limits.download), Ordering::Relaxed);
        loop {
            // Acquire: pairs with the CAS below, of another operator: the limits read next are no older than its own.
            let word = self.gate.load(Ordering::Acquire);
            let limited = own.get() != PeerLimits::default();
            let next = GateWord::from(Gate { limited, ..word.gate() });
            // AcqRel: pairs with the Acquire loads of the gate; a take that sees the bit sees the limits.
            if self.gate.swap_if(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                return;
            }
        }
    }
}
