//! Totals that never fall: striped over cache lines, added up by the snapshot.

pub(crate) mod bytes;

use crossbeam_utils::CachePadded;

use crate::sync::{Ordering, Word};

/// Stripes of the totals; a peer's slot picks one, so that peers on different cores rarely share a line.
#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
const STRIPES: usize = 16;
/// One under loom and shuttle, which make every word anew for each execution.
#[cfg(any(peerguard_loom, peerguard_shuttle))]
const STRIPES: usize = 1;

/// What is counted for the guard as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Total {
    /// Of records that are gone, and of peers without one.
    UploadedBytes,
    /// Of records that are gone, and of peers without one.
    DownloadedBytes,
    Denied,
    ThrottledUploadPeer = Self::Denied as usize + crate::decision::Reason::COUNT,
    ThrottledUploadGlobal,
    ThrottledDownloadPeer,
    ThrottledDownloadGlobal,
    Trips,
    Evictions,
    EvictedBans,
    Untracked,
    ProbesLost,
    WouldDeny,
    Records,
}

const TOTALS: usize = Total::Records as usize + 1;

/// All totals of a guard.
pub(crate) struct Counters {
    stripes: Box<[CachePadded<[Word<u64>; TOTALS]>]>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let stripe = |_| CachePadded::new(std::array::from_fn(|_| Word::new(0)));
        Self { stripes: (0..STRIPES).map(stripe).collect() }
    }

    /// Adds to a total. `stripe`: any number that spreads, such as a slot.
    #[inline]
    pub(crate) fn add(&self, stripe: usize, total: Total, n: u64) {
        self.add_at(stripe, total as usize, n);
    }

    /// Adds what was moved, by direction: up and down. These saturate.
    pub(crate) fn add_bytes(&self, stripe: usize, moved: [u64; 2]) {
        let stripe = &self.stripes[stripe % STRIPES];
        bytes::add(&stripe[Total::UploadedBytes as usize], moved[0]);
        bytes::add(&stripe[Total::DownloadedBytes as usize], moved[1]);
    }

    /// Counts a refusal.
    pub(crate) fn denied(&self, stripe: usize, reason: crate::decision::Reason) {
        self.add_at(stripe, Total::Denied as usize + reason as usize, 1);
    }

    #[inline]
    fn add_at(&self, stripe: usize, index: usize, n: u64) {
        // Relaxed: a counter orders nothing; the sum is exact once threads are quiet.
        self.stripes[stripe % STRIPES][index].add(n, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self, total: Total) -> u64 {
        self.sum_at(total as usize)
    }

    pub(crate) fn denials(&self, reason: crate::decision::Reason) -> u64 {
        self.sum_at(Total::Denied as usize + reason as usize)
    }

    /// What [`Self::add_bytes`] added.
    pub(crate) fn bytes(&self) -> [u64; 2] {
        [Total::UploadedBytes, Total::DownloadedBytes].map(|total| {
            // Relaxed: as in `add_at`.
            let stripes = self.stripes.iter().map(|stripe| stripe[total as usize].load(Ordering::Relaxed));
            stripes.fold(0, bytes::sum)
        })
    }

    fn sum_at(&self, index: usize) -> u64 {
        let sum = |sum: u64, n: u64| sum.saturating_add(n);
        self.stripes.iter().map(|stripe| stripe[index].load(Ordering::Relaxed)).fold(0, sum)
    }
}
