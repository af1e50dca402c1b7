//! Views, snapshots and events.

use std::time::SystemTime;

use super::{Inner, PeerGuard};
use crate::breaker::BreakerState;
use crate::counters::bytes;
use crate::event::ring::Entry;
use crate::event::{Event, EventBatch};
use crate::id::PeerId;
use crate::peer::image::{Glance, Image, Words};
use crate::peer::record::{Beside, Record};
use crate::peer::view::{Lens, PeerView, Wall};
use crate::snapshot::order::{self, First, Place, SyncOrder};
use crate::snapshot::{Capture, Reading, Snapshot, Tally, Totals, Watch, bytes_of_the_gone};
use crate::sync::{Ordering, Packed, Word};
use crate::table::Tenancy;
use crate::token_bucket::Direction;

impl PeerGuard {
    /// One peer as it stands now; `None` when it has no record.
    #[must_use]
    pub fn view(&self, peer: &PeerId) -> Option<PeerView> {
        let inner = &self.inner;
        let image = inner.table.image_of(peer)?;
        Some(inner.lens().view(&image))
    }

    /// Everything, in one pass that copies the records: no locks, no writer is held up. Takes 160 bytes for each peer.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.inner;
        let reading = Reading {
            wall: inner.wall(),
            inherited: inner.peer_rates(),
            rules: inner.rules.clone(),
            order: SyncOrder::new(&inner.config),
        };
        let capture = Capture::take(&inner.table, &inner.counters);
        let counted = inner.counted(capture.bytes(), reading.wall.now);
        Snapshot::new(capture, reading, counted)
    }

    /// The totals of a snapshot, in one pass that keeps nothing.
    pub(crate) fn totals(&self) -> Totals {
        let inner = &self.inner;
        let (lens, mut tally) = (inner.lens(), Tally::default());
        let mut moved = bytes_of_the_gone(&inner.counters);
        let whole = inner.pass(|tenancy, record| {
            let tally_of = inner.table.tally(tenancy.slot);
            let (counts, glance) = (record.read_counts(tally_of), lens.glance(&record.read_standing()));
            if record.is_still(tenancy.life) {
                tally.add(&glance, &counts);
                moved = bytes::sums(moved, counts.bytes);
            }
        });
        if whole { tally.complete(inner.counted(moved, lens.wall.now)) } else { *self.snapshot().totals() }
    }

    /// The `n` best peers: highest score first, then earlier first seen, then id; banned ones left out. One pass.
    #[must_use]
    pub fn top_peers(&self, n: usize) -> Vec<PeerView> {
        let may = |glance: &Glance, first: &First<Image>| {
            order::best_by(glance).is_some_and(|(class, merit)| first.may_want(class, merit))
        };
        self.inner.first(n, may, order::best).unwrap_or_else(|| self.snapshot().top_peers(n))
    }

    /// The `n` peers to sync with first: closed, unbanned and above half the initial score, by score and latency bonus;
    /// then the half-open ones with a free probe, so that a peer that has recovered is found again. One pass.
    #[must_use]
    pub fn sync_candidates(&self, n: usize) -> Vec<PeerView> {
        let order = SyncOrder::new(&self.inner.config);
        let may = |glance: &Glance, _: &First<Image>| !glance.banned && glance.state != BreakerState::Open;
        let found = self.inner.first(n, may, |words, lens| order.place(words, lens));
        found.unwrap_or_else(|| self.snapshot().sync_candidates(n))
    }

    /// The oldest events that nobody has drained yet, at most `max`.
    ///
    /// Every event is drained once, whichever thread asks. Events that were overwritten before are counted by
    /// [`Self::events_lost`]. One that is being written keeps later ones back, but not for long: see `DESIGN.md`.
    #[must_use]
    pub fn drain_events(&self, max: usize) -> Vec<Event> {
        let entries = self.inner.drain.take(&self.inner.events, max);
        let wall = self.inner.wall();
        entries.iter().map(|entry| event(entry, &wall)).collect()
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

    /// The newest events, at most `max`, oldest first.
    pub(crate) fn newest_events(&self, max: usize) -> Vec<Event> {
        let wall = self.inner.wall();
        let mut events: Vec<Event> = self.inner.events.newest().take(max).map(|entry| event(&entry, &wall)).collect();
        events.reverse();
        events
    }

    /// Events so far: the number of the next one.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.inner.events.head()
    }

    /// Events that were overwritten, or given up because their writers stopped or dropped them, before they were drained.
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
        let Beside { tally, limits, .. } = self.inner.table.beside(pin.slot());
        words.extend(tally.words());
        words.extend(limits.words());
        Some(words)
    }

    /// The words of the buckets that peers share: all peers', then those of peers without a record; for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn dump_global_words(&self) -> Vec<u64> {
        let [upload, download] = &self.inner.global;
        let shared = [upload, download].map(|bucket| bucket.account().to_bits());
        shared.into_iter().chain(self.inner.untracked.iter().map(|bucket| bucket.paid_at().to_bits())).collect()
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
    /// The guard's clock and the wall's, together, see [`Wall::held`].
    pub(super) fn wall(&self) -> Wall {
        Wall::held(self.clock.now(), SystemTime::now(), &self.wall_offset)
    }

    pub(super) fn lens(&self) -> Lens<'_> {
        Lens { wall: self.wall(), inherited: self.peer_rates(), rules: &self.rules }
    }

    /// Shows every record that has a tenant, in one pass. A peer that was evicted and came back in another slot meanwhile may
    /// be met twice; `false` when anything was evicted.
    #[inline]
    fn pass(&self, mut see: impl FnMut(Tenancy, &Record)) -> bool {
        let watch = Watch::begin(&self.counters);
        self.table.tenants().for_each(|(tenancy, record)| see(tenancy, record));
        !watch.saw_evictions(&self.counters)
    }

    /// The views of the first `n` of an order, in one pass that keeps hardly more; `None` when some of them may be doubles.
    /// `may`: whether a peer may be one of them, by its standing; only then the rest is read.
    fn first(
        &self,
        n: usize,
        may: impl Fn(&Glance, &First<Image>) -> bool,
        order: impl Fn(&Words, &Lens) -> Option<Place>,
    ) -> Option<Vec<PeerView>> {
        let (lens, mut first) = (self.lens(), First::new(n));
        let whole = self.pass(|tenancy, record| {
            if !may(&lens.glance(&record.read_standing()), &first) {
                return;
            }
            // Its place goes by what is read now, with everything that is shown of it.
            let words = record.read(self.table.tally(tenancy.slot));
            let Some(place) = order(&words, &lens).filter(|place| first.wants(place)) else { return };
            if let Some(image) = self.table.image_beside(tenancy, &words) {
                first.put(place, image);
            }
        });
        whole.then(|| first.in_order().iter().map(|image| lens.view(image)).collect())
    }

    /// Counters and buckets, with the bytes that a pass has added up.
    fn counted(&self, bytes: [u64; 2], now: u64) -> Totals {
        let mut totals = Totals::default();
        totals.count(&self.counters);
        totals.events_lost = self.events_lost();
        totals.capacity = self.table.capacity() as u64;
        totals.uploaded = never_falling(&self.shown_bytes[0], bytes[0]);
        totals.downloaded = never_falling(&self.shown_bytes[1], bytes[1]);
        (totals.upload_limit, totals.upload_available) = self.global_state(Direction::Upload, now);
        (totals.download_limit, totals.download_available) = self.global_state(Direction::Download, now);
        totals
    }

    fn events_lost(&self) -> u64 {
        never_falling(&self.shown_lost, self.drain.lost(&self.events))
    }

    /// Limit of all peers together, and what its bucket holds.
    fn global_state(&self, direction: Direction, now: u64) -> (u64, Option<u64>) {
        let Some((bucket, limit)) = self.global_limit(direction) else { return (0, None) };
        let room = limit.burst - bucket.debt(now, limit.burst);
        (limit.rate.get().unwrap_or(0), Some(limit.rate.bytes_within(room)))
    }
}
