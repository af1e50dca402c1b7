//! Panics on demand, for the tests of the border.

use std::cell::Cell;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// The next call of this thread panics. Only in builds for tests.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_fault_next() {
    ARMED.set(true);
}

pub(super) fn strike() {
    assert!(!ARMED.take(), "a fault that a test asked for");
}
