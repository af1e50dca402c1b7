//! One peer's circuit breaker: two packed words and the transitions on them.
//!
//! The **gate** ([`gate::Gate`]) is the state that a check reads: closed, open or half-open, with the generation, the
//! operator's override and what belongs to the state (open-until; probes out, successes and lease). The **window**
//! ([`window::FailureWindow`]) counts the failures of the current closed period in eight slices of time.
//!
//! A check of a closed peer is one load of the gate. Reports in a closed period touch only the window; the failure that
//! fills it changes the gate as well. These are two words, so a report that finds the window full completes the trip
//! before it goes on: whoever sees the one change sees the other. A window belongs to the period whose generation it
//! carries; under any other it reads as empty, so that nothing has to be cleared when a period ends.
//!
//! Everything here is pure but for [`rate::RateWindow`], the optional failure-rate counters; the loops that apply the
//! transitions stand in [`crate::peer`].

pub(crate) mod gate;
pub(crate) mod rate;
pub(crate) mod transition;
pub(crate) mod window;

use std::fmt;

/// The state of a breaker, as a reader sees it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum BreakerState {
    /// Requests pass; failures are counted.
    Closed,
    /// Requests are refused until the open time has passed.
    Open,
    /// A few probes are let through to see whether the peer is back.
    HalfOpen,
}

impl BreakerState {
    /// `closed`, `open` or `half_open`: the words of the metrics and of GraphQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An operator's override of one peer's gate; lifted by [`reset`](crate::PeerGuard::reset).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Forced {
    /// None: the breaker decides.
    #[default]
    None,
    /// The peer is refused until reset.
    Open,
    /// The breaker admits whatever happens; bans and byte limits stay.
    Closed,
    /// Everything is computed and shown, nothing is refused; what would have been is counted.
    Observe,
}

impl Forced {
    /// `none`, `open`, `closed` or `observe`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Observe => "observe",
        }
    }
}

impl fmt::Display for Forced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
