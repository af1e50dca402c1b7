//! The reader that all share who drain: each event goes to one of them.

use super::ring::{Entry, Ring};
use crate::sync::{Ordering, Word};

pub(crate) struct Drain {
    /// Next event to be drained.
    cursor: Word<u64>,
    /// Events that were found overwritten, or given up.
    lost: Word<u64>,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self { cursor: Word::new(0), lost: Word::new(0) }
    }

    /// The oldest events that nobody has taken, at most `max`.
    pub(crate) fn take(&self, ring: &Ring, max: usize) -> Vec<Entry> {
        loop {
            // Acquire: pairs with the CAS of the last drain.
            let cursor = self.cursor.load(Ordering::Acquire);
            let (entries, next, lost) = ring.read_from(cursor, max);
            // AcqRel: as above; who moves the cursor has drained.
            if self.cursor.swap_if_strong(cursor, next, Ordering::AcqRel, Ordering::Relaxed) {
                // Release: pairs with the Acquire load of `lost`.
                self.lost.add(lost, Ordering::Release);
                return entries;
            }
        }
    }

    /// Events that nobody can take any more. Between a drain's two steps it is too small for a moment.
    pub(crate) fn lost(&self, ring: &Ring) -> u64 {
        // Acquire: pairs with the Release of a drain, so that the cursor has moved past what that has counted: no event is
        // counted here and found overwritten below.
        let lost = self.lost.load(Ordering::Acquire);
        // Relaxed: ordered by the load before it.
        lost + ring.overwritten(self.cursor.load(Ordering::Relaxed))
    }
}
