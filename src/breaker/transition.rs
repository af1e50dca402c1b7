//! The breaker's transitions, as plain functions of the gate, the time and the parameters.
//!
//! ```text
//!            window full / rate                    first probe, open time over
//!  Closed ───────────────────────▶ Open ──────────────────────────────▶ HalfOpen ──┐ lease over:
//!    ▲                               ▲                                   │  │  ▲    │ probes taken back
//!    │                               └───────── a probe fails ───────────┘  │  └────┘
//!    └─────────────────────── success_threshold probes succeed ─────────────┘
//! ```
//!
//! Every arrow takes the next generation. Nothing is written because time passes: a reader sees an open gate whose time is
//! over as half-open ([`seen`]), and the next event that changes the gate writes it.

use std::time::Duration;

use super::gate::{Gate, LEASE_BITS, MAX_BACKOFF, Phase, TICK_BITS};
use super::{BreakerState, Forced};
use crate::clock::{SKEW, TICK_SHIFT, nanos, tick, ticks};
use crate::config::CircuitBreakerConfig;

/// Closed time in which the open time halves.
const COOLING: u64 = 300_000_000_000;

/// The configuration in the transitions' units.
#[derive(Clone, Debug)]
pub(crate) struct Params {
    recovery: u64,
    longest: u64,
    jitter: f64,
    backoff: bool,
    success_threshold: u8,
    max_probes: u8,
    /// Ticks.
    probe_timeout: u64,
    /// Nanoseconds.
    probe_timeout_nanos: u64,
}

impl Params {
    pub(crate) fn new(config: &CircuitBreakerConfig) -> Self {
        let probe_timeout = config.probe_timeout.unwrap_or(config.recovery_timeout);
        Self {
            recovery: nanos(config.recovery_timeout),
            longest: nanos(config.max_open_time),
            jitter: config.jitter,
            backoff: config.backoff,
            success_threshold: config.success_threshold as u8,
            max_probes: config.half_open_max_probes.unwrap_or(config.success_threshold) as u8,
            probe_timeout: ticks(probe_timeout),
            probe_timeout_nanos: nanos(probe_timeout),
        }
    }

    /// The open time in ticks. `dice` picks the jitter; equal dice, equal jitter.
    fn open_ticks(&self, backoff: u8, dice: u64) -> u64 {
        let doubled = u128::from(self.recovery) << backoff;
        let base = doubled.min(self.longest.into()) as u64;
        let share = (mix(dice) >> 11) as f64 / (1u64 << 53) as f64;
        let jitter = (base as f64 * self.jitter * share) as u64;
        (base + jitter).div_ceil(1 << TICK_SHIFT)
    }

    /// No open time that was given can have more left than this, in ticks.
    fn longest_open(&self) -> u64 {
        let longest = self.longest as f64 * (1.0 + self.jitter);
        (longest as u64 + SKEW) >> TICK_SHIFT
    }
}

/// Spreads the bits of a number (the finaliser of SplitMix64, Steele et al., OOPSLA 2014).
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// When an event falls, and what the transitions need from outside the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Nanoseconds.
    pub(crate) now: u64,
    /// Nanoseconds since anything was recorded of the peer.
    pub(crate) idle: u64,
    /// Picks the jitter of an open time.
    pub(crate) dice: u64,
}

impl Moment {
    /// Nothing was recorded for half the time in which a lease's tick wraps (19 h): the tick alone tells nothing.
    pub(crate) fn is_long_idle(&self) -> bool {
        self.idle >> TICK_SHIFT >= 1 << (LEASE_BITS - 1)
    }
}

/// `d` as a signed number of ticks, from its low `bits` bits; negative from `2^bits - skew` on.
fn ahead(d: u64, bits: u32, skew: u64) -> Option<u64> {
    let d = d & (u64::MAX >> (64 - bits));
    (d < (1 << bits) - skew).then_some(d)
}

/// Nanoseconds from `now` until tick `until`, which lies `remaining` ticks ahead of `now`'s.
fn until_tick(now: u64, remaining: u64) -> Duration {
    let start = tick(now) << TICK_SHIFT;
    Duration::from_nanos((remaining << TICK_SHIFT) - (now - start))
}

/// What is left of an open time; `None` when it is over.
pub(crate) fn open_remaining(until: u64, now: u64, params: &Params) -> Option<Duration> {
    let remaining = until.wrapping_sub(tick(now)) & (u64::MAX >> (64 - TICK_BITS));
    (remaining > 0 && remaining <= params.longest_open()).then(|| until_tick(now, remaining))
}

/// What is left of the lease of the probes that are out; `None` when it is over.
fn lease_remaining(lease: u64, at: &Moment, params: &Params) -> Option<Duration> {
    if at.is_long_idle() && at.idle >= params.probe_timeout_nanos + (1 << TICK_SHIFT) {
        return None;
    }
    let age = ahead(tick(at.now).wrapping_sub(lease), LEASE_BITS, SKEW >> TICK_SHIFT).unwrap_or(0);
    (age < params.probe_timeout).then(|| until_tick(at.now, params.probe_timeout - age))
}

/// The gate as it stands at a moment, with what time has done to it, and the probes that were taken back.
///
/// Open turns half-open when its time is over; probes whose lease is over are taken back. Each is a transition.
pub(crate) fn seen(gate: Gate, at: &Moment, params: &Params) -> (Gate, u8) {
    match gate.phase {
        Phase::Open { until } if gate.forced != Forced::Open && open_remaining(until, at.now, params).is_none() => {
            let phase = Phase::HalfOpen { probes: 0, called: 0, successes: 0, lease: 0 };
            (Gate { phase, generation: gate.generation.next(), ..gate }, 0)
        }
        Phase::HalfOpen { probes, called, successes, lease }
            if probes + called > 0 && lease_remaining(lease, at, params).is_none() =>
        {
            let phase = Phase::HalfOpen { probes: 0, called: 0, successes, lease };
            (Gate { phase, generation: gate.generation.next(), ..gate }, probes + called)
        }
        _ => (gate, 0),
    }
}

/// Who asks for a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// `admit`: a permit carries the probe.
    Permit,
    /// `should_communicate`: nobody carries it; the next report without a permit gives it back.
    Call,
}

/// What the breaker says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go ahead; nothing is taken.
    Pass,
    /// Go ahead as a probe: the gate must become this one.
    Probe(Gate),
    /// The operator keeps it shut.
    ForcedOpen,
    /// The open time runs.
    Open(Duration),
    /// All probes are out; the lease runs.
    ProbesOut(Duration),
}

/// Asks the breaker. Pure: a probe is taken by writing the gate that comes back.
pub(crate) fn ask(gate: Gate, asker: Asker, at: &Moment, params: &Params) -> Verdict {
    match gate.forced {
        Forced::Open => return Verdict::ForcedOpen,
        Forced::Closed => return Verdict::Pass,
        Forced::None | Forced::Observe => {}
    }
    let (seen, _) = seen(gate, at, params);
    match seen.phase {
        Phase::Closed { .. } => Verdict::Pass,
        // `seen` leaves a gate open only while time remains.
        Phase::Open { until } => Verdict::Open(open_remaining(until, at.now, params).unwrap_or(Duration::ZERO)),
        Phase::HalfOpen { probes, called, lease, .. } if probes + called >= params.max_probes => {
            Verdict::ProbesOut(lease_remaining(lease, at, params).unwrap_or(Duration::ZERO))
        }
        Phase::HalfOpen { probes, called, successes, .. } => {
            let (probes, called) = match asker {
                Asker::Permit => (probes + 1, called),
                Asker::Call => (probes, called + 1),
            };
            let lease = tick(at.now) & (u64::MAX >> (64 - LEASE_BITS));
            Verdict::Probe(Gate { phase: Phase::HalfOpen { probes, called, successes, lease }, ..seen })
        }
    }
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Succeeded,
    Failed,
    /// Dropped, cancelled, or a local error: the slot goes back.
    Returned,
}

/// Whose slot a report in half-open gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotOf {
    /// A permit that carries a probe.
    Permit,
    /// A report without a permit, for a slot that `should_communicate` took.
    Call,
    /// A permit that an observed gate admitted beyond its probes: no slot.
    Nobody,
}

/// A report in half-open; `None` when no slot of that kind is out.
pub(crate) fn probe_ended(gate: Gate, slot: SlotOf, probe: Probe, at: &Moment, params: &Params) -> Option<Gate> {
    let Phase::HalfOpen { probes, called, successes, lease } = gate.phase else {
        return None;
    };
    let (probes, called) = match slot {
        SlotOf::Permit => (probes.checked_sub(1)?, called),
        SlotOf::Call => (probes, called.checked_sub(1)?),
        SlotOf::Nobody => (probes, called),
    };
    match probe {
        Probe::Failed => {
            let backoff = if params.backoff { gate.backoff.saturating_add(1).min(MAX_BACKOFF) } else { 0 };
            Some(opened(gate, backoff, at, params))
        }
        Probe::Succeeded if successes + 1 >= params.success_threshold => {
            let phase = Phase::Closed { since: tick(at.now) & (u64::MAX >> (64 - TICK_BITS)) };
            Some(Gate { phase, generation: gate.generation.next(), ..gate })
        }
        Probe::Succeeded => {
            Some(Gate { phase: Phase::HalfOpen { probes, called, successes: successes + 1, lease }, ..gate })
        }
        Probe::Returned => Some(Gate { phase: Phase::HalfOpen { probes, called, successes, lease }, ..gate }),
    }
}

/// Opens a closed gate: its failures have reached the threshold.
pub(crate) fn trip(gate: Gate, at: &Moment, params: &Params) -> Gate {
    opened(gate, cooled(&gate, at.now), at, params)
}

/// The back-off level after the time that the gate has been closed.
pub(crate) fn cooled(gate: &Gate, now: u64) -> u8 {
    let Phase::Closed { since } = gate.phase else {
        return gate.backoff;
    };
    let closed = ahead(tick(now).wrapping_sub(since), TICK_BITS, SKEW >> TICK_SHIFT).unwrap_or(0);
    let steps = (closed << TICK_SHIFT) / COOLING;
    gate.backoff.saturating_sub(u8::try_from(steps).unwrap_or(u8::MAX))
}

fn opened(gate: Gate, backoff: u8, at: &Moment, params: &Params) -> Gate {
    let generation = gate.generation.next();
    let dice = at.dice.wrapping_add(generation.number().into());
    let until = tick(at.now) + params.open_ticks(backoff, dice);
    let phase = Phase::Open { until: until & (u64::MAX >> (64 - TICK_BITS)) };
    Gate { phase, backoff, generation, ..gate }
}

/// An operator's override. Open and closed start a period of their own; observing leaves the period as it is.
pub(crate) fn force(gate: Gate, forced: Forced, now: u64) -> Gate {
    let phase = match forced {
        Forced::Open => Phase::Open { until: tick(now) & (u64::MAX >> (64 - TICK_BITS)) },
        Forced::Closed => Phase::Closed { since: tick(now) & (u64::MAX >> (64 - TICK_BITS)) },
        Forced::None | Forced::Observe => return Gate { forced, ..gate },
    };
    Gate { phase, forced, generation: gate.generation.next(), ..gate }
}

/// An operator's reset: closed, no override, no back-off, a period of its own.
pub(crate) fn reset(gate: Gate, now: u64) -> Gate {
    let phase = Phase::Closed { since: tick(now) & (u64::MAX >> (64 - TICK_BITS)) };
    Gate { phase, forced: Forced::None, backoff: 0, generation: gate.generation.next(), ..gate }
}

/// The state that a reader is shown.
pub(crate) fn shown(gate: &Gate) -> BreakerState {
    match gate.forced {
        Forced::Open => BreakerState::Open,
        Forced::Closed => BreakerState::Closed,
        Forced::None | Forced::Observe => gate.state(),
    }
}
