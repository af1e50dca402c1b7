//! `peerguard_event`.

use super::id::peerguard_id;
use super::memory::Plain;
use super::view::{PEERGUARD_BAN_EARNED, PEERGUARD_BAN_OPERATOR, forced_number, unix_nanos};
use crate::{BanOrigin, Event, EventKind};

/// The breaker opened.
pub const PEERGUARD_EVENT_OPENED: u32 = 0;
/// The open time was over and the first probe was admitted.
pub const PEERGUARD_EVENT_HALF_OPENED: u32 = 1;
/// The breaker closed again.
pub const PEERGUARD_EVENT_CLOSED: u32 = 2;
/// Probes did not report in time and were taken back; `detail`: how many.
pub const PEERGUARD_EVENT_PROBES_LOST: u32 = 3;
/// An operator forced or observes the gate; `detail`: PEERGUARD_FORCED_...
pub const PEERGUARD_EVENT_FORCED: u32 = 4;
/// An operator reset the peer.
pub const PEERGUARD_EVENT_RESET: u32 = 5;
/// The peer was banned; `detail`: PEERGUARD_BAN_EARNED or PEERGUARD_BAN_OPERATOR.
pub const PEERGUARD_EVENT_BANNED: u32 = 6;
/// Its bans were lifted.
pub const PEERGUARD_EVENT_UNBANNED: u32 = 7;
/// Its record was given to a newcomer; `detail`: 1 if a ban was in force.
pub const PEERGUARD_EVENT_EVICTED: u32 = 8;

/// Something that happened to a peer.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_event {
    /// Number of the event in its guard, from 0.
    pub sequence: u64,
    /// When, in nanoseconds since 1970, by the wall clock as it stands when the event is read.
    pub at: i64,
    /// To whom.
    pub id: peerguard_id,
    /// PEERGUARD_EVENT_...
    pub kind: u32,
    /// See the kind.
    pub detail: u32,
}

// SAFETY: integers only.
unsafe impl Plain for peerguard_event {}

impl From<&Event> for peerguard_event {
    fn from(event: &Event) -> Self {
        let (kind, detail) = match event.kind {
            EventKind::Opened => (PEERGUARD_EVENT_OPENED, 0),
            EventKind::HalfOpened => (PEERGUARD_EVENT_HALF_OPENED, 0),
            EventKind::Closed => (PEERGUARD_EVENT_CLOSED, 0),
            EventKind::ProbesLost(probes) => (PEERGUARD_EVENT_PROBES_LOST, probes.into()),
            EventKind::Forced(forced) => (PEERGUARD_EVENT_FORCED, forced_number(forced)),
            EventKind::Reset => (PEERGUARD_EVENT_RESET, 0),
            EventKind::Banned(BanOrigin::Earned) => (PEERGUARD_EVENT_BANNED, PEERGUARD_BAN_EARNED),
            EventKind::Banned(BanOrigin::Operator) => (PEERGUARD_EVENT_BANNED, PEERGUARD_BAN_OPERATOR),
            EventKind::Unbanned => (PEERGUARD_EVENT_UNBANNED, 0),
            EventKind::Evicted { banned } => (PEERGUARD_EVENT_EVICTED, banned.into()),
        };
        Self { sequence: event.sequence, at: unix_nanos(event.at), id: event.peer.into(), kind, detail }
    }
}
