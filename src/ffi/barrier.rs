//! A memory barrier whose cost falls on one side.
//!
//! Two threads that each store to one word and then load the other's must not both miss the other's store. That needs a
//! full barrier between store and load on both sides. Calls are many and frees are few, so the system is asked for the whole
//! of it at a free: `membarrier` makes every running thread of the process pass a full barrier at some point of the call,
//! and the frequent side then needs only that its instructions stand in program order, which a compiler fence sees to.
//!
//! Where the system has no such call, both sides use a fence. So they do under loom, which knows no such call either.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, compiler_fence};

use crate::sync::{Ordering, fence};

/// Whether [`heavy`] reaches the other threads. Only ever goes from `false` to `true`; never under loom.
static REACHES_ALL: AtomicBool = AtomicBool::new(false);

/// Asks the system for the asymmetric barrier; to be called before the first [`heavy`].
pub(super) fn prepare() {
    static PREPARED: OnceLock<()> = OnceLock::new();
    // Relaxed: a thread that reads `false` where `true` stands uses a fence, which is never wrong.
    PREPARED.get_or_init(|| REACHES_ALL.store(system::register(), Ordering::Relaxed));
}

/// The frequent side: between its store and its load.
#[inline]
pub(super) fn light() {
    // Relaxed: as above.
    if REACHES_ALL.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The rare side: between its store and its load.
pub(super) fn heavy() {
    prepare();
    fence(Ordering::SeqCst);
    // Relaxed: `prepare` has been passed by this thread, which so sees what it stored.
    if REACHES_ALL.load(Ordering::Relaxed) {
        system::reach_all();
    }
}

#[cfg(all(target_os = "linux", not(peerguard_loom)))]
mod system {
    use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};

    pub(super) fn register() -> bool {
        membarrier_query().contains_command(MembarrierCommand::PrivateExpedited)
            && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    pub(super) fn reach_all() {
        // The command fails only for a process that has not registered, and this one has.
        let reached = membarrier(MembarrierCommand::PrivateExpedited);
        assert!(reached.is_ok(), "the system took its memory barrier back: {reached:?}");
    }
}

#[cfg(not(all(target_os = "linux", not(peerguard_loom))))]
mod system {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn reach_all() {}
}
