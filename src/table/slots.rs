//! Which slots have been given out: a bit for each.
//!
//! In a table that is larger than the caches a newcomer gets one of the four slots of its home, which its hash names, while
//! nobody has had them, and the next one free otherwise. So a check can ask for its peer's record before the index has told
//! where it lies: of the peers of a half full table 19 in 20 are at home, of a full one 7 in 10. In a smaller one slots are
//! given in their order, so that those who come one after the other lie side by side.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

/// Slots at a home. Look-ups in large tables ask for them all; with half as many, over twice as many peers are elsewhere.
pub(super) const HOME: usize = 4;
const HOME_BITS: u64 = (1 << HOME) - 1;

pub(crate) struct Slots {
    /// A set bit is a slot that was given out. It is never taken back: tenants follow each other in it.
    given: Box<[AtomicU64]>,
    capacity: usize,
    homes: usize,
    by_home: bool,
    /// Slots given out, and those who came too late for one.
    count: CachePadded<AtomicU64>,
}

impl Slots {
    /// `by_home`: whether newcomers get slots at their homes; else one after the other.
    pub(crate) fn new(capacity: usize, by_home: bool) -> Self {
        let given = (0..capacity.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { given, capacity, homes: capacity.div_ceil(HOME), by_home, count: CachePadded::new(AtomicU64::new(0)) }
    }

    /// How many have been given out.
    pub(crate) fn len(&self) -> usize {
        // Relaxed: a count for display.
        (self.count.load(Ordering::Relaxed) as usize).min(self.capacity)
    }

    /// Of how many homes a hash names one; each begins at a multiple of [`HOME`].
    #[inline(always)]
    pub(crate) fn homes(&self) -> usize {
        self.homes
    }

    #[inline(always)]
    pub(crate) fn by_home(&self) -> bool {
        self.by_home
    }

    /// A slot that nobody has had, at `home` or after it, if they go by homes.
    pub(crate) fn take(&self, home: u32) -> Option<u32> {
        let most = self.capacity as u64;
        // Relaxed, here and below: a number only has to be one's own. The load keeps the count from running away.
        if self.count.load(Ordering::Relaxed) >= most {
            return None;
        }
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        if before >= most {
            return None;
        }
        if !self.by_home {
            self.given[before as usize / 64].fetch_or(1 << (before % 64), Ordering::Relaxed);
            return Some(before as u32);
        }
        // There are fewer bits set than were counted, and none is cleared: a free one is ahead, round the end at the latest.
        let first = home as usize / 64;
        let at_home = self.take_in(first, HOME_BITS << (home % 64));
        at_home.or_else(|| (first..self.given.len()).chain(0..=first).find_map(|word| self.take_in(word, u64::MAX)))
    }

    /// A slot of a word's, out of some.
    fn take_in(&self, word: usize, some: u64) -> Option<u32> {
        let left = self.capacity - 64 * word;
        let some = if left < 64 { some & ((1 << left) - 1) } else { some };
        loop {
            let free = !self.given[word].load(Ordering::Relaxed) & some;
            let lowest = free & free.wrapping_neg();
            if lowest == 0 {
                return None;
            }
            if self.given[word].fetch_or(lowest, Ordering::Relaxed) & lowest == 0 {
                return Some(64 * word as u32 + lowest.trailing_zeros());
            }
        }
    }

    /// The slots given out, in their order.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.given).flat_map(|(word, given)| {
            // Relaxed: the record tells whose it is.
            let mut left = given.load(Ordering::Relaxed);
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.checked_sub(1)?;
                Some(64 * word + bit)
            })
        })
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use crate::{Config, PeerGuard, PeerId};

    #[test]
    fn every_slot_is_given_once_and_none_beyond() {
        for capacity in [1, 2, 3, 63, 64, 65, 129, 1000] {
            let slots = Slots::new(capacity, true);
            let homes = slots.homes() as u32;
            let mut given: Vec<u32> =
                (0..).map_while(|n: u32| slots.take(HOME as u32 * (n.wrapping_mul(7) % homes))).collect();
            assert_eq!(slots.len(), capacity);
            assert!(slots.iter().eq(0..capacity as u32));
            given.sort_unstable();
            assert!(given.into_iter().eq(0..capacity as u32));
            assert_eq!(slots.take(0), None);
        }
    }

    #[test]
    fn a_home_is_given_before_anything_else() {
        let slots = Slots::new(256, true);
        assert_eq!([(); 5].map(|()| slots.take(132)), [132, 133, 134, 135, 128].map(Some));
        assert_eq!(slots.iter().collect::<Vec<_>>(), [128, 132, 133, 134, 135]);
    }

    #[test]
    fn without_homes_slots_are_given_in_their_order() {
        let slots = Slots::new(70, false);
        assert!((0..71).map(|home| slots.take(home)).eq((0..70).map(Some).chain([None])));
    }

    #[test]
    fn threads_share_the_slots_out() {
        for by_home in [false, true] {
            let slots = Slots::new(4_000, by_home);
            let taken: Vec<Vec<u32>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| scope.spawn(|| (0..2_000).map_while(|n| slots.take(4 * (n % 1_000))).collect()))
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let mut all = taken.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..4_000), "each slot is somebody's, and nobody else's");
            assert!(slots.iter().eq(0..4_000));
        }
    }

    #[test]
    fn most_peers_are_at_home() {
        let at_home = |peers: u64, max_peers: usize| {
            let guard = PeerGuard::new(Config { max_peers, ..Config::default() }).unwrap();
            let ids: Vec<PeerId> = (0..peers).map(|n| PeerId::digest(&n.to_le_bytes())).collect();
            for id in &ids {
                let _ = guard.record_success(id, None);
            }
            // Of as many peers as slots a few find their groups full.
            let table = &guard.inner.table;
            let met = ids.iter().filter_map(|id| Some((table.place(&id.words()).home, table.find(id)?.tenancy.slot)));
            let met: Vec<bool> = met.map(|(home, slot)| slot / HOME as u32 == home / HOME as u32).collect();
            met.iter().filter(|home| **home).count() as f64 / met.len() as f64
        };
        assert!(at_home(20_000, 40_000) > 0.94, "in a half full table");
        assert!(at_home(33_000, 33_000) > 0.69, "in a full one");
        assert!(at_home(1_000, 100_000) > 0.99);
    }
}
