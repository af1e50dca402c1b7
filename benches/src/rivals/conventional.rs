//! The conventional design: everything by hand, one map entry per peer, token buckets of `f64` tokens behind
//! `RwLock`s, `Instant::now` in every call that needs the time. It keeps what peerguard keeps of a peer: both directions'
//! buckets, a rolling failure window, probes, score, counts, latency, a timed ban.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use parking_lot::RwLock;

use super::reputation::Reputation;
use super::{FAILURE_THRESHOLD, Gate, Limits, OPEN_FOR};
use crate::workload::Key;

const FAILURE_WINDOW: Duration = Duration::from_secs(60);

struct TokenBucket {
    rate: f64,
    tokens: f64,
    refilled: Instant,
}

impl TokenBucket {
    fn new(bytes_per_second: u64, now: Instant) -> RwLock<Self> {
        let rate = bytes_per_second as f64;
        RwLock::new(TokenBucket { rate, tokens: rate, refilled: now })
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

/// Empty vectors own no memory: a healthy peer's breaker allocates nothing.
#[derive(Default)]
struct Breaker {
    failures: VecDeque<Instant>,
    open_since: Option<Instant>,
}

pub struct Peer {
    upload: RwLock<TokenBucket>,
    _download: RwLock<TokenBucket>,
    breaker: Breaker,
    pub reputation: Reputation,
    _first_seen: Instant,
    last_seen: Instant,
}

pub struct Conventional {
    pub peers: DashMap<Key, Peer, RandomState>,
    global: RwLock<TokenBucket>,
    limits: Limits,
    start: Instant,
}

impl Conventional {
    pub fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let global = TokenBucket::new(limits.global, now);
        Conventional { peers: DashMap::default(), global, limits, start: now }
    }

    fn newcomer(&self, now: Instant) -> Peer {
        Peer {
            upload: TokenBucket::new(self.limits.per_peer, now),
            _download: TokenBucket::new(self.limits.per_peer, now),
            breaker: Breaker::default(),
            reputation: Reputation::new((now - self.start).as_nanos() as u64),
            _first_seen: now,
            last_seen: now,
        }
    }

    /// Asks under the shard's read lock, so that many ask at once.
    #[inline]
    fn ask(&self, peer: &Key, now: Instant, ask: impl FnOnce(&Peer) -> bool) -> bool {
        match self.peers.get(peer) {
            Some(known) => ask(&known),
            None => ask(&self.peers.entry(*peer).or_insert_with(|| self.newcomer(now))),
        }
    }

    #[inline]
    fn with_peer(&self, peer: &Key, change: impl FnOnce(&mut Peer, Instant, u64)) {
        let now = Instant::now();
        let since = (now - self.start).as_nanos() as u64;
        let change = |entry: &mut Peer| {
            entry.last_seen = now;
            change(entry, now, since);
        };
        match self.peers.get_mut(peer) {
            Some(mut known) => change(&mut known),
            None => change(&mut self.peers.entry(*peer).or_insert_with(|| self.newcomer(now))),
        }
    }
}

impl Gate for Conventional {
    #[inline]
    fn admit(&self, peer: &Key, bytes: u32) -> bool {
        let now = Instant::now();
        let wanted = f64::from(bytes);
        let allowed = self.ask(peer, now, |entry| {
            let closed = entry.breaker.open_since.is_none_or(|since| now - since >= OPEN_FOR);
            !entry.reputation.banned && closed && (bytes == 0 || entry.upload.write().take(wanted, now))
        });
        allowed && (bytes == 0 || self.global.write().take(wanted, now))
    }

    #[inline]
    fn take(&self, peer: &Key, bytes: u32) -> bool {
        let now = Instant::now();
        let wanted = f64::from(bytes);
        self.ask(peer, now, |entry| entry.upload.write().take(wanted, now)) && self.global.write().take(wanted, now)
    }

    #[inline]
    fn success(&self, peer: &Key, latency_ms: Option<f64>) {
        self.with_peer(peer, |entry, _, since| {
            entry.breaker.failures.clear();
            entry.breaker.open_since = None;
            entry.reputation.success(latency_ms, since);
        });
    }

    #[inline]
    fn failure(&self, peer: &Key) {
        self.with_peer(peer, |entry, now, since| {
            let breaker = &mut entry.breaker;
            breaker.failures.push_back(now);
            while breaker.failures.front().is_some_and(|&old| now - old > FAILURE_WINDOW) {
                breaker.failures.pop_front();
            }
            if breaker.failures.len() >= FAILURE_THRESHOLD as usize {
                breaker.open_since = Some(now);
            }
            entry.reputation.failure(since);
        });
    }
}
