//! The index: groups of seven words and a control word, one cache line each.
//!
//! ```text
//!  63          48 47            28 27                              0
//! +--------------+----------------+---------------------------------+
//! | tag (16)     | life (20)      | slot (28)                       |
//! +--------------+----------------+---------------------------------+
//! ```
//!
//! 0 is an empty word; a tag is never 0. The control word carries a byte of each tag, which checks look at, and a lock for
//! first contacts. That is held for one insertion, by a thread that waits for nothing else; it keeps nobody else waiting.

use crossbeam_utils::Backoff;

use super::Tenancy;
use crate::sync::{Field, Ordering, Word, packed};

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

packed!(Entry);

/// The control word: a lock, and for each way a byte of its tag, 0 where the way is empty.
///
/// A check compares all seven bytes at once and reads one index word, so that it takes no branch on where a key lies. The
/// bytes are hints: the index word carries the whole tag.
#[derive(Clone, Copy)]
struct Control(u64);

impl Control {
    const LOCKED: u64 = 1 << 63;
    /// The lowest bit of each byte.
    const ONES: u64 = u64::MAX / 255;
    /// The highest bit of each way's byte.
    const WAYS: u64 = (Self::ONES << 7) & (u64::MAX >> (64 - 8 * WAYS));

    /// The byte of a tag; never 0.
    #[inline(always)]
    fn hint(tag: u16) -> u64 {
        u64::from((tag as u8).max(1))
    }

    /// The highest bit of each way whose byte is the tag's. Above the lowest that is set, others may be set wrongly.
    #[inline(always)]
    fn hits(self, tag: u16) -> u64 {
        let differing = self.0 ^ (Self::hint(tag) * Self::ONES);
        differing.wrapping_sub(Self::ONES) & !differing & Self::WAYS
    }

    fn is_locked(self) -> bool {
        self.0 & Self::LOCKED != 0
    }

    fn locked(self) -> Self {
        Self(self.0 | Self::LOCKED)
    }

    fn with_hint(self, way: usize, tag: u16) -> Self {
        Self(self.0 & !(0xff << (8 * way)) | Self::hint(tag) << (8 * way))
    }
}

packed!(Control);

#[repr(C, align(64))]
pub(super) struct Group {
    control: Word<Control>,
    pub(super) entries: [Word<Entry>; WAYS],
}

impl Group {
    pub(super) fn new() -> Self {
        Self { control: Word::new(Control(0)), entries: std::array::from_fn(|_| Word::new(Entry::EMPTY)) }
    }

    /// The ways that may carry a tag, as a mask for [`Self::hit`]; 0 when there is none.
    #[inline(always)]
    pub(super) fn hits(&self, tag: u16) -> u64 {
        // Acquire: pairs with the Release store that ended the lock; the index word is at least as new as its hint.
        self.control.load(Ordering::Acquire).hits(tag)
    }

    /// The first index word of a mask that is not 0, if it carries the tag.
    #[inline(always)]
    pub(super) fn hit(&self, hits: u64, tag: u16) -> Option<Entry> {
        // Acquire: pairs with the Release store of the index word; the record's meta is then at least of that life.
        let entry = self.entries[(hits.trailing_zeros() / 8) as usize].load(Ordering::Acquire);
        (entry.tag() == tag).then_some(entry)
    }

    /// The words that carry a tag.
    pub(super) fn matching(&self, tag: u16) -> impl Iterator<Item = Entry> + '_ {
        // Acquire: as in `hit`.
        self.entries.iter().map(|entry| entry.load(Ordering::Acquire)).filter(move |entry| entry.tag() == tag)
    }

    pub(super) fn used(&self) -> usize {
        self.entries.iter().filter(|entry| entry.load(Ordering::Relaxed) != Entry::EMPTY).count()
    }

    /// An empty way.
    pub(super) fn empty(&self) -> Option<usize> {
        // Relaxed: asked under the group's lock.
        self.entries.iter().position(|entry| entry.load(Ordering::Relaxed) == Entry::EMPTY)
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
        loop {
            // Relaxed: the CAS decides.
            let control = self.control.load(Ordering::Relaxed);
            // Acquire: pairs with the Release store of the last holder; its insertion is visible.
            if !control.is_locked()
                && self.control.swap_if(control, control.locked(), Ordering::Acquire, Ordering::Relaxed)
            {
                return GroupLock { group: self, control };
            }
            wait(&backoff);
        }
    }
}

#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
fn wait(backoff: &Backoff) {
    backoff.snooze();
}

#[cfg(peerguard_loom)]
fn wait(_: &Backoff) {
    loom::thread::yield_now();
}

#[cfg(peerguard_shuttle)]
fn wait(_: &Backoff) {
    shuttle::thread::yield_now();
}

/// The lock of a group. Nobody else changes the control word meanwhile; its holder writes it once, at the end.
pub(super) struct GroupLock<'a> {
    group: &'a Group,
    control: Control,
}

impl<'a> GroupLock<'a> {
    pub(super) fn group(&self) -> &'a Group {
        self.group
    }

    /// Writes the index word of a new tenancy; its hint follows with the end of the lock, which is when checks find it.
    pub(super) fn put(&mut self, way: usize, tag: u16, tenancy: Tenancy) {
        // Release: pairs with the Acquire loads of index words. The lock keeps other writers out.
        self.group.entries[way].store(Entry::new(tag, tenancy), Ordering::Release);
        self.control = self.control.with_hint(way, tag);
    }
}

impl Drop for GroupLock<'_> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire CAS of the next holder, and with the Acquire load of `hits`.
        self.group.control.store(self.control, Ordering::Release);
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

    proptest! {
        /// The lowest hit is the lowest way whose byte is the tag's, whatever stands in the others and in the lock.
        #[test]
        fn the_first_hit_is_the_first_way_of_the_tag(control: u64, tag in 1u16.., own: Option<prop::sample::Index>) {
            let way = own.map(|own| own.index(WAYS));
            let control = way.map_or(Control(control), |way| Control(control).with_hint(way, tag));
            let bytes = control.0.to_le_bytes();
            let first = (0..WAYS).find(|&way| u64::from(bytes[way]) == Control::hint(tag));
            let hits = control.hits(tag);
            prop_assert_eq!((hits != 0).then(|| (hits.trailing_zeros() / 8) as usize), first);
        }
    }

    #[cfg(not(peerguard_loom))]
    #[test]
    fn a_group_is_one_cache_line() {
        assert_eq!(size_of::<Group>(), 64);
    }
}
