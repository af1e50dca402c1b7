//! What a user sets: plain data with `Default`, checked once by [`Config::validate`].

use std::time::Duration;

use crate::error::ConfigError;
use crate::reputation::score::Score;
use crate::token_bucket::rate::MAX_RATE;

/// Everything a [`PeerGuard`](crate::PeerGuard) is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Most peers that have a record at one time, 1 to 2^26. Memory is taken at the start: about 200 bytes for each.
    pub max_peers: usize,
    /// What happens to a newcomer when no record can be freed for it.
    pub newcomers: Newcomers,
    /// Events kept for [`drain_events`](crate::PeerGuard::drain_events) and [`explain`](crate::PeerGuard::explain), 1 to
    /// 2^20, rounded up to a power of two; 56 bytes each.
    pub event_capacity: usize,
    /// The circuit breaker of each peer.
    pub circuit_breaker: CircuitBreakerConfig,
    /// Scores and bans.
    pub reputation: ReputationConfig,
    /// Byte limits.
    pub bandwidth: BandwidthConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_peers: 100_000,
            newcomers: Newcomers::Untracked,
            event_capacity: 1024,
            circuit_breaker: CircuitBreakerConfig::default(),
            reputation: ReputationConfig::default(),
            bandwidth: BandwidthConfig::default(),
        }
    }
}

/// What happens to a newcomer for which no record can be made, because all places that its key may take hold pinned
/// peers or operators' settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Newcomers {
    /// It is served without a record, and counted. All such peers share one per-peer byte bucket for each direction.
    #[default]
    Untracked,
    /// It is refused with [`Reason::TableFull`](crate::Reason::TableFull).
    Refuse,
}

/// The circuit breaker of each peer.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakerConfig {
    /// Failures without a success between them, within `failure_window`, that open the breaker: 1 to 31.
    pub failure_threshold: u32,
    /// How long an opened breaker refuses before it tries again: 1 ms to 24 h.
    pub recovery_timeout: Duration,
    /// Successful probes that close a half-open breaker: 1 to 15.
    pub success_threshold: u32,
    /// The rolling window in which failures count, in eight slices: 8 ns to 24 h.
    pub failure_window: Duration,
    /// Open also when this share of calls fails. Off by default; 64 bytes more for each peer when on.
    pub failure_rate: Option<FailureRate>,
    /// Probes that a half-open breaker admits at once: 1 to 15; `None` = `success_threshold`.
    pub half_open_max_probes: Option<u32>,
    /// Probes that have not reported this long after the last one was admitted are taken back: 1 ms to 24 h;
    /// `None` = `recovery_timeout`.
    pub probe_timeout: Option<Duration>,
    /// Double the open time at each re-opening from half-open, and halve it per 300 s closed.
    pub backoff: bool,
    /// Longest open time before jitter: `recovery_timeout` to 24 h.
    pub max_open_time: Duration,
    /// Largest share of the open time that is added at random, 0 to 1, so that peers that fell together do not come back
    /// together.
    pub jitter: f64,
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            recovery_timeout: Duration::from_secs(30),
            success_threshold: 2,
            failure_window: Duration::from_secs(60),
            failure_rate: None,
            half_open_max_probes: None,
            probe_timeout: None,
            backoff: true,
            max_open_time: Duration::from_secs(300),
            jitter: 0.1,
        }
    }
}

/// A share of failed calls that opens a breaker, judged at each failure over the slices of `failure_window`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailureRate {
    /// Failed calls / calls, above 0 and at most 1.
    pub rate: f64,
    /// Calls in the window before the share is judged: 1 to 65,535.
    pub min_calls: u32,
}

impl Default for FailureRate {
    fn default() -> Self {
        Self { rate: 0.5, min_calls: 20 }
    }
}

/// Scores and bans. Scores are kept, and their bounds compared, to 2^-25 points.
#[derive(Clone, Debug, PartialEq)]
pub struct ReputationConfig {
    /// Score of a peer that nothing is known of; scores decay towards it. Half of it is above `min_score`, and all of it
    /// below `max_score`.
    pub initial_score: f64,
    /// Largest score: at most 100.
    pub max_score: f64,
    /// The change that takes a score from above it to it or below bans: 0 to less than half of `initial_score`.
    pub min_score: f64,
    /// What remains of the distance to `initial_score` after an hour: above 0, at most 1 (no decay).
    pub hourly_decay_factor: f64,
    /// Length of the first earned ban, doubled for each remembered offence: 1 ms to 10 years; `None` = until unbanned.
    pub ban_duration: Option<Duration>,
    /// Longest earned ban: `ban_duration` to 10 years.
    pub max_ban_duration: Duration,
    /// Unbanned time in which one offence is forgotten: 1 s to 10 years.
    pub offence_memory: Duration,
    /// Weight of the latency bonus, min(1000 / ms, 10), in the order of sync candidates: 0 to 10.
    pub latency_weight: f64,
    /// What each outcome does to the score.
    pub weights: Weights,
}

impl Default for ReputationConfig {
    fn default() -> Self {
        Self {
            initial_score: 50.0,
            max_score: 100.0,
            min_score: 0.0,
            hourly_decay_factor: 0.99,
            ban_duration: Some(Duration::from_secs(3600)),
            max_ban_duration: Duration::from_secs(24 * 3600),
            offence_memory: Duration::from_secs(24 * 3600),
            latency_weight: 0.1,
            weights: Weights::default(),
        }
    }
}

/// What each outcome adds to the score, in points: each within −100 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "each field is the outcome of the same name")]
pub struct Weights {
    pub sync_success: f64,
    pub sync_failure: f64,
    pub message_success: f64,
    pub message_failure: f64,
    pub timeout: f64,
    pub unreachable: f64,
    pub protocol_violation: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            sync_success: 2.0,
            sync_failure: -5.0,
            message_success: 0.5,
            message_failure: -1.0,
            timeout: -1.0,
            unreachable: -1.0,
            protocol_violation: -10.0,
        }
    }
}

/// Byte limits. The original's "bps" are bytes per second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BandwidthConfig {
    /// Bytes per second sent to all peers together: 0 = unlimited, at most 2^40.
    pub upload_limit_bps: u64,
    /// Bytes per second received from all peers together.
    pub download_limit_bps: u64,
    /// Bytes per second sent to each peer.
    pub per_peer_upload_bps: u64,
    /// Bytes per second received from each peer.
    pub per_peer_download_bps: u64,
    /// A bucket holds ten times what its rate gives in this time, at least one byte: 1 ns to 1 h.
    pub refill_interval: Duration,
}

impl Default for BandwidthConfig {
    fn default() -> Self {
        Self {
            upload_limit_bps: 0,
            download_limit_bps: 0,
            per_peer_upload_bps: 0,
            per_peer_download_bps: 0,
            refill_interval: Duration::from_millis(100),
        }
    }
}

impl BandwidthConfig {
    /// The four limits, as they can be changed at run time.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits {
            upload: self.upload_limit_bps,
            download: self.download_limit_bps,
            per_peer_upload: self.per_peer_upload_bps,
            per_peer_download: self.per_peer_download_bps,
        }
    }
}

/// The limits of a running guard, in bytes per second; 0 = unlimited, at most 2^40.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Limits {
    /// Sent to all peers together.
    pub upload: u64,
    /// Received from all peers together.
    pub download: u64,
    /// Sent to each peer that has no limit of its own.
    pub per_peer_upload: u64,
    /// Received from each peer that has no limit of its own.
    pub per_peer_download: u64,
}

/// A peer's own limits, in bytes per second: `None` inherits the guard's, `Some(0)` is unlimited, at most 2^40.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PeerLimits {
    /// Sent to the peer.
    pub upload: Option<u64>,
    /// Received from the peer.
    pub download: Option<u64>,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const TEN_YEARS: Duration = Duration::from_secs(3653 * 24 * 3600);
const MILLISECOND: Duration = Duration::from_millis(1);

/// `Err` naming the field unless `ok`.
fn require(ok: bool, field: &'static str, allowed: &'static str) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::new(field, allowed)) }
}

impl Config {
    /// The original's behaviour, for comparing: no back-off, no jitter, bans that end only when lifted.
    #[must_use]
    pub fn classic() -> Self {
        let mut config = Self::default();
        config.circuit_breaker.backoff = false;
        config.circuit_breaker.jitter = 0.0;
        config.reputation.ban_duration = None;
        config
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        require((1..=1 << 26).contains(&self.max_peers), "max_peers", "1 to 2^26")?;
        require((1..=1 << 20).contains(&self.event_capacity), "event_capacity", "1 to 2^20")?;
        self.circuit_breaker.validate()?;
        self.reputation.validate()?;
        self.bandwidth.validate()
    }
}

impl CircuitBreakerConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let probes = self.half_open_max_probes.unwrap_or(1);
        let probe_timeout = self.probe_timeout.unwrap_or(MILLISECOND);
        let rate = self.failure_rate.unwrap_or_default();
        let wait = MILLISECOND..=DAY;
        require((1..=31).contains(&self.failure_threshold), "circuit_breaker.failure_threshold", "1 to 31")?;
        require(wait.contains(&self.recovery_timeout), "circuit_breaker.recovery_timeout", "1 ms to 24 h")?;
        require((1..=15).contains(&self.success_threshold), "circuit_breaker.success_threshold", "1 to 15")?;
        let window = Duration::from_nanos(8)..=DAY;
        require(window.contains(&self.failure_window), "circuit_breaker.failure_window", "8 ns to 24 h")?;
        require(rate.rate > 0.0 && rate.rate <= 1.0, "circuit_breaker.failure_rate.rate", "above 0 and at most 1")?;
        require((1..=65_535).contains(&rate.min_calls), "circuit_breaker.failure_rate.min_calls", "1 to 65,535")?;
        require((1..=15).contains(&probes), "circuit_breaker.half_open_max_probes", "1 to 15")?;
        require(wait.contains(&probe_timeout), "circuit_breaker.probe_timeout", "1 ms to 24 h")?;
        require(
            (self.recovery_timeout..=DAY).contains(&self.max_open_time),
            "circuit_breaker.max_open_time",
            "recovery_timeout to 24 h",
        )?;
        require((0.0..=1.0).contains(&self.jitter), "circuit_breaker.jitter", "0 to 1")
    }
}

impl ReputationConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        // What is no number, negative or too large becomes the least score there is, or one above all.
        let [min, initial, max] = [self.min_score, self.initial_score, self.max_score].map(Score::new);
        let half = Score::new(self.initial_score / 2.0);
        let max_allowed = max > Score::new(0.0) && self.max_score <= 100.0;
        require(max_allowed, "reputation.max_score", "above 0 and at most 100")?;
        require(half < initial && initial < max, "reputation.initial_score", "above 0 and below max_score")?;
        require(self.min_score >= 0.0 && min < half, "reputation.min_score", "0 to less than half of initial_score")?;
        require(
            self.hourly_decay_factor > 0.0 && self.hourly_decay_factor <= 1.0,
            "reputation.hourly_decay_factor",
            "above 0 and at most 1",
        )?;
        let first = self.ban_duration.unwrap_or(MILLISECOND);
        require((MILLISECOND..=TEN_YEARS).contains(&first), "reputation.ban_duration", "1 ms to 10 years")?;
        require(
            (first..=TEN_YEARS).contains(&self.max_ban_duration),
            "reputation.max_ban_duration",
            "ban_duration to 10 years",
        )?;
        require(
            (Duration::from_secs(1)..=TEN_YEARS).contains(&self.offence_memory),
            "reputation.offence_memory",
            "1 s to 10 years",
        )?;
        require((0.0..=10.0).contains(&self.latency_weight), "reputation.latency_weight", "0 to 10")?;
        self.weights.validate()
    }
}

impl Weights {
    fn validate(&self) -> Result<(), ConfigError> {
        for (weight, field) in [
            (self.sync_success, "reputation.weights.sync_success"),
            (self.sync_failure, "reputation.weights.sync_failure"),
            (self.message_success, "reputation.weights.message_success"),
            (self.message_failure, "reputation.weights.message_failure"),
            (self.timeout, "reputation.weights.timeout"),
            (self.unreachable, "reputation.weights.unreachable"),
            (self.protocol_violation, "reputation.weights.protocol_violation"),
        ] {
            require((-100.0..=100.0).contains(&weight), field, "within -100 to 100")?;
        }
        Ok(())
    }
}

impl BandwidthConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        const RATE: &str = "0 (unlimited) to 2^40 bytes per second";
        require(self.upload_limit_bps <= MAX_RATE, "bandwidth.upload_limit_bps", RATE)?;
        require(self.download_limit_bps <= MAX_RATE, "bandwidth.download_limit_bps", RATE)?;
        require(self.per_peer_upload_bps <= MAX_RATE, "bandwidth.per_peer_upload_bps", RATE)?;
        require(self.per_peer_download_bps <= MAX_RATE, "bandwidth.per_peer_download_bps", RATE)?;
        let interval = Duration::from_nanos(1)..=Duration::from_secs(3600);
        require(interval.contains(&self.refill_interval), "bandwidth.refill_interval", "1 ns to 1 h")
    }
}

impl Limits {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        const RATE: &str = "0 (unlimited) to 2^40 bytes per second";
        require(self.upload <= MAX_RATE, "upload", RATE)?;
        require(self.download <= MAX_RATE, "download", RATE)?;
        require(self.per_peer_upload <= MAX_RATE, "per_peer_upload", RATE)?;
        require(self.per_peer_download <= MAX_RATE, "per_peer_download", RATE)
    }
}

impl PeerLimits {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        const RATE: &str = "None, or 0 (unlimited) to 2^40 bytes per second";
        require(self.upload.unwrap_or(0) <= MAX_RATE, "upload", RATE)?;
        require(self.download.unwrap_or(0) <= MAX_RATE, "download", RATE)
    }
}
