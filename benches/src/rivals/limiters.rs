//! governor by itself: what its half of the work costs, keyed and direct.

use std::ops::Range;

use foldhash::fast::RandomState;
use governor::clock::QuantaClock;
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, RateLimiter};

use super::three_maps::{cells, quota};
use crate::subject::{LIMIT, Operation, REQUEST, Subject};
use crate::workload::{Key, Workload};

/// One bucket per peer, none for all together.
pub struct Keyed(RateLimiter<Key, DashMapStateStore<Key, RandomState>, QuantaClock>);

impl Keyed {
    pub fn new(peers: &[Key]) -> Self {
        let limiter = RateLimiter::dashmap_with_hasher(quota(LIMIT), RandomState::default());
        let one = cells(REQUEST).expect("a request of bytes");
        assert!(peers.iter().all(|peer| matches!(limiter.check_key_n(peer, one), Ok(Ok(())))));
        Keyed(limiter)
    }
}

impl Subject for Keyed {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let cells = std::hint::black_box(cells(REQUEST).expect("a request of bytes"));
        let passes = |key: &Key| matches!(self.0.check_key_n(key, cells), Ok(Ok(())));
        load.ids[stretch].iter().map(|id| usize::from(!passes(id.as_bytes()))).sum()
    }
}

/// One bucket for all together.
pub struct Direct(DefaultDirectRateLimiter);

impl Direct {
    pub fn new() -> Self {
        Direct(RateLimiter::direct(quota(LIMIT)))
    }
}

impl Subject for Direct {
    fn run(&self, _: Operation, _: &Workload, stretch: Range<usize>) -> usize {
        let cells = std::hint::black_box(cells(REQUEST).expect("a request of bytes"));
        stretch.map(|_| usize::from(!matches!(self.0.check_n(cells), Ok(Ok(()))))).sum()
    }
}
