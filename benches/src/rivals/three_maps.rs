//! Rival A: three keyed structures side by side. governor limits bytes per key and in total, failsafe breaks, a map of
//! reputations scores; each is looked up by key on its own.

use std::num::NonZeroU32;
use std::time::Duration;

use dashmap::DashMap;
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use failsafe::{StateMachine, backoff};
use foldhash::fast::RandomState;
use governor::clock::{Clock, QuantaClock, QuantaInstant, Reference};
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::reputation::Reputation;
use super::{FAILURE_THRESHOLD, Gate, Limits, OPEN_AT_MOST, OPEN_FOR};
use crate::workload::Key;

type PeerLimiter = RateLimiter<Key, DashMapStateStore<Key, RandomState>, QuantaClock>;
type Breaker = StateMachine<ConsecutiveFailures<backoff::Exponential>, ()>;

/// governor counts cells in a `u32` and gives each a whole number of nanoseconds, so that bytes alone stop at 1 GB/s:
/// a cell is 256 bytes.
pub const CELL: u32 = 256;

/// Cells that cover so many bytes.
#[inline]
pub fn cells(bytes: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(bytes.div_ceil(CELL))
}

/// The quota of a limit in bytes per second.
pub fn quota(bytes_per_second: u64) -> Quota {
    let cells = u32::try_from(bytes_per_second.div_ceil(u64::from(CELL))).unwrap_or(u32::MAX);
    Quota::per_second(NonZeroU32::new(cells).expect("a limit of at least one byte"))
}

/// failsafe's breaker with the thresholds that peerguard has by default.
pub fn breaker() -> Breaker {
    let open = backoff::exponential(OPEN_FOR, OPEN_AT_MOST);
    StateMachine::new(consecutive_failures(FAILURE_THRESHOLD, open), ())
}

pub struct ThreeMaps {
    per_peer: PeerLimiter,
    global: DefaultDirectRateLimiter,
    breakers: DashMap<Key, Breaker, RandomState>,
    reputations: DashMap<Key, Reputation, RandomState>,
    clock: QuantaClock,
    start: QuantaInstant,
}

impl ThreeMaps {
    pub fn new(limits: Limits) -> Self {
        let clock = QuantaClock::default();
        ThreeMaps {
            per_peer: RateLimiter::dashmap_with_clock_and_hasher(
                quota(limits.per_peer),
                clock.clone(),
                RandomState::default(),
            ),
            global: RateLimiter::direct_with_clock(quota(limits.global), clock.clone()),
            breakers: DashMap::default(),
            reputations: DashMap::default(),
            start: clock.now(),
            clock,
        }
    }

    #[inline]
    fn now(&self) -> u64 {
        let since: Duration = self.clock.now().duration_since(self.start).into();
        since.as_nanos() as u64
    }

    #[inline]
    fn with_breaker(&self, peer: &Key, report: impl FnOnce(&Breaker)) {
        match self.breakers.get(peer) {
            Some(known) => report(&known),
            None => report(&self.breakers.entry(*peer).or_insert_with(breaker)),
        }
    }

    #[inline]
    fn with_reputation(&self, peer: &Key, change: impl FnOnce(&mut Reputation, u64)) {
        let now = self.now();
        match self.reputations.get_mut(peer) {
            Some(mut known) => change(&mut known, now),
            None => change(&mut self.reputations.entry(*peer).or_insert_with(|| Reputation::new(now)), now),
        }
    }
}

impl Gate for ThreeMaps {
    #[inline]
    fn admit(&self, peer: &Key, bytes: u32) -> bool {
        if self.reputations.get(peer).is_some_and(|r| r.banned) {
            return false;
        }
        if let Some(breaker) = self.breakers.get(peer)
            && !breaker.is_call_permitted()
        {
            return false;
        }
        self.take(peer, bytes)
    }

    #[inline]
    fn take(&self, peer: &Key, bytes: u32) -> bool {
        cells(bytes).is_none_or(|cells| {
            matches!(self.per_peer.check_key_n(peer, cells), Ok(Ok(())))
                && matches!(self.global.check_n(cells), Ok(Ok(())))
        })
    }

    #[inline]
    fn success(&self, peer: &Key, latency_ms: Option<f64>) {
        self.with_breaker(peer, StateMachine::on_success);
        self.with_reputation(peer, |r, now| r.success(latency_ms, now));
    }

    #[inline]
    fn failure(&self, peer: &Key) {
        self.with_breaker(peer, StateMachine::on_error);
        self.with_reputation(peer, Reputation::failure);
    }
}
