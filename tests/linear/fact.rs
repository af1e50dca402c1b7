//! What was called and what was answered.

use std::time::Duration;

use peerguard::{Forced, Outcome, PeerView, Recorded, Rejection};

use crate::reference::breaker::{Slot, Source};

/// What a permit shows of the breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    pub generation: u16,
    pub probe: bool,
}

#[derive(Clone, Debug)]
pub enum Fact {
    Admit {
        slot: Slot,
        answer: Result<Shown, Rejection>,
    },
    /// `should_communicate`, which does not say why.
    Asked(bool),
    /// `recorded` is `None` for a permit that was dropped.
    Report {
        source: Source,
        outcome: Outcome,
        recorded: Option<Recorded>,
    },
    Check(Option<Rejection>),
    IsBanned(bool),
    View(Option<Box<PeerView>>),
    Ban {
        length: Option<Duration>,
        code: u8,
    },
    Unban(bool),
    Reset(bool),
    Force(Forced),
    /// A view with nobody else at work, and the events of this peer.
    Quiet {
        view: Option<Box<PeerView>>,
        events: Events,
        /// Bytes left in the bucket that all share, if there is one.
        all_left: Option<u64>,
    },
    Take {
        bytes: u64,
        answer: Result<(), Rejection>,
    },
    Try {
        bytes: u64,
        taken: bool,
    },
    /// Of bytes taken; with what the peer's bucket and the shared one were charged for them.
    Refund {
        bytes: u64,
        back: [i128; 2],
    },
}

/// How often each thing happened to one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Events {
    pub opened: u32,
    pub half_opened: u32,
    pub closed: u32,
    pub probes_lost: u32,
    pub banned_earned: u32,
    pub banned_operator: u32,
    pub unbanned: u32,
}

impl Events {
    pub fn count(&mut self, kind: peerguard::EventKind) {
        use peerguard::{BanOrigin, EventKind};
        match kind {
            EventKind::Opened => self.opened += 1,
            EventKind::HalfOpened => self.half_opened += 1,
            EventKind::Closed => self.closed += 1,
            EventKind::ProbesLost(n) => self.probes_lost += u32::from(n),
            EventKind::Banned(BanOrigin::Earned) => self.banned_earned += 1,
            EventKind::Banned(BanOrigin::Operator) => self.banned_operator += 1,
            EventKind::Unbanned => self.unbanned += 1,
            _ => {}
        }
    }

    /// Those of the breaker.
    pub fn of_breaker(&self) -> [u32; 4] {
        [self.opened, self.half_opened, self.closed, self.probes_lost]
    }

    /// Those of the standing.
    pub fn of_standing(&self) -> [u32; 3] {
        [self.banned_earned, self.banned_operator, self.unbanned]
    }
}
