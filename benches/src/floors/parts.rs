//! The parts a floor is made of, each measured alone in the same run: a floor may cost at most their sum plus a quarter,
//! or it is not a floor.

use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use zerocopy::{FromBytes, IntoBytes, KnownLayout};

use super::full::coarse_now;
use super::hash::KeyedHash;
use super::slab::slab;
use crate::subject::{Operation, Subject};
use crate::workload::{Rng, Workload};

/// The hash alone.
pub struct HashOnly(KeyedHash);

impl HashOnly {
    pub fn new() -> Self {
        HashOnly(KeyedHash::random())
    }
}

impl Subject for HashOnly {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        for id in &load.ids[stretch] {
            black_box(self.0.of(id.as_bytes()));
        }
        0
    }
}

/// One read of the coarse clock.
pub struct CoarseClock;

impl Subject for CoarseClock {
    fn run(&self, _: Operation, _: &Workload, stretch: Range<usize>) -> usize {
        for _ in stretch {
            black_box(coarse_now());
        }
        0
    }
}

#[derive(FromBytes, IntoBytes, KnownLayout)]
#[repr(C, align(64))]
struct Line([u32; 16]);

/// Loads that each wait for the one before: a walk over all lines of a footprint in random order.
pub struct DependentLoads(&'static [Line]);

impl DependentLoads {
    pub fn over(bytes: usize) -> Self {
        let lines = (bytes / size_of::<Line>()).max(1);
        let mut order: Vec<u32> = (0..lines as u32).collect();
        Rng::new(lines as u64).shuffle(&mut order);
        let walk = slab::<Line>(lines);
        for (i, &from) in order.iter().enumerate() {
            walk[from as usize].0[0] = order[(i + 1) % lines];
        }
        DependentLoads(walk)
    }
}

impl Subject for DependentLoads {
    fn run(&self, _: Operation, _: &Workload, stretch: Range<usize>) -> usize {
        // Each stretch begins elsewhere on the walk: what an earlier one has brought into the caches it meets by chance only.
        let mut at = Rng::new(stretch.start as u64).below(self.0.len());
        for _ in stretch {
            at = self.0[at].0[0] as usize;
        }
        black_box(at);
        0
    }
}

/// Lines enough that a CAS need not wait for the one before on the same word, few enough to stay in the first cache.
const CAS_LINES: usize = 64;

#[repr(align(64))]
#[derive(Default)]
struct Word(AtomicU64);

/// One uncontended CAS on a line that is at hand.
pub struct OneCas(Box<[Word]>);

impl OneCas {
    pub fn new() -> Self {
        OneCas((0..CAS_LINES).map(|_| Word::default()).collect())
    }
}

impl Subject for OneCas {
    fn run(&self, _: Operation, _: &Workload, stretch: Range<usize>) -> usize {
        let mut refused = 0;
        for i in stretch {
            let line = &self.0[i % CAS_LINES].0;
            let word = line.load(Ordering::Acquire);
            let swapped = line.compare_exchange(word, word.wrapping_add(1), Ordering::AcqRel, Ordering::Relaxed);
            refused += usize::from(swapped.is_err());
        }
        refused
    }
}
