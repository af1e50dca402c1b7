//! The bare table: an index of one-line groups of tags and a slab of records.

use std::sync::atomic::{AtomicU64, Ordering};

use super::hash::KeyedHash;
use crate::workload::Key;

const GROUP: usize = 8;

#[repr(align(64))]
struct Group([AtomicU64; GROUP]);

/// What a slot of the slab holds.
pub trait Record: Sync + Send {
    fn of(key: Key) -> Self;
    fn key(&self) -> &Key;
}

/// An index word: the high half is the hash's tag, the low half the record's slot plus one.
pub struct Table<R> {
    hash: KeyedHash,
    groups: Box<[Group]>,
    records: Box<[R]>,
}

impl<R: Record> Table<R> {
    pub fn new(peers: &[Key]) -> Self {
        let hash = KeyedHash::random();
        // Half full: a second group is looked at for few keys.
        let groups = (peers.len() * 2 / GROUP).next_power_of_two();
        let table = Table {
            hash,
            groups: (0..groups).map(|_| Group(Default::default())).collect(),
            records: peers.iter().map(|&key| R::of(key)).collect(),
        };
        for (slot, key) in peers.iter().enumerate() {
            table.insert(key, slot);
        }
        table
    }

    fn insert(&self, key: &Key, slot: usize) {
        let hash = self.hash.of(key);
        let word = (hash & !0xffff_ffff) | (slot as u64 + 1);
        let mut group = hash as usize;
        loop {
            let words = &self.groups[group & (self.groups.len() - 1)].0;
            // Relaxed: the table is filled before it is shared.
            if let Some(free) = words.iter().find(|w| w.load(Ordering::Relaxed) == 0) {
                free.store(word, Ordering::Relaxed);
                return;
            }
            group += 1;
        }
    }

    #[inline]
    pub fn find(&self, key: &Key) -> Option<&R> {
        let hash = self.hash.of(key);
        let tag = hash >> 32;
        let mut group = hash as usize;
        loop {
            let words = &self.groups[group & (self.groups.len() - 1)].0;
            // All eight tags are compared before the first branch: where in its group a key lies is not predictable.
            let mut hits = 0u32;
            for (i, word) in words.iter().enumerate() {
                hits |= u32::from(word.load(Ordering::Acquire) >> 32 == tag) << i;
            }
            while hits != 0 {
                let word = words[hits.trailing_zeros() as usize].load(Ordering::Acquire);
                let record = self.records.get((word as u32 as usize).wrapping_sub(1));
                if let Some(record) = record
                    && record.key() == key
                {
                    return Some(record);
                }
                hits &= hits - 1;
            }
            if words.iter().any(|w| w.load(Ordering::Acquire) == 0) {
                return None;
            }
            group += 1;
        }
    }

    #[inline]
    pub fn at(&self, slot: u32) -> &R {
        &self.records[slot as usize]
    }

    /// Bytes of the index and of the records: the footprints over which dependent loads are measured.
    pub fn footprints(peers: usize) -> [usize; 2] {
        let groups = (peers * 2 / GROUP).next_power_of_two();
        [groups * size_of::<Group>(), peers * size_of::<R>()]
    }
}
