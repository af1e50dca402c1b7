//! The original's calls, which carry no permit.

use std::time::Duration;

use super::bytes::Want;
use super::ticket::Hold;
use super::{Inner, PeerGuard};
use crate::breaker::transition::Asker;
use crate::decision::{Recorded, Traffic};
use crate::error::InvalidLatency;
use crate::id::PeerId;
use crate::peer::report::{Report, Standing};
use crate::reputation::outcome::Outcome;
use crate::snapshot::Totals;
use crate::table::Tenancy;
use crate::token_bucket::Direction;

impl PeerGuard {
    /// May I talk to this peer now? In half-open it takes a probe slot, which the next report without a permit gives back.
    #[must_use]
    pub fn should_communicate(&self, peer: &PeerId) -> bool {
        self.inner.should_communicate(peer)
    }

    /// Reports a sync that went well; the latency is in milliseconds.
    ///
    /// # Errors
    /// A latency that is NaN, infinite or negative: nothing is recorded.
    pub fn record_success(&self, peer: &PeerId, latency_ms: Option<f64>) -> Result<Recorded, InvalidLatency> {
        if let Some(milliseconds) = latency_ms.filter(|ms| !ms.is_finite() || *ms < 0.0) {
            return Err(InvalidLatency { milliseconds });
        }
        let report =
            Report { outcome: Outcome::SyncSuccess, latency: latency_ms.map(f64::abs), traffic: Traffic::NONE };
        Ok(self.inner.report_by_key(peer, &report, Standing::Call))
    }

    /// Reports a sync that failed.
    pub fn record_failure(&self, peer: &PeerId) -> Recorded {
        self.report(peer, Outcome::SyncFailure, None::<Duration>, Traffic::NONE)
    }

    /// Takes bytes to be sent to the peer, from both buckets or from neither; asks neither ban nor breaker.
    #[must_use]
    pub fn try_upload(&self, peer: &PeerId, bytes: u64) -> bool {
        self.inner.try_take(peer, Direction::Upload, bytes)
    }

    /// Takes bytes to be received from the peer; see [`Self::try_upload`].
    #[must_use]
    pub fn try_download(&self, peer: &PeerId, bytes: u64) -> bool {
        self.inner.try_take(peer, Direction::Download, bytes)
    }

    /// The ids of [`Self::sync_candidates`].
    #[must_use]
    pub fn get_sync_candidates(&self, n: usize) -> Vec<PeerId> {
        self.sync_candidates(n).into_iter().map(|peer| peer.id).collect()
    }

    /// Ids and scores of [`Self::top_peers`].
    #[must_use]
    pub fn get_top_peers(&self, n: usize) -> Vec<(PeerId, f64)> {
        self.top_peers(n).into_iter().map(|peer| (peer.id, peer.score)).collect()
    }

    /// The totals of a [`Self::snapshot`], without the peers.
    #[must_use]
    pub fn get_summary(&self) -> Totals {
        self.totals()
    }
}

impl Inner {
    fn should_communicate(&self, id: &PeerId) -> bool {
        match self.table.find(id) {
            None => self.admit_unknown(id).is_ok(),
            Some(found) if found.gate.admits() => true,
            Some(_) => match self.table.pin_found(id) {
                None => self.admit_unknown(id).is_ok(),
                Some(pin) => self.admit_pinned(&pin, Asker::Call).is_ok(),
            },
        }
    }

    fn try_take(&self, id: &PeerId, direction: Direction, bytes: u64) -> bool {
        if bytes == 0 {
            return true;
        }
        match self.take(id, Want { direction, bytes, up_to: false, gate: false }) {
            Ok(permit) => {
                let ticket = permit.into_ticket();
                let Tenancy { slot, life } = ticket.tenancy;
                let seen = ticket.hold == Hold::Seen;
                if !(seen && self.table.record(slot).count_bytes_plainly(direction, bytes, life)) {
                    self.abandon(&ticket);
                }
                true
            }
            Err(_) => false,
        }
    }
}
