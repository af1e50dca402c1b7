//! A read-only view of everything, taken in one pass.
//!
//! The pass reads each slot once, without a lock and without holding up a writer. Each figure comes from one word or is
//! derived in the pass, at one time; every peer appears once, so `closed + open + half_open = total`.

mod latency;
pub(crate) mod order;
pub(crate) mod publish;
#[cfg(any(feature = "serde", feature = "graphql"))]
pub(crate) mod rfc3339;
mod totals;
#[cfg(feature = "serde")]
pub(crate) mod wire;

use std::time::SystemTime;

pub use latency::LatencyQuantiles;
pub use publish::{Published, Publisher, Publishing};
pub use totals::{Scopes, Totals};

pub(crate) use totals::Tally;

use crate::id::PeerId;
use crate::peer::view::PeerView;
use order::SyncOrder;

/// Everything that the guard knew at one time.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    #[cfg_attr(feature = "serde", serde(serialize_with = "wire::time"))]
    pub taken_at: SystemTime,
    /// Figures of the guard as a whole.
    pub totals: Totals,
    /// Quantiles over the peers' average latencies; `None` when no peer has one.
    pub latency: Option<LatencyQuantiles>,
    /// Every peer, in the order of their ids.
    pub peers: Vec<PeerView>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) order: SyncOrder,
}

impl Snapshot {
    /// One peer; `None` when it had no record. A binary search.
    #[must_use]
    pub fn peer(&self, id: &PeerId) -> Option<&PeerView> {
        self.peers.binary_search_by_key(id, |peer| peer.id).ok().map(|place| &self.peers[place])
    }

    /// The `n` best peers: highest score first, then earlier first seen, then id; banned ones left out.
    #[must_use]
    pub fn top_peers(&self, n: usize) -> Vec<PeerView> {
        self.best_peers(n).into_iter().cloned().collect()
    }

    /// [`Self::top_peers`] without copies.
    #[must_use]
    pub fn best_peers(&self, n: usize) -> Vec<&PeerView> {
        order::top_peers(&self.peers, n)
    }

    /// The `n` worst of the peers in trouble, and how many more there are: banned ones first, then open, then half-open,
    /// then the rest; in each the lowest score first, ties by id.
    ///
    /// A peer is in trouble while it is banned or on probation, its breaker is not closed, or an operator overrides it.
    #[must_use]
    pub fn worst_peers(&self, n: usize) -> (Vec<&PeerView>, usize) {
        order::worst_peers(&self.peers, n)
    }

    /// The `n` peers to sync with first: closed, unbanned and above half the initial score, by score and latency bonus;
    /// then the half-open ones with a free probe.
    #[must_use]
    pub fn sync_candidates(&self, n: usize) -> Vec<PeerView> {
        self.order.sync_candidates(&self.peers, n)
    }
}
