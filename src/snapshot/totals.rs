//! Figures of the guard as a whole.

use crate::breaker::BreakerState;
use crate::counters::{Counters, Total};
use crate::decision::Reason;
use crate::peer::image::{Counts, Glance};
use crate::reputation::score::SCORE_BITS;

/// A count for each scope of a byte limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Scopes {
    /// Refused by a peer's own bucket.
    pub peer: u64,
    /// Refused by the bucket of all peers.
    pub global: u64,
}

/// Figures of the guard as a whole. The counters never fall, whoever is evicted; they saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Peers that have a record.
    pub total_peers: u64,
    /// Peers whose breaker is closed.
    pub closed: u64,
    /// Peers whose breaker is open.
    pub open: u64,
    /// Peers whose breaker is half-open.
    pub half_open: u64,
    /// Peers with a ban in force.
    pub banned: u64,
    /// Mean score; 0 without peers.
    pub avg_score: f64,
    /// Mean reliability; 0 without peers.
    pub avg_reliability: f64,
    /// Counter: bytes sent.
    pub uploaded: u64,
    /// Counter: bytes received.
    pub downloaded: u64,
    /// Counter: uploads that a byte limit refused.
    pub throttled_upload: Scopes,
    /// Counter: downloads that a byte limit refused.
    pub throttled_download: Scopes,
    /// Upload limit of all peers together, bytes per second; 0 = unlimited.
    pub upload_limit: u64,
    /// Download limit of all peers together.
    pub download_limit: u64,
    /// Bytes that the upload bucket holds; `None` without a limit.
    pub upload_available: Option<u64>,
    /// Bytes that the download bucket holds.
    pub download_available: Option<u64>,
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
    /// Most peers that can have a record.
    pub capacity: u64,
    /// Counter: events that were overwritten before they were drained.
    pub events_lost: u64,
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::wire::denials"))]
    denials: [u64; Reason::COUNT],
}

impl Totals {
    /// Counter: requests refused for a reason.
    #[must_use]
    pub const fn denied(&self, reason: Reason) -> u64 {
        self.denials[reason as usize]
    }

    /// Counter: requests refused for any reason.
    #[must_use]
    pub fn denied_total(&self) -> u64 {
        self.denials.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Raises what may fall from one snapshot to the next while threads run: a record that is evicted during a pass may be
    /// missed by it, and an event that is drained during it may be missed or counted twice.
    pub(crate) fn never_below(&mut self, before: &Self) {
        self.uploaded = self.uploaded.max(before.uploaded);
        self.downloaded = self.downloaded.max(before.downloaded);
        self.events_lost = self.events_lost.max(before.events_lost);
    }

    /// Takes over the counters.
    pub(crate) fn count(&mut self, counters: &Counters) {
        self.throttled_upload = Scopes {
            peer: counters.sum(Total::ThrottledUploadPeer),
            global: counters.sum(Total::ThrottledUploadGlobal),
        };
        self.throttled_download = Scopes {
            peer: counters.sum(Total::ThrottledDownloadPeer),
            global: counters.sum(Total::ThrottledDownloadGlobal),
        };
        self.trips = counters.sum(Total::Trips);
        self.probes_lost = counters.sum(Total::ProbesLost);
        self.would_deny = counters.sum(Total::WouldDeny);
        self.evictions = counters.sum(Total::Evictions);
        self.evicted_bans = counters.sum(Total::EvictedBans);
        self.untracked = counters.sum(Total::Untracked);
        self.records_made = counters.sum(Total::Records);
        self.denials = Reason::ALL.map(|reason| counters.denials(reason));
    }
}

/// Adds up peers, in any order.
#[derive(Default)]
pub(crate) struct Tally {
    /// By state.
    peers: [u64; 3],
    banned: u64,
    /// In the scores' own units, so that no sum depends on the order.
    scores: u64,
    reliabilities: f64,
}

impl Tally {
    #[inline]
    pub(crate) fn add(&mut self, glance: &Glance, counts: &Counts) {
        self.peers[glance.state as usize] += 1;
        self.banned += u64::from(glance.banned);
        self.scores += glance.score.bits();
        self.reliabilities += counts.reliability();
    }

    /// The totals with what was added up.
    pub(crate) fn complete(&self, totals: Totals) -> Totals {
        let [closed, open, half_open] =
            [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen].map(|state| self.peers[state as usize]);
        let total_peers = closed + open + half_open;
        let mean = |sum: f64| if total_peers == 0 { 0.0 } else { sum / total_peers as f64 };
        Totals {
            total_peers,
            closed,
            open,
            half_open,
            banned: self.banned,
            avg_score: mean(self.scores as f64 / f64::from(1u32 << SCORE_BITS)),
            avg_reliability: mean(self.reliabilities),
            ..totals
        }
    }
}
