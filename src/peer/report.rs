//! What a report does to a record.
//!
//! Order: counters, score and ban, latency, breaker. Under a ban an outcome counts and does no more. The latency follows the
//! score so that this is decided once. The breaker's part is by state:
//!
//! - *Closed, success, no failure counted*: two loads, nothing is written; the score is moved first, then the flow word counts
//!   the success with its bytes. When the score stays at the top, the report has been recorded without coming here: see
//!   [`super::plain`].
//! - *Closed*: a CAS on the failure window (and one on the rate counters, when they are on). The failure that fills the
//!   window opens the gate; a report that meets a full window opens it too, before it goes on, and then finds its own
//!   generation past. So no report that follows the last failure in the window's order can count in that period.
//! - *Half-open*: a CAS on the gate.
//! - *Open or forced*: nothing.
//!
//! The window is read before the last-seen stamp: a thread that reads another's failure in the window reads a stamp of that
//! time or later, and does not take the window for one that has long been idle.

use super::Site;
use super::latency;
use super::plain::is_quiet;
use super::record::{Beside, Record};
use super::tally::Tally;
use crate::breaker::gate::{Gate, Generation, Phase};
use crate::breaker::rate::{Counted, RateWindow};
use crate::breaker::transition::{self, Moment, Probe, SlotOf};
use crate::breaker::window::FailureWindow;
use crate::breaker::{BreakerState, Forced};
use crate::clock::SKEW;
use crate::counters::Total;
use crate::decision::{Recorded, Traffic};
use crate::event::EventKind;
use crate::reputation::outcome::{Effect, Outcome};
use crate::sync::Ordering;

/// What a report stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A permit of this generation.
    Permit(Generation),
    /// A permit of this generation that carries a probe.
    Probe(Generation),
    /// No permit.
    Call,
    /// A permit whose record has gone.
    Lost,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) outcome: Outcome,
    /// Milliseconds, finite and not negative.
    pub(crate) latency: Option<f64>,
    pub(crate) traffic: Traffic,
}

impl Record {
    /// Records a report. The caller holds the record.
    #[inline(always)]
    pub(crate) fn report(
        &self,
        report: &Report,
        standing: Standing,
        Beside { tally, rate, .. }: Beside<'_>,
        site: &Site<'_>,
    ) -> Recorded {
        let effect = report.outcome.effect();
        if effect == Effect::Success
            && let Some(recorded) = self.report_success(report, standing, tally, site)
        {
            return recorded;
        }
        // Acquire: pairs with the Release CAS of a failure; the last-seen stamp below is then no older than that failure.
        let window = self.window.load(Ordering::Acquire);
        // Relaxed: see above. Read before it is moved.
        let idle = site.now.saturating_sub(self.last_seen.load(Ordering::Relaxed));
        // Before the counters, whose locked instructions later loads would wait for.
        let standing_words = self.standing();
        self.empty_flow(tally);
        if !report.traffic.is_none() {
            self.see(site.now);
            tally.count_bytes(&report.traffic);
        }
        if effect == Effect::None {
            return self.move_breaker(effect, standing, rate, (window, idle), site);
        }
        self.count(report.outcome, tally);
        self.see(site.now);
        if !self.weigh(report.outcome, standing_words, site) {
            // Under a ban an outcome counts, and nothing else; a probe slot goes back.
            return self.move_breaker(Effect::None, standing, rate, (window, idle), site);
        }
        if let Some(milliseconds) = report.latency {
            // Relaxed: the life does not change under the caller's hold.
            let life = self.latency.load(Ordering::Relaxed).life();
            latency::add(&self.latency, life, milliseconds);
        }
        self.move_breaker(effect, standing, rate, (window, idle), site)
    }

    /// Records the success of a peer that is closed and has no failure in its window: it moves the score and counters, nothing
    /// else. `None`, and nothing done, where there is more to it.
    #[inline(always)]
    fn report_success(&self, report: &Report, standing: Standing, tally: &Tally, site: &Site<'_>) -> Option<Recorded> {
        let permit = match standing {
            Standing::Permit(generation) => Some(generation),
            Standing::Call => None,
            Standing::Probe(_) | Standing::Lost => return None,
        };
        let (direction, bytes) = report.traffic.one_way()?;
        // Acquire, both: as in `plain`.
        let window = self.window.load(Ordering::Acquire);
        let gate = self.gate.load(Ordering::Acquire);
        let quiet = site.rules.rate.is_none() && is_quiet(gate, window, permit);
        if !quiet || !self.weigh(report.outcome, self.standing(), site) {
            return None;
        }
        // Relaxed: the life does not change under the caller's hold; the CAS decides.
        let flow = self.flow[direction.index()].load(Ordering::Relaxed);
        let life = flow.life();
        if !self.count_flow(direction, flow, life, report.outcome, bytes) {
            self.empty_flow(tally);
            tally.count_bytes(&report.traffic);
            self.count(report.outcome, tally);
        }
        self.see(site.now);
        if let Some(milliseconds) = report.latency {
            latency::add(&self.latency, life, milliseconds);
        }
        Some(Recorded::Counted)
    }

    #[inline(always)]
    fn count(&self, outcome: Outcome, tally: &Tally) {
        if outcome == Outcome::SyncSuccess {
            // Relaxed: a counter orders nothing.
            self.sync_successes.add(1, Ordering::Relaxed);
        }
        tally.count(outcome);
    }

    /// The breaker's part. `seen`: the window as read before the stamps, and how long the record had been idle then.
    pub(crate) fn move_breaker(
        &self,
        effect: Effect,
        standing: Standing,
        rate: Option<&RateWindow>,
        (mut window, mut idle): (FailureWindow, u64),
        site: &Site<'_>,
    ) -> Recorded {
        let rules = site.rules;
        loop {
            // Acquire: pairs with the AcqRel CAS of every transition.
            let word = self.gate.load(Ordering::Acquire);
            let gate = word.gate();
            let slot = match standing {
                Standing::Lost => return Recorded::Stale,
                Standing::Permit(generation) | Standing::Probe(generation) if generation != gate.generation => {
                    return Recorded::Stale;
                }
                Standing::Permit(_) => SlotOf::Nobody,
                Standing::Probe(_) => SlotOf::Permit,
                Standing::Call => SlotOf::Call,
            };
            if matches!(gate.forced, Forced::Open | Forced::Closed) {
                return Recorded::Ignored;
            }
            let at = Moment { idle, ..self.moment(site) };
            let (seen, _) = transition::seen(gate, &at, &rules.breaker);
            if seen.generation != gate.generation {
                // The open time is over, or the probes are to be taken back: this report comes too late.
                return if standing == Standing::Call { Recorded::Ignored } else { Recorded::Stale };
            }
            match seen.phase {
                Phase::Open { .. } => return Recorded::Ignored,
                Phase::Closed { .. } if effect == Effect::None => return Recorded::Ignored,
                Phase::Closed { .. } => {
                    let at_window = (window, idle >= rules.window);
                    if let Some(recorded) = self.count_closed(effect, seen.generation, at_window, rate, site) {
                        return recorded;
                    }
                }
                Phase::HalfOpen { .. } => {
                    let probe = match effect {
                        Effect::Success => Probe::Succeeded,
                        Effect::Failure => Probe::Failed,
                        Effect::None => Probe::Returned,
                    };
                    let Some(next) = transition::probe_ended(seen, slot, probe, &at, &rules.breaker) else {
                        return Recorded::Ignored;
                    };
                    let next = self.in_fresh_period(next, rate);
                    // AcqRel: pairs with the Acquire loads of the gate.
                    if self.gate.swap_if(word, next.into(), Ordering::AcqRel, Ordering::Relaxed) {
                        match next.state() {
                            BreakerState::Open => self.note_opened(site),
                            BreakerState::Closed => site.events.push(site.now, self.id(), EventKind::Closed),
                            BreakerState::HalfOpen => {}
                        }
                        return if effect == Effect::None { Recorded::Ignored } else { Recorded::Counted };
                    }
                }
            }
            // Acquire: as in `report`. Somebody else has just reported, so the record is not idle.
            window = self.window.load(Ordering::Acquire);
            idle = 0;
        }
    }

    /// Counts in a closed period; `None` when the words have changed and the report must look again.
    fn count_closed(
        &self,
        effect: Effect,
        generation: Generation,
        (window, idle): (FailureWindow, bool),
        rate: Option<&RateWindow>,
        site: &Site<'_>,
    ) -> Option<Recorded> {
        let rules = site.rules;
        if window.is_full(generation, rules.failure_threshold) {
            self.trip(generation, self.after_last(site.now), site);
            return None;
        }
        let slice = site.now / rules.slice;
        let next = match effect {
            Effect::Failure => window.failed(generation, slice, idle),
            _ if window.is_empty(generation) => window,
            _ => FailureWindow::empty(generation),
        };
        // Release: pairs with the Acquire loads of the window; publishes the last-seen stamp. Acquire: the gate is changed
        // after the window by whoever fills it.
        if next != window && !self.window.swap_if(window, next, Ordering::AcqRel, Ordering::Relaxed) {
            return None;
        }
        if effect == Effect::Failure && next.is_full(generation, rules.failure_threshold) {
            self.trip(generation, site.now, site);
            return Some(Recorded::Counted);
        }
        if let (Some(rate), Some(threshold)) = (rate, &rules.rate) {
            match rate.call(generation, slice, idle, effect == Effect::Failure, threshold) {
                Counted::Added => {}
                Counted::Reached => self.trip(generation, site.now, site),
                Counted::Full => {
                    self.trip(generation, self.after_last(site.now), site);
                    return Some(Recorded::Stale);
                }
            }
        }
        Some(Recorded::Counted)
    }

    /// When a failure that another report has counted opens the gate: not before it was counted, though this report may have
    /// read its clock earlier.
    fn after_last(&self, now: u64) -> u64 {
        // Relaxed: the window that was found full, read with Acquire, publishes the stamp of its last failure.
        let seen = self.last_seen.load(Ordering::Relaxed);
        // Far ahead it is of a clock that was set back.
        if seen.wrapping_sub(now) <= SKEW { seen } else { now }
    }

    /// Opens the gate of a closed period at `now`, unless that has been done.
    #[cold]
    fn trip(&self, generation: Generation, now: u64, site: &Site<'_>) {
        loop {
            // Acquire: as in `move_breaker`.
            let word = self.gate.load(Ordering::Acquire);
            let gate = word.gate();
            let closed = matches!(gate.phase, Phase::Closed { .. }) && gate.forced != Forced::Closed;
            if gate.generation != generation || !closed {
                return;
            }
            let next = transition::trip(gate, &Moment { now, ..self.moment(site) }, &site.rules.breaker);
            // AcqRel: as in `move_breaker`.
            if self.gate.swap_if(word, next.into(), Ordering::AcqRel, Ordering::Relaxed) {
                return self.note_opened(site);
            }
        }
    }

    /// A gate that has just closed, in the first period whose low bits neither the failure window nor a slice of the rate
    /// carries from long ago.
    pub(super) fn in_fresh_period(&self, mut gate: Gate, rate: Option<&RateWindow>) -> Gate {
        if !matches!(gate.phase, Phase::Closed { .. }) {
            return gate;
        }
        // Relaxed: nobody counts failures before the gate is closed.
        let window = self.window.load(Ordering::Relaxed);
        let slices = rate.map(RateWindow::image);
        // Each word carries one period, so there is an end to it.
        while !window.is_empty(gate.generation) || slices.is_some_and(|slices| slices.carry(gate.generation)) {
            gate.generation = gate.generation.next();
        }
        gate
    }

    fn note_opened(&self, site: &Site<'_>) {
        site.counters.add(site.slot, Total::Trips, 1);
        site.events.push(site.now, self.id(), EventKind::Opened);
    }

    /// What the transitions need to know of this record now.
    pub(super) fn moment(&self, site: &Site<'_>) -> Moment {
        // Relaxed: a stamp that lags makes a lease that has wrapped look young, for one open time at most.
        let seen = self.last_seen.load(Ordering::Relaxed);
        let dice = site.rules.salt ^ self.id().words()[0] ^ (site.slot as u64) << 32;
        Moment { now: site.now, idle: site.now.saturating_sub(seen), dice }
    }
}
