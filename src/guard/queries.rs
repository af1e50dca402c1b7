//! Views, snapshots and events.

use std::time::{Duration, SystemTime};

use super::{Inner, PeerGuard};
use crate::counters::Total;
use crate::event::ring::Entry;
use crate::event::{Event, EventBatch};
use crate::id::PeerId;
use crate::peer::view::{PeerView, Wall};
use crate::snapshot::order::{SyncOrder, top_peers};
use crate::snapshot::{LatencyQuantiles, Snapshot, Tally, Totals};
use crate::sync::{Ordering, Packed, Word, fence};
use crate::token_bucket::Direction;

impl PeerGuard {
    /// One peer as it stands now; `None` when it has no record.
    #[must_use]
    pub fn view(&self, peer: &PeerId) -> Option<PeerView> {
        let inner = &self.inner;
        let image = inner.table.image_of(peer)?;
        Some(image.view(&inner.wall(), inner.peer_rates(), &inner.rules))
    }

    /// Everything, in one pass over the records and a sort by id: no locks, no writer is held up. Allocates a view for each
    /// peer.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.inner;
        let wall = inner.wall();
        let mut tally = Tally::new(&inner.counters);
        let peers = in_order_of_ids(inner.collect_views(wall));
        peers.iter().for_each(|peer| tally.add(peer));
        Snapshot {
            taken_at: wall.time,
            totals: inner.complete(tally.totals(), wall.now),
            latency: LatencyQuantiles::of(&peers),
            peers,
            order: SyncOrder::new(&inner.config),
        }
    }

    /// The totals of a snapshot, in one pass that keeps no peer.
    pub(crate) fn totals(&self) -> Totals {
        let inner = &self.inner;
        let wall = inner.wall();
        let mut tally = Tally::new(&inner.counters);
        let before = inner.counters.sum(Total::Evictions);
        inner.views(wall).for_each(|peer| tally.add(&peer));
        if inner.counters.sum(Total::Evictions) != before {
            tally = Tally::new(&inner.counters);
            inner.collect_views(wall).iter().for_each(|peer| tally.add(peer));
        }
        inner.complete(tally.totals(), wall.now)
    }

    /// The `n` best peers: highest score first, then earlier first seen, then id; banned ones left out. One pass.
    #[must_use]
    pub fn top_peers(&self, n: usize) -> Vec<PeerView> {
        let peers = self.inner.collect_views(self.inner.wall());
        top_peers(&peers, n).into_iter().cloned().collect()
    }

    /// The `n` peers to sync with first: closed, unbanned and above half the initial score, by score and latency bonus;
    /// then the half-open ones with a free probe, so that a peer that has recovered is found again. One pass.
    #[must_use]
    pub fn sync_candidates(&self, n: usize) -> Vec<PeerView> {
        let peers = self.inner.collect_views(self.inner.wall());
        SyncOrder::new(&self.inner.config).sync_candidates(&peers, n)
    }

    /// The oldest events that nobody has drained yet, at most `max`.
    ///
    /// Every event is drained once, whichever thread asks. Events that were overwritten before are counted by
    /// [`Self::events_lost`].
    #[must_use]
    pub fn drain_events(&self, max: usize) -> Vec<Event> {
        let inner = &self.inner;
        loop {
            // Acquire: pairs with the CAS of the last drain.
            let cursor = inner.cursor.load(Ordering::Acquire);
            let (entries, next, lost) = inner.events.read_from(cursor, max);
            // AcqRel: as above; who moves the cursor has drained.
            if inner.cursor.swap_if_strong(cursor, next, Ordering::AcqRel, Ordering::Relaxed) {
                // Relaxed: a counter orders nothing.
                inner.lost.add(lost, Ordering::Relaxed);
                let wall = inner.wall();
                return entries.iter().map(|entry| event(entry, &wall)).collect();
            }
        }
    }

    /// The events from number `cursor` on, at most `max`, for a reader with a cursor of its own: begin with 0 or with
    /// [`Self::event_count`], go on with [`EventBatch::next`]. Takes nothing from other readers or from
    /// [`Self::drain_events`].
    #[must_use]
    pub fn events_since(&self, cursor: u64, max: usize) -> EventBatch {
        let (entries, next, lost) = self.inner.events.read_from(cursor, max);
        let wall = self.inner.wall();
        EventBatch { events: entries.iter().map(|entry| event(entry, &wall)).collect(), next, lost }
    }

    /// Events so far: the number of the next one.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.inner.events.head()
    }

    /// Events that were overwritten, or dropped by their writers, before they were drained.
    #[must_use]
    pub fn events_lost(&self) -> u64 {
        self.inner.events_lost()
    }

    /// Peers that have a record, and most that can have one.
    #[must_use]
    pub fn occupancy(&self) -> (usize, usize) {
        (self.inner.table.len(), self.inner.table.capacity())
    }

    /// Every word of a peer's record but the table's own, for tests that nothing changed.
    #[doc(hidden)]
    #[must_use]
    pub fn dump_words(&self, peer: &PeerId) -> Option<Vec<u64>> {
        let pin = self.inner.table.pin_found(peer)?;
        let mut words = pin.record().words();
        words.extend(self.inner.table.limits(pin.slot()).words());
        Some(words)
    }

    /// The words of the buckets that peers share: all peers', then those of peers without a record; for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn dump_global_words(&self) -> Vec<u64> {
        let [upload, download] = &self.inner.global;
        let shared = [&**upload, &**download].into_iter().chain(&self.inner.untracked);
        shared.map(|bucket| bucket.paid_at().to_bits()).collect()
    }

    /// Index words looked at by a check of this key, and the shards that it may stand in, of how many: for tests of the table.
    #[doc(hidden)]
    #[must_use]
    pub fn dump_place(&self, peer: &PeerId) -> (usize, [usize; 2], usize) {
        (self.inner.table.probe_length(peer), self.inner.table.shards(peer), crate::table::SHARDS)
    }

    /// Where in its two groups of the index a peer's word stands: for tests that nobody moves.
    #[doc(hidden)]
    #[must_use]
    pub fn dump_way(&self, peer: &PeerId) -> Option<usize> {
        self.inner.table.way(peer)
    }
}

/// The views in the order of their ids. Views are large: their places are sorted, by the first bytes of the ids as a rule, and
/// each view is moved once.
fn in_order_of_ids(peers: Vec<PeerView>) -> Vec<PeerView> {
    let key = |(place, peer): (usize, &PeerView)| {
        (u64::from_be_bytes(peer.id.as_bytes()[..8].try_into().unwrap_or_default()), place)
    };
    let mut places: Vec<(u64, usize)> = peers.iter().enumerate().map(key).collect();
    places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| peers[a.1].id.cmp(&peers[b.1].id)));
    places.into_iter().map(|(_, place)| peers[place].clone()).collect()
}

pub(super) fn event(entry: &Entry, wall: &Wall) -> Event {
    Event { sequence: entry.number, at: wall.at(entry.at), peer: entry.peer, kind: entry.kind }
}

/// The larger of `sum` and what was shown before: a pass may miss a record that goes meanwhile.
fn never_falling(shown: &Word<u64>, sum: u64) -> u64 {
    loop {
        // Relaxed: the word publishes nothing but itself.
        let before = shown.load(Ordering::Relaxed);
        if sum <= before || shown.swap_if_strong(before, sum, Ordering::Relaxed, Ordering::Relaxed) {
            return sum.max(before);
        }
    }
}

impl Inner {
    /// The guard's clock and the wall's, together. They are held together as long as they drift by less than 10 ms, so that a
    /// time is shown alike each time.
    pub(super) fn wall(&self) -> Wall {
        let (now, time) = (self.clock.now(), SystemTime::now());
        let epoch = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let offset = epoch.wrapping_sub(now);
        // Relaxed: any of the offsets that threads have stored lately will do.
        let held = self.wall_offset.load(Ordering::Relaxed);
        if (offset.wrapping_sub(held) as i64).unsigned_abs() < 10_000_000 {
            return Wall { now, time: SystemTime::UNIX_EPOCH + Duration::from_nanos(now.wrapping_add(held)) };
        }
        self.wall_offset.store(offset, Ordering::Relaxed);
        Wall { now, time }
    }

    /// Every peer once. A peer that was evicted and came back in another slot during the pass may be met twice; so when
    /// anything was evicted meanwhile, doubles are dropped.
    fn collect_views(&self, wall: Wall) -> Vec<PeerView> {
        let before = self.counters.sum(Total::Evictions);
        // Acquire: pairs with the Release fence of an eviction that is in the sum: its old record is not read any more.
        fence(Ordering::Acquire);
        let mut peers = Vec::with_capacity(self.table.len());
        peers.extend(self.views(wall));
        if self.counters.sum(Total::Evictions) != before {
            peers = in_order_of_ids(peers);
            peers.dedup_by_key(|peer| peer.id);
        }
        peers
    }

    /// Every record, in one pass.
    fn views(&self, wall: Wall) -> impl Iterator<Item = PeerView> + '_ {
        let inherited = self.peer_rates();
        (0..self.table.len() as u32).filter_map(move |slot| {
            let image = self.table.image(slot)?;
            Some(image.view(&wall, inherited, &self.rules))
        })
    }

    /// Adds counters and buckets to what the pass has added up.
    fn complete(&self, mut totals: Totals, now: u64) -> Totals {
        totals.count(&self.counters);
        totals.events_lost = self.events_lost();
        totals.capacity = self.table.capacity() as u64;
        totals.uploaded = never_falling(&self.shown_bytes[0], totals.uploaded);
        totals.downloaded = never_falling(&self.shown_bytes[1], totals.downloaded);
        (totals.upload_limit, totals.upload_available) = self.global_state(Direction::Upload, now);
        (totals.download_limit, totals.download_available) = self.global_state(Direction::Download, now);
        totals
    }

    /// Between a drain's two steps the sum is too small for a moment.
    fn events_lost(&self) -> u64 {
        // Relaxed: counters order nothing.
        let lost = self.lost.load(Ordering::Relaxed);
        never_falling(&self.shown_lost, lost + self.events.overwritten(self.cursor.load(Ordering::Relaxed)))
    }

    /// Limit of all peers together, and what its bucket holds.
    fn global_state(&self, direction: Direction, now: u64) -> (u64, Option<u64>) {
        let Some((bucket, limit)) = self.global_limit(direction) else { return (0, None) };
        let room = limit.burst - bucket.paid_at().debt(now, limit.burst);
        (limit.rate.get().unwrap_or(0), Some(limit.rate.bytes_within(room)))
    }
}
