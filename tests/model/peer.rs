//! Everything that is kept of one peer.

use peerguard::{Outcome, PeerLimits};

use crate::reference::bucket::Bucket;
use crate::reference::time::STEP_BACK_NS;
use crate::reference::{breaker, reputation};

/// Weight of the newest latency in the average.
const ALPHA: f64 = 0.2;

#[derive(Clone, Debug)]
pub struct ModelPeer {
    pub breaker: breaker::Breaker,
    pub standing: reputation::Standing,
    pub latency_ms: Option<f64>,
    /// By `Outcome as usize`, the eight with an effect.
    pub counts: [u64; 8],
    /// Sent, received.
    pub bytes: [u64; 2],
    pub buckets: [Bucket; 2],
    pub own_limits: PeerLimits,
    pub first_seen: u64,
    pub last_seen: u64,
}

impl ModelPeer {
    pub fn new(now: u64, rules: &reputation::Rules) -> Self {
        Self {
            breaker: breaker::Breaker::new(now),
            standing: reputation::Standing::new(now, rules),
            latency_ms: None,
            counts: [0; 8],
            bytes: [0; 2],
            buckets: [Bucket::full(now); 2],
            own_limits: PeerLimits::default(),
            first_seen: now,
            last_seen: now,
        }
    }

    /// Something was recorded. A clock that stepped back a little leaves the stamp where it is.
    pub fn see(&mut self, now: u64) {
        if now > self.last_seen || i128::from(self.last_seen - now) > STEP_BACK_NS {
            self.last_seen = now;
        }
    }

    pub fn reliability(&self) -> f64 {
        let successes = self.counts[Outcome::SyncSuccess as usize] + self.counts[Outcome::MessageSuccess as usize];
        let all: u64 = self.counts.iter().sum();
        if all == 0 { 0.5 } else { successes as f64 / all as f64 }
    }

    pub fn measure(&mut self, latency_ms: f64) {
        // A zero has no sign here.
        let latency_ms = latency_ms.abs();
        let average = match self.latency_ms {
            None => latency_ms,
            Some(average) => average + ALPHA * (latency_ms - average),
        };
        // Kept as an `f32`.
        self.latency_ms = Some((average as f32).min(f32::MAX).into());
    }
}
