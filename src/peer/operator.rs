//! What an operator does to a record.

use super::Site;
use super::record::Record;
use crate::breaker::Forced;
use crate::breaker::gate::Gate;
use crate::breaker::rate::RateWindow;
use crate::breaker::transition;
use crate::event::EventKind;
use crate::sync::Ordering;

impl Record {
    /// Forces the gate, or has it observed.
    pub(crate) fn force(&self, forced: Forced, rate: Option<&RateWindow>, site: &Site<'_>) {
        self.change_gate(site, |gate, seen| match forced {
            // Observing is no transition: the gate stays as it stands in memory.
            Forced::None | Forced::Observe => Gate { forced, ..gate },
            Forced::Open | Forced::Closed => self.in_fresh_period(transition::force(seen, forced, site.now), rate),
        });
        site.events.push(site.now, self.id(), EventKind::Forced(forced));
    }

    /// Breaker, ban, score and offences as in a new record; counters and own limits stay.
    ///
    /// Three words, one after the other: a report that comes between them sees some of them reset and some not.
    pub(crate) fn reset(&self, rate: Option<&RateWindow>, site: &Site<'_>) {
        self.absolve(site);
        self.change_gate(site, |_, seen| self.in_fresh_period(transition::reset(seen, site.now), rate));
        site.events.push(site.now, self.id(), EventKind::Reset);
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
