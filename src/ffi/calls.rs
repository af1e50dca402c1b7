//! The original's calls, which carry no permit.

use super::boundary::boundary;
use super::guard::{GUARDS, peerguard_guard};
use super::id::{peerguard_id, read_id};
use super::memory::{Place, read};
use super::permit::{direction, recorded_number};
use super::status::{Answer, Failure};
use crate::{Direction, Outcome, Traffic};

/// May I talk to this peer now? In half-open it takes a probe slot, which the next report without a permit gives back.
///
/// Any thread, lock-free.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_NULL, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_should_communicate(guard: peerguard_guard, id: *const peerguard_id) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        Ok(GUARDS.hold(guard)?.should_communicate(id).into())
    })
}

/// Reports a sync that went well, without a permit.
///
/// `latency_ms`: milliseconds; NULL if not known. `recorded` receives PEERGUARD_RECORDED_...; may be NULL. Any thread,
/// lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_LATENCY if it is NaN, infinite or negative; PEERGUARD_ERR_NULL, _ALIGNMENT,
/// _HANDLE, _FREED, _REENTRANT; with an error nothing is recorded.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_record_success(
    guard: peerguard_guard,
    id: *const peerguard_id,
    latency_ms: *const f64,
    recorded: *mut u32,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (id, recorded) = unsafe { (read_id(id)?, Place::optional(recorded)?) };
        let latency = match latency_ms.is_null() {
            true => None,
            // SAFETY: as above.
            false => Some(unsafe { read(latency_ms)? }),
        };
        if latency.is_some_and(|ms| !ms.is_finite() || ms < 0.0) {
            return Err(Failure::Latency);
        }
        recorded.put(recorded_number(GUARDS.hold(guard)?.record_success(id, latency)?));
        Ok(Answer::Yes)
    })
}

/// Reports a sync that failed, without a permit. As `peerguard_record_success`.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_record_failure(
    guard: peerguard_guard,
    id: *const peerguard_id,
    recorded: *mut u32,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (id, recorded) = unsafe { (read_id(id)?, Place::optional(recorded)?) };
        let held = GUARDS.hold(guard)?;
        recorded.put(recorded_number(held.report(id, Outcome::SyncFailure, None, Traffic::NONE)));
        Ok(Answer::Yes)
    })
}

/// Takes bytes from the peer's bucket and from that of all peers, or from neither. Asks neither ban nor breaker, gives no
/// permit, and counts the bytes as moved.
///
/// `direction`: PEERGUARD_UPLOAD or PEERGUARD_DOWNLOAD. Any thread, lock-free.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_ENUM, _NULL, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_take(
    guard: peerguard_guard,
    id: *const peerguard_id,
    direction: u32,
    bytes: u64,
) -> i32 {
    boundary(|| {
        let way = self::direction(direction)?;
        // SAFETY: the pointer points to an id, as the header says.
        let id = unsafe { read_id(id)? };
        let held = GUARDS.hold(guard)?;
        let taken = match way {
            Direction::Upload => held.try_upload(id, bytes),
            Direction::Download => held.try_download(id, bytes),
        };
        Ok(taken.into())
    })
}
