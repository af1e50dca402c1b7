//! The bare table: an index of one-line groups, and a slab of records. A group is a word of seven one-byte tags, compared
//! all at once, and seven slots.

use std::sync::atomic::{AtomicU64, Ordering};

use prefetch_index::prefetch_index;
use zerocopy::{FromBytes, IntoBytes, KnownLayout};

use super::hash::KeyedHash;
use super::slab::slab;
use crate::workload::Key;

const WAYS: usize = 7;
/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// A free place has the tag 0 and no slot.
#[derive(FromBytes, IntoBytes, KnownLayout)]
#[repr(C, align(64))]
struct Group {
    tags: AtomicU64,
    slots: [AtomicU64; WAYS],
}

impl Group {
    /// The tag of a hash: seven of its high bits, never 0.
    #[inline]
    fn tag(hash: u64) -> u64 {
        (hash >> 57) | 0x80
    }

    /// The high bit of every byte that has the tag, and now and then of one above it that does not: keys are compared
    /// anyway.
    #[inline]
    fn hits(&self, hash: u64) -> u64 {
        let differing = self.tags.load(Ordering::Acquire) ^ (Self::tag(hash) * ONES);
        differing.wrapping_sub(ONES) & !differing & (ONES << 7)
    }

    #[inline]
    fn slot(&self, hits: u64) -> u64 {
        self.slots[hits.trailing_zeros() as usize / 8 % WAYS].load(Ordering::Relaxed)
    }

    /// Whether a place is free: keys that lead here are nowhere else.
    #[inline]
    fn has_room(&self) -> bool {
        self.tags.load(Ordering::Relaxed) >> (8 * (WAYS - 1)) == 0
    }
}

/// What a slot of the slab holds.
pub trait Record: Sync + Send + FromBytes + IntoBytes + 'static {
    fn set_key(&mut self, key: Key);
    fn key(&self) -> &Key;
}

pub struct Table<R: 'static> {
    hash: KeyedHash,
    groups: &'static [Group],
    records: &'static [R],
}

impl<R: Record> Table<R> {
    pub fn new(peers: &[Key]) -> Self {
        let records = slab::<R>(peers.len());
        for (record, &key) in records.iter_mut().zip(peers) {
            record.set_key(key);
        }
        let table = Table { hash: KeyedHash::random(), groups: slab(Self::groups(peers.len())), records };
        for (slot, key) in peers.iter().enumerate() {
            table.insert(key, slot);
        }
        table
    }

    /// Less than half full: a second group is looked at for few keys.
    fn groups(peers: usize) -> usize {
        (peers * 2 / WAYS).next_power_of_two()
    }

    #[inline]
    fn group(&self, at: usize) -> &Group {
        &self.groups[at & (self.groups.len() - 1)]
    }

    fn insert(&self, key: &Key, slot: usize) {
        let hash = self.hash.of(key);
        let mut at = hash as usize;
        while !self.group(at).has_room() {
            at += 1;
        }
        let group = self.group(at);
        // Relaxed: the table is filled before it is shared.
        let tags = group.tags.load(Ordering::Relaxed);
        let place = (u64::BITS - tags.leading_zeros()).div_ceil(8);
        group.slots[place as usize].store(slot as u64, Ordering::Relaxed);
        group.tags.store(tags | Group::tag(hash) << (8 * place), Ordering::Relaxed);
    }

    #[inline]
    pub fn hash(&self, key: &Key) -> u64 {
        self.hash.of(key)
    }

    #[inline]
    pub fn find(&self, key: &Key) -> Option<&R> {
        self.find_hashed(key, self.hash(key))
    }

    #[inline]
    pub fn find_hashed(&self, key: &Key, hash: u64) -> Option<&R> {
        let mut at = hash as usize;
        loop {
            let group = self.group(at);
            let mut hits = group.hits(hash);
            while hits != 0 {
                let record = &self.records[group.slot(hits) as usize];
                if record.key() == key {
                    return Some(record);
                }
                hits &= hits - 1;
            }
            if group.has_room() {
                return None;
            }
            at += 1;
        }
    }

    /// Asks for the line of the index that a hash leads to.
    #[inline]
    pub fn prefetch_group(&self, hash: u64) {
        prefetch_index(self.groups, hash as usize & (self.groups.len() - 1));
    }

    /// Asks for the record of the first hit, from an index line that has come; `None` where another group is to be asked.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) -> Option<u32> {
        let group = self.group(hash as usize);
        let hits = group.hits(hash);
        if hits == 0 {
            return None;
        }
        let slot = group.slot(hits);
        prefetch_index(self.records, slot as usize);
        Some(slot as u32)
    }

    #[inline]
    pub fn at(&self, slot: u32) -> &R {
        &self.records[slot as usize]
    }

    /// Bytes of the index and of the records: the footprints over which dependent loads are measured.
    pub fn footprints(peers: usize) -> [usize; 2] {
        [Self::groups(peers) * size_of::<Group>(), peers * size_of::<R>()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::full::TwoLines;
    use super::*;
    use crate::workload::{Skew, Workload};

    #[test]
    fn every_key_is_found_and_no_other() {
        for peers in [1, 7, 1_000] {
            let load = Workload::new(peers, Skew::Uniform, 0);
            let table = Table::<TwoLines>::new(&load.peers);
            assert!(load.peers.iter().all(|key| table.find(key).is_some_and(|found| found.key() == key)));
            let others = Workload::new(peers + 1, Skew::Uniform, 0).peers;
            assert!(others.iter().all(|key| table.find(key).is_none()));
        }
    }
}
