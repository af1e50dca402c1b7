//! Whom to talk to first, and whom to look at.
//!
//! An order is a function from a peer's words to its [`Place`]: the smallest come first. Only those that are chosen are made
//! into views.

use crate::breaker::{BreakerState, Forced};
use crate::config::Config;
use crate::id::PeerId;
use crate::peer::image::{Glance, Words};
use crate::peer::view::Lens;
use crate::reputation::Tier;
use crate::reputation::score::Score;

/// Where a peer stands in an order: class, then merit (inverted where more is better), then time, then id.
pub(crate) type Place = (u8, u64, u64, PeerId);

/// The first `n` of what is offered one after the other, without keeping the rest.
pub(crate) struct First<T> {
    n: usize,
    kept: Vec<(Place, T)>,
    /// `n` of the kept come before it, or are it: what comes after is not wanted.
    last: Option<Place>,
}

/// Fewer than these are not sorted out.
const FEW: usize = 64;

impl<T> First<T> {
    pub(crate) fn new(n: usize) -> Self {
        Self { n, kept: Vec::new(), last: None }
    }

    #[inline]
    pub(crate) fn wants(&self, place: &Place) -> bool {
        self.n > 0 && self.last.as_ref().is_none_or(|last| place < last)
    }

    /// Whether a class and merit may still be wanted, whatever the rest of the place.
    #[inline]
    pub(crate) fn may_want(&self, class: u8, merit: u64) -> bool {
        self.last.as_ref().is_none_or(|last| (class, merit) <= (last.0, last.1))
    }

    pub(crate) fn put(&mut self, place: Place, item: T) {
        self.kept.push((place, item));
        if self.kept.len() >= self.n.saturating_mul(2).max(FEW) {
            self.sort_out();
        }
    }

    /// Each is thrown out at most once, and what is looked through is at most twice as many: linear in all.
    fn sort_out(&mut self) {
        if self.n == 0 || self.kept.len() <= self.n {
            return;
        }
        let (_, last, _) = self.kept.select_nth_unstable_by(self.n - 1, |a, b| a.0.cmp(&b.0));
        self.last = Some(last.0);
        self.kept.truncate(self.n);
    }

    /// The first, in order.
    pub(crate) fn in_order(mut self) -> Vec<T> {
        self.sort_out();
        self.kept.sort_unstable_by_key(|(place, _)| *place);
        self.kept.into_iter().map(|(_, item)| item).collect()
    }
}

/// A score or merit as an integer that orders as it does; they are finite and not negative.
fn ordinal(merit: f64) -> u64 {
    merit.to_bits()
}

/// Highest score first, then earlier first seen, then id; banned ones left out.
pub(crate) fn best(words: &Words, lens: &Lens) -> Option<Place> {
    let (class, merit) = best_by(&lens.glance(words))?;
    Some((class, merit, words.first_seen, words.id))
}

/// Class and merit of [`best`].
#[inline]
pub(crate) fn best_by(glance: &Glance) -> Option<(u8, u64)> {
    (!glance.banned).then(|| (0, u64::MAX - glance.score.bits()))
}

/// Peers in trouble, the worst trouble first; in each the lowest score first, then id.
pub(crate) fn worst(words: &Words, lens: &Lens) -> Option<Place> {
    let glance = lens.glance(words);
    let trouble = match glance.state {
        _ if glance.banned => 0,
        BreakerState::Open => 1,
        BreakerState::HalfOpen => 2,
        BreakerState::Closed if glance.forced != Forced::None || glance.tier(lens.rules) == Tier::Probation => 3,
        BreakerState::Closed => return None,
    };
    Some((trouble, glance.score.bits(), 0, words.id))
}

/// Banned peers, the ban that ends first first, then id.
#[cfg(any(feature = "graphql", feature = "http"))]
pub(crate) fn bans(words: &Words, lens: &Lens) -> Option<Place> {
    let ban = words.ban(lens.wall.now, lens.rules)?;
    Some(match ban.remaining {
        Some(left) => (0, left.as_nanos() as u64, 0, words.id),
        None => (1, 0, 0, words.id),
    })
}

/// What the order of sync candidates depends on besides the peers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncOrder {
    latency_weight: f64,
    /// Half the initial score, rounded as scores are.
    above: Score,
    max_probes: u8,
}

impl SyncOrder {
    pub(crate) fn new(config: &Config) -> Self {
        let breaker = &config.circuit_breaker;
        Self {
            latency_weight: config.reputation.latency_weight,
            above: Score::new(config.reputation.initial_score / 2.0),
            max_probes: breaker.half_open_max_probes.unwrap_or(breaker.success_threshold) as u8,
        }
    }

    /// First the closed peers by score and latency bonus, then the half-open ones with a free probe; ties as in [`best`].
    #[inline]
    pub(crate) fn place(&self, words: &Words, lens: &Lens) -> Option<Place> {
        let glance = lens.glance(words);
        let recovering = match glance.state {
            _ if glance.banned => return None,
            BreakerState::Closed if glance.score > self.above => false,
            BreakerState::HalfOpen if self.has_a_probe(words, glance.forced, lens) => true,
            _ => return None,
        };
        // A latency of 0 gives the largest bonus: 1000 / 0 is infinite, and the minimum cuts it.
        let bonus = words.latency_ms().map_or(0.0, |ms| (1000.0 / ms).min(10.0));
        let merit = ordinal(glance.score.points() + self.latency_weight * bonus);
        Some((recovering.into(), u64::MAX - merit, words.first_seen, words.id))
    }

    fn has_a_probe(&self, words: &Words, forced: Forced, lens: &Lens) -> bool {
        forced == Forced::Observe || words.probes_out(lens.wall.now, lens.rules) < self.max_probes
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_are_those_of_a_sort(keys in prop::collection::vec((0u8..3, 0u64..9, 0u64..4), 0..400), n in 0usize..150) {
            let places: Vec<Place> = keys.iter().zip(0u64..).map(|(&(class, merit, time), i)| {
                (class, merit, time, PeerId::from_words([i.reverse_bits(), 0, 0, 0]))
            }).collect();
            let mut first = First::new(n);
            for &place in &places {
                if first.wants(&place) {
                    first.put(place, place);
                }
            }
            let mut sorted = places;
            sorted.sort_unstable();
            sorted.truncate(n);
            prop_assert_eq!(first.in_order(), sorted);
        }
    }
}
