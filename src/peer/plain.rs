//! What is done to a record without a pin: plain successes and byte counts.
//!
//! A success is *plain* when it changes nothing but counters: the peer is closed and was never banned, no failure stands in
//! its window, its score stays where it is, and breakers do not open by failure rate. Then one CAS on a flow word records it, and one on the latency word the
//! latency. Anything else is for [`Record::report`], under a pin.
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
use crate::breaker::gate::Generation;
use crate::decision::{Recorded, Traffic};
use crate::reputation::outcome::{Effect, Outcome};
use crate::sync::{Ordering, fence};
use crate::token_bucket::Direction;

impl Traffic {
    /// Direction and bytes, when they go one way.
    #[inline(always)]
    fn one_way(&self) -> Option<(Direction, u64)> {
        match (self.sent, self.received) {
            (sent, 0) => Some((Direction::Upload, sent)),
            (0, received) => Some((Direction::Download, received)),
            _ => None,
        }
    }
}

impl Record {
    /// Records a plain success; `None`, and nothing done, where it is not plain or the record has another life.
    ///
    /// `permit`: the generation of its permit, if it has one. `life`: of the tenancy that is meant.
    #[inline(always)]
    pub(crate) fn report_plainly(
        &self,
        report: &Report,
        permit: Option<Generation>,
        life: u32,
        now: u64,
        rules: &Rules,
    ) -> Option<Recorded> {
        let (direction, bytes) = report.traffic.one_way()?;
        // Acquire: pairs with the evictor's exchange; what is read below is of this life or a later one.
        let flow = self.flow[direction.index()].load(Ordering::Acquire);
        // Acquire, both: as in `Record::report` and `Record::standing`. The gate comes last: while it says that the peer was
        // never banned, no ban had begun when window and score were read.
        let window = self.window.load(Ordering::Acquire);
        let score = self.score.load(Ordering::Acquire);
        // Acquire: pairs with the AcqRel CAS of every transition.
        let gate = self.gate.load(Ordering::Acquire);
        let recorded = match report.outcome.effect() {
            Effect::Success => {
                let quiet = window.is_empty(gate.generation()) && rules.rate.is_none();
                (quiet && score.stays(report.outcome, now, &rules.reputation)).then_some(Recorded::Counted)?
            }
            Effect::None => (bytes != 0).then_some(Recorded::Ignored)?,
            Effect::Failure => return None,
        };
        let current = permit.is_none_or(|generation| generation == gate.generation());
        if !(current && gate.admits() && self.count_flow(direction, flow, life, report.outcome, bytes)) {
            return None;
        }
        self.see(now);
        if let Some(milliseconds) = report.latency
            && recorded == Recorded::Counted
        {
            latency::add(&self.latency, life, milliseconds);
        }
        Some(recorded)
    }

    /// Counts bytes that were taken; `false`, and nothing done, when the record has another life or the count is full.
    #[inline(always)]
    pub(crate) fn count_bytes_plainly(&self, direction: Direction, bytes: u64, life: u32) -> bool {
        // Relaxed: nothing is decided by other words.
        let flow = self.flow[direction.index()].load(Ordering::Relaxed);
        self.count_flow(direction, flow, life, Outcome::Cancelled, bytes)
    }

    #[inline(always)]
    fn count_flow(&self, direction: Direction, mut flow: Flow, life: u32, outcome: Outcome, bytes: u64) -> bool {
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
