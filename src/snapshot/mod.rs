//! A read-only view of everything, taken in one pass.
//!
//! The pass copies each record's words, without a lock and without holding up a writer. What they mean is worked out when it
//! is asked, once: totals, the order of the ids, quantiles; and views only of the peers that are shown. All of it is read as
//! at the time of the pass, by the limits that were in force then, so it does not matter when somebody asks.
//!
//! Each figure comes from one word or is derived at that one time; every peer appears once, so
//! `closed + open + half_open = total`.

mod capture;
mod latency;
pub(crate) mod order;
mod peers;
pub(crate) mod publish;
#[cfg(any(feature = "serde", feature = "graphql"))]
pub(crate) mod rfc3339;
mod totals;
#[cfg(feature = "serde")]
pub(crate) mod wire;

use std::fmt;
use std::time::SystemTime;

pub use latency::LatencyQuantiles;
pub use peers::Peers;
pub use publish::{Published, Publisher, Publishing};
pub use totals::{Scopes, Totals};

pub(crate) use capture::{Capture, Watch, bytes_of_the_gone};
pub(crate) use totals::Tally;

use crate::id::PeerId;
use crate::peer::Rules;
#[cfg(feature = "graphql")]
use crate::peer::image::Glance;
use crate::peer::image::Words;
use crate::peer::view::{Lens, PeerView, Wall};
#[cfg(feature = "http")]
use crate::reputation::Tier;
use crate::sync::OnceLock;
use crate::table::ask_ahead;
use crate::token_bucket::rate::Rate;
use order::{First, Place, SyncOrder};

/// Everything that the guard knew at one time.
///
/// It holds a copy of each record's words, 160 bytes for each peer. What is asked is worked out from them; the first who
/// asks for the totals, the quantiles or the order of the ids pays for it, and whoever asks at the same time waits.
#[derive(Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: SystemTime,
    capture: Capture,
    /// How the words are read.
    reading: Box<Reading>,
    /// Counters and buckets; the peers are not in them yet.
    counted: Totals,
    totals: OnceLock<Totals>,
    latency: OnceLock<Option<LatencyQuantiles>>,
    by_id: OnceLock<Box<[u32]>>,
}

/// The time, the limits and the rules by which the words are read.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) wall: Wall,
    pub(crate) inherited: [Rate; 2],
    pub(crate) rules: Rules,
    pub(crate) order: SyncOrder,
}

impl Snapshot {
    pub(crate) fn new(capture: Capture, reading: Reading, counted: Totals) -> Self {
        Self {
            taken_at: reading.wall.time,
            capture,
            reading: Box::new(reading),
            counted,
            totals: OnceLock::new(),
            latency: OnceLock::new(),
            by_id: OnceLock::new(),
        }
    }

    fn lens(&self) -> Lens<'_> {
        Lens { wall: self.reading.wall, inherited: self.reading.inherited, rules: &self.reading.rules }
    }

    /// Places of the peers, in the order of their ids.
    fn by_id(&self) -> &[u32] {
        self.by_id.get_or_init(|| self.capture.in_order_of_ids())
    }

    fn view(&self, place: u32) -> PeerView {
        self.lens().view(&self.capture.image(place))
    }

    /// Every peer once, in an order that must not come out.
    fn for_each(&self, mut see: impl FnMut(u32, &Words)) {
        let words = &self.capture.words;
        if self.capture.has_doubles {
            self.by_id().iter().for_each(|&place| see(place, &words[place as usize]));
        } else {
            words.iter().zip(0..).for_each(|(words, place)| {
                ask_ahead(words);
                see(place, words);
            });
        }
    }

    /// The first `n` of an order, and how many peers are in it.
    fn first(&self, n: usize, order: impl Fn(&Words, &Lens) -> Option<Place>) -> (Vec<PeerView>, usize) {
        let (lens, mut first, mut in_all) = (self.lens(), First::new(n), 0);
        self.for_each(|at, words| {
            let Some(place) = order(words, &lens) else { return };
            in_all += 1;
            if first.wants(&place) {
                first.put(place, at);
            }
        });
        (first.in_order().into_iter().map(|at| self.view(at)).collect(), in_all)
    }

    /// Figures of the guard as a whole.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        self.totals.get_or_init(|| {
            let (lens, mut tally) = (self.lens(), Tally::default());
            self.for_each(|_, words| tally.add(&lens.glance(words), &words.counts));
            tally.complete(self.counted)
        })
    }

    /// Quantiles over the peers' average latencies; `None` when no peer has one.
    #[must_use]
    pub fn latency(&self) -> Option<LatencyQuantiles> {
        *self.latency.get_or_init(|| {
            LatencyQuantiles::of(|record| {
                self.for_each(|_, words| words.latency_ms().into_iter().for_each(&mut *record))
            })
        })
    }

    /// Every peer, in the order of their ids. Each view is made when it is its turn.
    pub fn peers(&self) -> Peers<'_> {
        Peers::new(self)
    }

    /// One peer; `None` when it had no record. A binary search.
    #[must_use]
    pub fn peer(&self, id: &PeerId) -> Option<PeerView> {
        let by_id = self.by_id();
        let at = by_id.binary_search_by_key(id, |&place| self.capture.words[place as usize].id).ok()?;
        Some(self.view(by_id[at]))
    }

    /// The `n` best peers: highest score first, then earlier first seen, then id; banned ones left out.
    #[must_use]
    pub fn top_peers(&self, n: usize) -> Vec<PeerView> {
        self.first(n, order::best).0
    }

    /// The `n` worst of the peers in trouble, and how many more there are: banned ones first, then open, then half-open,
    /// then the rest; in each the lowest score first, ties by id.
    ///
    /// A peer is in trouble while it is banned or on probation, its breaker is not closed, or an operator overrides it.
    #[must_use]
    pub fn worst_peers(&self, n: usize) -> (Vec<PeerView>, usize) {
        let (worst, in_trouble) = self.first(n, order::worst);
        let left_out = in_trouble - worst.len();
        (worst, left_out)
    }

    /// Score and tier of every peer, in an order that must not come out.
    #[cfg(feature = "http")]
    pub(crate) fn each_standing(&self, mut see: impl FnMut(f64, Tier)) {
        let lens = self.lens();
        self.for_each(|_, words| {
            let glance = lens.glance(words);
            see(glance.score.points(), glance.tier(lens.rules));
        });
    }

    /// Places, ids and standings of all peers, in the order of their ids.
    #[cfg(feature = "graphql")]
    pub(crate) fn glances(&self) -> impl Iterator<Item = (u32, &PeerId, Glance)> {
        let lens = self.lens();
        self.by_id().iter().map(move |&place| {
            let words = &self.capture.words[place as usize];
            (place, &words.id, lens.glance(words))
        })
    }

    /// The view of a place that [`Self::glances`] has told.
    #[cfg(feature = "graphql")]
    pub(crate) fn at(&self, place: u32) -> PeerView {
        self.view(place)
    }

    /// By what the tiers are told apart.
    #[cfg(feature = "graphql")]
    pub(crate) fn rules(&self) -> &Rules {
        &self.reading.rules
    }

    /// The `n` banned peers whose bans end first, ties by id.
    #[cfg(any(feature = "graphql", feature = "http"))]
    pub(crate) fn bans(&self, n: usize) -> Vec<PeerView> {
        self.first(n, order::bans).0
    }

    /// The `n` peers to sync with first: closed, unbanned and above half the initial score, by score and latency bonus;
    /// then the half-open ones with a free probe.
    #[must_use]
    pub fn sync_candidates(&self, n: usize) -> Vec<PeerView> {
        self.first(n, |words, lens| self.reading.order.place(words, lens)).0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("taken_at", &self.taken_at)
            .field("totals", self.totals())
            .finish_non_exhaustive()
    }
}
