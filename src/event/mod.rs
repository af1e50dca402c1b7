//! What happened to peers, for operators: transitions, bans, evictions.

pub(crate) mod drain;
pub(crate) mod ring;

use std::time::SystemTime;

use crate::breaker::Forced;
use crate::id::PeerId;
use crate::reputation::BanOrigin;

/// Something that happened to a peer.
///
/// Events of one peer stand in the order in which they were written down; two that overlap may stand in another order than
/// they took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number of the event in its guard, from 0.
    pub sequence: u64,
    /// When it happened, by the wall clock as it stands when the event is read.
    pub at: SystemTime,
    /// To whom.
    pub peer: PeerId,
    /// What.
    pub kind: EventKind,
}

/// Events that one reader got at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventBatch {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Where to go on.
    pub next: u64,
    /// Events before or between these that were overwritten, or given up because their writers stopped or dropped them.
    pub lost: u64,
}

/// What happened to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// Its breaker opened.
    Opened,
    /// Its open time was over and the first probe was admitted.
    HalfOpened,
    /// Its breaker closed again.
    Closed,
    /// Probes did not report in time and were taken back.
    ProbesLost(u8),
    /// An operator forced or observes its gate.
    Forced(Forced),
    /// An operator reset it.
    Reset,
    /// It was banned.
    Banned(BanOrigin),
    /// Its bans were lifted.
    Unbanned,
    /// Its record was given to a newcomer.
    Evicted {
        /// A ban was in force, and is forgotten.
        banned: bool,
    },
}

impl EventKind {
    /// The kind in snake case, without its details.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::HalfOpened => "half_opened",
            Self::Closed => "closed",
            Self::ProbesLost(_) => "probes_lost",
            Self::Forced(_) => "forced",
            Self::Reset => "reset",
            Self::Banned(_) => "banned",
            Self::Unbanned => "unbanned",
            Self::Evicted { .. } => "evicted",
        }
    }

    /// What the kind alone does not tell: probes that were lost, the override, who banned, whether a ban was forgotten.
    #[must_use]
    pub fn detail(self) -> Option<String> {
        match self {
            Self::ProbesLost(n) => Some(n.to_string()),
            Self::Forced(forced) => Some(forced.as_str().to_owned()),
            Self::Banned(BanOrigin::Earned) => Some("earned".to_owned()),
            Self::Banned(BanOrigin::Operator) => Some("operator".to_owned()),
            Self::Evicted { banned: true } => Some("banned".to_owned()),
            _ => None,
        }
    }

    fn code(self) -> u64 {
        let (kind, detail) = match self {
            Self::Opened => (0, 0),
            Self::HalfOpened => (1, 0),
            Self::Closed => (2, 0),
            Self::ProbesLost(n) => (3, n.into()),
            Self::Forced(Forced::None) => (4, 0),
            Self::Forced(Forced::Open) => (4, 1),
            Self::Forced(Forced::Closed) => (4, 2),
            Self::Forced(Forced::Observe) => (4, 3),
            Self::Reset => (5, 0),
            Self::Banned(BanOrigin::Earned) => (6, 0),
            Self::Banned(BanOrigin::Operator) => (6, 1),
            Self::Unbanned => (7, 0),
            Self::Evicted { banned } => (8, u64::from(banned)),
        };
        kind | detail << 8
    }

    fn from_code(code: u64) -> Self {
        let detail = code >> 8;
        match code & 0xff {
            0 => Self::Opened,
            1 => Self::HalfOpened,
            2 => Self::Closed,
            3 => Self::ProbesLost(detail as u8),
            4 => Self::Forced(match detail {
                0 => Forced::None,
                1 => Forced::Open,
                2 => Forced::Closed,
                _ => Forced::Observe,
            }),
            5 => Self::Reset,
            6 => Self::Banned(if detail == 0 { BanOrigin::Earned } else { BanOrigin::Operator }),
            7 => Self::Unbanned,
            _ => Self::Evicted { banned: detail == 1 },
        }
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_code() {
        let kinds = [
            EventKind::Opened,
            EventKind::HalfOpened,
            EventKind::Closed,
            EventKind::ProbesLost(13),
            EventKind::Forced(Forced::None),
            EventKind::Forced(Forced::Open),
            EventKind::Forced(Forced::Closed),
            EventKind::Forced(Forced::Observe),
            EventKind::Reset,
            EventKind::Banned(BanOrigin::Earned),
            EventKind::Banned(BanOrigin::Operator),
            EventKind::Unbanned,
            EventKind::Evicted { banned: false },
            EventKind::Evicted { banned: true },
        ];
        for kind in kinds {
            assert_eq!(EventKind::from_code(kind.code()), kind);
        }
    }
}
