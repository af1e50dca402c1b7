//! The one file that names the atomic primitives.
//!
//! Everything atomic in the crate is imported from here, so that a build with `--cfg peerguard_loom` runs the same code on
//! loom's words, and one with `--cfg peerguard_shuttle` under shuttle's schedulers. Orderings are always spelled at the call.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

#[cfg(all(feature = "capi", not(peerguard_loom)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr};
#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

#[cfg(peerguard_shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering, fence};

/// For what is worked out once, where no model looks.
pub(crate) use std::sync::OnceLock;

#[cfg(not(peerguard_loom))]
pub(crate) use std::sync::Mutex;
#[cfg(all(feature = "capi", not(peerguard_loom)))]
pub(crate) use std::sync::MutexGuard;

#[cfg(peerguard_loom)]
pub(crate) use loom::sync::Mutex;
#[cfg(all(feature = "capi", peerguard_loom))]
pub(crate) use loom::sync::MutexGuard;
#[cfg(peerguard_loom)]
pub(crate) use loom::sync::atomic::{Ordering, fence};
#[cfg(peerguard_loom)]
pub(crate) use words::AtomicU64;
#[cfg(all(feature = "capi", peerguard_loom))]
pub(crate) use words::{AtomicBool, AtomicPtr};

#[cfg(peerguard_loom)]
#[path = "../loom-tests/words.rs"]
pub(crate) mod words;

/// A static that holds words.
#[cfg(all(feature = "capi", not(peerguard_loom)))]
macro_rules! global {
    ($vis:vis static $name:ident: $type:ty = $value:expr;) => {
        $vis static $name: $type = $value;
    };
}

/// Made anew for each execution.
#[cfg(all(feature = "capi", peerguard_loom))]
macro_rules! global {
    (static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! { static ref $name: $type = $value; }
    };
    (pub($($vis:tt)+) static $name:ident: $type:ty = $value:expr;) => {
        loom::lazy_static! { pub($($vis)+) static ref $name: $type = $value; }
    };
}

/// A static of each thread.
#[cfg(all(feature = "capi", not(peerguard_loom)))]
macro_rules! local {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        std::thread_local! { $(#[$attribute])* static $name: $type = const { $value }; }
    };
}

#[cfg(all(feature = "capi", peerguard_loom))]
macro_rules! local {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
        loom::thread_local! { $(#[$attribute])* static $name: $type = $value; }
    };
}

#[cfg(feature = "capi")]
pub(crate) use {global, local};

/// A number of the calling thread's, for what threads should not share. Those that start one after the other have numbers one
/// after the other.
#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
#[inline]
pub(crate) fn thread_number() -> usize {
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;

    static NEXT: AtomicUsize = AtomicUsize::new(1);
    std::thread_local! { static NUMBER: Cell<usize> = const { Cell::new(0) } }

    if NUMBER.get() == 0 {
        // Relaxed: a number orders nothing.
        NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.get()
}

/// Models say for which thread they act.
#[cfg(peerguard_loom)]
pub(crate) fn thread_number() -> usize {
    0
}

/// As many as the scheduler tells apart.
#[cfg(peerguard_shuttle)]
pub(crate) fn thread_number() -> usize {
    shuttle::thread::current().id().into()
}

/// How many threads may be at work at once. One under loom, but for models that say otherwise.
pub(crate) fn parallelism() -> usize {
    #[cfg(peerguard_loom)]
    return 1;
    #[cfg(peerguard_shuttle)]
    return 2;
    #[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A value that is one 64-bit word: several fields that change together.
///
/// `from_bits(to_bits(x)) == x` for every value that the crate can build; each packed type has a test of it.
pub(crate) trait Packed: Copy {
    fn to_bits(self) -> u64;
    fn from_bits(bits: u64) -> Self;
}

/// Implements [`Packed`] for a struct of one `u64`: the word itself.
macro_rules! packed {
    ($word:ident) => {
        impl $crate::sync::Packed for $word {
            #[inline]
            fn to_bits(self) -> u64 {
                self.0
            }

            #[inline]
            fn from_bits(bits: u64) -> Self {
                Self(bits)
            }
        }
    };
}
pub(crate) use packed;

impl Packed for u64 {
    fn to_bits(self) -> u64 {
        self
    }

    fn from_bits(bits: u64) -> Self {
        bits
    }
}

impl Packed for f64 {
    fn to_bits(self) -> u64 {
        f64::to_bits(self)
    }

    fn from_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
}

/// An atomic word of a packed type.
///
/// Comparison is by bits, as the hardware does it, so a NaN compares equal to itself.
pub(crate) struct Word<T> {
    bits: AtomicU64,
    packed: PhantomData<T>,
}

impl<T: Packed> Word<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { bits: AtomicU64::new(value.to_bits()), packed: PhantomData }
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> T {
        T::from_bits(self.bits.load(order))
    }

    #[inline]
    pub(crate) fn store(&self, value: T, order: Ordering) {
        self.bits.store(value.to_bits(), order);
    }

    /// As [`Self::store`], where others may be changing the word by CAS at the same time.
    ///
    /// A CAS and a store are in one order on any machine. Loom leaves it open when neither thread knows of the other, unless
    /// both are read-modify-writes.
    #[inline]
    pub(crate) fn store_over(&self, value: T, order: Ordering) {
        #[cfg(not(peerguard_loom))]
        self.store(value, order);
        #[cfg(peerguard_loom)]
        self.bits.swap(value.to_bits(), order);
    }

    /// Replaces `current` by `new`; `false` when another value stood there, or spuriously.
    #[inline]
    pub(crate) fn swap_if(&self, current: T, new: T, success: Ordering, failure: Ordering) -> bool {
        self.bits.compare_exchange_weak(current.to_bits(), new.to_bits(), success, failure).is_ok()
    }

    /// Replaces whatever stands there, and returns it.
    #[inline]
    pub(crate) fn swap(&self, new: T, order: Ordering) -> T {
        T::from_bits(self.bits.swap(new.to_bits(), order))
    }

    /// As [`Self::swap_if`], but fails only when another value stood there.
    #[inline]
    pub(crate) fn swap_if_strong(&self, current: T, new: T, success: Ordering, failure: Ordering) -> bool {
        self.bits.compare_exchange(current.to_bits(), new.to_bits(), success, failure).is_ok()
    }
}

impl Word<u64> {
    #[inline]
    pub(crate) fn add(&self, n: u64, order: Ordering) -> u64 {
        self.bits.fetch_add(n, order)
    }
}

impl<T: Packed> Word<T> {
    /// Adds to the bits of the word, with wrap: for fields at the top, whose overflow falls off.
    #[inline]
    pub(crate) fn add_bits(&self, n: u64, order: Ordering) {
        self.bits.fetch_add(n, order);
    }

    #[inline]
    pub(crate) fn or_bits(&self, mask: u64, order: Ordering) {
        self.bits.fetch_or(mask, order);
    }

    pub(crate) fn bits(&self) -> u64 {
        self.bits.load(Ordering::Relaxed)
    }

    /// Where the word stands, for readers outside Rust.
    #[cfg(all(feature = "capi", not(any(peerguard_loom, peerguard_shuttle))))]
    pub(crate) fn address(&self) -> Option<*const u64> {
        Some(self.bits.as_ptr())
    }

    /// The words of models are no plain memory that others could read.
    #[cfg(all(feature = "capi", any(peerguard_loom, peerguard_shuttle)))]
    pub(crate) fn address(&self) -> Option<*const u64> {
        None
    }
}

impl<T: Packed + fmt::Debug> fmt::Debug for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a debug print orders nothing.
        self.load(Ordering::Relaxed).fmt(f)
    }
}

/// A value that is replaced as a whole and read by many: for what is cold.
///
/// Offers only `load_full`, which takes a reference of its own; the guards that `arc_swap` lends are not used.
#[cfg(not(peerguard_loom))]
pub(crate) struct Swap<T>(arc_swap::ArcSwap<T>);

#[cfg(not(peerguard_loom))]
impl<T> Swap<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(arc_swap::ArcSwap::new(value))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }
}

/// What arc-swap promises, in place of arc-swap, whose atomics are not loom's.
#[cfg(peerguard_loom)]
pub(crate) struct Swap<T>(loom::sync::RwLock<Arc<T>>);

#[cfg(peerguard_loom)]
impl<T> Swap<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(loom::sync::RwLock::new(value))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = value;
    }
}

/// A field of a packed word: `WIDTH` bits from bit `SHIFT` on.
#[derive(Clone, Copy)]
pub(crate) struct Field<const SHIFT: u32, const WIDTH: u32>;

impl<const SHIFT: u32, const WIDTH: u32> Field<SHIFT, WIDTH> {
    /// The largest value that fits.
    pub(crate) const MAX: u64 = u64::MAX >> (64 - WIDTH);
    /// The field's bits in the word.
    pub(crate) const MASK: u64 = Self::MAX << SHIFT;
    /// One unit of the field.
    pub(crate) const ONE: u64 = 1 << SHIFT;

    #[inline]
    pub(crate) const fn get(word: u64) -> u64 {
        (word >> SHIFT) & Self::MAX
    }

    /// `value` at its place; bits that do not fit fall off.
    #[inline]
    pub(crate) const fn pack(value: u64) -> u64 {
        (value & Self::MAX) << SHIFT
    }

    /// `word` with the field replaced.
    #[inline]
    pub(crate) const fn set(word: u64, value: u64) -> u64 {
        (word & !Self::MASK) | Self::pack(value)
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Middle = Field<11, 14>;

    proptest! {
        #[test]
        fn a_field_reads_what_was_set_and_leaves_the_rest(word: u64, value in 0u64..1 << 14) {
            let set = Middle::set(word, value);
            prop_assert_eq!(Middle::get(set), value);
            prop_assert_eq!(set & !Middle::MASK, word & !Middle::MASK);
        }
    }
}
