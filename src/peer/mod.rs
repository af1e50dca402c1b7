//! One peer's record: the words of its breaker, reputation and buckets, and the loops that apply their transitions.
//!
//! A record does not know which peers there are, nor whether it is being evicted: that is the table's. Whoever calls a
//! function here that changes a word holds the record by a pin or a handle, but for what [`plain`] does by the life that its
//! words carry; the views are validated by the table.

pub(crate) mod admit;
pub(crate) mod ban;
pub(crate) mod flow;
pub(crate) mod image;
pub(crate) mod latency;
pub(crate) mod limits;
pub(crate) mod meta;
pub(crate) mod operator;
pub(crate) mod plain;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod retention;
pub(crate) mod tally;
pub(crate) mod view;

use crate::breaker::rate::RateThreshold;
use crate::breaker::transition;
use crate::clock::nanos;
use crate::config::Config;
use crate::counters::Counters;
use crate::event::ring::Ring;
use crate::reputation;
use crate::token_bucket::bucket::Burst;

/// The configuration in the units of the words.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) breaker: transition::Params,
    pub(crate) reputation: reputation::params::Params,
    pub(crate) failure_threshold: u32,
    /// Nanoseconds of a slice of the failure window.
    pub(crate) slice: u64,
    /// Nanoseconds of the failure window.
    pub(crate) window: u64,
    pub(crate) rate: Option<RateThreshold>,
    pub(crate) burst: Burst,
    /// Spreads the jitter of open times differently in each guard.
    pub(crate) salt: u64,
}

impl Rules {
    /// `config` has been validated.
    pub(crate) fn new(config: &Config, salt: u64) -> Self {
        let window = nanos(config.circuit_breaker.failure_window);
        let rate = config.circuit_breaker.failure_rate;
        Self {
            breaker: transition::Params::new(&config.circuit_breaker),
            reputation: reputation::params::Params::new(&config.reputation),
            failure_threshold: config.circuit_breaker.failure_threshold,
            slice: (window / crate::breaker::window::SLICES).max(1),
            window,
            rate: rate.map(|rate| RateThreshold { rate: rate.rate, min_calls: rate.min_calls.into() }),
            burst: Burst::new(nanos(config.bandwidth.refill_interval) * 10),
            salt,
        }
    }
}

/// Where a change to a record is written down, and by which rules it is made.
pub(crate) struct Site<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) counters: &'a Counters,
    pub(crate) events: &'a Ring,
    /// The record's slot: picks a stripe of the counters.
    pub(crate) slot: usize,
    /// Nanoseconds.
    pub(crate) now: u64,
}
