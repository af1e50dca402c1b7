//! The records as one pass has read them, before anybody has asked what they mean.

use crate::breaker::rate::RateImage;
use crate::config::PeerLimits;
use crate::counters::{Counters, Total, bytes};
use crate::peer::image::{Image, Words};
use crate::sync::{Ordering, fence};
use crate::table::{Table, ask_for_room, room};

/// Every record's words, in the order of the table: nothing may come out in it.
#[derive(Clone)]
pub(crate) struct Capture {
    pub(super) words: Vec<Words>,
    /// Those of the peers that have any, by their places in `words`.
    limits: Vec<(u32, PeerLimits)>,
    /// One for each of `words`, when breakers open by failure rate.
    rates: Vec<RateImage>,
    bytes: [u64; 2],
    /// A peer may be in it twice.
    pub(super) has_doubles: bool,
}

impl Capture {
    /// One pass. A peer that was evicted and came back in another slot meanwhile may be met twice.
    pub(crate) fn take(table: &Table, counters: &Counters) -> Self {
        let mut words: Vec<Words> = room(table.len());
        let (mut limits, mut rates) = (Vec::new(), Vec::new());
        let mut moved = bytes_of_the_gone(counters);
        let watch = Watch::begin(counters);
        for (tenancy, record) in table.tenants() {
            ask_for_room(&mut words);
            // Read to where they stay, and taken back if they are not one tenant's: a copy less for all others.
            words.push(record.read(table.tally(tenancy.slot)));
            let Some(last) = words.last() else { continue };
            let last_bytes = last.counts.bytes;
            let beside =
                if last.gate.limited() || table.has_rates() { table.image_beside(tenancy, last) } else { None };
            if !record.is_still(tenancy.life) {
                words.pop();
                continue;
            }
            moved = bytes::sums(moved, last_bytes);
            if let Some(beside) = beside {
                limits.extend(beside.gate.limited().then(|| (words.len() as u32 - 1, beside.limits)));
                rates.extend(beside.rate);
            }
        }
        Self { words, limits, rates, bytes: moved, has_doubles: watch.saw_evictions(counters) }
    }

    /// By direction: bytes moved by these peers and by those that have gone.
    pub(crate) fn bytes(&self) -> [u64; 2] {
        self.bytes
    }

    pub(super) fn image(&self, place: u32) -> Image {
        let own = self.limits.binary_search_by_key(&place, |&(place, _)| place);
        Image {
            words: self.words[place as usize],
            limits: own.map_or_else(|_| PeerLimits::default(), |at| self.limits[at].1),
            rate: self.rates.get(place as usize).copied(),
        }
    }

    /// The places in the order of their peers' ids, each peer once: of doubles, the later record.
    pub(super) fn in_order_of_ids(&self) -> Box<[u32]> {
        // Sorted by the first bytes of the ids as a rule, beside the places.
        let prefix = |words: &Words| u64::from_be_bytes(words.id.as_bytes()[..8].try_into().unwrap_or_default());
        let mut places: Vec<(u64, u32)> = self.words.iter().map(prefix).zip(0..).collect();
        let words = |place: u32| &self.words[place as usize];
        places.sort_unstable_by(|a, b| {
            let rest = |(_, place): &(u64, u32)| (words(*place).id, u64::MAX - words(*place).first_seen);
            a.0.cmp(&b.0).then_with(|| rest(a).cmp(&rest(b)))
        });
        if self.has_doubles {
            places.dedup_by(|later, kept| words(later.1).id == words(kept.1).id);
        }
        places.into_iter().map(|(_, place)| place).collect()
    }
}

/// Whether anything is evicted during a pass.
pub(crate) struct Watch {
    before: u64,
}

impl Watch {
    pub(crate) fn begin(counters: &Counters) -> Self {
        let before = counters.sum(Total::Evictions);
        // Acquire: pairs with the Release fence of an eviction that is in the sum: its old record is not read any more.
        fence(Ordering::Acquire);
        Self { before }
    }

    pub(crate) fn saw_evictions(&self, counters: &Counters) -> bool {
        counters.sum(Total::Evictions) != self.before
    }
}

/// What the records that have gone had moved, by direction. To be read before a pass, and before its [`Watch`] fences: a
/// record that goes during the pass may be missed by it; read afterwards, it might be counted twice.
pub(crate) fn bytes_of_the_gone(counters: &Counters) -> [u64; 2] {
    counters.bytes()
}
