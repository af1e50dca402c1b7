//! The breaker's configuration in nanoseconds and ticks.

use peerguard::CircuitBreakerConfig;

use crate::reference::time::{STEP_BACK_NS, TICK_BITS, ticks_up};

#[derive(Clone, Debug)]
pub struct Rules {
    pub threshold: u32,
    pub success_threshold: u32,
    pub recovery_ns: i128,
    pub max_open_ns: i128,
    pub jitter: f64,
    pub backoff: bool,
    pub slice_ns: i128,
    pub rate: Option<(f64, u32)>,
    pub max_probes: u32,
    pub lease_ticks: i128,
}

impl Rules {
    pub fn new(config: &CircuitBreakerConfig) -> Self {
        let ns = |d: std::time::Duration| i128::try_from(d.as_nanos()).unwrap();
        Self {
            threshold: config.failure_threshold,
            success_threshold: config.success_threshold,
            recovery_ns: ns(config.recovery_timeout),
            max_open_ns: ns(config.max_open_time),
            jitter: config.jitter,
            backoff: config.backoff,
            slice_ns: (ns(config.failure_window) / 8).max(1),
            rate: config.failure_rate.map(|rate| (rate.rate, rate.min_calls)),
            max_probes: config.half_open_max_probes.unwrap_or(config.success_threshold),
            lease_ticks: ticks_up(ns(config.probe_timeout.unwrap_or(config.recovery_timeout))),
        }
    }

    pub fn slice(&self, now: u64) -> i128 {
        i128::from(now) / self.slice_ns
    }

    /// The open time without jitter, and the most that jitter may add.
    pub fn open_ns(&self, level: u32) -> (i128, i128) {
        let base = (self.recovery_ns << level.min(40)).min(self.max_open_ns);
        (base, (base as f64 * self.jitter).ceil() as i128)
    }

    /// In ticks: more can only be left after the clock has stepped back.
    pub fn longest_open(&self) -> i128 {
        (self.max_open_ns + (self.max_open_ns as f64 * self.jitter) as i128 + STEP_BACK_NS) >> TICK_BITS
    }
}
