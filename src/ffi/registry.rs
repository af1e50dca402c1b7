//! Handles: 64-bit values that stand for objects of the library.
//!
//! ```text
//!  63                            32 31  28 27                   0
//! +--------------------------------+------+----------------------+
//! | life                           | kind | index                |
//! +--------------------------------+------+----------------------+
//! ```
//!
//! `index` picks a slot, `life` is the slot's tenancy: another object, another life, from 1 on; a slot whose lives are used
//! up is not used again. `kind` tells what sort of object it is. A handle is checked by comparing it with its slot's
//! `tenant` word. Slots lie in chunks that are never freed, the first in the registry itself, so a handle that is stale, or
//! was made up, leads to a slot or to none, never to freed memory.
//!
//! **Why use races with free safely.** A use announces its handle in the thread's own [seat](super::seat), passes the light
//! side of a [barrier](super::barrier), then compares the handle with `tenant`, and only then touches the object. A free
//! replaces `tenant` by CAS, which one of several frees wins, passes the heavy side, then waits until no seat shows the
//! handle; then it drops the object. By the barrier either the use sees that the tenant has gone, and is refused, or the
//! free sees the seat, and waits for the use to end. So no object is dropped under a use, and when a free has returned, no
//! call on the object is running. A use writes only to its own thread's seat.
//!
//! A call that is made inside another of the same thread, by the clock that a node provides or by a signal handler, is
//! refused: the seat shows one handle at a time, and a free in there would wait for itself.

use std::marker::PhantomData;
use std::ptr;
use std::sync::PoisonError;

use super::barrier;
use super::seat::{Seat, Sitting};
use super::status::Failure;
use crate::sync::{AtomicPtr, AtomicU64, Mutex, MutexGuard, Ordering};

const INDEX_BITS: u32 = 28;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
const LIFE_SHIFT: u32 = 32;
const KIND_MASK: u64 = 0xf;

#[cfg(not(peerguard_loom))]
const CHUNK: usize = 1024;
#[cfg(not(peerguard_loom))]
const CHUNKS: usize = 1024;
/// Few under loom, which makes every word anew for each execution.
#[cfg(peerguard_loom)]
const CHUNK: usize = 2;
#[cfg(peerguard_loom)]
const CHUNKS: usize = 1;
/// Slots that lie in the registry itself; none under loom, so that models see how a chunk is published.
#[cfg(not(peerguard_loom))]
const FIRST: usize = CHUNK;
#[cfg(peerguard_loom)]
const FIRST: usize = 0;
/// Most handles of one kind at one time.
pub(super) const CAPACITY: usize = CHUNK * CHUNKS;

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Kind {
    Guard = 1,
    Peer = 2,
    Snapshot = 3,
    Exporter = 4,
    Text = 5,
}

struct Slot<T> {
    /// The live handle; or the last life, with kind and index 0.
    tenant: AtomicU64,
    value: AtomicPtr<T>,
}

/// Slots to be used next.
struct Spare {
    freed: Vec<u32>,
    /// First slot that has not been used.
    fresh: u32,
}

impl<T> Slot<T> {
    #[cfg(not(peerguard_loom))]
    const fn new() -> Self {
        Self { tenant: AtomicU64::new(0), value: AtomicPtr::new(ptr::null_mut()) }
    }

    #[cfg(peerguard_loom)]
    fn new() -> Self {
        Self { tenant: AtomicU64::new(0), value: AtomicPtr::new(ptr::null_mut()) }
    }
}

pub(crate) struct Registry<T> {
    kind: Kind,
    /// The first chunk, where it is found without a load.
    first: [Slot<T>; FIRST],
    /// The others; the first of them is used if it is not there.
    chunks: [AtomicPtr<Slot<T>>; CHUNKS],
    spare: Mutex<Spare>,
    owns: PhantomData<T>,
}

impl<T: Send + Sync + 'static> Registry<T> {
    #[cfg(not(peerguard_loom))]
    pub(super) const fn new(kind: Kind) -> Self {
        let chunks = [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];
        let first = [const { Slot::new() }; FIRST];
        Self { kind, first, chunks, spare: Mutex::new(Spare { freed: Vec::new(), fresh: 0 }), owns: PhantomData }
    }

    /// Loom's words cannot be made at compile time.
    #[cfg(peerguard_loom)]
    pub(crate) fn new(kind: Kind) -> Self {
        let chunks = std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
        let first = std::array::from_fn(|_| Slot::new());
        Self { kind, first, chunks, spare: Mutex::new(Spare { freed: Vec::new(), fresh: 0 }), owns: PhantomData }
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        // The lists are consistent between any two statements that can panic.
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn slot(&self, index: usize) -> Option<&Slot<T>> {
        if let Some(slot) = self.first.get(index) {
            return Some(slot);
        }
        // Acquire: pairs with the Release store in `grow`.
        let chunk = self.chunks.get(index / CHUNK)?.load(Ordering::Acquire);
        if chunk.is_null() {
            return None;
        }
        // SAFETY: a chunk is CHUNK initialised slots that are never freed.
        Some(unsafe { &*chunk.add(index % CHUNK) })
    }

    /// The slot that a handle of this kind leads to.
    #[inline]
    fn slot_of(&self, handle: u64) -> Result<&Slot<T>, Failure> {
        if handle >> INDEX_BITS & KIND_MASK != self.kind as u64 {
            return Err(Failure::Handle);
        }
        self.slot((handle & INDEX_MASK) as usize).ok_or(Failure::Handle)
    }

    /// Makes the chunk of `index`. Under the lock of `spare`.
    fn grow(&self, index: usize) {
        let slots: Box<[Slot<T>]> = (0..CHUNK).map(|_| Slot::new()).collect();
        // Release: publishes the slots, for `slot`.
        self.chunks[index / CHUNK].store(Box::leak(slots).as_mut_ptr(), Ordering::Release);
    }

    /// Gives an object a handle.
    pub(crate) fn insert(&self, value: T) -> Result<u64, Failure> {
        barrier::prepare();
        let value = Box::new(value);
        let index = {
            let mut spare = self.spare();
            if let Some(index) = spare.freed.pop() {
                index as usize
            } else {
                let index = spare.fresh as usize;
                if index == CAPACITY {
                    return Err(Failure::TooManyHandles);
                }
                if index >= FIRST && index.is_multiple_of(CHUNK) {
                    self.grow(index);
                }
                spare.fresh += 1;
                index
            }
        };
        let slot = self.slot(index).ok_or(Failure::TooManyHandles)?;
        // Relaxed: the slot is free, and the lock has ordered this after the free; nobody else writes it.
        let life = (slot.tenant.load(Ordering::Relaxed) >> LIFE_SHIFT) + 1;
        let handle = life << LIFE_SHIFT | (self.kind as u64) << INDEX_BITS | index as u64;
        slot.value.store(Box::into_raw(value), Ordering::Relaxed);
        // Release: publishes the value; pairs with the Acquire load in `hold`.
        slot.tenant.store(handle, Ordering::Release);
        Ok(handle)
    }

    /// The object behind a handle, for one call.
    #[inline]
    pub(crate) fn hold(&'static self, handle: u64) -> Result<Held<T>, Failure> {
        let slot = self.slot_of(handle)?;
        let sitting = Seat::own();
        if sitting.is_busy() {
            return Err(Failure::Reentrant);
        }
        sitting.announce(handle);
        // Acquire: pairs with the Release store in `insert`.
        let tenant = slot.tenant.load(Ordering::Acquire);
        if tenant != handle {
            sitting.withdraw();
            return Err(self.not_live(tenant, handle));
        }
        // Relaxed: ordered by the Acquire load above.
        let value = slot.value.load(Ordering::Relaxed);
        Ok(Held { value, sitting, unsendable: PhantomData })
    }

    /// Why a handle is not the tenant of its slot.
    #[cold]
    fn not_live(&self, tenant: u64, handle: u64) -> Failure {
        let life = handle >> LIFE_SHIFT;
        let past = tenant >> LIFE_SHIFT;
        // Lives below the tenant's have ended; so has the last one of a slot that has no tenant.
        let ended = life < past || (life == past && tenant & !(u64::MAX << LIFE_SHIFT) == 0);
        if life != 0 && ended { Failure::Freed } else { Failure::Handle }
    }

    /// Takes the object from its handle, when no call uses it any more.
    pub(crate) fn remove(&self, handle: u64) -> Result<T, Failure> {
        let slot = self.slot_of(handle)?;
        if Seat::own().is_busy() {
            return Err(Failure::Reentrant);
        }
        let life = handle >> LIFE_SHIFT;
        // AcqRel: pairs with the Release store in `insert`; the loads of
        // the seats follow it by the heavy barrier.
        let gone = life << LIFE_SHIFT;
        if let Err(tenant) = slot.tenant.compare_exchange(handle, gone, Ordering::AcqRel, Ordering::Acquire) {
            return Err(self.not_live(tenant, handle));
        }
        Seat::wait_until_unused(handle);
        let value = slot.value.swap(ptr::null_mut(), Ordering::Relaxed);
        if life < u32::MAX.into() {
            self.spare().freed.push((handle & INDEX_MASK) as u32);
        }
        // SAFETY: the pointer comes from `Box::into_raw` in `insert`. This thread alone has ended this tenancy (the CAS), and
        // no use has the object: see the module's text.
        Ok(*unsafe { Box::from_raw(value) })
    }
}

/// An object in use by this thread.
pub(crate) struct Held<T> {
    value: *const T,
    sitting: Sitting,
    /// The seat is this thread's.
    unsendable: PhantomData<*mut ()>,
}

impl<T> std::ops::Deref for Held<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the object was alive when its handle had been announced, and is not dropped before `withdraw`: see the
        // module's text.
        unsafe { &*self.value }
    }
}

impl<T> Drop for Held<T> {
    #[inline]
    fn drop(&mut self) {
        self.sitting.withdraw();
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    /// An object that tells when it is used after its end, and how many are alive.
    struct Canary {
        alive: AtomicBool,
        count: &'static AtomicUsize,
    }

    impl Canary {
        fn new(count: &'static AtomicUsize) -> Self {
            count.fetch_add(1, Ordering::Relaxed);
            Self { alive: AtomicBool::new(true), count }
        }

        fn sing(&self) {
            assert!(self.alive.load(Ordering::Relaxed), "used after its end");
        }
    }

    impl Drop for Canary {
        fn drop(&mut self) {
            self.alive.store(false, Ordering::Relaxed);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_handle_lives_once() {
        static REGISTRY: Registry<u32> = Registry::new(Kind::Guard);
        let first = REGISTRY.insert(7).unwrap();
        assert_eq!(*REGISTRY.hold(first).unwrap(), 7);
        assert_eq!(REGISTRY.remove(first), Ok(7));
        assert_eq!(REGISTRY.remove(first), Err(Failure::Freed));
        let gone = REGISTRY.slot(0).unwrap().tenant.load(Ordering::Relaxed);
        assert_eq!(REGISTRY.hold(gone).err(), Some(Failure::Handle), "the word of an empty slot is no handle");
        let second = REGISTRY.insert(8).unwrap();
        assert_eq!(second & INDEX_MASK, first & INDEX_MASK);
        assert_eq!(REGISTRY.hold(first).err(), Some(Failure::Freed));
        assert_eq!(*REGISTRY.hold(second).unwrap(), 8);
    }

    #[test]
    fn what_is_no_handle_is_refused() {
        static REGISTRY: Registry<u32> = Registry::new(Kind::Guard);
        let handle = REGISTRY.insert(7).unwrap();
        let other_kind = handle ^ (Kind::Guard as u64 ^ Kind::Peer as u64) << INDEX_BITS;
        let next_life = handle + (1 << LIFE_SHIFT);
        for bad in [0, 1, u64::MAX, handle + 1, handle + (CHUNK as u64), other_kind, next_life, handle & INDEX_MASK] {
            assert_eq!(REGISTRY.hold(bad).err(), Some(Failure::Handle), "{bad:#x}");
            assert_eq!(REGISTRY.remove(bad).err(), Some(Failure::Handle), "{bad:#x}");
        }
        assert_eq!(*REGISTRY.hold(handle).unwrap(), 7);
    }

    #[test]
    fn a_call_inside_a_call_is_refused() {
        static REGISTRY: Registry<u32> = Registry::new(Kind::Guard);
        let handle = REGISTRY.insert(7).unwrap();
        let held = REGISTRY.hold(handle).unwrap();
        assert_eq!(REGISTRY.hold(handle).err(), Some(Failure::Reentrant));
        assert_eq!(REGISTRY.remove(handle).err(), Some(Failure::Reentrant));
        drop(held);
        assert_eq!(REGISTRY.remove(handle), Ok(7));
    }

    #[test]
    fn slots_are_used_again_and_the_last_life_is_the_last() {
        static REGISTRY: Registry<u32> = Registry::new(Kind::Guard);
        let first = REGISTRY.insert(0).unwrap();
        REGISTRY.remove(first).unwrap();
        let slot = REGISTRY.slot(0).unwrap();
        slot.tenant.store(u64::from(u32::MAX - 1) << LIFE_SHIFT, Ordering::Relaxed);
        let last = REGISTRY.insert(1).unwrap();
        assert_eq!(last >> LIFE_SHIFT, u64::from(u32::MAX));
        REGISTRY.remove(last).unwrap();
        assert_ne!(REGISTRY.insert(2).unwrap() & INDEX_MASK, last & INDEX_MASK);
    }

    #[test]
    fn no_use_outlives_a_free() {
        static REGISTRY: Registry<Canary> = Registry::new(Kind::Guard);
        static ALIVE: AtomicUsize = AtomicUsize::new(0);
        static CURRENT: AtomicU64 = AtomicU64::new(0);
        static DONE: AtomicBool = AtomicBool::new(false);
        let frees = AtomicUsize::new(0);
        let uses = AtomicUsize::new(0);
        let mut inserted = 0_usize;
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !DONE.load(Ordering::Relaxed) {
                        let handle = CURRENT.load(Ordering::Relaxed);
                        match REGISTRY.hold(handle) {
                            Ok(canary) => {
                                for _ in 0..20 {
                                    canary.sing();
                                }
                                uses.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(why) => assert!(matches!(why, Failure::Freed | Failure::Handle)),
                        }
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    while !DONE.load(Ordering::Relaxed) {
                        if REGISTRY.remove(CURRENT.load(Ordering::Relaxed)).is_ok() {
                            frees.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            // Until each side has had its turns, however the threads are scheduled.
            let met = || uses.load(Ordering::Relaxed) >= 100 && frees.load(Ordering::Relaxed) >= 100;
            while inserted < 20_000 || !met() {
                CURRENT.store(REGISTRY.insert(Canary::new(&ALIVE)).unwrap(), Ordering::Relaxed);
                inserted += 1;
                if inserted.is_multiple_of(16) {
                    std::thread::yield_now();
                }
            }
            DONE.store(true, Ordering::Relaxed);
        });
        let left = ALIVE.load(Ordering::Relaxed);
        assert_eq!(left + frees.load(Ordering::Relaxed), inserted);
    }
}
