//! From a peer's id to its record: bounded, sharded, nothing is ever rehashed.
//!
//! The index is an array of groups, one cache line each: a control word and seven words of tag, life and slot. A key hashes
//! to two groups. The records lie in a slab that is allocated once; a slot's meta word tells whose it is. In a table that is
//! larger than the caches a newcomer's slot is one of the four at its home, which its hash names as well, while they are free
//! ([`slots`]): a check asks for these at once, so that it waits once for memory and not twice.
//!
//! **Check** ([`Table::find`]): look for the tag's byte in the control words of the two groups, take the index word that it
//! points to, compare the key, read the gate, and compare the life. Only when that is another key's, the index words are
//! scanned. Only loads, no retry: when the life has changed, the key had no record at a moment of the call.
//!
//! **Pin** ([`Table::pin`]): a CAS on the meta word that fails on another life. A pinned record is not evicted, so what is
//! written under a pin is written to the right peer.
//!
//! **First contact** ([`Table::pin_or_insert`]): under the control words of the key's two groups, so that two first contacts
//! of one key come one after the other. A place is an empty word with a fresh slot or, when there is none, a record that may
//! go ([`crate::peer::retention`]): the evictor judges it, then claims it by a CAS on meta that fails if it was pinned or
//! has changed since; then it writes the new tenant, its index word, and opens it.
//!
//! # Memory ordering
//! A claim is followed by a Release fence before the tenant's words are stored (Relaxed). A check reads the index word with
//! Acquire, whose partner is the Release store after the words of the tenant that it names: what is read next is that tenant's
//! or a later one's. It reads key and gate (Relaxed), then an Acquire fence, then meta: if it has read any word of a later
//! tenant it sees the claim, and throws away what it read.

mod hash;
mod index;
mod insert;
mod memory;
pub(crate) mod slots;

use std::hint::select_unpredictable;

use crate::breaker::gate::GateWord;
use crate::breaker::rate::RateWindow;
use crate::id::PeerId;
use crate::peer::image::{Image, Words};
use crate::peer::limits::{LimitWords, OwnLimits};
use crate::peer::meta::Meta;
use crate::peer::record::{Beside, Record};
use crate::peer::tally::Tally;
use crate::sync::Ordering;
use hash::Hasher;
pub(crate) use hash::Place;
use index::{Entry, Group, WAYS};
pub(crate) use memory::{AHEAD, ask_ahead, ask_for_all, ask_for_room, room};
use memory::{LARGE, prefetch, slab, zeroed};
use slots::{HOME, Slots};

/// Regions of groups that are counted apart.
pub(crate) const SHARDS: usize = 16;
/// Share of the index that is filled when all slots are taken, in percent.
const LOAD: usize = 85;

/// A record and the life in which it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tenancy {
    pub(crate) slot: u32,
    pub(crate) life: u32,
}

impl Tenancy {
    /// For what has no record: no slot has this number.
    pub(crate) const NONE: Self = Self { slot: u32::MAX, life: 0 };
}

pub(crate) struct Table {
    groups: Box<[Group]>,
    records: Box<[Record]>,
    /// What lies beside each record.
    tallies: Box<[Tally]>,
    limits: Box<[LimitWords]>,
    rates: Option<Box<[RateWindow]>>,
    hasher: Hasher,
    slots: Slots,
}

/// A record that was found, and its gate then.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) tenancy: Tenancy,
    pub(crate) record: &'a Record,
    pub(crate) gate: GateWord,
}

/// No place for a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Table {
    /// A table of `capacity` records.
    pub(crate) fn new(capacity: usize, rates: bool, keys: [u64; 9]) -> Self {
        let groups = (capacity * 100).div_ceil(WAYS * LOAD).max(2);
        Self {
            groups: slab(groups, Group::new),
            records: slab(capacity, Record::free),
            tallies: slab(capacity, Tally::free),
            limits: zeroed(capacity),
            rates: rates.then(|| (0..capacity).map(|_| RateWindow::new()).collect()),
            hasher: Hasher::new(keys),
            slots: Slots::new(capacity, capacity * size_of::<Record>() >= LARGE),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.records.len()
    }

    /// Slots that have had a tenant; none is ever given back without a new one.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    fn place(&self, words: &[u64; 4]) -> Place {
        self.hasher.place(words, self.groups.len(), self.slots.homes())
    }

    #[inline]
    pub(crate) fn record(&self, slot: u32) -> &Record {
        &self.records[slot as usize]
    }

    /// The record of a tenancy; `None` for [`Tenancy::NONE`].
    #[inline(always)]
    pub(crate) fn get(&self, tenancy: Tenancy) -> Option<&Record> {
        self.records.get(tenancy.slot as usize)
    }

    #[inline]
    pub(crate) fn beside(&self, slot: u32) -> Beside<'_> {
        let i = slot as usize;
        let rate = self.rates.as_ref().map(|rates| &rates[i]);
        Beside { tally: &self.tallies[i], limits: self.limits(slot), rate }
    }

    #[inline]
    pub(crate) fn tally(&self, slot: u32) -> &Tally {
        &self.tallies[slot as usize]
    }

    #[inline]
    pub(crate) fn has_rates(&self) -> bool {
        self.rates.is_some()
    }

    #[inline]
    pub(crate) fn limits(&self, slot: u32) -> OwnLimits<'_> {
        OwnLimits(&self.limits[slot as usize])
    }

    /// The record of a peer and its gate, if it has one. Loads only.
    #[inline(always)]
    pub(crate) fn find(&self, id: &PeerId) -> Option<Found<'_>> {
        let words = id.words();
        let place = self.place(&words);
        self.ask_for_home(&place);
        self.find_at(&words, &place)
    }

    /// As [`Self::find`], for a peer whose place is known.
    #[inline]
    pub(crate) fn find_placed(&self, id: &PeerId, place: &Place) -> Option<Found<'_>> {
        self.find_at(&id.words(), place)
    }

    /// A peer's place. The memory of its groups is asked for, but not waited for.
    #[inline]
    pub(crate) fn ask_for_groups(&self, id: &PeerId) -> Place {
        let place = self.place(&id.words());
        place.groups.iter().for_each(|&group| prefetch(&self.groups[group]));
        place
    }

    /// Asks for the record of a place that is most likely the peer's, what a check reads and what a report writes.
    #[inline]
    pub(crate) fn ask_for_hinted(&self, place: &Place) {
        let (group, hits) = self.hinted(place);
        if hits != 0
            && let Some(entry) = group.hit(hits, place.tag)
        {
            self.ask_for_record(entry.tenancy().slot);
        }
    }

    #[inline]
    pub(crate) fn ask_for_record(&self, slot: u32) {
        let record = self.record(slot);
        prefetch(record);
        ask_for_counts(record);
    }

    /// Asks for the records at a key's home: one is most likely the peer's, and they come while the index is asked which.
    ///
    /// Not in a table that the caches hold: what the others there write would be taken out of the caches of their cores.
    #[inline(always)]
    fn ask_for_home(&self, place: &Place) {
        if !self.slots.by_home() {
            return;
        }
        let first = self.records.as_ptr().wrapping_add(place.home as usize);
        // The last may lie past the end. It is taken last, and so most rarely.
        (0..HOME).for_each(|i| prefetch(first.wrapping_add(i)));
        (0..HOME - 1).for_each(|i| ask_for_counts(first.wrapping_add(i)));
    }

    /// Models look at the index words: a load more in each look-up makes them endless. The hints have models of their own.
    #[inline(always)]
    fn find_at(&self, words: &[u64; 4], place: &Place) -> Option<Found<'_>> {
        if cfg!(peerguard_loom) { self.find_slowly(words, place) } else { self.find_by_hint(words, place) }
    }

    /// As [`Self::find`], by the hints, for models.
    #[cfg(peerguard_loom)]
    pub(crate) fn find_hinted(&self, id: &PeerId) -> Option<Found<'_>> {
        let words = id.words();
        self.find_by_hint(&words, &self.place(&words))
    }

    #[inline(always)]
    fn find_by_hint(&self, words: &[u64; 4], place: &Place) -> Option<Found<'_>> {
        let (group, hits) = self.hinted(place);
        if hits == 0 {
            return None;
        }
        match group.hit(hits, place.tag).and_then(|entry| self.check(entry, words)) {
            // Copies, so that neither has to lie in memory before.
            None => self.find_slowly(&{ *words }, &{ *place }),
            found => found,
        }
    }

    /// The group in which the key's hint stands, and where; 0 when there is none.
    #[inline(always)]
    fn hinted(&self, place: &Place) -> (&Group, u64) {
        let [first, second] = place.groups.map(|group| &self.groups[group]);
        // In which of the two a key lies is as good as random: the second is on its way while the first is looked at.
        let (near, far) = (first.hits(place.tag), second.hits(place.tag));
        (select_unpredictable(near != 0, first, second), select_unpredictable(near != 0, near, far))
    }

    /// Another key has a hint or a tag like this one's, or the record is changing hands.
    #[cold]
    fn find_slowly(&self, words: &[u64; 4], place: &Place) -> Option<Found<'_>> {
        let groups = place.groups.iter().map(|&group| &self.groups[group]);
        groups.flat_map(|group| group.matching(place.tag)).find_map(|entry| self.check(entry, words))
    }

    /// The tenancy that an index word leads to and its gate, if it is the key's.
    #[inline(always)]
    fn check(&self, entry: Entry, words: &[u64; 4]) -> Option<Found<'_>> {
        let tenancy = entry.tenancy();
        let record = self.record(tenancy.slot);
        // It comes together with what the check reads.
        ask_for_counts(record);
        // Relaxed: the index word was read with Acquire, so that key and gate are of that life or a later one. `is_still` tells
        // which.
        if !record.holds(words) {
            return None;
        }
        let gate = record.gate.load(Ordering::Relaxed);
        record.is_still(tenancy.life).then_some(Found { tenancy, record, gate })
    }

    /// Whether what was read (Relaxed) of a record since its life was seen is that tenant's.
    #[inline]
    pub(crate) fn validate(&self, tenancy: Tenancy) -> bool {
        self.record(tenancy.slot).is_still(tenancy.life)
    }

    /// Holds a peer's record against eviction; `None` when it has another life, or as many pins as fit.
    #[inline]
    pub(crate) fn pin(&self, tenancy: Tenancy, id: &PeerId) -> Option<Pin<'_>> {
        self.pin_at(tenancy, &id.words())
    }

    #[inline]
    fn pin_at(&self, tenancy: Tenancy, words: &[u64; 4]) -> Option<Pin<'_>> {
        let meta = &self.record(tenancy.slot).meta;
        // Relaxed: the CAS decides.
        let mut current = meta.load(Ordering::Relaxed);
        while current.is(tenancy.life) {
            // Acquire: pairs with the Release store that opened the record, and with earlier unpins.
            if meta.swap_if(current, current.pinned()?, Ordering::Acquire, Ordering::Relaxed) {
                let pin = Pin { table: self, tenancy };
                // A life comes again after 2^20 tenancies of its slot; the key tells, and is final under the pin.
                return pin.record().holds(words).then_some(pin);
            }
            current = meta.load(Ordering::Relaxed);
        }
        None
    }

    /// Finds and pins. A record that is evicted in between is looked up once more.
    pub(crate) fn pin_found(&self, id: &PeerId) -> Option<Pin<'_>> {
        let words = id.words();
        let place = self.place(&words);
        let mut found = self.find_at(&words, &place)?;
        loop {
            if let Some(pin) = self.pin_at(found.tenancy, &words) {
                return Some(pin);
            }
            let again = self.find_at(&words, &place)?;
            if again.tenancy == found.tenancy {
                return None;
            }
            found = again;
        }
    }

    /// A pin that was kept by [`Pin::keep`], to be given back.
    pub(crate) fn kept(&self, tenancy: Tenancy) -> Pin<'_> {
        Pin { table: self, tenancy }
    }

    /// Gives a pin back that was kept by [`Pin::keep`].
    #[inline]
    pub(crate) fn unpin(&self, slot: u32) {
        // Release: pairs with the Acquire CAS of an evictor, which then sees what was written under the pin.
        self.record(slot).meta.add_bits(Meta::UNPIN, Ordering::Release);
    }

    /// Every tenant and its record, in one pass. What is read of a record is its tenant's if [`Record::is_still`] says so
    /// afterwards.
    #[inline]
    pub(crate) fn tenants(&self) -> impl Iterator<Item = (Tenancy, &Record)> + '_ {
        let mut ahead = self.slots.iter().skip(AHEAD);
        self.slots.iter().filter_map(move |slot| {
            if let Some(next) = ahead.next() {
                ask_for_all(self.record(next));
                ask_for_all(self.tally(next));
            }
            let record = self.record(slot);
            Some((Tenancy { slot, life: record.tenant()? }, record))
        })
    }

    /// The words of a tenant with what lies beside them; `None` when the tenant left meanwhile.
    pub(crate) fn image_beside(&self, tenancy: Tenancy, words: &Words) -> Option<Image> {
        let Beside { limits, rate, .. } = self.beside(tenancy.slot);
        let image = Image { words: *words, limits: words.limits(limits), rate: rate.map(RateWindow::image) };
        self.validate(tenancy).then_some(image)
    }

    /// What is known of a slot's tenant; `None` for a free slot, or when its tenant left meanwhile.
    #[cfg(peerguard_loom)]
    pub(crate) fn image(&self, slot: u32) -> Option<Image> {
        let tenancy = Tenancy { slot, life: self.record(slot).tenant()? };
        let image = self.image_of_held(slot);
        self.validate(tenancy).then_some(image)
    }

    /// The words of a peer's record.
    pub(crate) fn image_of(&self, id: &PeerId) -> Option<Image> {
        let tenancy = self.find(id)?.tenancy;
        let image = self.image_of_held(tenancy.slot);
        self.validate(tenancy).then_some(image)
    }

    /// The words of a record that the caller holds, or validates.
    pub(crate) fn image_of_held(&self, slot: u32) -> Image {
        self.record(slot).image(self.beside(slot))
    }

    /// The regions of a key's two groups, for counts by shard.
    pub(crate) fn shards(&self, id: &PeerId) -> [usize; 2] {
        self.place(&id.words()).groups.map(|group| group * SHARDS / self.groups.len())
    }

    /// Words of the index that a check of this key looks at before it is decided.
    pub(crate) fn probe_length(&self, id: &PeerId) -> usize {
        let words = id.words();
        let place = self.place(&words);
        let groups = place.groups.map(|group| &self.groups[group]);
        let Some(group) = groups.iter().find(|group| group.hits(place.tag) != 0) else { return 2 };
        let hit = group.hit(group.hits(place.tag), place.tag);
        match (hit.and_then(|entry| self.check(entry, &words)), self.find_at(&words, &place)) {
            (Some(_), _) => 3,
            (None, None) => 3 + 2 * WAYS,
            (None, Some(found)) => 3 + self.way_of(&place, found.tenancy).map_or(2 * WAYS, |way| way + 1),
        }
    }

    /// Where in its two groups a peer's index word stands.
    pub(crate) fn way(&self, id: &PeerId) -> Option<usize> {
        let words = id.words();
        let place = self.place(&words);
        self.way_of(&place, self.find_at(&words, &place)?.tenancy)
    }

    fn way_of(&self, place: &Place, tenancy: Tenancy) -> Option<usize> {
        let [near, far] = place.groups.map(|group| self.groups[group].position(tenancy));
        near.or(far.map(|way| way + WAYS))
    }
}

/// Asks for what a report and a take write.
#[inline(always)]
pub(crate) fn ask_for_counts(record: *const Record) {
    prefetch(record.cast::<u8>().wrapping_add(Record::COUNTS));
}

/// A record held against eviction.
pub(crate) struct Pin<'a> {
    table: &'a Table,
    tenancy: Tenancy,
}

impl<'a> Pin<'a> {
    #[inline]
    pub(crate) fn record(&self) -> &'a Record {
        self.table.record(self.tenancy.slot)
    }

    #[inline]
    pub(crate) fn slot(&self) -> u32 {
        self.tenancy.slot
    }

    #[inline]
    pub(crate) fn tenancy(&self) -> Tenancy {
        self.tenancy
    }

    /// The pin stays until [`Table::unpin`]; `None`, and it goes, where as many are kept as may be.
    #[inline]
    pub(crate) fn keep(self) -> Option<Tenancy> {
        // Relaxed: the count that is read has this pin in it, and those of all who have pinned before.
        self.record().meta.load(Ordering::Relaxed).may_keep().then(|| {
            let tenancy = self.tenancy;
            std::mem::forget(self);
            tenancy
        })
    }
}

impl Drop for Pin<'_> {
    #[inline]
    fn drop(&mut self) {
        self.table.unpin(self.slot());
    }
}
