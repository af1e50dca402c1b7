//! Many peers in one call.

use super::admit::Reply;
use super::boundary::boundary;
use super::config::milliseconds;
use super::guard::{GUARDS, peerguard_guard};
use super::id::peerguard_id;
use super::memory::{Place, Plain, Row, Span};
use super::permit::{PEERGUARD_HOLD_SEEN, peerguard_permit, peerguard_rejection, recorded_number};
use super::report::outcome;
use super::status::{Answer, Failure, PEERGUARD_NO, PEERGUARD_OK};
use crate::Traffic;
use crate::guard::Inner;

/// What happened under one permit, for `peerguard_report_batch`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_result {
    /// Nanoseconds, or PEERGUARD_NONE.
    pub latency: u64,
    /// Bytes sent beyond those of the permit.
    pub sent: u64,
    /// Bytes received beyond those of the permit.
    pub received: u64,
    /// PEERGUARD_SYNC_SUCCESS and those after it.
    pub outcome: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: integers only.
unsafe impl Plain for peerguard_result {}

/// Records that are asked for before their turn: as many as a core can wait for at once, in two lines each.
const AHEAD: usize = 8;

/// Reports by one reading of the clock.
const BY_ONE_CLOCK: usize = 64;

/// Asks for the record of a permit that is about to be reported, so that its memory comes while others are waited for.
#[inline]
fn ask_for_record(inner: &Inner, permit: &peerguard_permit) {
    if u32::from(permit.hold) == PEERGUARD_HOLD_SEEN && (permit.slot as usize) < inner.table.capacity() {
        inner.table.ask_for_record(permit.slot);
    }
}

/// As `peerguard_admit`, for `count` peers.
///
/// `permits`: `count` places. A peer that is let in gets its permit; for one that is not, the permit is emptied (`state` 0).
/// `rejections`: `count` places, or NULL; with PEERGUARD_REASON_NONE for those that are let in. `admitted` receives how many
/// were let in; may be NULL. The peers are asked one after the other. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT, and then nobody was asked.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_admit_batch(
    guard: peerguard_guard,
    ids: *const peerguard_id,
    count: usize,
    permits: *mut peerguard_permit,
    rejections: *mut peerguard_rejection,
    admitted: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (ids, permits) = unsafe { (Span::new(ids, count)?.peers(), Row::new(permits, count)?) };
        // SAFETY: as above.
        let (rejections, admitted) = unsafe { (Row::optional(rejections, count)?, Place::optional(admitted)?) };
        let held = GUARDS.hold(guard)?;
        let mut passed = 0;
        for (i, (id, answer)) in ids.iter().zip(held.admit_batch(ids)).enumerate() {
            rejections.at(i).put(peerguard_rejection::NOTHING);
            let reply = Reply::at(permits.at(i), rejections.at(i));
            if reply.give(answer, id, guard, &held.inner) == Answer::Yes {
                passed += 1;
            }
        }
        admitted.put(passed);
        Ok(Answer::Yes)
    })
}

/// As `peerguard_report`, for `count` permits.
///
/// `results`: one for each permit. `answers`: `count` places, or NULL; each receives what `peerguard_report` would have
/// returned, and PEERGUARD_NO for an emptied permit, so that what `peerguard_admit_batch` filled can be passed as it is.
/// `recorded`: `count` places for PEERGUARD_RECORDED_..., or NULL; written where the answer is PEERGUARD_OK. Any thread,
/// lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_ENUM, _NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT, and then nothing was
/// recorded.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_report_batch(
    guard: peerguard_guard,
    permits: *mut peerguard_permit,
    results: *const peerguard_result,
    count: usize,
    answers: *mut i32,
    recorded: *mut u32,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (permits, results) = unsafe { (Row::new(permits, count)?, Span::new(results, count)?) };
        // SAFETY: as above.
        let (answers, recorded) = unsafe { (Row::optional(answers, count)?, Row::optional(recorded, count)?) };
        for result in results.iter() {
            outcome(result.outcome)?;
        }
        let held = GUARDS.hold(guard)?;
        let ahead = |i| permits.at(i).get().iter().for_each(|permit| ask_for_record(&held.inner, permit));
        (0..count.min(AHEAD)).for_each(ahead);
        let mut recent = 0;
        for (i, result) in results.iter().enumerate() {
            ahead(i + AHEAD);
            if i % BY_ONE_CLOCK == 0 {
                recent = held.inner.recent();
            }
            let report = || -> Result<i32, Failure> {
                let outcome = outcome(result.outcome)?;
                if permits.at(i).value().state == peerguard_permit::EMPTY.state {
                    return Ok(PEERGUARD_NO);
                }
                let ticket = permits.at(i).spend(guard, &held.inner)?;
                let traffic = Traffic { sent: result.sent, received: result.received };
                let told = held.inner.end_at(recent, &ticket, outcome, milliseconds(result.latency), traffic);
                recorded.at(i).put(recorded_number(told));
                Ok(PEERGUARD_OK)
            };
            answers.at(i).put(report().unwrap_or_else(|failure| failure as i32));
        }
        Ok(Answer::Yes)
    })
}
