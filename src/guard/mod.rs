//! The facade: the handle that a node keeps.
//!
//! Only here is the clock asked, and where the bucket of all peers lends. A report of success reads the recent time (see
//! [`crate::clock`]); everything else that needs a time reads the exact one, once. `admit` of a closed peer reads none.

mod batch;
mod bytes;
mod calls;
mod explain;
#[cfg(feature = "capi")]
mod foreign;
mod gate;
mod handle;
mod operator;
mod permit;
mod queries;
mod report;
pub(crate) mod ticket;

use std::fmt;
#[cfg(not(peerguard_loom))]
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

pub use batch::AdmitBatch;
pub use explain::{BucketView, Explanation, ScoreParts};
pub use handle::Peer;
pub use permit::{OwnedPermit, Pass, Permit};

use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::counters::Counters;
use crate::error::ConfigError;
use crate::event::drain::Drain;
use crate::event::ring::Ring;
use crate::peer::{Rules, Site};
use crate::sync::{Word, parallelism};
use crate::table::Table;
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::{Bucket, Rough};
use crate::token_bucket::rate::Rate;
use crate::token_bucket::setting::Setting;
use crate::token_bucket::shared::SharedBucket;

/// Breaker, reputation and byte limits of every peer, under one gate.
///
/// Cheap to clone; all clones are one guard. Every call can be made from any thread at any time, and none blocks another, but
/// for first contacts that meet in the index: see the crate's text for what each costs.
///
/// # Memory ordering
/// Breaker, score with ban, and each bucket of a peer change as if the calls came one after the other, in an order that
/// agrees with each thread's own; overlapping calls may be ordered differently in each of them. A report happens before
/// every check that sees its effect. Figures of different peers, and different figures of one view, may be moments apart.
#[derive(Clone)]
pub struct PeerGuard {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    config: Config,
    clock: Clock,
    /// How old a recent time may be, for bytes that are booked by it.
    rough: Rough,
    rules: Rules,
    pub(crate) table: Table,
    counters: Counters,
    events: Ring,
    drain: Drain,
    /// Most lost events that were shown.
    shown_lost: Word<u64>,
    /// Nanoseconds from the guard's clock to the wall's, modulo 2^64.
    wall_offset: Word<u64>,
    /// Most bytes that a snapshot has shown, by direction.
    shown_bytes: [Word<u64>; 2],
    /// Bytes of all peers together, and their limits, by direction.
    global: [SharedBucket; 2],
    /// Bytes of each peer that has no record, all together, by direction.
    untracked: [Bucket; 2],
    /// Limits of each peer that has none of its own, by direction.
    peer_rates: [Setting; 2],
}

impl PeerGuard {
    /// A guard on the system's clock.
    ///
    /// Takes all its memory now: about 200 bytes for each of `max_peers`. 16 more are reserved for each, and become resident
    /// where a peer is given limits of its own.
    ///
    /// # Errors
    /// The first field of `config` that is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// A guard on a clock of the caller's.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn with_clock(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        config.validate()?;
        let (keys, salt) = random_numbers();
        let now = clock.now();
        let limits = config.bandwidth.limits();
        let rules = Rules::new(&config, salt);
        let threads = parallelism();
        let inner = Inner {
            rough: Rough::new(clock.grain(), &rules.burst),
            table: Table::new(config.max_peers, config.circuit_breaker.failure_rate.is_some(), keys),
            counters: Counters::new(),
            events: Ring::new(config.event_capacity),
            drain: Drain::new(),
            shown_lost: Word::new(0),
            wall_offset: Word::new(0),
            shown_bytes: [Word::new(0), Word::new(0)],
            global: [limits.upload, limits.download]
                .map(|limit| SharedBucket::new(Rate::new(limit), &rules.burst, threads, clock.clone())),
            untracked: Direction::ALL.map(|_| Bucket::new(now)),
            peer_rates: [limits.per_peer_upload, limits.per_peer_download].map(|limit| Setting::new(Rate::new(limit))),
            rules,
            config,
            clock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The configuration that the guard was made from; for the limits in force see [`Self::limits`].
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The clock that the guard reads.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let get = |rate: Rate| rate.get().unwrap_or(0);
        let [upload, download] = self.inner.global.each_ref().map(SharedBucket::rate);
        let [per_peer_upload, per_peer_download] = self.inner.peer_rates();
        Limits {
            upload: get(upload),
            download: get(download),
            per_peer_upload: get(per_peer_upload),
            per_peer_download: get(per_peer_download),
        }
    }

    /// Changes the limits, for all requests from now on. Each bucket keeps its used share; one that was unlimited starts
    /// full. A request that overlaps the call may meet some limits old and some new.
    ///
    /// # Errors
    /// The field that is out of its range; then nothing is changed.
    pub fn update_limits(&self, limits: Limits) -> Result<(), ConfigError> {
        let Limits { upload, download, per_peer_upload, per_peer_download } = limits;
        self.change_limits([upload, download].map(Some), [per_peer_upload, per_peer_download].map(Some))
    }

    /// As [`Self::update_limits`], for those that are given, by direction: the others are not touched, so that two changes of
    /// different limits do not undo each other.
    pub(crate) fn change_limits(&self, all: [Option<u64>; 2], per_peer: [Option<u64>; 2]) -> Result<(), ConfigError> {
        // 0 is always allowed.
        let [[upload, download], [per_peer_upload, per_peer_download]] =
            [all, per_peer].map(|limits| limits.map(Option::unwrap_or_default));
        Limits { upload, download, per_peer_upload, per_peer_download }.validate()?;
        let given = |limit: Option<u64>| limit.map(Rate::new);
        for (bucket, limit) in self.inner.global.iter().zip(all.map(given)) {
            limit.into_iter().for_each(|rate| bucket.set_rate(rate));
        }
        for (setting, limit) in self.inner.peer_rates.iter().zip(per_peer.map(given)) {
            limit.into_iter().for_each(|rate| setting.set(rate));
        }
        Ok(())
    }
}

/// Keys for the table's hash, and a salt for the jitter.
#[cfg(not(peerguard_loom))]
fn random_numbers() -> ([u64; 9], u64) {
    // Each RandomState draws its keys from the system's randomness.
    let randomness = RandomState::new();
    (std::array::from_fn(|i| randomness.hash_one(i)), randomness.hash_one("salt"))
}

/// The same ones each time under loom, whose executions must repeat each other.
#[cfg(peerguard_loom)]
fn random_numbers() -> ([u64; 9], u64) {
    let keys = std::array::from_fn(|i| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (keys, 0)
}

impl Inner {
    #[inline]
    fn site(&self, slot: u32, now: u64) -> Site<'_> {
        Site { rules: &self.rules, counters: &self.counters, events: &self.events, slot: slot as usize, now }
    }

    /// The limits of each peer, by direction.
    fn peer_rates(&self) -> [Rate; 2] {
        [self.peer_rates[0].rate(), self.peer_rates[1].rate()]
    }
}

impl fmt::Debug for PeerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers = self.inner.table.len();
        f.debug_struct("PeerGuard").field("peers", &peers).field("capacity", &self.inner.table.capacity()).finish()
    }
}

/// A stripe of the counters for a peer that has no slot.
#[inline]
fn stripe_of(id: &crate::id::PeerId) -> u32 {
    u32::from(id.as_bytes()[31])
}
