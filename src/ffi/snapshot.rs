//! Snapshots: taken, read into the caller's arrays, freed.

use super::boundary::boundary;
use super::guard::{GUARDS, peerguard_guard};
use super::memory::{Place, Row};
use super::registry::{Kind, Registry};
use super::status::{Answer, Failure, Outcome};
use super::view::{peerguard_latency, peerguard_peer_view, peerguard_totals, unix_nanos};
use crate::{PeerView, Snapshot};

/// Everything that a guard knew at one time. 0 is never one.
pub type peerguard_snapshot = u64;

crate::sync::global! {
    static SNAPSHOTS: Registry<Snapshot> = Registry::new(Kind::Snapshot);
}

/// Takes a snapshot: one pass over the records, no lock, no writer is held up. About 30 ns and 160 bytes for each peer;
/// the first who reads totals or peers from it pays some more.
///
/// `snapshot` receives the handle; free it with `peerguard_snapshot_free`. It stays good when the guard is freed. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_snapshot_take(guard: peerguard_guard, snapshot: *mut peerguard_snapshot) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a handle, as the header says.
        let place = unsafe { Place::new(snapshot)? };
        let taken = GUARDS.hold(guard)?.snapshot();
        place.put(SNAPSHOTS.insert(taken)?);
        Ok(Answer::Yes)
    })
}

/// Frees a snapshot, when calls on it that other threads are making have returned.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_snapshot_free(snapshot: peerguard_snapshot) -> i32 {
    boundary(|| {
        drop(SNAPSHOTS.remove(snapshot)?);
        Ok(Answer::Yes)
    })
}

/// Reads a snapshot's figures.
///
/// `totals`: set its `struct_size` first. `latency` receives the quantiles over the peers' latencies, `taken_at` the time in
/// nanoseconds since 1970; both may be NULL. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_snapshot_totals(
    snapshot: peerguard_snapshot,
    totals: *mut peerguard_totals,
    latency: *mut peerguard_latency,
    taken_at: *mut i64,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (totals, latency, taken_at) =
            unsafe { (Place::growing(totals)?, Place::optional(latency)?, Place::optional(taken_at)?) };
        let held = SNAPSHOTS.hold(snapshot)?;
        totals.put(held.totals().into());
        latency.put(held.latency().into());
        taken_at.put(unix_nanos(held.taken_at));
        Ok(Answer::Yes)
    })
}

/// Which peers of a snapshot are read, and where they go.
struct Window {
    views: Row<peerguard_peer_view>,
    written: Place<usize>,
}

impl Window {
    /// # Safety
    /// As for `peerguard_snapshot_peers`.
    unsafe fn new(
        views: *mut peerguard_peer_view,
        view_size: usize,
        capacity: usize,
        written: *mut usize,
    ) -> Result<Self, Failure> {
        if view_size != size_of::<peerguard_peer_view>() {
            return Err(Failure::StructSize);
        }
        // SAFETY: by this function's own contract.
        unsafe { Ok(Self { views: Row::new(views, capacity)?, written: Place::new(written)? }) }
    }

    fn fill(self, peers: impl IntoIterator<Item = PeerView>) -> Outcome {
        self.written.put(self.views.fill(peers.into_iter().map(|peer| (&peer).into())));
        Ok(Answer::Yes)
    }
}

/// Reads a snapshot's peers, in the order of their ids, from number `first` (0 is the first) on.
///
/// `views`: `capacity` places, each of `view_size` = sizeof(peerguard_peer_view) bytes. `written` receives how many were put
/// there: fewer than `capacity` at the end. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_snapshot_peers(
    snapshot: peerguard_snapshot,
    first: usize,
    views: *mut peerguard_peer_view,
    view_size: usize,
    capacity: usize,
    written: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let window = unsafe { Window::new(views, view_size, capacity, written)? };
        window.fill(SNAPSHOTS.hold(snapshot)?.peers().skip(first))
    })
}

/// Reads a snapshot's best peers, best first; see `peerguard_top_peers`. Arguments as in `peerguard_snapshot_peers`.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_snapshot_top_peers(
    snapshot: peerguard_snapshot,
    views: *mut peerguard_peer_view,
    view_size: usize,
    capacity: usize,
    written: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let window = unsafe { Window::new(views, view_size, capacity, written)? };
        window.fill(SNAPSHOTS.hold(snapshot)?.top_peers(capacity))
    })
}

/// Reads a snapshot's peers to sync with, first ones first; see `peerguard_sync_candidates`. Arguments as in
/// `peerguard_snapshot_peers`.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_snapshot_sync_candidates(
    snapshot: peerguard_snapshot,
    views: *mut peerguard_peer_view,
    view_size: usize,
    capacity: usize,
    written: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let window = unsafe { Window::new(views, view_size, capacity, written)? };
        window.fill(SNAPSHOTS.hold(snapshot)?.sync_candidates(capacity))
    })
}
