//! `peerguard_config`, limits and the clock.

use std::ffi::c_void;
use std::time::Duration;

use super::memory::Plain;
use super::seat::Seat;
use super::status::Failure;
use crate::{
    BandwidthConfig, CircuitBreakerConfig, Clock, Config, FailureRate, Limits, Newcomers, PeerLimits, ReputationConfig,
    Weights,
};

/// In a time: for ever, or never. In a limit of one peer: as for all peers. In a latency: not known.
pub const PEERGUARD_NONE: u64 = u64::MAX;

/// A newcomer that no record can be made for is served without one, and counted.
pub const PEERGUARD_NEWCOMERS_UNTRACKED: u32 = 0;
/// Such a newcomer is refused with PEERGUARD_REASON_TABLE_FULL.
pub const PEERGUARD_NEWCOMERS_REFUSE: u32 = 1;

/// Everything a guard is made from. Fill it with `peerguard_config_init`, then change what you like: a field that you do not
/// know keeps its default.
///
/// Times are in nanoseconds, rates in bytes per second.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_config {
    /// sizeof(peerguard_config), set by `peerguard_config_init`.
    pub struct_size: usize,
    /// Most peers that have a record at one time: 1 to 2^26 (100,000). Memory is taken at the start: about 200 bytes for each,
    /// and 64 more with a `failure_rate`.
    pub max_peers: u64,
    /// Events that are kept: 1 to 2^20, rounded up to a power of two (1024), 56 bytes each.
    pub event_capacity: u64,
    /// PEERGUARD_NEWCOMERS_...: when no record can be made (untracked).
    pub newcomers: u32,
    /// Failures without a success between them, within `failure_window`, that open the breaker: 1 to 31 (5).
    pub failure_threshold: u32,
    /// The rolling window in which failures count: 8 ns to 24 h (60 s).
    pub failure_window: u64,
    /// How long an opened breaker refuses before it tries again: 1 ms to 24 h (30 s).
    pub recovery_timeout: u64,
    /// Longest open time before jitter: `recovery_timeout` to 24 h (300 s).
    pub max_open_time: u64,
    /// Probes that have not reported this long after the last one was admitted are taken back: 1 ms to 24 h;
    /// PEERGUARD_NONE = `recovery_timeout` (PEERGUARD_NONE).
    pub probe_timeout: u64,
    /// Successful probes that close a half-open breaker: 1 to 15 (2).
    pub success_threshold: u32,
    /// Probes that a half-open breaker admits at once: 1 to 15; 0 = `success_threshold` (0).
    pub half_open_max_probes: u32,
    /// 1: double the open time at each re-opening, and halve it per 300 s closed. 0: do not (1).
    pub backoff: u32,
    /// Calls in the window before the share of failed ones is judged: 1 to 65,535 (20).
    pub failure_rate_min_calls: u32,
    /// Share of failed calls that opens the breaker: above 0 and at most 1; 0 = not judged (0).
    pub failure_rate: f64,
    /// Largest share of the open time that is added at random: 0 to 1 (0.1).
    pub jitter: f64,
    /// Score of a peer that nothing is known of (50).
    pub initial_score: f64,
    /// Largest score: at most 100 (100).
    pub max_score: f64,
    /// The change that takes a score from above it to it or below bans: 0 to less than half of `initial_score` (0).
    pub min_score: f64,
    /// What remains of the distance to `initial_score` after an hour: above 0, at most 1 (0.99).
    pub hourly_decay_factor: f64,
    /// Length of the first earned ban, doubled for each remembered one: 1 ms to 10 years; PEERGUARD_NONE = until
    /// unbanned (1 h).
    pub ban_duration: u64,
    /// Longest earned ban: `ban_duration` to 10 years (24 h).
    pub max_ban_duration: u64,
    /// Unbanned time in which one offence is forgotten: 1 s to 10 years (24 h).
    pub offence_memory: u64,
    /// Weight of the latency in the order of sync candidates: 0 to 10 (0.1).
    pub latency_weight: f64,
    /// Added to the score by a successful sync, as are the next ones by theirs: within -100 to 100 (2).
    pub weight_sync_success: f64,
    /// By a failed sync (-5).
    pub weight_sync_failure: f64,
    /// By a message that went well (0.5).
    pub weight_message_success: f64,
    /// By one that failed (-1).
    pub weight_message_failure: f64,
    /// By an answer that did not come in time (-1).
    pub weight_timeout: f64,
    /// By a failed dial or a reset connection (-1).
    pub weight_unreachable: f64,
    /// By a breach of the protocol (-10).
    pub weight_protocol_violation: f64,
    /// Sent to all peers together, bytes per second: 0 = unlimited, at most 2^40 (0).
    pub upload_limit_bps: u64,
    /// Received from all peers together, bytes per second (0).
    pub download_limit_bps: u64,
    /// Sent to each peer, bytes per second (0). All newcomers without a record share one bucket of this rate.
    pub per_peer_upload_bps: u64,
    /// Received from each peer, bytes per second (0); as above.
    pub per_peer_download_bps: u64,
    /// A bucket holds ten times what its rate gives in this time, at least one byte: 1 ns to 1 h (100 ms).
    pub refill_interval: u64,
}

// SAFETY: integers and floats only.
unsafe impl Plain for peerguard_config {}

fn nanos(duration: Duration) -> u64 {
    // PEERGUARD_NONE is not a time.
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(PEERGUARD_NONE - 1)
}

pub(super) fn nanos_or_none(duration: Option<Duration>) -> u64 {
    duration.map_or(PEERGUARD_NONE, nanos)
}

pub(super) fn some_duration(nanos: u64) -> Option<Duration> {
    (nanos != PEERGUARD_NONE).then(|| Duration::from_nanos(nanos))
}

/// A latency in milliseconds. No division: it would take longer than the rest of a report's arithmetic.
#[inline(always)]
pub(super) fn milliseconds(nanos: u64) -> Option<f64> {
    (nanos != PEERGUARD_NONE).then_some(nanos as f64 * 1e-6)
}

impl From<&Config> for peerguard_config {
    fn from(config: &Config) -> Self {
        let Config { circuit_breaker: breaker, reputation, bandwidth, .. } = config;
        let weights = &reputation.weights;
        let rate = breaker.failure_rate.unwrap_or_default();
        Self {
            struct_size: size_of::<Self>(),
            max_peers: config.max_peers as u64,
            event_capacity: config.event_capacity as u64,
            newcomers: match config.newcomers {
                Newcomers::Untracked => PEERGUARD_NEWCOMERS_UNTRACKED,
                Newcomers::Refuse => PEERGUARD_NEWCOMERS_REFUSE,
            },
            failure_threshold: breaker.failure_threshold,
            failure_window: nanos(breaker.failure_window),
            recovery_timeout: nanos(breaker.recovery_timeout),
            max_open_time: nanos(breaker.max_open_time),
            probe_timeout: nanos_or_none(breaker.probe_timeout),
            success_threshold: breaker.success_threshold,
            half_open_max_probes: breaker.half_open_max_probes.unwrap_or(0),
            backoff: breaker.backoff.into(),
            failure_rate_min_calls: rate.min_calls,
            failure_rate: breaker.failure_rate.map_or(0.0, |rate| rate.rate),
            jitter: breaker.jitter,
            initial_score: reputation.initial_score,
            max_score: reputation.max_score,
            min_score: reputation.min_score,
            hourly_decay_factor: reputation.hourly_decay_factor,
            ban_duration: nanos_or_none(reputation.ban_duration),
            max_ban_duration: nanos(reputation.max_ban_duration),
            offence_memory: nanos(reputation.offence_memory),
            latency_weight: reputation.latency_weight,
            weight_sync_success: weights.sync_success,
            weight_sync_failure: weights.sync_failure,
            weight_message_success: weights.message_success,
            weight_message_failure: weights.message_failure,
            weight_timeout: weights.timeout,
            weight_unreachable: weights.unreachable,
            weight_protocol_violation: weights.protocol_violation,
            upload_limit_bps: bandwidth.upload_limit_bps,
            download_limit_bps: bandwidth.download_limit_bps,
            per_peer_upload_bps: bandwidth.per_peer_upload_bps,
            per_peer_download_bps: bandwidth.per_peer_download_bps,
            refill_interval: nanos(bandwidth.refill_interval),
        }
    }
}

impl peerguard_config {
    /// The configuration; its ranges are looked at by whoever uses it.
    pub(super) fn to_config(self) -> Result<Config, Failure> {
        if self.struct_size != size_of::<Self>() {
            return Err(Failure::StructSize);
        }
        let newcomers = match self.newcomers {
            PEERGUARD_NEWCOMERS_UNTRACKED => Newcomers::Untracked,
            PEERGUARD_NEWCOMERS_REFUSE => Newcomers::Refuse,
            _ => return Err(Failure::Enum),
        };
        let backoff = match self.backoff {
            0 => false,
            1 => true,
            _ => return Err(Failure::Enum),
        };
        // 0 is "not judged", and so is -0; NaN and what is out of range meet the check of the whole.
        let failure_rate = (self.failure_rate != 0.0)
            .then_some(FailureRate { rate: self.failure_rate, min_calls: self.failure_rate_min_calls });
        // What does not fit a `usize` is out of range as `usize::MAX` is.
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(Config {
            max_peers: count(self.max_peers),
            newcomers,
            event_capacity: count(self.event_capacity),
            circuit_breaker: CircuitBreakerConfig {
                failure_threshold: self.failure_threshold,
                recovery_timeout: Duration::from_nanos(self.recovery_timeout),
                success_threshold: self.success_threshold,
                failure_window: Duration::from_nanos(self.failure_window),
                failure_rate,
                half_open_max_probes: (self.half_open_max_probes != 0).then_some(self.half_open_max_probes),
                probe_timeout: some_duration(self.probe_timeout),
                backoff,
                max_open_time: Duration::from_nanos(self.max_open_time),
                jitter: self.jitter,
            },
            reputation: ReputationConfig {
                initial_score: self.initial_score,
                max_score: self.max_score,
                min_score: self.min_score,
                hourly_decay_factor: self.hourly_decay_factor,
                ban_duration: some_duration(self.ban_duration),
                max_ban_duration: Duration::from_nanos(self.max_ban_duration),
                offence_memory: Duration::from_nanos(self.offence_memory),
                latency_weight: self.latency_weight,
                weights: Weights {
                    sync_success: self.weight_sync_success,
                    sync_failure: self.weight_sync_failure,
                    message_success: self.weight_message_success,
                    message_failure: self.weight_message_failure,
                    timeout: self.weight_timeout,
                    unreachable: self.weight_unreachable,
                    protocol_violation: self.weight_protocol_violation,
                },
            },
            bandwidth: BandwidthConfig {
                upload_limit_bps: self.upload_limit_bps,
                download_limit_bps: self.download_limit_bps,
                per_peer_upload_bps: self.per_peer_upload_bps,
                per_peer_download_bps: self.per_peer_download_bps,
                refill_interval: Duration::from_nanos(self.refill_interval),
            },
        })
    }
}

/// The limits of a running guard, in bytes per second; 0 = unlimited, at most 2^40.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_limits {
    /// Sent to all peers together.
    pub upload: u64,
    /// Received from all peers together.
    pub download: u64,
    /// Sent to each peer that has no limit of its own.
    pub per_peer_upload: u64,
    /// Received from each peer that has no limit of its own.
    pub per_peer_download: u64,
}

// SAFETY: integers only.
unsafe impl Plain for peerguard_limits {}

impl From<Limits> for peerguard_limits {
    fn from(limits: Limits) -> Self {
        let Limits { upload, download, per_peer_upload, per_peer_download } = limits;
        Self { upload, download, per_peer_upload, per_peer_download }
    }
}

impl From<peerguard_limits> for Limits {
    fn from(limits: peerguard_limits) -> Self {
        let peerguard_limits { upload, download, per_peer_upload, per_peer_download } = limits;
        Self { upload, download, per_peer_upload, per_peer_download }
    }
}

pub(super) fn peer_limits(upload: u64, download: u64) -> PeerLimits {
    let own = |limit| (limit != PEERGUARD_NONE).then_some(limit);
    PeerLimits { upload: own(upload), download: own(download) }
}

/// A clock of the node's own.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_clock {
    /// Tells nanoseconds since any origin. It is called on the hot paths from every thread that uses the guard: it must be
    /// thread-safe, must not block, should not go back, and must not call this library for what has a handle
    /// (PEERGUARD_ERR_REENTRANT), throw, or jump out.
    pub now: Option<unsafe extern "C" fn(context: *mut c_void) -> u64>,
    /// Passed to `now`. It must live until the guard, its peers and its exporters are freed.
    pub context: *mut c_void,
}

// SAFETY: two words, for each of which every pattern of bits is a value: an address of a function is not called before the
// caller has vouched for it.
unsafe impl Plain for peerguard_clock {}

/// The node's function with its context.
struct Callback {
    now: unsafe extern "C" fn(*mut c_void) -> u64,
    context: *mut c_void,
}

// SAFETY: the header asks for a function that can be called from every thread with this context.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    fn read(&self) -> u64 {
        // A call from inside is refused, also on a thread of the library's own, which is in no call.
        let _clock = Seat::own().in_clock();
        // SAFETY: the header asks for a function that may be called with this context while the guard or a peer lives.
        unsafe { (self.now)(self.context) }
    }
}

impl peerguard_clock {
    pub(super) fn to_clock(self) -> Result<Clock, Failure> {
        let callback = Callback { now: self.now.ok_or(Failure::Null)?, context: self.context };
        Ok(Clock::from_fn(move || callback.read()))
    }
}
