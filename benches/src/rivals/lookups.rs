//! The bare look-ups: maps that hold a peer's state, and a look at whether it may be talked to.

use std::ops::Range;

use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::reputation::Reputation;
use crate::subject::{Operation, Subject};
use crate::workload::{Key, Workload};

/// A DashMap of reputations.
pub struct Dash(DashMap<Key, Reputation, RandomState>);

impl Dash {
    pub fn new(peers: &[Key]) -> Self {
        Dash(peers.iter().map(|&peer| (peer, Reputation::new(0))).collect())
    }
}

impl Subject for Dash {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let passes = |key: &Key| self.0.get(key).is_some_and(|known| !known.banned);
        load.ids[stretch].iter().map(|id| usize::from(!passes(id.as_bytes()))).sum()
    }
}

/// A papaya map of reputations, pinned for each call as a caller that is asked once per message must.
pub struct Papaya(papaya::HashMap<Key, Reputation, RandomState>);

impl Papaya {
    pub fn new(peers: &[Key]) -> Self {
        Papaya(peers.iter().map(|&peer| (peer, Reputation::new(0))).collect())
    }
}

impl Subject for Papaya {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let passes = |key: &Key| self.0.pin().get(key).is_some_and(|known| !known.banned);
        load.ids[stretch].iter().map(|id| usize::from(!passes(id.as_bytes()))).sum()
    }
}
