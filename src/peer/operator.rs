//! What an operator does to a record.

use super::Site;
use super::record::Record;
use crate::breaker::Forced;
use crate::breaker::gate::{Gate, GateWord};
use crate::breaker::transition;
use crate::config::PeerLimits;
use crate::event::EventKind;
use crate::sync::Ordering;
use crate::token_bucket::Direction;
use crate::token_bucket::rate::Rate;

impl Record {
    /// Forces the gate, or has it observed.
    pub(crate) fn force(&self, forced: Forced, site: &Site<'_>) {
        self.change_gate(site, |gate, seen| match forced {
            // Observing is no transition: the gate stays as it stands in memory.
            Forced::None | Forced::Observe => Gate { forced, ..gate },
            Forced::Open | Forced::Closed => self.in_fresh_period(transition::force(seen, forced, site.now)),
        });
        site.events.push(site.now, self.id(), EventKind::Forced(forced));
    }

    /// Breaker, ban, score and offences as in a new record; counters and own limits stay.
    ///
    /// Three words, one after the other: a report that comes between them sees some of them reset and some not.
    pub(crate) fn reset(&self, site: &Site<'_>) {
        self.absolve(site);
        self.change_gate(site, |_, seen| self.in_fresh_period(transition::reset(seen, site.now)));
        site.events.push(site.now, self.id(), EventKind::Reset);
    }

    /// The peer's own limits. The buckets keep their used share.
    pub(crate) fn set_limits(&self, limits: PeerLimits) {
        // Relaxed: the gate's bit below publishes them.
        self.limits[Direction::Upload.index()].store(Rate::own(limits.upload), Ordering::Relaxed);
        self.limits[Direction::Download.index()].store(Rate::own(limits.download), Ordering::Relaxed);
        loop {
            // Acquire: pairs with the CAS below, of another operator: the limits read next are no older than its own.
            let word = self.gate.load(Ordering::Acquire);
            let limited = self.limits() != PeerLimits::default();
            let next = GateWord::from(Gate { limited, ..word.gate() });
            // AcqRel: pairs with the Acquire loads of the gate; a take that sees the bit sees the limits.
            if self.gate.swap_if(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                return;
            }
        }
    }

    pub(crate) fn limits(&self) -> PeerLimits {
        // Relaxed: for display; takes read one limit under the gate's bit.
        let [upload, download] = Direction::ALL.map(|direction| self.limits[direction.index()].load(Ordering::Relaxed));
        PeerLimits { upload: upload.get(), download: download.get() }
    }

    /// The limit of a direction: the peer's own where it has one.
    #[inline]
    pub(crate) fn rate(&self, direction: Direction, word: GateWord, inherited: Rate) -> Rate {
        if !word.limited() {
            return inherited;
        }
        // Relaxed: the Acquire load that `word` comes from pairs with `set_limits`.
        match self.limits[direction.index()].load(Ordering::Relaxed) {
            Rate::INHERITED => inherited,
            own => own,
        }
    }

    /// `next` is given the gate as it stands in memory, and as it is seen now.
    fn change_gate(&self, site: &Site<'_>, next: impl Fn(Gate, Gate) -> Gate) {
        loop {
            // Acquire: pairs with the AcqRel CAS of every transition.
            let word = self.gate.load(Ordering::Acquire);
            let gate = word.gate();
            let (seen, lost) = transition::seen(gate, &self.moment(site), &site.rules.breaker);
            let next = next(gate, seen);
            // AcqRel: as above.
            if self.gate.swap_if(word, next.into(), Ordering::AcqRel, Ordering::Relaxed) {
                return self.note_lost(if next.generation == gate.generation { 0 } else { lost }, site);
            }
        }
    }
}
