//! What an operator does to a peer, and limits.

use super::boundary::boundary;
use super::config::{peer_limits, peerguard_limits, some_duration};
use super::guard::{GUARDS, peerguard_guard};
use super::id::{peerguard_id, read_id};
use super::memory::{Place, read};
use super::status::{Answer, Failure};
use super::view::{PEERGUARD_FORCED_CLOSED, PEERGUARD_FORCED_NONE, PEERGUARD_FORCED_OBSERVE, PEERGUARD_FORCED_OPEN};

/// Bans a peer.
///
/// `duration`: nanoseconds, rounded up to ticks of about 1 ms and at least one of them, or PEERGUARD_NONE for a ban that ends
/// only when lifted; under a ban in force the later end holds. While it is in force the peer keeps its record.
/// `code`: the operator's own reason, 0 to 255. Any thread; bounded work on first contact, lock-free otherwise.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_TABLE_FULL; PEERGUARD_ERR_ENUM for another code; PEERGUARD_ERR_NULL, _HANDLE,
/// _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_ban(
    guard: peerguard_guard,
    id: *const peerguard_id,
    duration: u64,
    code: u32,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        let code = u8::try_from(code).map_err(|_| Failure::Enum)?;
        GUARDS.hold(guard)?.ban(id, some_duration(duration), code)?;
        Ok(Answer::Yes)
    })
}

/// Lifts every ban of a peer and sets its initial score. Offences are remembered: the next earned ban is as long as if this
/// one had ended.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO if no ban was in force; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_unban(guard: peerguard_guard, id: *const peerguard_id) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        Ok(GUARDS.hold(guard)?.unban(id).into())
    })
}

/// Is a ban of this peer in force?
///
/// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_is_banned(guard: peerguard_guard, id: *const peerguard_id) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        Ok(GUARDS.hold(guard)?.is_banned(id).into())
    })
}

/// Overrides a peer's gate until `peerguard_reset`; until then the peer keeps its record.
///
/// `forced`: PEERGUARD_FORCED_OPEN, _CLOSED or _OBSERVE; an override is lifted by `peerguard_reset` only. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_TABLE_FULL, _ENUM (also for PEERGUARD_FORCED_NONE), _NULL, _HANDLE, _FREED,
/// _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_force(guard: peerguard_guard, id: *const peerguard_id, forced: u32) -> i32 {
    boundary(|| {
        if forced == PEERGUARD_FORCED_NONE || forced > PEERGUARD_FORCED_OBSERVE {
            return Err(Failure::Enum);
        }
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        let held = GUARDS.hold(guard)?;
        match forced {
            PEERGUARD_FORCED_OPEN => held.force_open(id)?,
            PEERGUARD_FORCED_CLOSED => held.force_closed(id)?,
            _ => held.observe(id)?,
        }
        Ok(Answer::Yes)
    })
}

/// Sets breaker, ban, score and offences of a peer as of a new one; counters and own limits stay. Any thread.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO if it has no record; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_reset(guard: peerguard_guard, id: *const peerguard_id) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        Ok(GUARDS.hold(guard)?.reset(id).into())
    })
}

/// Gives a peer byte limits of its own, from now on; its buckets keep their used share. It keeps its record until both are
/// PEERGUARD_NONE.
///
/// `upload`, `download`: bytes per second; 0 = unlimited, PEERGUARD_NONE = as for all peers, at most 2^40. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG for a limit out of range, _TABLE_FULL, _NULL, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_set_peer_limits(
    guard: peerguard_guard,
    id: *const peerguard_id,
    upload: u64,
    download: u64,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        GUARDS.hold(guard)?.set_peer_limits(id, peer_limits(upload, download))?;
        Ok(Answer::Yes)
    })
}

/// Reads the limits in force. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_get_limits(guard: peerguard_guard, limits: *mut peerguard_limits) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to limits, as the header says.
        let limits = unsafe { Place::new(limits)? };
        limits.put(GUARDS.hold(guard)?.limits().into());
        Ok(Answer::Yes)
    })
}

/// Changes the limits, for all requests from now on; each bucket keeps its used share. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG for a limit out of range, and then none is changed; PEERGUARD_ERR_NULL,
/// _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_update_limits(guard: peerguard_guard, limits: *const peerguard_limits) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to limits, as the header says.
        let limits = unsafe { read(limits)? };
        GUARDS.hold(guard)?.update_limits(limits.into())?;
        Ok(Answer::Yes)
    })
}
