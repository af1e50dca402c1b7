//! What is done to a record without a pin: plain successes and byte counts.
//!
//! A success is *plain* when it changes nothing but counters and the score's stamp: the peer is closed and was never banned,
//! no failure stands in its window, its score is at the top and stays there, and breakers do not open by failure rate. Then one
//! CAS on a flow word records it, one on the latency word the latency, and the first success in a second takes one on the
//! score. Anything else is for [`Record::report`], under a pin.
//!
//! **The race** is with eviction. An evictor claims the slot, exchanges the flow words for those of the next life, fences,
//! and then writes the new tenant's words. The caller reads a flow word of the life that it means, then the words that decide,
//! fences, and changes the flow word by a CAS on that life. If the CAS succeeds, the flow word was of this life all the time;
//! had any of the words read been the next tenant's, the fences would have shown the CAS the exchange that came before it. So
//! what is counted is counted for the right peer by what its own words said, and the evictor's exchange takes it along.
//!
//! Such a report leaves no trace in the meta word. A record that was judged for eviction before it goes all the same, as if
//! the report had come first: its words say no more about who may go than they did before.

use super::Rules;
use super::flow::Flow;
use super::latency;
use super::record::Record;
use super::report::Report;
use crate::breaker::gate::{GateWord, Generation};
use crate::breaker::window::FailureWindow;
use crate::decision::Recorded;
use crate::reputation::outcome::{Effect, Outcome};
use crate::reputation::score::ScoreWord;
use crate::sync::{Ordering, fence};
use crate::token_bucket::Direction;

/// Why a report is not plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// The breaker is not closed, or the peer was banned.
    Gate,
    /// Anything else. For that the recent time is enough.
    Words,
}

/// Whether a success under this permit, or under none, leaves the breaker as it is: closed, of the permit's period, and without
/// a failure in the window. Not where breakers open by failure rate: there each call moves it.
#[inline(always)]
pub(super) fn is_quiet(gate: GateWord, window: FailureWindow, permit: Option<Generation>) -> bool {
    let generation = gate.generation();
    gate.admits() && permit.is_none_or(|permit| permit == generation) && window.is_empty(generation)
}

impl Record {
    /// Records a plain report at `now`; an error, and nothing done, where there is more to it. Not where breakers open by failure
    /// rate.
    ///
    /// `moved`: bytes that go one way. `permit`: the generation of its permit, if it has one. `life`: of the tenancy that is
    /// meant.
    #[inline(always)]
    pub(crate) fn report_plainly(
        &self,
        report: &Report,
        (direction, bytes): (Direction, u64),
        permit: Option<Generation>,
        life: u32,
        now: u64,
        rules: &Rules,
    ) -> Result<Recorded, More> {
        let success = report.outcome.effect() == Effect::Success;
        // Acquire: pairs with the evictor's exchange; what is read below is of this life or a later one.
        let flow = self.flow[direction.index()].load(Ordering::Acquire);
        // Acquire, both: as in `Record::report` and `Record::standing`. The gate comes last: while it says that the peer was
        // never banned, no ban had begun when window and score were read.
        let window = self.window.load(Ordering::Acquire);
        let score = self.score.load(Ordering::Acquire);
        // Acquire: pairs with the AcqRel CAS of every transition.
        let gate = self.gate.load(Ordering::Acquire);
        if !is_quiet(gate, window, permit) {
            return Err(if gate.admits() { More::Words } else { More::Gate });
        }
        if success && !score.is_at_top(now, &rules.reputation) {
            // Whose flow this was when the time had been read, see `keep_at_top`; and a success that will be counted.
            let counts = flow.life() == life && flow.with(report.outcome, bytes).is_some();
            if !counts || !self.keep_at_top(score, now, rules) {
                return Err(More::Words);
            }
        }
        if !self.count_flow(direction, flow, life, report.outcome, bytes) {
            return Err(More::Words);
        }
        self.see(now);
        if let Some(milliseconds) = report.latency
            && success
        {
            latency::add(&self.latency, life, milliseconds);
        }
        Ok(if success { Recorded::Counted } else { Recorded::Ignored })
    }

    /// Stamps a score at the top anew, for a success; `false`, and nothing done, where there is more to it.
    ///
    /// This needs no pin. The CAS fails when the score has changed hands, unless the next tenant's is the same: at the top, with
    /// the same stamp. The caller has read the time first and then a flow word of its own tenant, so that such a score was
    /// written after `now`, by a clock that had been read earlier: the later stamp is the truer one for it too.
    #[inline(never)]
    fn keep_at_top(&self, score: ScoreWord, now: u64, rules: &Rules) -> bool {
        let Some(next) = score.again_at_top(now, &rules.reputation) else { return false };
        // AcqRel: as in `Record::weigh`. Acquire: as in `report_plainly`; another success has done the same.
        next == score
            || self.score.swap_if(score, next, Ordering::AcqRel, Ordering::Relaxed)
            || self.score.load(Ordering::Acquire) == next
    }

    /// Counts bytes that were taken; `false`, and nothing done, when the record has another life or the count is full.
    #[inline(always)]
    pub(crate) fn count_bytes_plainly(&self, direction: Direction, bytes: u64, life: u32) -> bool {
        // Relaxed: nothing is decided by other words.
        let flow = self.flow[direction.index()].load(Ordering::Relaxed);
        self.count_flow(direction, flow, life, Outcome::Cancelled, bytes)
    }

    #[inline(always)]
    pub(super) fn count_flow(
        &self,
        direction: Direction,
        mut flow: Flow,
        life: u32,
        outcome: Outcome,
        bytes: u64,
    ) -> bool {
        // Acquire: pairs with the Release fence of `Table::furnish`, see the module's text.
        fence(Ordering::Acquire);
        loop {
            if flow.life() != life {
                return false;
            }
            let Some(next) = flow.with(outcome, bytes) else { return false };
            // Relaxed: the word orders nothing; the evictor's exchange finds it by coherence.
            if self.flow[direction.index()].swap_if(flow, next, Ordering::Relaxed, Ordering::Relaxed) {
                return true;
            }
            // Relaxed: another report of the peer came between, or the evictor; the CAS decides.
            flow = self.flow[direction.index()].load(Ordering::Relaxed);
        }
    }
}
