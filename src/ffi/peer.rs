//! Peer handles.

use super::admit::Reply;
use super::boundary::boundary;
use super::config::{milliseconds, some_duration};
use super::guard::{GUARDS, peerguard_guard};
use super::id::{peerguard_id, read_id};
use super::memory::Place;
use super::permit::{direction, peerguard_permit, peerguard_rejection, recorded_number};
use super::registry::{Kind, Registry};
use super::report::{outcome, peerguard_traffic, read_traffic};
use super::status::{Answer, Failure, Outcome};
use crate::breaker::gate::{GateWord, Generation};
use crate::guard::Permit;
use crate::{Peer, PeerId, Rejection};

/// One peer's record, held for as long as a connection lives: no hashing, no look-up, and the record is not evicted. 0 is
/// never one.
pub type peerguard_peer = u64;

crate::sync::global! {
    static PEERS: Registry<Peer> = Registry::new(Kind::Peer);
}

/// These bits of a gate word are 0 if the peer is simply closed: neither open nor half-open, not forced, never banned. An
/// admit of 0 bytes would pass.
pub const PEERGUARD_GATE_CLOSED_MASK: u64 = 0x1f;
/// This bit of a gate word is set if the peer has byte limits of its own.
pub const PEERGUARD_GATE_LIMITED: u64 = 0x20;
/// The generation in a gate word: shift right by this, then mask.
pub const PEERGUARD_GATE_GENERATION_SHIFT: u32 = 11;
/// See PEERGUARD_GATE_GENERATION_SHIFT.
pub const PEERGUARD_GATE_GENERATION_MASK: u64 = 0x3fff;

const _: () = {
    assert!(PEERGUARD_GATE_CLOSED_MASK == GateWord::CHECKED);
    assert!(PEERGUARD_GATE_LIMITED == GateWord::LIMITED);
    assert!(PEERGUARD_GATE_GENERATION_SHIFT == Generation::SHIFT);
    assert!(PEERGUARD_GATE_GENERATION_MASK == Generation::MAX);
};

/// Finds a peer's record, makes it if there is none, and holds it until `peerguard_peer_free`.
///
/// `peer` receives the handle. When no record can be made, its calls go by key, see `peerguard_peer_is_tracked`. The handle
/// keeps the guard's memory and works on when the guard is freed. Any thread; bounded work on first contact.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_open(
    guard: peerguard_guard,
    id: *const peerguard_id,
    peer: *mut peerguard_peer,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (id, place) = unsafe { (read_id(id)?, Place::new(peer)?) };
        let peer = GUARDS.hold(guard)?.peer(id);
        place.put(PEERS.insert(peer)?);
        Ok(Answer::Yes)
    })
}

/// Frees a peer handle, when calls on it that other threads are making have returned. The record stays, and may be evicted.
/// Permits that it gave cannot be reported afterwards: first the report of why a connection ended, then this.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_peer_free(peer: peerguard_peer) -> i32 {
    boundary(|| {
        drop(PEERS.remove(peer)?);
        Ok(Answer::Yes)
    })
}

/// Tells whose handle it is. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_id(peer: peerguard_peer, id: *mut peerguard_id) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { Place::new(id)? };
        id.put(PEERS.hold(peer)?.id().into());
        Ok(Answer::Yes)
    })
}

/// Has the peer a record? Any thread, lock-free.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO if none could be made; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_peer_is_tracked(peer: peerguard_peer) -> i32 {
    boundary(|| Ok(PEERS.hold(peer)?.is_tracked().into()))
}

/// Tells where the peer's gate word stands, for bindings that would rather load it than call.
///
/// `word` receives the address of 8 aligned bytes, which may be loaded atomically (acquire), never written, until this
/// handle is freed. If (word & PEERGUARD_GATE_CLOSED_MASK) is 0, `peerguard_peer_admit` would pass, and the result may be
/// reported by `peerguard_peer_report_period` with the word's generation. Otherwise call. What the other bits mean,
/// but for PEERGUARD_GATE_LIMITED, is not part of the interface. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_UNTRACKED if the peer has no record; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE,
/// _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_gate(peer: peerguard_peer, word: *mut *const u64) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a pointer, as the header says.
        let place = unsafe { Place::new(word)? };
        place.put(PEERS.hold(peer)?.gate_word().ok_or(Failure::Untracked)?);
        Ok(Answer::Yes)
    })
}

/// # Safety
/// See [`Reply::new`].
#[inline(always)]
unsafe fn ask(
    peer: peerguard_peer,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
    admit: impl for<'p> FnOnce(&'p Peer) -> Result<Permit<'p>, Rejection>,
) -> Outcome {
    // SAFETY: by this function's own contract.
    let reply = unsafe { Reply::new(permit, rejection)? };
    let held = PEERS.hold(peer)?;
    let answer = admit(&held);
    // The permit's own: how it holds the record is known by now, so there is no second look at the handle.
    let id = answer.as_ref().map_or(PeerId::NOBODY, |permit| permit.peer());
    Ok(reply.give(answer, &id, peer, &held.guard().inner))
}

/// Would `peerguard_peer_admit` pass now? Takes nothing and counts nothing.
///
/// `rejection` is written on no only; may be NULL. Any thread, lock-free.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_check(peer: peerguard_peer, rejection: *mut peerguard_rejection) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a rejection, as the header says.
        let place = unsafe { Place::optional(rejection)? };
        match PEERS.hold(peer)?.check() {
            Ok(()) => Ok(Answer::Yes),
            Err(no) => {
                place.put(no.into());
                Ok(Answer::No)
            }
        }
    })
}

/// As `peerguard_admit`, for a peer that is held. The permit ends with `peerguard_peer_report` or `peerguard_peer_cancel` on
/// the same handle.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_admit(
    peer: peerguard_peer,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
) -> i32 {
    // SAFETY: the pointers point to what the header says.
    boundary(|| unsafe { ask(peer, permit, rejection, |peer| peer.admit()) })
}

/// As `peerguard_admit_bytes`, for a peer that is held.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_admit_bytes(
    peer: peerguard_peer,
    direction: u32,
    bytes: u64,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
) -> i32 {
    boundary(|| {
        let way = self::direction(direction)?;
        // SAFETY: the pointers point to what the header says.
        unsafe { ask(peer, permit, rejection, |peer| peer.admit_bytes(way, bytes)) }
    })
}

/// As `peerguard_grant_up_to`, for a peer that is held.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_grant_up_to(
    peer: peerguard_peer,
    direction: u32,
    want: u64,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
) -> i32 {
    boundary(|| {
        let way = self::direction(direction)?;
        // SAFETY: the pointers point to what the header says.
        unsafe { ask(peer, permit, rejection, |peer| peer.grant_up_to(way, want)) }
    })
}

/// As `peerguard_report`, for a permit that this handle gave.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_report(
    peer: peerguard_peer,
    permit: *mut peerguard_permit,
    outcome: u32,
    latency: u64,
    traffic: *const peerguard_traffic,
    recorded: *mut u32,
) -> i32 {
    boundary(|| {
        let outcome = self::outcome(outcome)?;
        // SAFETY: the pointers point to what the header says.
        let permit = unsafe { Place::new(permit)? };
        // SAFETY: as above.
        let (traffic, recorded) = unsafe { (read_traffic(traffic)?, Place::optional(recorded)?) };
        let held = PEERS.hold(peer)?;
        let inner = &held.guard().inner;
        let ticket = held.lend(permit.spend(peer, inner)?);
        recorded.put(recorded_number(inner.end(&ticket, outcome, milliseconds(latency), traffic)));
        Ok(Answer::Yes)
    })
}

/// Reports for a peer whose gate word was loaded (see `peerguard_peer_gate`) instead of a permit taken.
///
/// `generation`: from that word. `traffic`: bytes that were moved; it and `recorded` may be NULL. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_PERMIT for a generation that no word has; PEERGUARD_ERR_ENUM, _ALIGNMENT, _HANDLE,
/// _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_report_period(
    peer: peerguard_peer,
    generation: u32,
    outcome: u32,
    latency: u64,
    traffic: *const peerguard_traffic,
    recorded: *mut u32,
) -> i32 {
    boundary(|| {
        let outcome = self::outcome(outcome)?;
        let generation = u16::try_from(generation).ok().and_then(Generation::of_number).ok_or(Failure::Permit)?;
        // SAFETY: the pointers point to what the header says.
        let (traffic, recorded) = unsafe { (read_traffic(traffic)?, Place::optional(recorded)?) };
        let held = PEERS.hold(peer)?;
        let ticket = held.ticket_of(generation);
        let told = held.guard().inner.end(&ticket, outcome, milliseconds(latency), traffic);
        recorded.put(recorded_number(told));
        Ok(Answer::Yes)
    })
}

/// As `peerguard_report_key`, for a peer that is held.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_report_key(
    peer: peerguard_peer,
    outcome: u32,
    latency: u64,
    traffic: *const peerguard_traffic,
    recorded: *mut u32,
) -> i32 {
    boundary(|| {
        let outcome = self::outcome(outcome)?;
        // SAFETY: the pointers point to what the header says.
        let (traffic, recorded) = unsafe { (read_traffic(traffic)?, Place::optional(recorded)?) };
        let held = PEERS.hold(peer)?;
        recorded.put(recorded_number(held.report(outcome, some_duration(latency), traffic)));
        Ok(Answer::Yes)
    })
}

/// As `peerguard_cancel`, for a permit that this handle gave.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_cancel(peer: peerguard_peer, permit: *mut peerguard_permit) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a permit, as the header says.
        let permit = unsafe { Place::new(permit)? };
        let held = PEERS.hold(peer)?;
        let inner = &held.guard().inner;
        let ticket = held.lend(permit.spend(peer, inner)?);
        inner.cancel(&ticket);
        Ok(Answer::Yes)
    })
}

/// As `peerguard_refund`, for a permit that this handle gave.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_peer_refund(
    peer: peerguard_peer,
    permit: *mut peerguard_permit,
    bytes: u64,
    returned: *mut u64,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (permit, returned) = unsafe { (Place::new(permit)?, Place::optional(returned)?) };
        let held = PEERS.hold(peer)?;
        let inner = &held.guard().inner;
        returned.put(permit.refund(peer, inner, |ticket| {
            *ticket = held.lend(*ticket);
            inner.give_back(ticket, bytes)
        })?);
        Ok(Answer::Yes)
    })
}
