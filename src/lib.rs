//! Lock-free network resilience for peer-to-peer nodes: a circuit breaker, a reputation and byte limits for every peer, in
//! one bounded table of atomics, under one gate.
//!
//! ```
//! use std::time::Duration;
//! use peerguard::{Config, Direction, PeerGuard, PeerId, Reason};
//!
//! let mut config = Config::default();
//! config.bandwidth.per_peer_upload_bps = 1_000_000;
//! let guard = PeerGuard::new(config)?;
//! let peer = PeerId::digest(b"an id of any length");
//!
//! let permit = guard.admit_bytes(&peer, Direction::Upload, 64 * 1024).expect("a newcomer");
//! permit.success(Some(Duration::from_millis(12)));
//!
//! for _ in 0..5 {
//!     guard.admit(&peer).expect("closed").failure();
//! }
//! let no = guard.admit(&peer).unwrap_err();
//! assert_eq!(no.reason, Reason::Open);
//! assert!(no.retry_after.unwrap() <= Duration::from_secs(33));
//! # Ok::<(), peerguard::ConfigError>(())
//! ```
//!
//! # Costs
//! Every call on a peer's hot path is lock-free, allocates nothing and asks for the exact time at most once (again where
//! the tick of the kernel's timer has just moved and the recent time is not enough, where bytes are lent, and where a take
//! that is undone meets another). A check of a closed peer by key is a hash and three to four cache lines; through a
//! [`Peer`] it is one load. The success of a peer whose score is at the top is one read-modify-write, bytes included; one
//! more for the first in a second, and one for the latency where given; bytes are one for each bucket that is limited. Any
//! other report is one for its counter, one for the score unless that stays as it is, one for the breaker, and two for the
//! pin that a report by key needs. First contact and eviction hold two lines of the index for a moment; they never hold up
//! a check, or a peer that has a record.
//!
//! # Time
//! The system clock counts suspended time where the system can tell it. Durations given to the guard are kept in ticks of
//! 2^20 ns (1.05 ms), rounded up; scores decay by whole seconds.
//!
//! # Sources
//! The breaker is the pattern of Nygard's "Release It!", with the generation stamps of sony/gobreaker; the byte buckets are
//! the generic cell rate algorithm (ITU-T I.371); the hash is multilinear (Lemire and Kaser, 2014). `DESIGN.md` in the
//! repository draws the words and the transitions and says what is not guaranteed.

mod sync;

mod clock;
mod error;
mod id;

mod breaker;
mod reputation;
mod token_bucket;

mod config;
mod decision;

mod counters;
mod event;
mod peer;
mod table;

mod snapshot;

mod guard;

#[cfg(any(feature = "prometheus", feature = "graphql"))]
pub mod export;
#[cfg(feature = "capi")]
mod ffi;
#[cfg(feature = "http")]
pub mod http;

#[cfg(all(test, peerguard_loom))]
#[path = "../loom-tests/mod.rs"]
mod loom_tests;

pub use breaker::{BreakerState, Forced};
pub use clock::{Clock, ManualClock};
pub use config::{
    BandwidthConfig, CircuitBreakerConfig, Config, FailureRate, Limits, Newcomers, PeerLimits, ReputationConfig,
    Weights,
};
pub use decision::{Reason, Recorded, Rejection, Traffic};
pub use error::{ConfigError, Error, InvalidLatency};
pub use event::{Event, EventBatch, EventKind};
pub use guard::{AdmitBatch, BucketView, Explanation, OwnedPermit, Pass, Peer, PeerGuard, Permit, ScoreParts};
pub use id::{PeerId, PeerIdError};
pub use peer::view::PeerView;
pub use reputation::{Ban, BanOrigin, BanReason, Outcome, Tier};
pub use snapshot::{LatencyQuantiles, Peers, Published, Publisher, Publishing, Scopes, Snapshot, Totals};
pub use token_bucket::Direction;

/// The examples of the README.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../README.md")]
struct Readme;
