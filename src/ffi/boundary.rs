//! Where C and Rust meet: no panic passes, every call ends in a code.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::status::{Outcome, PEERGUARD_ERR_PANIC};

/// Runs the body of an exported function.
///
/// `AssertUnwindSafe`: what a body changes is atomics, which stay whole whatever panics, and memory of the caller's, which
/// it is told may hold part of an answer. A handle in use is let go as the panic unwinds.
#[inline(always)]
pub(super) fn boundary(body: impl FnOnce() -> Outcome) -> i32 {
    let guarded = AssertUnwindSafe(|| {
        #[cfg(feature = "capi-faults")]
        super::fault::strike();
        body()
    });
    match catch_unwind(guarded) {
        Ok(Ok(answer)) => answer as i32,
        Ok(Err(failure)) => failure as i32,
        Err(payload) => {
            // A payload may itself panic when it is dropped; what that leaves is left.
            if let Err(worse) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(worse);
            }
            PEERGUARD_ERR_PANIC
        }
    }
}
