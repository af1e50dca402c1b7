//! How a permit ends, and reports without one.

use super::boundary::boundary;
use super::config::{milliseconds, some_duration};
use super::guard::{GUARDS, peerguard_guard};
use super::id::{peerguard_id, read_id};
use super::memory::{Place, Plain, read};
use super::permit::{peerguard_permit, recorded_number};
use super::status::{Answer, Failure};
use crate::{Outcome, Traffic};

/// A sync went well: +2, a success for the breaker.
pub const PEERGUARD_SYNC_SUCCESS: u32 = 0;
/// A message went well: +0.5, a success for the breaker.
pub const PEERGUARD_MESSAGE_SUCCESS: u32 = 1;
/// A sync failed: -5, a failure for the breaker.
pub const PEERGUARD_SYNC_FAILURE: u32 = 2;
/// A message failed: -1, a failure for the breaker.
pub const PEERGUARD_MESSAGE_FAILURE: u32 = 3;
/// No answer in time: -1, a failure for the breaker.
pub const PEERGUARD_TIMEOUT: u32 = 4;
/// Refused, reset, or the dial failed: -1, a failure for the breaker.
pub const PEERGUARD_UNREACHABLE: u32 = 5;
/// The peer broke the protocol: -10, a failure for the breaker.
pub const PEERGUARD_PROTOCOL_VIOLATION: u32 = 6;
/// The peer did what no honest peer does: it is banned, a failure for the breaker.
pub const PEERGUARD_FATAL: u32 = 7;
/// We gave up for reasons of our own: no effect, a probe slot goes back.
pub const PEERGUARD_CANCELLED: u32 = 8;
/// We failed, not the peer: no effect, a probe slot goes back.
pub const PEERGUARD_LOCAL_ERROR: u32 = 9;

pub(super) fn outcome(number: u32) -> Result<Outcome, Failure> {
    match number {
        PEERGUARD_SYNC_SUCCESS => Ok(Outcome::SyncSuccess),
        PEERGUARD_MESSAGE_SUCCESS => Ok(Outcome::MessageSuccess),
        PEERGUARD_SYNC_FAILURE => Ok(Outcome::SyncFailure),
        PEERGUARD_MESSAGE_FAILURE => Ok(Outcome::MessageFailure),
        PEERGUARD_TIMEOUT => Ok(Outcome::Timeout),
        PEERGUARD_UNREACHABLE => Ok(Outcome::Unreachable),
        PEERGUARD_PROTOCOL_VIOLATION => Ok(Outcome::ProtocolViolation),
        PEERGUARD_FATAL => Ok(Outcome::Fatal),
        PEERGUARD_CANCELLED => Ok(Outcome::Cancelled),
        PEERGUARD_LOCAL_ERROR => Ok(Outcome::LocalError),
        _ => Err(Failure::Enum),
    }
}

/// Bytes that were moved without a byte permit, for the counters.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_traffic {
    /// To the peer.
    pub sent: u64,
    /// From the peer.
    pub received: u64,
}

// SAFETY: integers only.
unsafe impl Plain for peerguard_traffic {}

/// # Safety
/// A pointer that is not NULL points to a traffic.
#[inline]
pub(super) unsafe fn read_traffic(traffic: *const peerguard_traffic) -> Result<Traffic, Failure> {
    if traffic.is_null() {
        return Ok(Traffic::NONE);
    }
    // SAFETY: by this function's own contract.
    unsafe { read(traffic) }.map(|peerguard_traffic { sent, received }| Traffic { sent, received })
}

/// Reports what happened, and ends the permit.
///
/// `permit`: one that this guard gave. `outcome`: PEERGUARD_SYNC_SUCCESS and those after it. `latency`: nanoseconds, or
/// PEERGUARD_NONE. `traffic`: bytes moved beyond those of the permit; may be NULL. `recorded` receives
/// PEERGUARD_RECORDED_...; may be NULL. Any thread, lock-free; one permit must not be used by two threads at once.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_SPENT if it was reported or cancelled, _PERMIT, _ENUM, _NULL, _ALIGNMENT, _HANDLE,
/// _FREED, _REENTRANT, and then nothing is recorded or written.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_report(
    guard: peerguard_guard,
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
        let held = GUARDS.hold(guard)?;
        let ticket = permit.spend(guard, &held.inner)?;
        recorded.put(recorded_number(held.inner.end(&ticket, outcome, milliseconds(latency), traffic)));
        Ok(Answer::Yes)
    })
}

/// Ends a permit without a result: neutral. A probe slot goes back; granted bytes that were not refunded count as moved.
///
/// Returns as `peerguard_report`.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_cancel(guard: peerguard_guard, permit: *mut peerguard_permit) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a permit, as the header says.
        let permit = unsafe { Place::new(permit)? };
        let held = GUARDS.hold(guard)?;
        let ticket = permit.spend(guard, &held.inner)?;
        held.inner.cancel(&ticket);
        Ok(Answer::Yes)
    })
}

/// Gives up to `bytes` of a permit's bytes back to the buckets that were charged, at the rates of then, never above full.
///
/// `returned` receives how many were given back; may be NULL. The permit stays to be reported. Any thread, lock-free.
///
/// Returns as `peerguard_report`.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_refund(
    guard: peerguard_guard,
    permit: *mut peerguard_permit,
    bytes: u64,
    returned: *mut u64,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (permit, returned) = unsafe { (Place::new(permit)?, Place::optional(returned)?) };
        let held = GUARDS.hold(guard)?;
        returned.put(permit.refund(guard, &held.inner, |ticket| held.inner.give_back(ticket, bytes))?);
        Ok(Answer::Yes)
    })
}

/// Reports what happened with a peer, without a permit.
///
/// In half-open it counts only while a probe of `peerguard_should_communicate` is out, and gives that back. Arguments as in
/// `peerguard_report`. A record is made if there is none and the outcome has an effect. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_ENUM, _NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_report_key(
    guard: peerguard_guard,
    id: *const peerguard_id,
    outcome: u32,
    latency: u64,
    traffic: *const peerguard_traffic,
    recorded: *mut u32,
) -> i32 {
    boundary(|| {
        let outcome = self::outcome(outcome)?;
        // SAFETY: the pointers point to what the header says.
        let (id, traffic, recorded) = unsafe { (read_id(id)?, read_traffic(traffic)?, Place::optional(recorded)?) };
        let held = GUARDS.hold(guard)?;
        recorded.put(recorded_number(held.report(id, outcome, some_duration(latency), traffic)));
        Ok(Answer::Yes)
    })
}
