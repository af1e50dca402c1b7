//! Looking at peers, totals and events.

use super::boundary::boundary;
use super::event::peerguard_event;
use super::guard::{GUARDS, peerguard_guard};
use super::id::{peerguard_id, read_id};
use super::memory::{Place, Row};
use super::status::{Answer, Failure};
use super::view::{peerguard_explanation, peerguard_peer_view, peerguard_totals};

/// Reads one peer as it stands now.
///
/// `view`: set its `struct_size` first. Any thread; about 100 ns.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO if the peer has no record, and `view` is as before; PEERGUARD_ERR_NULL,
/// _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_view(
    guard: peerguard_guard,
    id: *const peerguard_id,
    view: *mut peerguard_peer_view,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (id, place) = unsafe { (read_id(id)?, Place::growing(view)?) };
        let view = GUARDS.hold(guard)?.view(id);
        if let Some(view) = &view {
            place.put(view.into());
        }
        Ok(view.is_some().into())
    })
}

/// Tells what an admit of this peer would say now, by which rule and until when, with everything behind it. Changes nothing,
/// not even a counter.
///
/// `explanation`: set its `struct_size` first. `events`: `capacity` places for the peer's newest events, newest first (at
/// most 16 are known); may be NULL. `written` receives how many were put there; may be NULL. Any thread; microseconds.
///
/// Returns PEERGUARD_OK if the peer would be admitted, PEERGUARD_NO if not; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH,
/// _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_explain(
    guard: peerguard_guard,
    id: *const peerguard_id,
    explanation: *mut peerguard_explanation,
    events: *mut peerguard_event,
    capacity: usize,
    written: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (id, place) = unsafe { (read_id(id)?, Place::growing(explanation)?) };
        // SAFETY: as above.
        let (events, written) = unsafe { (Row::optional(events, capacity)?, Place::optional(written)?) };
        let explanation = GUARDS.hold(guard)?.explain(id);
        place.put((&explanation).into());
        written.put(events.fill(explanation.events.iter().map(Into::into)));
        Ok(explanation.verdict.is_ok().into())
    })
}

/// Reads the figures of the guard as a whole, in one pass over its records: about 30 ns for each. Any thread.
///
/// `totals`: set its `struct_size` first.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_get_totals(guard: peerguard_guard, totals: *mut peerguard_totals) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to totals, as the header says.
        let totals = unsafe { Place::growing(totals)? };
        totals.put((&GUARDS.hold(guard)?.get_summary()).into());
        Ok(Answer::Yes)
    })
}

/// Finds the peers to sync with first: closed ones by score and latency, then the half-open ones with a free probe.
///
/// `ids`: `capacity` places. `written` receives how many were put there. One pass over all records. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_sync_candidates(
    guard: peerguard_guard,
    ids: *mut peerguard_id,
    capacity: usize,
    written: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (ids, written) = unsafe { (Row::new(ids, capacity)?, Place::new(written)?) };
        let found = GUARDS.hold(guard)?.get_sync_candidates(capacity);
        written.put(ids.fill(found.into_iter().map(Into::into)));
        Ok(Answer::Yes)
    })
}

/// Finds the best peers: highest score first, then earlier first seen, then id; banned ones left out.
///
/// `ids`: `capacity` places. `scores`: `capacity` places for their scores; may be NULL. `written` receives how many were put
/// there. One pass over all records. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_top_peers(
    guard: peerguard_guard,
    ids: *mut peerguard_id,
    scores: *mut f64,
    capacity: usize,
    written: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (ids, written) = unsafe { (Row::new(ids, capacity)?, Place::new(written)?) };
        // SAFETY: as above.
        let scores = unsafe { Row::optional(scores, capacity)? };
        let found = GUARDS.hold(guard)?.get_top_peers(capacity);
        scores.fill(found.iter().map(|(_, score)| *score));
        written.put(ids.fill(found.into_iter().map(|(id, _)| id.into())));
        Ok(Answer::Yes)
    })
}

/// # Safety
/// As for [`Row::new`].
unsafe fn event_places(
    first: *mut peerguard_event,
    event_size: usize,
    capacity: usize,
) -> Result<Row<peerguard_event>, Failure> {
    if event_size != size_of::<peerguard_event>() {
        return Err(Failure::StructSize);
    }
    // SAFETY: by this function's own contract.
    unsafe { Row::new(first, capacity) }
}

/// Takes the oldest events that nobody has drained yet. Each event is drained once, whichever thread asks.
///
/// `events`: `capacity` places, each of `event_size` = sizeof(peerguard_event) bytes. `written` receives how many were put
/// there. `lost` receives how many were overwritten before they could be drained, since the guard was made; may be NULL.
/// Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_drain_events(
    guard: peerguard_guard,
    events: *mut peerguard_event,
    event_size: usize,
    capacity: usize,
    written: *mut usize,
    lost: *mut u64,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (events, written) = unsafe { (event_places(events, event_size, capacity)?, Place::new(written)?) };
        // SAFETY: as above.
        let lost = unsafe { Place::optional(lost)? };
        let held = GUARDS.hold(guard)?;
        let drained = held.drain_events(capacity);
        written.put(events.fill(drained.iter().map(Into::into)));
        lost.put(held.events_lost());
        Ok(Answer::Yes)
    })
}

/// Reads the events from number `cursor` on, for a reader who keeps a cursor of its own: nothing is taken from other readers
/// or from `peerguard_drain_events`. Begin with 0, or with what `peerguard_event_count` tells.
///
/// `events`, `written`: as for `peerguard_drain_events`. `next` receives where to go on. `lost` receives how many before or
/// between these were overwritten; may be NULL. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_events_since(
    guard: peerguard_guard,
    cursor: u64,
    events: *mut peerguard_event,
    event_size: usize,
    capacity: usize,
    written: *mut usize,
    next: *mut u64,
    lost: *mut u64,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (events, written) = unsafe { (event_places(events, event_size, capacity)?, Place::new(written)?) };
        // SAFETY: as above.
        let (next, lost) = unsafe { (Place::new(next)?, Place::optional(lost)?) };
        let batch = GUARDS.hold(guard)?.events_since(cursor, capacity);
        written.put(events.fill(batch.events.iter().map(Into::into)));
        next.put(batch.next);
        lost.put(batch.lost);
        Ok(Answer::Yes)
    })
}

/// Tells how many events there have been: the number of the next one. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_event_count(guard: peerguard_guard, count: *mut u64) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a number, as the header says.
        let count = unsafe { Place::new(count)? };
        count.put(GUARDS.hold(guard)?.event_count());
        Ok(Answer::Yes)
    })
}

/// Tells how many peers have a record, and how many can have one. Any thread, lock-free.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_occupancy(guard: peerguard_guard, peers: *mut usize, capacity: *mut usize) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (peers, capacity) = unsafe { (Place::new(peers)?, Place::new(capacity)?) };
        let (have, can) = GUARDS.hold(guard)?.occupancy();
        peers.put(have);
        capacity.put(can);
        Ok(Answer::Yes)
    })
}
