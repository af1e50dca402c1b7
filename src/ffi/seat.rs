//! Where each thread says which handle it is using.
//!
//! A seat is one word on a cache line of its own, written by one thread and read by those who free. Seats are never freed:
//! one whose thread has ended is taken over by the next thread. There are as many as there were threads at one time.

use std::cell::Cell;
use std::ptr;

use crossbeam_utils::{Backoff, CachePadded};

use super::barrier;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU64, Ordering, global, local};

/// No handle is in use.
const IDLE: u64 = 0;
/// A clock of the node's is being read, outside a call.
const CLOCK: u64 = u64::MAX;

pub(super) struct Seat {
    /// The handle that the thread is using.
    using: AtomicU64,
    taken: AtomicBool,
    next: Option<&'static CachePadded<Seat>>,
}

global! {
    static HEAD: AtomicPtr<CachePadded<Seat>> = AtomicPtr::new(ptr::null_mut());
}

local! {
    /// The thread's seat; empty before its first call and after its end.
    static OWN: Cell<Option<&'static Seat>> = Cell::new(None);
}

local! {
    /// Gives the seat back when the thread ends.
    static LEASE: Lease = Lease;
}

struct Lease;

/// Not under loom, which drops a thread's locals when its statics have gone; there [`leave`] is called.
#[cfg(not(peerguard_loom))]
impl Drop for Lease {
    fn drop(&mut self) {
        leave();
    }
}

/// The end of a thread: its seat goes back. Calls that it still makes take a seat for themselves.
#[cfg_attr(peerguard_loom, allow(dead_code))] // Called by the models.
pub(crate) fn leave() {
    if let Ok(Some(seat)) = OWN.try_with(Cell::take) {
        seat.leave();
    }
}

fn head() -> Option<&'static CachePadded<Seat>> {
    // SAFETY: the pointer is null or comes from `Box::leak` in `Seat::take`, published by its Release CAS, which this Acquire
    // load pairs with; leaked seats live for ever.
    unsafe { HEAD.load(Ordering::Acquire).as_ref() }
}

fn seats() -> impl Iterator<Item = &'static Seat> {
    std::iter::successors(head(), |seat| seat.next).map(|seat| &**seat)
}

impl Seat {
    /// A free seat, or a new one.
    fn take() -> &'static Self {
        // Acquire: pairs with the Release in `leave`.
        let free = |seat: &&Self| {
            !seat.taken.load(Ordering::Relaxed)
                && seat.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        if let Some(seat) = seats().find(free) {
            return seat;
        }
        let mut next = head();
        loop {
            let seat = Self { using: AtomicU64::new(IDLE), taken: AtomicBool::new(true), next };
            let seat = Box::into_raw(Box::new(CachePadded::new(seat)));
            let expected = next.map_or(ptr::null_mut(), |seat| ptr::from_ref(seat).cast_mut());
            // Release: publishes the seat, for `head`.
            match HEAD.compare_exchange(expected, seat, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: `seat` comes from a box that is never freed.
                Ok(_) => return unsafe { &*seat },
                Err(_) => {
                    // SAFETY: `seat` comes from a box, and was not published.
                    drop(unsafe { Box::from_raw(seat) });
                    next = head();
                }
            }
        }
    }

    fn leave(&self) {
        // Release: pairs with the Acquire in `take`.
        self.taken.store(false, Ordering::Release);
    }

    /// The thread's own seat.
    #[inline]
    pub(super) fn own() -> Sitting {
        match OWN.try_with(Cell::get) {
            Ok(Some(seat)) => Sitting { seat, lent: false },
            _ => Self::first(),
        }
    }

    /// A thread's first call, or one that it makes while it ends: that one takes a seat for itself.
    #[cold]
    fn first() -> Sitting {
        let seat = Self::take();
        let stays = LEASE.try_with(|_| ()).is_ok() && OWN.try_with(|own| own.set(Some(seat))).is_ok();
        Sitting { seat, lent: !stays }
    }

    /// Whether any seat uses a handle.
    fn any_uses(handle: u64) -> bool {
        // Acquire: pairs with the Release store at the end of a use, so that what the user did comes before the free.
        seats().any(|seat| seat.using.load(Ordering::Acquire) == handle)
    }

    /// Waits until no thread uses a handle that is dead already.
    pub(super) fn wait_until_unused(handle: u64) {
        barrier::heavy();
        let backoff = Backoff::new();
        while Self::any_uses(handle) {
            wait(&backoff);
        }
    }
}

#[cfg(not(peerguard_loom))]
fn wait(backoff: &Backoff) {
    if backoff.is_completed() {
        // The user has lost its core, or its clock takes long.
        std::thread::sleep(std::time::Duration::from_micros(50));
    } else {
        backoff.snooze();
    }
}

#[cfg(peerguard_loom)]
fn wait(_: &Backoff) {
    loom::thread::yield_now();
}

/// A thread's seat, for one call.
pub(super) struct Sitting {
    seat: &'static Seat,
    /// Goes back at the end of the call.
    lent: bool,
}

impl Sitting {
    /// A call of this thread is already under way: this one comes from its clock, or from a signal handler.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        // Relaxed: only this thread writes it.
        self.seat.using.load(Ordering::Relaxed) != IDLE
    }

    /// Says that the handle is in use; the handle must be looked at afterwards.
    #[inline]
    pub(super) fn announce(&self, handle: u64) {
        // Relaxed: the barrier orders it before the look at the handle.
        self.seat.using.store(handle, Ordering::Relaxed);
        barrier::light();
    }

    /// Keeps calls out until what is returned is dropped; a call that is under way does so already.
    #[inline]
    pub(super) fn in_clock(self) -> InClock {
        let outside = !self.is_busy();
        if outside {
            // Relaxed: only this thread asks for it.
            self.seat.using.store(CLOCK, Ordering::Relaxed);
        }
        InClock { sitting: self, outside }
    }

    #[inline]
    pub(super) fn withdraw(&self) {
        // Release: pairs with the Acquire load of `any_uses`.
        self.seat.using.store(IDLE, Ordering::Release);
    }
}

impl Drop for Sitting {
    #[inline]
    fn drop(&mut self) {
        if self.lent {
            self.seat.leave();
        }
    }
}

/// While a clock of the node's is read.
pub(super) struct InClock {
    sitting: Sitting,
    outside: bool,
}

impl Drop for InClock {
    #[inline]
    fn drop(&mut self) {
        if self.outside {
            self.sitting.withdraw();
        }
    }
}
