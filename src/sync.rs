//! The one file that names the atomic primitives.
//!
//! Everything atomic in the crate is imported from here, so that a build with `--cfg peerguard_loom` runs the same code on
//! loom's words, and one with `--cfg peerguard_shuttle` under shuttle's schedulers. Orderings are always spelled at the call.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

#[cfg(peerguard_shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering, fence};

#[cfg(peerguard_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

/// Loom takes two steps for independent unless one of them meets the *last* access of the other's word, so that a thread's
/// own load can hide another's. Where a model asks for it, every step also touches one shared word, Relaxed, which orders
/// nothing but makes all steps dependent: then no interleaving is left out.
#[cfg(peerguard_loom)]
pub(crate) mod step {
    use std::cell::Cell;

    loom::lazy_static! {
        static ref SHARED: super::AtomicU64 = super::AtomicU64::new(0);
    }

    thread_local! {
        /// Loom runs all threads of a model on one thread of the system.
        static MIXED: Cell<bool> = const { Cell::new(false) };
    }

    pub(crate) fn mix(on: bool) {
        MIXED.set(on);
    }

    pub(super) fn step() {
        if MIXED.get() {
            SHARED.fetch_add(0, super::Ordering::Relaxed);
        }
    }
}

#[cfg(not(peerguard_loom))]
mod step {
    #[inline(always)]
    pub(super) fn step() {}
}

use step::step;

/// A value that is one 64-bit word: several fields that change together.
///
/// `from_bits(to_bits(x)) == x` for every value that the crate can build; each packed type has a test of it.
pub(crate) trait Packed: Copy {
    fn to_bits(self) -> u64;
    fn from_bits(bits: u64) -> Self;
}

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
        step();
        T::from_bits(self.bits.load(order))
    }

    #[inline]
    pub(crate) fn store(&self, value: T, order: Ordering) {
        step();
        self.bits.store(value.to_bits(), order);
    }

    /// Replaces `current` by `new`; `false` when another value stood there, or spuriously.
    #[inline]
    pub(crate) fn swap_if(&self, current: T, new: T, success: Ordering, failure: Ordering) -> bool {
        step();
        self.bits.compare_exchange_weak(current.to_bits(), new.to_bits(), success, failure).is_ok()
    }

    /// Replaces whatever stands there, and returns it.
    #[inline]
    pub(crate) fn swap(&self, new: T, order: Ordering) -> T {
        step();
        T::from_bits(self.bits.swap(new.to_bits(), order))
    }

    /// As [`Self::swap_if`], but fails only when another value stood there.
    #[inline]
    pub(crate) fn swap_if_strong(&self, current: T, new: T, success: Ordering, failure: Ordering) -> bool {
        step();
        self.bits.compare_exchange(current.to_bits(), new.to_bits(), success, failure).is_ok()
    }
}

impl Word<u64> {
    #[inline]
    pub(crate) fn add(&self, n: u64, order: Ordering) -> u64 {
        step();
        self.bits.fetch_add(n, order)
    }
}

impl<T: Packed> Word<T> {
    /// Adds to the bits of the word, with wrap: for fields at the top, whose overflow falls off.
    #[inline]
    pub(crate) fn add_bits(&self, n: u64, order: Ordering) {
        step();
        self.bits.fetch_add(n, order);
    }

    #[inline]
    pub(crate) fn or_bits(&self, mask: u64, order: Ordering) {
        step();
        self.bits.fetch_or(mask, order);
    }

    pub(crate) fn bits(&self) -> u64 {
        self.bits.load(Ordering::Relaxed)
    }

    /// Where the word stands, for readers outside Rust.
    #[cfg(all(feature = "capi", not(any(peerguard_loom, peerguard_shuttle))))]
    pub(crate) fn address(&self) -> *const u64 {
        self.bits.as_ptr()
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
pub(crate) struct Swap<T>(arc_swap::ArcSwap<T>);

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

#[cfg(test)]
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
