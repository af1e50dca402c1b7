//! The objects of the seven original queries, field for field.

use async_graphql::SimpleObject;

use crate::breaker::BreakerState;
use crate::id::PeerId;
use crate::peer::view::PeerView;
use crate::snapshot::Totals;
use crate::snapshot::rfc3339::Rfc3339;

/// How many breakers are in which state.
#[derive(SimpleObject, Clone, Debug)]
pub struct CircuitBreakerSummary {
    /// Peers that have a record.
    pub total_peers: u64,
    /// Peers whose breaker is closed.
    pub closed: u64,
    /// Peers whose breaker is open.
    pub open: u64,
    /// Peers whose breaker is half-open.
    pub half_open: u64,
}

impl From<&Totals> for CircuitBreakerSummary {
    fn from(totals: &Totals) -> Self {
        let Totals { total_peers, closed, open, half_open, .. } = *totals;
        Self { total_peers, closed, open, half_open }
    }
}

/// One peer's breaker.
#[derive(SimpleObject, Clone, Debug)]
pub struct CircuitBreakerState {
    /// 64 hex digits.
    pub peer_id: String,
    /// `closed`, `open` or `half_open`; `closed` for a peer that is not known.
    pub state: String,
}

impl CircuitBreakerState {
    pub(super) fn new(id: &PeerId, peer: Option<&PeerView>) -> Self {
        let state = peer.map_or(BreakerState::Closed, |peer| peer.state);
        Self { peer_id: id.to_string(), state: state.as_str().to_owned() }
    }
}

/// Reputation of all peers together.
#[derive(SimpleObject, Clone, Debug)]
pub struct ReputationSummary {
    /// Peers that have a record.
    pub total_peers: u64,
    /// Peers with a ban in force.
    pub banned_peers: u64,
    /// Mean score; 0 without peers.
    pub avg_score: f64,
    /// Mean reliability; 0 without peers.
    pub avg_reliability: f64,
}

impl From<&Totals> for ReputationSummary {
    fn from(totals: &Totals) -> Self {
        let Totals { total_peers, banned, avg_score, avg_reliability, .. } = *totals;
        Self { total_peers, banned_peers: banned, avg_score, avg_reliability }
    }
}

/// One peer's reputation.
#[derive(SimpleObject, Clone, Debug)]
pub struct PeerReputation {
    /// 64 hex digits.
    pub peer_id: String,
    /// 0 to 100.
    pub score: f64,
    /// Syncs that went well.
    pub successful_syncs: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Messages that went well.
    pub successful_messages: u64,
    /// Messages that failed.
    pub failed_messages: u64,
    /// Moving average of the latencies, in milliseconds; null before the first.
    pub avg_latency_ms: Option<f64>,
    /// Bytes received from the peer.
    pub bytes_received: u64,
    /// Bytes sent to the peer.
    pub bytes_sent: u64,
    /// Successes / (successes + failures); 0.5 before the first.
    pub reliability: f64,
    /// Whether a ban is in force.
    pub is_banned: bool,
    /// Why; null without a ban.
    pub ban_reason: Option<String>,
    /// When the record was made, RFC 3339.
    pub first_seen: String,
    /// When something was last recorded, RFC 3339.
    pub last_seen: String,
}

impl From<&PeerView> for PeerReputation {
    fn from(peer: &PeerView) -> Self {
        Self {
            peer_id: peer.id.to_string(),
            score: peer.score,
            successful_syncs: peer.successful_syncs,
            failed_syncs: peer.failed_syncs,
            successful_messages: peer.successful_messages,
            failed_messages: peer.failed_messages,
            avg_latency_ms: peer.latency_ms,
            bytes_received: peer.bytes_received,
            bytes_sent: peer.bytes_sent,
            reliability: peer.reliability,
            is_banned: peer.ban.is_some(),
            ban_reason: peer.ban.map(|ban| ban.reason.to_string()),
            first_seen: Rfc3339(peer.first_seen).to_string(),
            last_seen: Rfc3339(peer.last_seen).to_string(),
        }
    }
}

/// Bytes of all peers together.
#[derive(SimpleObject, Clone, Debug)]
pub struct BandwidthStats {
    /// Bytes sent.
    pub total_uploaded: u64,
    /// Bytes received.
    pub total_downloaded: u64,
    /// Bytes that the upload bucket holds; null without a limit.
    pub upload_available: Option<u64>,
    /// Bytes that the download bucket holds; null without a limit.
    pub download_available: Option<u64>,
    /// Upload limit, bytes per second; 0 = unlimited.
    pub upload_limit_bps: u64,
    /// Download limit, bytes per second; 0 = unlimited.
    pub download_limit_bps: u64,
}

impl From<&Totals> for BandwidthStats {
    fn from(totals: &Totals) -> Self {
        Self {
            total_uploaded: totals.uploaded,
            total_downloaded: totals.downloaded,
            upload_available: totals.upload_available,
            download_available: totals.download_available,
            upload_limit_bps: totals.upload_limit,
            download_limit_bps: totals.download_limit,
        }
    }
}

/// All three at one time.
#[derive(SimpleObject, Clone, Debug)]
pub struct NetworkResilienceSummary {
    /// Breakers by state.
    pub circuit_breaker: CircuitBreakerSummary,
    /// Reputation.
    pub reputation: ReputationSummary,
    /// Bytes.
    pub bandwidth: BandwidthStats,
}

impl From<&Totals> for NetworkResilienceSummary {
    fn from(totals: &Totals) -> Self {
        Self { circuit_breaker: totals.into(), reputation: totals.into(), bandwidth: totals.into() }
    }
}
