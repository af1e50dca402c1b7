//! What the gate answers.

use std::fmt;
use std::time::Duration;

use crate::token_bucket::Direction;

/// A refusal: why, and when to come back. A value, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The first rule that refused.
    pub reason: Reason,
    /// How long until this rule no longer refuses; `None` = never by itself.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    pub(crate) const fn after(reason: Reason, wait: Duration) -> Self {
        Self { reason, retry_after: Some(wait) }
    }

    pub(crate) const fn for_good(reason: Reason) -> Self {
        Self { reason, retry_after: None }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry_after {
            Some(wait) => write!(f, "{}, retry after {wait:?}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

/// Why a request was refused, in the order in which the rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// A ban is in force.
    Banned,
    /// An operator forced the breaker open.
    ForcedOpen,
    /// The breaker is open.
    Open,
    /// The breaker is half-open and all its probes are out.
    ProbesOut,
    /// The peer's byte bucket is short.
    PeerBytes,
    /// The request is larger than the peer's burst: it can never pass.
    PeerExceedsBurst,
    /// The byte bucket of all peers is short.
    GlobalBytes,
    /// The request is larger than the burst of all peers: it can never pass.
    GlobalExceedsBurst,
    /// The peer is a newcomer, no record can be made for it, and the configuration refuses such peers.
    TableFull,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Banned,
        Self::ForcedOpen,
        Self::Open,
        Self::ProbesOut,
        Self::PeerBytes,
        Self::PeerExceedsBurst,
        Self::GlobalBytes,
        Self::GlobalExceedsBurst,
        Self::TableFull,
    ];
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// A byte bucket refused, and a smaller request might pass.
    pub(crate) const fn is_bytes(self) -> bool {
        matches!(self, Self::PeerBytes | Self::PeerExceedsBurst | Self::GlobalBytes | Self::GlobalExceedsBurst)
    }

    /// The reason in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::ForcedOpen => "forced_open",
            Self::Open => "open",
            Self::ProbesOut => "probes_out",
            Self::PeerBytes => "peer_bytes",
            Self::PeerExceedsBurst => "peer_exceeds_burst",
            Self::GlobalBytes => "global_bytes",
            Self::GlobalExceedsBurst => "global_exceeds_burst",
            Self::TableFull => "table_full",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the breaker made of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It counted.
    Counted,
    /// The permit was of an earlier period: counters and reputation took it, the breaker did not.
    Stale,
    /// Nothing for the breaker: a neutral outcome, a forced or open breaker, or a report without a permit while no
    /// probe of `should_communicate` is out. Counters and reputation took what there was.
    Ignored,
    /// No record could be made for the peer; only the totals took it.
    Untracked,
}

/// Bytes that were moved without a byte permit, for the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// To the peer.
    pub sent: u64,
    /// From the peer.
    pub received: u64,
}

impl Traffic {
    /// No bytes.
    pub const NONE: Self = Self { sent: 0, received: 0 };

    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Direction and bytes, when they go one way.
    #[inline(always)]
    pub(crate) fn one_way(&self) -> Option<(Direction, u64)> {
        match (self.sent, self.received) {
            (sent, 0) => Some((Direction::Upload, sent)),
            (0, received) => Some((Direction::Download, received)),
            _ => None,
        }
    }
}
