//! One peer's own byte limits. Few peers have any, so they lie beside the records, in zeroed pages that the system provides
//! when one is first written; a bit of the gate tells whether to look.

use super::record::Record;
use crate::breaker::gate::{Gate, GateWord};
use crate::config::PeerLimits;
use crate::sync::{AtomicU64, Ordering, Packed};
use crate::token_bucket::Direction;
use crate::token_bucket::rate::Rate;

/// The words of a peer's limits, by direction: each limit inverted, so that zeros stand for none.
pub(crate) type LimitWords = [AtomicU64; 2];

#[derive(Clone, Copy)]
pub(crate) struct OwnLimits<'a>(pub(crate) &'a LimitWords);

impl OwnLimits<'_> {
    /// Forgets the limits, for a new tenant. Relaxed: its record is not published while it is made.
    pub(crate) fn clear(self) {
        // What was never written is left so, and needs no memory.
        let written = self.0.iter().filter(|word| word.load(Ordering::Relaxed) != 0);
        written.for_each(|word| word.store(0, Ordering::Relaxed));
    }

    fn load(self, direction: Direction) -> Rate {
        Rate::from_bits(!self.0[direction.index()].load(Ordering::Relaxed))
    }

    fn store(self, direction: Direction, rate: Rate) {
        self.0[direction.index()].store(!rate.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn get(self) -> PeerLimits {
        // Relaxed: for display; takes read one limit under the gate's bit.
        let [upload, download] = Direction::ALL.map(|direction| self.load(direction).get());
        PeerLimits { upload, download }
    }

    fn are_any(self) -> bool {
        self.get() != PeerLimits::default()
    }

    /// The limit of a direction: the peer's own where it has one.
    pub(crate) fn rate(self, direction: Direction, inherited: Rate) -> Rate {
        // Relaxed: the Acquire load of the gate whose bit led here pairs with `Record::set_limits`.
        match self.load(direction) {
            Rate::INHERITED => inherited,
            own => own,
        }
    }

    pub(crate) fn words(self) -> [u64; 2] {
        self.0.each_ref().map(|word| word.load(Ordering::Relaxed))
    }
}

impl Record {
    /// Writes the peer's own limits. The buckets keep their used share. Of calls that overlap, each limit is of one of them.
    pub(crate) fn set_limits(&self, own: OwnLimits<'_>, limits: PeerLimits) {
        // Relaxed: the gate's bit below publishes them.
        own.store(Direction::Upload, Rate::own(limits.upload));
        own.store(Direction::Download, Rate::own(limits.download));
        loop {
            // Acquire: pairs with the CAS below, of another operator: the limits read next are no older than its own.
            let word = self.gate.load(Ordering::Acquire);
            let limited = own.are_any();
            let next = GateWord::from(Gate { limited, ..word.gate() });
            // AcqRel: pairs with the Acquire loads of the gate; a take that sees the bit sees the limits. And with the same CAS of
            // another operator, which may have left the gate as it was: what is read next is no older than its limits.
            if self.gate.swap_if(word, next, Ordering::AcqRel, Ordering::Relaxed) && own.are_any() == limited {
                return;
            }
        }
    }
}
