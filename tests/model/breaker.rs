//! One peer's circuit breaker.

use peerguard::{BreakerState, EventKind, Forced, Reason, Recorded};

use crate::reference::rules::Rules;
use crate::reference::time::{STEP_BACK_NS, TICK_BITS, tick, ticks_up, until};
use crate::reference::window::{Calls, Failures};

/// The period after which a closed breaker forgets one re-opening.
const CALM_NS: i128 = 300_000_000_000;
const MOST_DOUBLINGS: u32 = 31;
const GENERATIONS: u16 = 1 << 14;

#[derive(Clone, Debug)]
pub enum Phase {
    Closed,
    Open { until: i128 },
    HalfOpen(Trial),
}

/// The probes of a half-open breaker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trial {
    permits: u32,
    plain: u32,
    successes: u32,
    pub last_admitted: i128,
}

impl Trial {
    pub fn out(&self) -> u32 {
        self.permits + self.plain
    }

    fn age(&self, now: u64) -> Option<i128> {
        let age = tick(now) - self.last_admitted;
        if age >= 0 { Some(age) } else { ((-age) << TICK_BITS <= STEP_BACK_NS).then_some(0) }
    }

    /// When the probes that are out will be taken back; `None` once they may be.
    fn lease_end(&self, now: u64, rules: &Rules) -> Option<i128> {
        let age = self.age(now)?;
        (age < rules.lease_ticks).then(|| tick(now) - age + rules.lease_ticks)
    }

    pub fn lost(&self, now: u64, rules: &Rules) -> bool {
        self.out() > 0 && self.lease_end(now, rules).is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot {
    /// Held by a permit.
    Permit,
    /// Given by `should_communicate`, which hands out no permit.
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    Success,
    Failure,
    Neutral,
}

/// Where a report comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    Permit { generation: u16, probe: bool },
    Plain,
}

#[derive(Clone, Debug)]
pub struct Breaker {
    pub phase: Phase,
    pub forced: Forced,
    pub generation: u16,
    level: u32,
    /// Tick.
    closed_since: i128,
    pub streak: Failures,
    pub calls: Calls,
    /// The open time just begun is longer than its shortest by up to so many ticks of jitter.
    pub jitter_ticks: i128,
}

/// What a reader sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub state: BreakerState,
    pub generation: u16,
    pub failures: u32,
    /// Calls and failed calls, where a failure rate is set.
    pub calls: Option<(u32, u32)>,
    pub level: u32,
    pub open_remaining: Option<i128>,
    pub probes_out: u32,
    pub probe_successes: u32,
}

impl Breaker {
    pub fn new(now: u64) -> Self {
        Self {
            phase: Phase::Closed,
            forced: Forced::None,
            generation: 0,
            level: 0,
            closed_since: tick(now),
            streak: Failures::default(),
            calls: Calls::default(),
            jitter_ticks: 0,
        }
    }

    fn bump(&mut self) {
        self.generation = next(self.generation);
    }

    /// Whether outcomes and admissions leave the breaker alone.
    fn frozen(&self) -> bool {
        matches!(self.forced, Forced::Open | Forced::Closed)
    }

    /// The rest of the open time; `None` once it has passed or when the clock stepped back before it.
    fn open_remaining(&self, now: u64, rules: &Rules) -> Option<i128> {
        let Phase::Open { until: end } = self.phase else {
            return None;
        };
        let rest = end - tick(now);
        (rest > 0 && rest <= rules.longest_open()).then(|| until(now, end))
    }

    fn aged_level(&self, now: u64) -> u32 {
        let calm = (tick(now) - self.closed_since) << TICK_BITS;
        if calm < -STEP_BACK_NS {
            return 0;
        }
        u32::try_from((i128::from(self.level) - calm.max(0) / CALM_NS).max(0)).unwrap()
    }

    pub fn seen(&self, now: u64, rules: &Rules) -> Seen {
        let mut seen = Seen {
            state: BreakerState::Closed,
            generation: self.generation,
            failures: 0,
            calls: rules.rate.map(|_| (0, 0)),
            level: self.level,
            open_remaining: None,
            probes_out: 0,
            probe_successes: 0,
        };
        if self.forced == Forced::Open {
            seen.state = BreakerState::Open;
            return seen;
        }
        if self.moved_on(now, rules) {
            seen.generation = next(self.generation);
        }
        match &self.phase {
            Phase::Closed => {
                seen.failures = self.streak.count(rules.slice(now));
                seen.calls = rules.rate.map(|_| self.calls.count(rules.slice(now)));
                seen.level = self.aged_level(now);
            }
            Phase::Open { .. } => {
                seen.open_remaining = self.open_remaining(now, rules);
                seen.state = match seen.open_remaining {
                    Some(_) => BreakerState::Open,
                    None => BreakerState::HalfOpen,
                };
            }
            Phase::HalfOpen(trial) => {
                seen.state = BreakerState::HalfOpen;
                seen.probes_out = if trial.lost(now, rules) { 0 } else { trial.out() };
                seen.probe_successes = trial.successes;
            }
        }
        seen
    }

    /// Whether time has ended the period that is written down: the open time has passed, or the probes are lost.
    fn moved_on(&self, now: u64, rules: &Rules) -> bool {
        match &self.phase {
            Phase::Closed => false,
            Phase::Open { .. } => self.open_remaining(now, rules).is_none(),
            Phase::HalfOpen(trial) => trial.lost(now, rules),
        }
    }

    /// The rule that would refuse an admission, with the wait.
    pub fn refusal(&self, now: u64, rules: &Rules) -> Option<(Reason, Option<i128>)> {
        match self.forced {
            Forced::Open => return Some((Reason::ForcedOpen, None)),
            Forced::Closed => return None,
            Forced::None | Forced::Observe => {}
        }
        if let Some(rest) = self.open_remaining(now, rules) {
            return Some((Reason::Open, Some(rest)));
        }
        let Phase::HalfOpen(trial) = &self.phase else {
            return None;
        };
        if trial.out() < rules.max_probes {
            return None;
        }
        trial.lease_end(now, rules).map(|end| (Reason::ProbesOut, Some(until(now, end))))
    }

    /// The breaker's side of an admission: `true` when a probe slot was given.
    pub fn admit(&mut self, now: u64, slot: Slot, rules: &Rules, events: &mut Vec<EventKind>) -> bool {
        if self.frozen() {
            return false;
        }
        self.take_back(now, rules, events);
        if matches!(self.phase, Phase::Open { .. }) && self.open_remaining(now, rules).is_none() {
            self.phase = Phase::HalfOpen(Trial::default());
            self.bump();
            events.push(EventKind::HalfOpened);
        }
        let Phase::HalfOpen(trial) = &mut self.phase else {
            return false;
        };
        if trial.out() >= rules.max_probes {
            return false;
        }
        match slot {
            Slot::Permit => trial.permits += 1,
            Slot::Plain => trial.plain += 1,
        }
        trial.last_admitted = tick(now);
        true
    }

    /// Takes back the probes whose lease is over.
    fn take_back(&mut self, now: u64, rules: &Rules, events: &mut Vec<EventKind>) {
        let Phase::HalfOpen(trial) = &mut self.phase else {
            return;
        };
        if trial.lost(now, rules) {
            events.push(EventKind::ProbesLost(trial.out() as u8));
            trial.permits = 0;
            trial.plain = 0;
            self.bump();
        }
    }

    pub fn report(
        &mut self,
        now: u64,
        source: Source,
        effect: Effect,
        rules: &Rules,
        events: &mut Vec<EventKind>,
    ) -> Recorded {
        if let Source::Permit { generation, .. } = source
            && generation != self.generation
        {
            return Recorded::Stale;
        }
        if self.frozen() {
            return Recorded::Ignored;
        }
        if self.moved_on(now, rules) {
            // Too late for the period that it belongs to; the next one begins with the next probe.
            return match source {
                Source::Permit { .. } => Recorded::Stale,
                Source::Plain => Recorded::Ignored,
            };
        }
        match &mut self.phase {
            Phase::Open { .. } => Recorded::Ignored,
            Phase::Closed => {
                self.report_closed(now, effect, rules, events);
                counted(effect)
            }
            Phase::HalfOpen(trial) => {
                match source {
                    Source::Permit { probe: true, .. } => trial.permits -= 1,
                    // Admitted beyond the probes while the peer was observed.
                    Source::Permit { probe: false, .. } => {}
                    Source::Plain if trial.plain > 0 => trial.plain -= 1,
                    Source::Plain => return Recorded::Ignored,
                }
                self.report_probe(now, effect, rules, events);
                counted(effect)
            }
        }
    }

    fn report_closed(&mut self, now: u64, effect: Effect, rules: &Rules, events: &mut Vec<EventKind>) {
        let slice = rules.slice(now);
        match effect {
            Effect::Neutral => {}
            Effect::Success => {
                self.streak.clear();
                if rules.rate.is_some() {
                    self.calls.add(slice, false);
                }
            }
            Effect::Failure => {
                self.streak.add(slice);
                let mut trip = self.streak.count(slice) >= rules.threshold;
                if let Some((rate, min_calls)) = rules.rate {
                    self.calls.add(slice, true);
                    let (calls, failed) = self.calls.count(slice);
                    // Divided, so that a share that is met exactly counts: 0.55 * 100 is above 55.
                    trip |= calls >= min_calls && f64::from(failed) / f64::from(calls) >= rate;
                }
                if trip {
                    self.level = self.aged_level(now);
                    self.open(now, rules);
                    events.push(EventKind::Opened);
                }
            }
        }
    }

    fn report_probe(&mut self, now: u64, effect: Effect, rules: &Rules, events: &mut Vec<EventKind>) {
        let Phase::HalfOpen(trial) = &mut self.phase else {
            unreachable!("only a half-open breaker has probes");
        };
        match effect {
            Effect::Neutral => {}
            Effect::Success => {
                trial.successes += 1;
                if trial.successes >= rules.success_threshold {
                    self.close(now);
                    events.push(EventKind::Closed);
                }
            }
            Effect::Failure => {
                if rules.backoff {
                    self.level = (self.level + 1).min(MOST_DOUBLINGS);
                }
                self.open(now, rules);
                events.push(EventKind::Opened);
            }
        }
    }

    fn open(&mut self, now: u64, rules: &Rules) {
        let (base, jitter) = rules.open_ns(self.level);
        self.phase = Phase::Open { until: tick(now) + ticks_up(base) };
        self.jitter_ticks = ticks_up(base + jitter) - ticks_up(base);
        self.streak.clear();
        self.calls.clear();
        self.bump();
    }

    fn close(&mut self, now: u64) {
        self.phase = Phase::Closed;
        self.closed_since = tick(now);
        self.streak.clear();
        self.calls.clear();
        self.bump();
    }

    /// Takes over the end that the guard drew within the jitter.
    pub fn adopt_open_end(&mut self, end: i128) -> Result<(), String> {
        let Phase::Open { until } = &mut self.phase else {
            return Err("no open time to adopt".into());
        };
        if end < *until || end > *until + self.jitter_ticks {
            return Err(format!("open until tick {end}, outside {until} + {}", self.jitter_ticks));
        }
        *until = end;
        self.jitter_ticks = 0;
        Ok(())
    }

    /// An operator's override; open and closed begin a period of their own.
    pub fn force(&mut self, now: u64, forced: Forced, rules: &Rules, events: &mut Vec<EventKind>) {
        self.forced = match forced {
            Forced::Open => {
                self.end_period(now, rules, events);
                self.phase = Phase::Open { until: tick(now) };
                self.bump();
                Forced::Open
            }
            Forced::Closed => {
                self.end_period(now, rules, events);
                self.close(now);
                Forced::Closed
            }
            observe => observe,
        };
    }

    pub fn reset(&mut self, now: u64, rules: &Rules, events: &mut Vec<EventKind>) {
        self.end_period(now, rules, events);
        self.forced = Forced::None;
        self.level = 0;
        self.close(now);
    }

    /// Writes down what time has done, before an operator changes the breaker.
    fn end_period(&mut self, now: u64, rules: &Rules, events: &mut Vec<EventKind>) {
        if self.forced != Forced::Open && matches!(self.phase, Phase::Open { .. }) && self.moved_on(now, rules) {
            self.bump();
        }
        self.take_back(now, rules, events);
    }
}

fn next(generation: u16) -> u16 {
    // 0 is a record's first period and never comes again.
    ((generation + 1) % GENERATIONS).max(1)
}

fn counted(effect: Effect) -> Recorded {
    match effect {
        Effect::Neutral => Recorded::Ignored,
        Effect::Success | Effect::Failure => Recorded::Counted,
    }
}
