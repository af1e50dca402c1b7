//! `peerguard_peer_view`, `peerguard_totals` and what they are made of.

use std::time::{SystemTime, UNIX_EPOCH};

use super::config::nanos_or_none;
use super::id::peerguard_id;
use super::memory::{Growing, Plain};
use super::permit::peerguard_rejection;
use crate::{
    BanOrigin, BanReason, BreakerState, BucketView, Explanation, Forced, LatencyQuantiles, PeerView, Reason, Scopes,
    Tier, Totals,
};

/// The breaker is closed.
pub const PEERGUARD_STATE_CLOSED: u32 = 0;
/// The breaker is open.
pub const PEERGUARD_STATE_OPEN: u32 = 1;
/// The breaker is half-open.
pub const PEERGUARD_STATE_HALF_OPEN: u32 = 2;

/// The breaker decides.
pub const PEERGUARD_FORCED_NONE: u32 = 0;
/// The peer is refused until reset.
pub const PEERGUARD_FORCED_OPEN: u32 = 1;
/// The breaker admits whatever happens; bans and byte limits stay.
pub const PEERGUARD_FORCED_CLOSED: u32 = 2;
/// Everything is computed and shown, nothing is refused.
pub const PEERGUARD_FORCED_OBSERVE: u32 = 3;

/// A ban is in force.
pub const PEERGUARD_TIER_BANNED: u32 = 0;
/// At most half the initial score.
pub const PEERGUARD_TIER_PROBATION: u32 = 1;
/// Below 60.
pub const PEERGUARD_TIER_NEUTRAL: u32 = 2;
/// Below 80.
pub const PEERGUARD_TIER_GOOD: u32 = 3;
/// 80 and above.
pub const PEERGUARD_TIER_TRUSTED: u32 = 4;

/// No ban is in force.
pub const PEERGUARD_BAN_NONE: u32 = 0;
/// Banned for the peer's own deeds.
pub const PEERGUARD_BAN_EARNED: u32 = 1;
/// Banned by an operator.
pub const PEERGUARD_BAN_OPERATOR: u32 = 2;

/// No ban is in force.
pub const PEERGUARD_BAN_REASON_NONE: u32 = 0;
/// The score fell to the minimum.
pub const PEERGUARD_BAN_REASON_LOW_SCORE: u32 = 1;
/// The peer did something fatal.
pub const PEERGUARD_BAN_REASON_FATAL: u32 = 2;
/// An operator's reason: see `ban_code`.
pub const PEERGUARD_BAN_REASON_OPERATOR: u32 = 3;

pub(super) const fn forced_number(forced: Forced) -> u32 {
    match forced {
        Forced::None => PEERGUARD_FORCED_NONE,
        Forced::Open => PEERGUARD_FORCED_OPEN,
        Forced::Closed => PEERGUARD_FORCED_CLOSED,
        Forced::Observe => PEERGUARD_FORCED_OBSERVE,
    }
}

const fn state_number(state: BreakerState) -> u32 {
    match state {
        BreakerState::Closed => PEERGUARD_STATE_CLOSED,
        BreakerState::Open => PEERGUARD_STATE_OPEN,
        BreakerState::HalfOpen => PEERGUARD_STATE_HALF_OPEN,
    }
}

const fn tier_number(tier: Tier) -> u32 {
    match tier {
        Tier::Banned => PEERGUARD_TIER_BANNED,
        Tier::Probation => PEERGUARD_TIER_PROBATION,
        Tier::Neutral => PEERGUARD_TIER_NEUTRAL,
        Tier::Good => PEERGUARD_TIER_GOOD,
        Tier::Trusted => PEERGUARD_TIER_TRUSTED,
    }
}

/// Nanoseconds since 1970; times out of range are cut.
pub(super) fn unix_nanos(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

/// One peer as it stood at one time. Times are in nanoseconds, wall-clock times since 1970.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_peer_view {
    /// sizeof(peerguard_peer_view): set it before the call.
    pub struct_size: usize,
    /// Whose.
    pub id: peerguard_id,
    /// PEERGUARD_STATE_...; an open breaker whose time is over is half-open.
    pub state: u32,
    /// PEERGUARD_FORCED_...
    pub forced: u32,
    /// Number of the breaker's period.
    pub generation: u32,
    /// Failures that count towards opening.
    pub failures_in_window: u32,
    /// Doublings of the open time: of the next one while closed; of the last one otherwise, and a failed probe adds one.
    pub backoff_level: u32,
    /// Probes that have not reported.
    pub probes_out: u32,
    /// Probes that succeeded in this half-open period.
    pub probe_successes: u32,
    /// PEERGUARD_TIER_...
    pub tier: u32,
    /// What is left of the open time; 0 when not open.
    pub open_remaining: u64,
    /// 0 to 100; frozen while a ban is in force.
    pub score: f64,
    /// Successes / (successes + failures); 0.5 before the first.
    pub reliability: f64,
    /// PEERGUARD_BAN_...: who banned.
    pub ban_origin: u32,
    /// PEERGUARD_BAN_REASON_...
    pub ban_reason: u32,
    /// What is left of the ban; PEERGUARD_NONE = until unbanned; 0 when not banned.
    pub ban_remaining: u64,
    /// The operator's code of the ban.
    pub ban_code: u32,
    /// Earned bans that are remembered.
    pub offences: u32,
    /// Moving average of the latencies, in milliseconds; negative when none is known.
    pub latency_ms: f64,
    /// Calls in the window, when breakers open by failure rate; else 0.
    pub calls_in_window: u64,
    /// Failed calls in the window.
    pub failed_calls_in_window: u64,
    /// Syncs that went well.
    pub successful_syncs: u64,
    /// Syncs that failed; saturates at 2^32 - 1, as does every count of failures.
    pub failed_syncs: u64,
    /// Messages that went well.
    pub successful_messages: u64,
    /// Messages that failed.
    pub failed_messages: u64,
    /// Answers that did not come in time.
    pub timeouts: u64,
    /// Failed dials, refused and reset connections.
    pub unreachable: u64,
    /// Breaches of the protocol.
    pub protocol_violations: u64,
    /// Fatal outcomes.
    pub fatal: u64,
    /// Bytes sent to the peer.
    pub bytes_sent: u64,
    /// Bytes received from the peer.
    pub bytes_received: u64,
    /// The peer's own upload limit; PEERGUARD_NONE = as for all peers.
    pub upload_limit: u64,
    /// The peer's own download limit.
    pub download_limit: u64,
    /// Used share of the upload bucket's burst, 0 to 1; 0 without a limit.
    pub upload_used: f64,
    /// Used share of the download bucket's burst.
    pub download_used: f64,
    /// When the record was made.
    pub first_seen: i64,
    /// When something was last recorded.
    pub last_seen: i64,
}

// SAFETY: integers and floats only.
unsafe impl Plain for peerguard_peer_view {}
// SAFETY: it begins with `struct_size`.
unsafe impl Growing for peerguard_peer_view {}

impl From<&PeerView> for peerguard_peer_view {
    fn from(view: &PeerView) -> Self {
        let (ban_origin, ban_reason, ban_code, ban_remaining) = match view.ban {
            None => (PEERGUARD_BAN_NONE, PEERGUARD_BAN_REASON_NONE, 0, 0),
            Some(ban) => {
                let origin = match ban.origin {
                    BanOrigin::Earned => PEERGUARD_BAN_EARNED,
                    BanOrigin::Operator => PEERGUARD_BAN_OPERATOR,
                };
                let (reason, code) = match ban.reason {
                    BanReason::LowScore => (PEERGUARD_BAN_REASON_LOW_SCORE, 0),
                    BanReason::Fatal => (PEERGUARD_BAN_REASON_FATAL, 0),
                    BanReason::Operator(code) => (PEERGUARD_BAN_REASON_OPERATOR, code.into()),
                };
                (origin, reason, code, nanos_or_none(ban.remaining))
            }
        };
        let (calls_in_window, failed_calls_in_window) = view.calls_in_window.unwrap_or((0, 0));
        Self {
            struct_size: size_of::<Self>(),
            id: view.id.into(),
            state: state_number(view.state),
            forced: forced_number(view.forced),
            generation: view.generation.into(),
            failures_in_window: view.failures_in_window,
            backoff_level: view.backoff_level.into(),
            probes_out: view.probes_out.into(),
            probe_successes: view.probe_successes.into(),
            tier: tier_number(view.tier),
            open_remaining: view.open_remaining.map_or(0, |left| nanos_or_none(Some(left))),
            score: view.score,
            reliability: view.reliability,
            ban_origin,
            ban_reason,
            ban_remaining,
            ban_code,
            offences: view.offences.into(),
            latency_ms: view.latency_ms.unwrap_or(-1.0),
            calls_in_window,
            failed_calls_in_window,
            successful_syncs: view.successful_syncs,
            failed_syncs: view.failed_syncs,
            successful_messages: view.successful_messages,
            failed_messages: view.failed_messages,
            timeouts: view.timeouts,
            unreachable: view.unreachable,
            protocol_violations: view.protocol_violations,
            fatal: view.fatal,
            bytes_sent: view.bytes_sent,
            bytes_received: view.bytes_received,
            upload_limit: view.limits.upload.unwrap_or(u64::MAX),
            download_limit: view.limits.download.unwrap_or(u64::MAX),
            upload_used: view.upload_used,
            download_used: view.download_used,
            first_seen: unix_nanos(view.first_seen),
            last_seen: unix_nanos(view.last_seen),
        }
    }
}

/// A byte bucket; all 0 without a limit.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct peerguard_bucket {
    /// Bytes per second.
    pub rate: u64,
    /// Bytes that a full bucket holds.
    pub burst: u64,
    /// Bytes that it holds now.
    pub available: u64,
}

impl From<Option<BucketView>> for peerguard_bucket {
    fn from(bucket: Option<BucketView>) -> Self {
        bucket.map_or_else(Self::default, |BucketView { rate, burst, available }| Self { rate, burst, available })
    }
}

/// What an admit of a peer would say, and why.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_explanation {
    /// sizeof(peerguard_explanation): set it before the call.
    pub struct_size: usize,
    /// The rule that would refuse; reason PEERGUARD_REASON_NONE: none would.
    pub verdict: peerguard_rejection,
    /// The refusal that an observed peer is spared.
    pub spared: peerguard_rejection,
    /// What the peer's score is made of: `score = initial + remembered`.
    pub score: f64,
    /// What a peer without history has.
    pub score_initial: f64,
    /// What is left of the outcomes so far.
    pub score_remembered: f64,
    /// Added for its latency when sync candidates are ordered.
    pub score_latency_bonus: f64,
    /// The peer's bucket for upload.
    pub peer_upload: peerguard_bucket,
    /// The peer's bucket for download.
    pub peer_download: peerguard_bucket,
    /// The bucket of all peers for upload.
    pub global_upload: peerguard_bucket,
    /// The bucket of all peers for download.
    pub global_download: peerguard_bucket,
    /// 1: the peer has a record, and `view` shows it. 0: `view` is all 0.
    pub known: u32,
    /// 0.
    pub reserved: u32,
    /// The peer as it stands.
    pub view: peerguard_peer_view,
}

// SAFETY: integers and floats only.
unsafe impl Plain for peerguard_explanation {}
// SAFETY: it begins with `struct_size`.
unsafe impl Growing for peerguard_explanation {}

impl From<&Explanation> for peerguard_explanation {
    fn from(explanation: &Explanation) -> Self {
        let refusal = |no: Option<crate::Rejection>| no.map_or(peerguard_rejection::NOTHING, Into::into);
        let [peer_upload, peer_download] = explanation.peer_buckets.map(Into::into);
        let [global_upload, global_download] = explanation.global_buckets.map(Into::into);
        let view = explanation.view.as_ref();
        Self {
            struct_size: size_of::<Self>(),
            verdict: refusal(explanation.verdict.err()),
            spared: refusal(explanation.spared),
            score: explanation.score.score,
            score_initial: explanation.score.initial,
            score_remembered: explanation.score.remembered,
            score_latency_bonus: explanation.score.latency_bonus,
            peer_upload,
            peer_download,
            global_upload,
            global_download,
            known: view.is_some().into(),
            reserved: 0,
            // SAFETY: integers and floats, for which all bits 0 is the value 0.
            view: view.map_or_else(|| unsafe { std::mem::zeroed() }, Into::into),
        }
    }
}

/// Number of reasons, and of the entries of `peerguard_totals.denied`; entry 0 is not used.
pub const PEERGUARD_REASONS: usize = 10;

/// Figures of the guard as a whole. The counters never fall, whoever is evicted.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_totals {
    /// sizeof(peerguard_totals): set it before the call.
    pub struct_size: usize,
    /// Peers that have a record; closed + open + half_open.
    pub total_peers: u64,
    /// Peers whose breaker is closed.
    pub closed: u64,
    /// Peers whose breaker is open.
    pub open: u64,
    /// Peers whose breaker is half-open.
    pub half_open: u64,
    /// Peers with a ban in force.
    pub banned: u64,
    /// Most peers that can have a record.
    pub capacity: u64,
    /// Mean score; 0 without peers.
    pub avg_score: f64,
    /// Mean reliability; 0 without peers.
    pub avg_reliability: f64,
    /// Counter: bytes sent.
    pub uploaded: u64,
    /// Counter: bytes received.
    pub downloaded: u64,
    /// Counter: uploads that a peer's own bucket refused.
    pub throttled_upload_peer: u64,
    /// Counter: uploads that the bucket of all peers refused.
    pub throttled_upload_global: u64,
    /// Counter: downloads that a peer's own bucket refused.
    pub throttled_download_peer: u64,
    /// Counter: downloads that the bucket of all peers refused.
    pub throttled_download_global: u64,
    /// Upload limit of all peers together, bytes per second; 0 = unlimited.
    pub upload_limit: u64,
    /// Download limit of all peers together.
    pub download_limit: u64,
    /// Bytes that the upload bucket holds; PEERGUARD_NONE without a limit.
    pub upload_available: u64,
    /// Bytes that the download bucket holds.
    pub download_available: u64,
    /// Counter: breakers that opened.
    pub trips: u64,
    /// Counter: probes that did not report in time.
    pub probes_lost: u64,
    /// Counter: requests that an observed peer's gate would have refused.
    pub would_deny: u64,
    /// Counter: records that were given to newcomers.
    pub evictions: u64,
    /// Counter: of these, records with a ban in force.
    pub evicted_bans: u64,
    /// Counter: requests and reports of newcomers for which no record could be made.
    pub untracked: u64,
    /// Counter: records made.
    pub records_made: u64,
    /// Counter: events that were overwritten before they were drained.
    pub events_lost: u64,
    /// Counters: requests refused, by PEERGUARD_REASON_...
    pub denied: [u64; PEERGUARD_REASONS],
}

// SAFETY: integers and floats only.
unsafe impl Plain for peerguard_totals {}
// SAFETY: it begins with `struct_size`.
unsafe impl Growing for peerguard_totals {}

impl From<&Totals> for peerguard_totals {
    fn from(totals: &Totals) -> Self {
        let Scopes { peer: throttled_upload_peer, global: throttled_upload_global } = totals.throttled_upload;
        let Scopes { peer: throttled_download_peer, global: throttled_download_global } = totals.throttled_download;
        let mut denied = [0; PEERGUARD_REASONS];
        for reason in Reason::ALL {
            denied[super::permit::reason_number(reason) as usize] = totals.denied(reason);
        }
        Self {
            struct_size: size_of::<Self>(),
            total_peers: totals.total_peers,
            closed: totals.closed,
            open: totals.open,
            half_open: totals.half_open,
            banned: totals.banned,
            capacity: totals.capacity,
            avg_score: totals.avg_score,
            avg_reliability: totals.avg_reliability,
            uploaded: totals.uploaded,
            downloaded: totals.downloaded,
            throttled_upload_peer,
            throttled_upload_global,
            throttled_download_peer,
            throttled_download_global,
            upload_limit: totals.upload_limit,
            download_limit: totals.download_limit,
            upload_available: totals.upload_available.unwrap_or(u64::MAX),
            download_available: totals.download_available.unwrap_or(u64::MAX),
            trips: totals.trips,
            probes_lost: totals.probes_lost,
            would_deny: totals.would_deny,
            evictions: totals.evictions,
            evicted_bans: totals.evicted_bans,
            untracked: totals.untracked,
            records_made: totals.records_made,
            events_lost: totals.events_lost,
            denied,
        }
    }
}

/// Quantiles over the peers' average latencies, in milliseconds.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct peerguard_latency {
    /// Peers that have a latency; with 0 the rest is 0.
    pub peers: u64,
    /// Half of the peers are at most this slow.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// 99 in a hundred.
    pub p99: f64,
    /// 999 in a thousand.
    pub p999: f64,
}

// SAFETY: integers and floats only.
unsafe impl Plain for peerguard_latency {}

impl From<Option<LatencyQuantiles>> for peerguard_latency {
    fn from(quantiles: Option<LatencyQuantiles>) -> Self {
        quantiles.map_or_else(Self::default, |q| Self {
            peers: q.peers,
            p50: q.p50,
            p90: q.p90,
            p99: q.p99,
            p999: q.p999,
        })
    }
}
