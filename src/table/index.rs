//! The index: groups of seven words and a control word, one cache line each.
//!
//! ```text
//!  63          48 47            28 27                              0
//! +--------------+----------------+---------------------------------+
//! | tag (16)     | life (20)      | slot (28)                       |
//! +--------------+----------------+---------------------------------+
//! ```
//!
//! 0 is an empty word; a tag is never 0. The control word is a lock for first contacts: 0 is free. It is held for one
//! insertion, by a thread that waits for nothing else; checks and peers that have a record never look at it.

use crossbeam_utils::Backoff;

use super::Tenancy;
use crate::sync::{AtomicU64, Field, Ordering, Packed, Word};

type SlotField = Field<0, 28>;
type LifeField = Field<28, 20>;
type TagField = Field<48, 16>;

/// Index words in a group.
#[cfg(not(peerguard_loom))]
pub(super) const WAYS: usize = 7;
/// Index words in a group: one under loom, so that full groups are met.
#[cfg(peerguard_loom)]
pub(super) const WAYS: usize = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u64);

impl Entry {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) fn new(tag: u16, tenancy: Tenancy) -> Self {
        Self(TagField::pack(tag.into()) | LifeField::pack(tenancy.life.into()) | SlotField::pack(tenancy.slot.into()))
    }

    #[inline]
    fn tag(self) -> u16 {
        TagField::get(self.0) as u16
    }

    #[inline]
    pub(super) fn tenancy(self) -> Tenancy {
        Tenancy { slot: SlotField::get(self.0) as u32, life: LifeField::get(self.0) as u32 }
    }
}

impl Packed for Entry {
    #[inline]
    fn to_bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[repr(C, align(64))]
pub(super) struct Group {
    control: AtomicU64,
    pub(super) entries: [Word<Entry>; WAYS],
}

impl Group {
    pub(super) fn new() -> Self {
        Self { control: AtomicU64::new(0), entries: std::array::from_fn(|_| Word::new(Entry::EMPTY)) }
    }

    /// The words that carry a tag.
    #[inline]
    pub(super) fn matching(&self, tag: u16) -> impl Iterator<Item = Entry> + '_ {
        // Acquire: pairs with the Release store of the index word; the record's meta is then at least of that life.
        self.entries.iter().map(|entry| entry.load(Ordering::Acquire)).filter(move |entry| entry.tag() == tag)
    }

    pub(super) fn used(&self) -> usize {
        self.entries.iter().filter(|entry| entry.load(Ordering::Relaxed) != Entry::EMPTY).count()
    }

    /// An empty word.
    pub(super) fn empty(&self) -> Option<&Word<Entry>> {
        // Relaxed: asked under the group's lock.
        self.entries.iter().find(|entry| entry.load(Ordering::Relaxed) == Entry::EMPTY)
    }

    /// Where a tenancy stands in the group.
    pub(super) fn position(&self, tenancy: Tenancy) -> Option<usize> {
        self.entries.iter().position(|entry| {
            let entry = entry.load(Ordering::Relaxed);
            entry != Entry::EMPTY && entry.tenancy() == tenancy
        })
    }

    /// Keeps other first contacts out of the group until the guard is dropped.
    pub(super) fn lock(&self) -> GroupLock<'_> {
        let backoff = Backoff::new();
        // Acquire: pairs with the Release store of the last holder; its insertion is visible.
        while self.control.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            wait(&backoff);
        }
        GroupLock { group: self }
    }
}

#[cfg(not(peerguard_loom))]
fn wait(backoff: &Backoff) {
    backoff.snooze();
}

#[cfg(peerguard_loom)]
fn wait(_: &Backoff) {
    loom::thread::yield_now();
}

pub(super) struct GroupLock<'a> {
    group: &'a Group,
}

impl Drop for GroupLock<'_> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire CAS of the next holder.
        self.group.control.store(0, Ordering::Release);
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_survives_its_word(tag in 1u16.., slot in 0u32..1 << 28, life in 0u32..1 << 20) {
            let entry = Entry::new(tag, Tenancy { slot, life });
            prop_assert_eq!((entry.tag(), entry.tenancy()), (tag, Tenancy { slot, life }));
            prop_assert_ne!(entry, Entry::EMPTY);
        }
    }

    #[cfg(not(peerguard_loom))]
    #[test]
    fn a_group_is_one_cache_line() {
        assert_eq!(size_of::<Group>(), 64);
    }
}
