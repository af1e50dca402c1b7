//! The conventional design: everything by hand, one map entry per peer, token buckets of `f64` tokens behind
//! `RwLock`s, `Instant::now` in every call that needs the time.

use std::time::Instant;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use parking_lot::RwLock;

use super::reputation::Reputation;
use super::{FAILURE_THRESHOLD, Gate, Limits, OPEN_FOR};
use crate::workload::Key;

struct TokenBucket {
    rate: f64,
    tokens: f64,
    refilled: Instant,
}

impl TokenBucket {
    fn new(bytes_per_second: u64, now: Instant) -> Self {
        let rate = bytes_per_second as f64;
        TokenBucket { rate, tokens: rate, refilled: now }
    }

    #[inline]
    fn take(&mut self, bytes: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.rate);
        self.refilled = now;
        let fits = self.tokens >= bytes;
        if fits {
            self.tokens -= bytes;
        }
        fits
    }
}

#[derive(Default)]
struct Breaker {
    failures: u32,
    open_since: Option<Instant>,
}

struct Peer {
    upload: RwLock<TokenBucket>,
    breaker: Breaker,
    reputation: Reputation,
}

pub struct Conventional {
    peers: DashMap<Key, Peer, RandomState>,
    global: RwLock<TokenBucket>,
    limits: Limits,
    start: Instant,
}

impl Conventional {
    pub fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Conventional {
            peers: DashMap::default(),
            global: RwLock::new(TokenBucket::new(limits.global, now)),
            limits,
            start: now,
        }
    }

    fn newcomer(&self, now: Instant) -> Peer {
        Peer {
            upload: RwLock::new(TokenBucket::new(self.limits.per_peer, now)),
            breaker: Breaker::default(),
            reputation: Reputation::new((now - self.start).as_nanos() as u64),
        }
    }

    #[inline]
    fn with_peer(&self, peer: &Key, change: impl FnOnce(&mut Peer, Instant, u64)) {
        let now = Instant::now();
        let since = (now - self.start).as_nanos() as u64;
        match self.peers.get_mut(peer) {
            Some(mut known) => change(&mut known, now, since),
            None => change(&mut self.peers.entry(*peer).or_insert_with(|| self.newcomer(now)), now, since),
        }
    }
}

impl Gate for Conventional {
    #[inline]
    fn admit(&self, peer: &Key, bytes: u32) -> bool {
        let now = Instant::now();
        let bytes = f64::from(bytes);
        let ask = |entry: &Peer| {
            let closed = entry.breaker.open_since.is_none_or(|since| now - since >= OPEN_FOR);
            let free = bytes == 0.0 || (closed && entry.upload.write().take(bytes, now));
            !entry.reputation.banned && closed && free
        };
        let allowed = match self.peers.get(peer) {
            Some(known) => ask(&known),
            None => ask(&self.peers.entry(*peer).or_insert_with(|| self.newcomer(now))),
        };
        allowed && (bytes == 0.0 || self.global.write().take(bytes, now))
    }

    #[inline]
    fn success(&self, peer: &Key, latency_ms: Option<f64>) {
        self.with_peer(peer, |entry, _, since| {
            entry.breaker = Breaker::default();
            entry.reputation.success(latency_ms, since);
        });
    }

    #[inline]
    fn failure(&self, peer: &Key) {
        self.with_peer(peer, |entry, now, since| {
            entry.breaker.failures += 1;
            if entry.breaker.failures >= FAILURE_THRESHOLD {
                entry.breaker.open_since = Some(now);
            }
            entry.reputation.failure(since);
        });
    }
}
