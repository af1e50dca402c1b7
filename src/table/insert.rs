//! First contact and eviction.

use super::index::{Entry, GroupLock, WAYS};
use super::{Found, Full, Pin, Place, Table, Tenancy};
use crate::counters::Total;
use crate::event::EventKind;
use crate::id::PeerId;
use crate::peer::Site;
use crate::peer::meta::Meta;
use crate::peer::record::Beside;
use crate::peer::retention::Rank;
use crate::sync::{Ordering, fence};

/// A record that may go, as it was judged.
struct Candidate {
    /// Which of the key's two groups.
    group: usize,
    way: usize,
    tenancy: Tenancy,
    /// The meta word before the judgement.
    meta: Meta,
    rank: Rank,
}

/// Of a key's two groups, in the order of its place.
type Locks<'a> = [GroupLock<'a>; 2];

impl Table {
    /// Finds and pins a peer's record, or makes one. `site`: of the new record, but for the slot.
    pub(crate) fn pin_or_insert(&self, id: &PeerId, site: &Site<'_>) -> Result<Pin<'_>, Full> {
        if let Some(pin) = self.pin_found(id) {
            return Ok(pin);
        }
        let words = id.words();
        let place = self.place(&words);
        // One after the other in the order of their numbers, so that two first contacts never wait for each other in a circle.
        let mut locks = place.groups.map(|group| self.groups[group].lock());
        // Under the locks nobody else makes a record of this key.
        while let Some(Found { tenancy, .. }) = self.find_at(&words, &place) {
            match self.pin_at(tenancy, &words) {
                Some(pin) => return Ok(pin),
                // There is a record, with as many pins as fit: never a second one.
                None if self.record(tenancy.slot).meta.load(Ordering::Relaxed).is(tenancy.life) => return Err(Full),
                // Evicted in between, for another key.
                None => {}
            }
        }
        let made = self.insert(id, &place, &mut locks, site);
        if made.is_ok() {
            site.counters.add(place.groups[0], Total::Records, 1);
        }
        made
    }

    /// Whether a record could be made for a newcomer now.
    pub(crate) fn has_room(&self, id: &PeerId, site: &Site<'_>) -> bool {
        let place = self.place(&id.words());
        let empty = place.groups.iter().any(|&group| self.groups[group].used() < WAYS);
        (empty && self.len() < self.capacity()) || self.candidate(&place, site).is_some()
    }

    /// Makes a record, under the locks of both groups.
    fn insert(&self, id: &PeerId, place: &Place, locks: &mut Locks<'_>, site: &Site<'_>) -> Result<Pin<'_>, Full> {
        if let Some(pin) = self.insert_fresh(id, place, locks, site) {
            return Ok(pin);
        }
        // A failed claim means that the record was pinned or changed by another thread. The locks are held, so there is an
        // end to it: whom the others keep busy is not idle anyway.
        for _ in 0..4 * WAYS {
            let candidate = self.candidate(place, site).ok_or(Full)?;
            if let Some(pin) = self.evict(&candidate, id, place.tag, locks, site) {
                return Ok(pin);
            }
        }
        Err(Full)
    }

    /// Takes an empty word in the emptier of the two groups, and a slot that nobody has had. So groups fill evenly, and every
    /// key has about as many records to choose from when one must go.
    fn insert_fresh(&self, id: &PeerId, place: &Place, locks: &mut Locks<'_>, site: &Site<'_>) -> Option<Pin<'_>> {
        let [first, second] = locks;
        let lock = if second.group().used() < first.group().used() { second } else { first };
        let way = lock.group().empty()?;
        let slot = self.slots.take(place.home)?;
        let tenancy = self.furnish(slot, Meta::FREE, id, site);
        lock.put(way, place.tag, tenancy);
        Some(self.open(slot))
    }

    /// The record in the key's two groups that goes first.
    fn candidate(&self, place: &Place, site: &Site<'_>) -> Option<Candidate> {
        let ways = (0..2).flat_map(|group| (0..WAYS).map(move |way| (group, way)));
        ways.filter_map(|at| self.judge(place, at, site)).min_by_key(|candidate| candidate.rank)
    }

    fn judge(&self, place: &Place, (group, way): (usize, usize), site: &Site<'_>) -> Option<Candidate> {
        // Acquire: pairs with the Release store of the index word.
        let found = self.groups[place.groups[group]].entries[way].load(Ordering::Acquire);
        if found == Entry::EMPTY {
            return None;
        }
        let tenancy = found.tenancy();
        let record = self.record(tenancy.slot);
        // Acquire: pairs with the Release of unpins: the judgement sees what was written under them. What is written after
        // it moves the change count, and the claim fails.
        let meta = record.meta.load(Ordering::Acquire);
        if !meta.is(tenancy.life) || meta.pins() != 0 {
            return None;
        }
        let rank = record.rank(site.now, site.rules)?;
        Some(Candidate { group, way, tenancy, meta, rank })
    }

    /// Claims a judged record; `false` when it was pinned, changed or claimed since.
    fn claim(&self, candidate: &Candidate) -> bool {
        let meta = &self.record(candidate.tenancy.slot).meta;
        // Acquire: pairs with the Release of the last unpin. Strong: a spurious failure would judge again for nothing.
        meta.swap_if_strong(candidate.meta, candidate.meta.claimed(), Ordering::AcqRel, Ordering::Relaxed)
    }

    /// Gives a judged record's slot and place to `id`.
    fn evict(
        &self,
        candidate: &Candidate,
        id: &PeerId,
        tag: u16,
        locks: &mut Locks<'_>,
        site: &Site<'_>,
    ) -> Option<Pin<'_>> {
        if !self.claim(candidate) {
            return None;
        }
        // Release: pairs with the Acquire fence of `Watch::begin`: who sees the eviction counted sees the claim.
        fence(Ordering::Release);
        let slot = candidate.tenancy.slot;
        let lately = self.record(slot).begin_flow(candidate.meta.claimed().life());
        self.note_eviction(candidate, lately, site);
        let tenancy = self.furnish(slot, candidate.meta, id, site);
        locks[candidate.group].put(candidate.way, tag, tenancy);
        Some(self.open(slot))
    }

    /// Writes the new tenant into a slot that is free or claimed; `before` is its meta word until now.
    fn furnish(&self, slot: u32, before: Meta, id: &PeerId, site: &Site<'_>) -> Tenancy {
        let record = self.record(slot);
        let claimed = before.claimed();
        if before.is_free() {
            // Relaxed: no index word leads here yet.
            record.meta.store(claimed, Ordering::Relaxed);
            record.begin_flow(claimed.life());
        }
        // Release: pairs with the Acquire fence of `validate`: whoever reads a word stored below sees the claim.
        fence(Ordering::Release);
        record.furnish(id, claimed.life(), site.now, &site.rules.reputation);
        let Beside { tally, limits, rate } = self.beside(slot);
        tally.begin(site.now);
        limits.clear();
        if let Some(rate) = rate {
            rate.clear();
        }
        Tenancy { slot, life: claimed.life() }
    }

    /// Opens a furnished record, with a pin.
    fn open(&self, slot: u32) -> Pin<'_> {
        let meta = &self.record(slot).meta;
        // Relaxed: only this thread writes a claimed meta word.
        let claimed = meta.load(Ordering::Relaxed);
        // Release: pairs with the Acquire loads of meta; publishes the tenant.
        meta.store(claimed.published(), Ordering::Release);
        Pin { table: self, tenancy: Tenancy { slot, life: claimed.life() } }
    }

    /// `lately`: the bytes of the last tenant's flow, by direction.
    fn note_eviction(&self, candidate: &Candidate, lately: [u64; 2], site: &Site<'_>) {
        let slot = candidate.tenancy.slot;
        let record = self.record(slot);
        // The claim has ended all writes under a pin, and its Acquire has made them visible.
        let moved = self.tally(slot).bytes_with(lately);
        let banned = record.is_banned(site.now);
        site.counters.add(slot as usize, Total::Evictions, 1);
        if banned {
            site.counters.add(slot as usize, Total::EvictedBans, 1);
        }
        site.counters.add_bytes(slot as usize, moved);
        site.events.push(site.now, record.id(), EventKind::Evicted { banned });
    }
}
