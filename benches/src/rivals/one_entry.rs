//! Rival B: one map, one entry per peer that holds limiter, breaker and reputation, so that each call looks up once.

use std::time::Duration;

use dashmap::DashMap;
use failsafe::StateMachine;
use failsafe::backoff::Exponential;
use failsafe::failure_policy::ConsecutiveFailures;
use foldhash::fast::RandomState;
use governor::clock::{Clock, QuantaClock, QuantaInstant, Reference};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::reputation::Reputation;
use super::three_maps::{breaker, cells, quota};
use super::{Gate, Limits};
use crate::workload::Key;

struct Entry {
    limiter: DefaultDirectRateLimiter,
    breaker: StateMachine<ConsecutiveFailures<Exponential>, ()>,
    reputation: Reputation,
}

pub struct OneEntry {
    peers: DashMap<Key, Entry, RandomState>,
    global: DefaultDirectRateLimiter,
    per_peer: Quota,
    clock: QuantaClock,
    start: QuantaInstant,
}

impl OneEntry {
    pub fn new(limits: Limits) -> Self {
        let clock = QuantaClock::default();
        OneEntry {
            peers: DashMap::default(),
            global: RateLimiter::direct_with_clock(quota(limits.global), clock.clone()),
            per_peer: quota(limits.per_peer),
            start: clock.now(),
            clock,
        }
    }

    #[inline]
    fn now(&self) -> u64 {
        let since: Duration = self.clock.now().duration_since(self.start).into();
        since.as_nanos() as u64
    }

    fn newcomer(&self) -> Entry {
        Entry {
            limiter: RateLimiter::direct_with_clock(self.per_peer, self.clock.clone()),
            breaker: breaker(),
            reputation: Reputation::new(self.now()),
        }
    }

    #[inline]
    fn with_entry(&self, peer: &Key, change: impl FnOnce(&mut Entry, u64)) {
        let now = self.now();
        match self.peers.get_mut(peer) {
            Some(mut known) => change(&mut known, now),
            None => change(&mut self.peers.entry(*peer).or_insert_with(|| self.newcomer()), now),
        }
    }
}

impl Gate for OneEntry {
    #[inline]
    fn admit(&self, peer: &Key, bytes: u32) -> bool {
        let cells = cells(bytes);
        let ask = |entry: &Entry| {
            !entry.reputation.banned
                && entry.breaker.is_call_permitted()
                && cells.is_none_or(|n| matches!(entry.limiter.check_n(n), Ok(Ok(()))))
        };
        // Many admit at once under the shard's read lock; the global limiter is asked outside it.
        let allowed = match self.peers.get(peer) {
            Some(known) => ask(&known),
            None => ask(&self.peers.entry(*peer).or_insert_with(|| self.newcomer())),
        };
        allowed && cells.is_none_or(|n| matches!(self.global.check_n(n), Ok(Ok(()))))
    }

    #[inline]
    fn take(&self, peer: &Key, bytes: u32) -> bool {
        let Some(cells) = cells(bytes) else { return true };
        let ask = |entry: &Entry| matches!(entry.limiter.check_n(cells), Ok(Ok(())));
        let allowed = match self.peers.get(peer) {
            Some(known) => ask(&known),
            None => ask(&self.peers.entry(*peer).or_insert_with(|| self.newcomer())),
        };
        allowed && matches!(self.global.check_n(cells), Ok(Ok(())))
    }

    #[inline]
    fn success(&self, peer: &Key, latency_ms: Option<f64>) {
        self.with_entry(peer, |entry, now| {
            entry.breaker.on_success();
            entry.reputation.success(latency_ms, now);
        });
    }

    #[inline]
    fn failure(&self, peer: &Key) {
        self.with_entry(peer, |entry, now| {
            entry.breaker.on_error();
            entry.reputation.failure(now);
        });
    }
}
