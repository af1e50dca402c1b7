//! Whom to talk to first.

use std::cmp::Reverse;

use crate::breaker::{BreakerState, Forced};
use crate::config::Config;
use crate::peer::view::PeerView;
use crate::reputation::Tier;

/// The `n` first by their keys, in order, without sorting the rest.
fn first<K: Ord>(mut peers: Vec<(K, &PeerView)>, n: usize) -> Vec<&PeerView> {
    if n == 0 {
        return Vec::new();
    }
    if n < peers.len() {
        peers.select_nth_unstable_by(n - 1, |a, b| a.0.cmp(&b.0));
        peers.truncate(n);
    }
    peers.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    peers.into_iter().map(|(_, peer)| peer).collect()
}

/// A score as an integer that orders as the score does; scores are finite and not negative.
fn ordinal(score: f64) -> u64 {
    score.to_bits()
}

pub(crate) fn top_peers(peers: &[PeerView], n: usize) -> Vec<&PeerView> {
    let key = |peer: &PeerView| (Reverse(ordinal(peer.score)), peer.first_seen_nanos, peer.id);
    first(peers.iter().filter(|peer| peer.ban.is_none()).map(|peer| (key(peer), peer)).collect(), n)
}

/// What a peer's trouble is, the worst first; `None` when it has none.
fn trouble(peer: &PeerView) -> Option<u8> {
    match peer.state {
        _ if peer.ban.is_some() => Some(0),
        BreakerState::Open => Some(1),
        BreakerState::HalfOpen => Some(2),
        BreakerState::Closed if peer.forced != Forced::None || peer.tier == Tier::Probation => Some(3),
        BreakerState::Closed => None,
    }
}

pub(crate) fn worst_peers(peers: &[PeerView], n: usize) -> (Vec<&PeerView>, usize) {
    let key = |peer: &PeerView| trouble(peer).map(|trouble| (trouble, ordinal(peer.score), peer.id));
    let troubled: Vec<_> = peers.iter().filter_map(|peer| key(peer).map(|key| (key, peer))).collect();
    let left_out = troubled.len().saturating_sub(n);
    (first(troubled, n), left_out)
}

/// What the order of sync candidates depends on besides the peers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncOrder {
    latency_weight: f64,
    above: f64,
    max_probes: u8,
}

impl SyncOrder {
    pub(crate) fn new(config: &Config) -> Self {
        let breaker = &config.circuit_breaker;
        Self {
            latency_weight: config.reputation.latency_weight,
            above: config.reputation.initial_score / 2.0,
            max_probes: breaker.half_open_max_probes.unwrap_or(breaker.success_threshold) as u8,
        }
    }

    fn merit(&self, peer: &PeerView) -> f64 {
        // A latency of 0 gives the largest bonus: 1000 / 0 is infinite, and the minimum cuts it.
        let bonus = peer.latency_ms.map_or(0.0, |ms| (1000.0 / ms).min(10.0));
        peer.score + self.latency_weight * bonus
    }

    /// First the closed peers by merit, then the half-open ones with a free probe; ties as in `top_peers`.
    pub(crate) fn sync_candidates(&self, peers: &[PeerView], n: usize) -> Vec<PeerView> {
        let key = |peer: &PeerView| {
            let recovering = match peer.state {
                BreakerState::Closed if peer.score > self.above => false,
                BreakerState::HalfOpen if peer.probes_out < self.max_probes || peer.forced == Forced::Observe => true,
                _ => return None,
            };
            (peer.ban.is_none())
                .then(|| (recovering, Reverse(ordinal(self.merit(peer))), peer.first_seen_nanos, peer.id))
        };
        let candidates = first(peers.iter().filter_map(|peer| key(peer).map(|key| (key, peer))).collect(), n);
        candidates.into_iter().cloned().collect()
    }
}
