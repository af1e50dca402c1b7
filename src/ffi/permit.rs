//! `peerguard_permit` and `peerguard_rejection`.
//!
//! A permit is plain memory of the caller's. It holds no pin, unlike its Rust sibling, so a node may lose one: nothing leaks,
//! and a probe that was lost with it is taken back in time. For its report the record is pinned again; if it was evicted
//! meanwhile, the report is stale. Whatever stands in the memory, using it is safe: slot and kinds are checked, and the rest
//! is numbers.

use std::mem::offset_of;

use super::config::nanos_or_none;
use super::id::peerguard_id;
use super::memory::{Place, Plain};
use super::status::Failure;
use crate::breaker::gate::Generation;
use crate::guard::ticket::{Hold, Ticket};
use crate::guard::{Inner, Permit};
use crate::peer::admit::Charge;
use crate::table::Tenancy;
use crate::{Direction, PeerId, Reason, Recorded, Rejection};

/// To the peer.
pub const PEERGUARD_UPLOAD: u32 = 0;
/// From the peer.
pub const PEERGUARD_DOWNLOAD: u32 = 1;

pub(super) fn direction(number: u32) -> Result<Direction, Failure> {
    match number {
        PEERGUARD_UPLOAD => Ok(Direction::Upload),
        PEERGUARD_DOWNLOAD => Ok(Direction::Download),
        _ => Err(Failure::Enum),
    }
}

/// Nothing refused.
pub const PEERGUARD_REASON_NONE: u32 = 0;
/// A ban is in force.
pub const PEERGUARD_REASON_BANNED: u32 = 1;
/// An operator forced the breaker open.
pub const PEERGUARD_REASON_FORCED_OPEN: u32 = 2;
/// The breaker is open.
pub const PEERGUARD_REASON_OPEN: u32 = 3;
/// The breaker is half-open and all its probes are out.
pub const PEERGUARD_REASON_PROBES_OUT: u32 = 4;
/// The peer's byte bucket is short.
pub const PEERGUARD_REASON_PEER_BYTES: u32 = 5;
/// The request is larger than the peer's burst: it can never pass.
pub const PEERGUARD_REASON_PEER_EXCEEDS_BURST: u32 = 6;
/// The byte bucket of all peers is short.
pub const PEERGUARD_REASON_GLOBAL_BYTES: u32 = 7;
/// The request is larger than the burst of all peers: it can never pass.
pub const PEERGUARD_REASON_GLOBAL_EXCEEDS_BURST: u32 = 8;
/// The peer is a newcomer, no record can be made for it, and the configuration refuses such peers.
pub const PEERGUARD_REASON_TABLE_FULL: u32 = 9;

/// `hold` of a permit whose peer has a record, number `slot`.
pub const PEERGUARD_HOLD_SEEN: u32 = 1;

/// The result counted.
pub const PEERGUARD_RECORDED_COUNTED: u32 = 0;
/// The permit was of an earlier period: counters and reputation took the result, the breaker did not.
pub const PEERGUARD_RECORDED_STALE: u32 = 1;
/// Nothing for the breaker: a neutral outcome, a ban, a forced or open breaker, or no probe out for a report without permit.
pub const PEERGUARD_RECORDED_IGNORED: u32 = 2;
/// No record could be made for the peer; only the totals took the result.
pub const PEERGUARD_RECORDED_UNTRACKED: u32 = 3;

pub(super) const fn recorded_number(recorded: Recorded) -> u32 {
    match recorded {
        Recorded::Counted => PEERGUARD_RECORDED_COUNTED,
        Recorded::Stale => PEERGUARD_RECORDED_STALE,
        Recorded::Ignored => PEERGUARD_RECORDED_IGNORED,
        Recorded::Untracked => PEERGUARD_RECORDED_UNTRACKED,
    }
}

pub(super) const fn reason_number(reason: Reason) -> u32 {
    match reason {
        Reason::Banned => PEERGUARD_REASON_BANNED,
        Reason::ForcedOpen => PEERGUARD_REASON_FORCED_OPEN,
        Reason::Open => PEERGUARD_REASON_OPEN,
        Reason::ProbesOut => PEERGUARD_REASON_PROBES_OUT,
        Reason::PeerBytes => PEERGUARD_REASON_PEER_BYTES,
        Reason::PeerExceedsBurst => PEERGUARD_REASON_PEER_EXCEEDS_BURST,
        Reason::GlobalBytes => PEERGUARD_REASON_GLOBAL_BYTES,
        Reason::GlobalExceedsBurst => PEERGUARD_REASON_GLOBAL_EXCEEDS_BURST,
        Reason::TableFull => PEERGUARD_REASON_TABLE_FULL,
    }
}

/// Why a gate said no, and when to come back.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_rejection {
    /// Nanoseconds until this rule no longer refuses; PEERGUARD_NONE = never by itself.
    pub retry_after: u64,
    /// PEERGUARD_REASON_...: the first rule that refused.
    pub reason: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: integers only.
unsafe impl Plain for peerguard_rejection {}

impl peerguard_rejection {
    pub(super) const NOTHING: Self = Self { retry_after: 0, reason: PEERGUARD_REASON_NONE, reserved: 0 };
}

impl From<Rejection> for peerguard_rejection {
    fn from(no: Rejection) -> Self {
        Self { retry_after: nanos_or_none(no.retry_after), reason: reason_number(no.reason), reserved: 0 }
    }
}

/// Leave to talk to a peer once: what an admit gives. It is memory of yours and needs no freeing; report it once, or cancel
/// it, before the guard or peer that gave it is freed: afterwards it cannot be told any more. A copy of a permit is the same
/// permit: report one of them, for the report of each would count. One that is lost reports nothing: if it is a probe, it keeps
/// one of the half-open breaker's places until `probe_timeout`; bytes that it was granted stay taken and are not counted as
/// moved. The fields are to be read, not written, but see `peerguard_records`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_permit {
    /// The guard or peer that gave it.
    pub owner: u64,
    /// Whose permit it is.
    pub id: peerguard_id,
    /// Bytes granted and not refunded.
    pub bytes: u64,
    /// What the peer's bucket was charged, in its own units.
    pub peer_charge: u64,
    /// What the bucket of all peers was charged.
    pub global_charge: u64,
    /// Where the record was.
    pub slot: u32,
    /// Whose the record was.
    pub life: u32,
    /// The breaker's period that the permit was given in.
    pub generation: u16,
    /// 0: no permit. 1: may be reported. 2: has been.
    pub state: u8,
    /// How the record is found.
    pub hold: u8,
    /// PEERGUARD_UPLOAD or PEERGUARD_DOWNLOAD: which way the bytes go.
    pub direction: u8,
    /// 1: it probes a half-open breaker.
    pub probe: u8,
    /// 0.
    pub reserved: [u8; 2],
}

// SAFETY: integers only.
unsafe impl Plain for peerguard_permit {}

const LIVE: u8 = 1;
const SPENT: u8 = 2;

const HOLD_UNKNOWN: u8 = 0;
const HOLD_SEEN: u8 = PEERGUARD_HOLD_SEEN as u8;
const HOLD_UNTRACKED: u8 = 2;

impl peerguard_permit {
    pub(super) const EMPTY: Self = Self {
        owner: 0,
        id: peerguard_id { bytes: [0; 32] },
        bytes: 0,
        peer_charge: 0,
        global_charge: 0,
        slot: 0,
        life: 0,
        generation: 0,
        state: 0,
        hold: HOLD_UNKNOWN,
        direction: PEERGUARD_UPLOAD as u8,
        probe: 0,
        reserved: [0; 2],
    };

    /// What it stands for in Rust, without a pin.
    #[inline(always)]
    fn to_ticket(self, owner: u64, inner: &Inner) -> Result<Ticket, Failure> {
        match self.state {
            SPENT => return Err(Failure::Spent),
            LIVE if self.owner == owner => {}
            _ => return Err(Failure::Permit),
        }
        let hold = match self.hold {
            HOLD_UNKNOWN => Hold::Unknown,
            HOLD_UNTRACKED => Hold::Untracked,
            HOLD_SEEN if (self.slot as usize) < inner.table.capacity() => Hold::Seen,
            _ => return Err(Failure::Permit),
        };
        let generation = Generation::of_number(self.generation).ok_or(Failure::Permit)?;
        let direction = direction(self.direction.into()).map_err(|_| Failure::Permit)?;
        if self.probe > 1 {
            return Err(Failure::Permit);
        }
        Ok(Ticket {
            id: self.id.into(),
            hold,
            tenancy: Tenancy { slot: self.slot, life: self.life },
            generation,
            probe: self.probe == 1,
            direction,
            bytes: self.bytes,
            charge: Charge { peer: self.peer_charge, global: self.global_charge },
        })
    }

    /// After a refund.
    fn refunded(self, ticket: &Ticket) -> Self {
        Self { bytes: ticket.bytes, peer_charge: ticket.charge.peer, global_charge: ticket.charge.global, ..self }
    }
}

/// The last eight fields lie in two words, which are written at once: what stands before a locked operation must be in the
/// cache before it can begin, and eight stores take longer than two.
const _: () = {
    assert!(offset_of!(peerguard_permit, slot) == 64 && offset_of!(peerguard_permit, life) == 68);
    assert!(offset_of!(peerguard_permit, generation) == 72 && size_of::<peerguard_permit>() == 80);
};

/// The word of slot and life.
fn place_word(slot: u32, life: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (slot.to_ne_bytes(), life.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// The word of the fields from `generation` to the end.
fn state_word(generation: u16, state: u8, hold: u8, direction: u8, probe: u8) -> u64 {
    let [low, high] = generation.to_ne_bytes();
    u64::from_ne_bytes([low, high, state, hold, direction, probe, 0, 0])
}

impl Place<peerguard_permit> {
    /// Takes a permit over from Rust: its pin, if it has one of its own, is given back. `id` is the ticket's own, from where
    /// it can be copied as words.
    #[inline(always)]
    pub(super) fn give(self, permit: Permit<'_>, id: &PeerId, owner: u64, inner: &Inner) {
        let ticket = permit.into_ticket();
        let hold = match ticket.hold {
            Hold::Unknown => HOLD_UNKNOWN,
            Hold::Untracked => HOLD_UNTRACKED,
            Hold::Seen | Hold::Lent | Hold::Kept => HOLD_SEEN,
        };
        if ticket.hold == Hold::Kept {
            inner.table.unpin(ticket.tenancy.slot);
        }
        let place = self.pointer();
        let Tenancy { slot, life } = ticket.tenancy;
        let state = state_word(ticket.generation.number(), LIVE, hold, ticket.direction as u8, ticket.probe.into());
        // SAFETY: by the contract of `Place::new`, or of a row's; the words lie as they are asserted to above, and a permit is
        // aligned for them. The id may be the one that stands here.
        unsafe {
            std::ptr::copy(std::ptr::from_ref(id).cast(), &raw mut (*place).id, 1);
            (*place).owner = owner;
            (*place).bytes = ticket.bytes;
            (*place).peer_charge = ticket.charge.peer;
            (*place).global_charge = ticket.charge.global;
            place.cast::<u64>().add(8).write(place_word(slot, life));
            place.cast::<u64>().add(9).write(state);
        }
    }

    /// Ends the permit that stands here: what it stands for in Rust, to be reported. Nothing is charged back by a report, so
    /// the charges are left where they are. Only what changes is written.
    #[inline(always)]
    pub(super) fn spend(self, owner: u64, inner: &Inner) -> Result<Ticket, Failure> {
        let permit = self.value();
        let ticket = permit.to_ticket(owner, inner)?;
        let place = self.pointer();
        // SAFETY: as in `give`; a permit has been found here, so the place is not NULL.
        unsafe {
            place.cast::<u64>().add(9).write(state_word(permit.generation, SPENT, permit.hold, permit.direction, 0));
            if permit.bytes != 0 {
                (*place).bytes = 0;
            }
        }
        Ok(Ticket { charge: Charge::default(), ..ticket })
    }

    /// Takes part of the bytes of the permit that stands here back, by `refund`.
    pub(super) fn refund(
        self,
        owner: u64,
        inner: &Inner,
        refund: impl FnOnce(&mut Ticket) -> u64,
    ) -> Result<u64, Failure> {
        let permit = self.value();
        let mut ticket = permit.to_ticket(owner, inner)?;
        let back = refund(&mut ticket);
        self.put(permit.refunded(&ticket));
        Ok(back)
    }

    /// What stands here; of a place that may be NULL, an empty permit.
    #[inline(always)]
    pub(super) fn value(self) -> peerguard_permit {
        self.get().unwrap_or(peerguard_permit::EMPTY)
    }
}
