//! Loom's atomics, each access of which can be made to depend on every other.
//!
//! Loom takes two steps for independent unless one of them meets the *last* access of the other's word, so that a thread's
//! own load can hide another's. Where a model asks for it, every access also touches one shared word, Relaxed, which orders
//! nothing but makes all steps dependent: then no interleaving is left out.
#![allow(dead_code, reason = "the same calls as the atomics of std, whichever the crate uses")]

use std::cell::Cell;

use loom::sync::atomic;

use super::Ordering;

loom::lazy_static! {
    static ref SHARED: atomic::AtomicU64 = atomic::AtomicU64::new(0);
}

thread_local! {
    /// Loom runs all threads of a model on one thread of the system.
    static MIXED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the accesses of the models that follow are mixed.
pub(crate) fn mix(on: bool) {
    MIXED.set(on);
}

/// To be called by each execution before it starts a thread: so that the shared word is made by none of them, whose later
/// accesses would then be ordered after its making.
pub(crate) fn step() {
    if MIXED.get() {
        SHARED.fetch_add(0, Ordering::Relaxed);
    }
}

macro_rules! mixed {
    ($name:ident$(<$of:ident>)?: $value:ty; $($call:ident($($argument:ident: $of_argument:ty),*) -> $result:ty;)*) => {
        #[derive(Debug)]
        pub(crate) struct $name$(<$of>)?(atomic::$name$(<$of>)?);

        impl$(<$of>)? $name$(<$of>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                step();
                self.0.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                step();
                self.0.store(value, order);
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                step();
                self.0.swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step();
                self.0.compare_exchange(current, new, success, failure)
            }

            $(
                pub(crate) fn $call(&self, $($argument: $of_argument),*) -> $result {
                    step();
                    self.0.$call($($argument),*)
                }
            )*
        }
    };
}

mixed! {
    AtomicU64: u64;
    compare_exchange_weak(current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64>;
    fetch_add(n: u64, order: Ordering) -> u64;
    fetch_sub(n: u64, order: Ordering) -> u64;
    fetch_or(mask: u64, order: Ordering) -> u64;
    fetch_and(mask: u64, order: Ordering) -> u64;
}

mixed! { AtomicBool: bool; }

mixed! { AtomicPtr<T>: *mut T; }
