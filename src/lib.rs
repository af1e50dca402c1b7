//! Lock-free network resilience for peer-to-peer nodes: a circuit breaker, a reputation and byte limits for every peer, in
//! one bounded table of atomics, under one gate.

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
pub use event::{Event, EventKind};
pub use guard::{BucketView, Explanation, OwnedPermit, Pass, Peer, PeerGuard, Permit, ScoreParts};
pub use id::{PeerId, PeerIdError};
pub use peer::view::PeerView;
pub use reputation::{Ban, BanOrigin, BanReason, Outcome, Tier};
pub use snapshot::{LatencyQuantiles, Scopes, Snapshot, Totals};
pub use token_bucket::Direction;
