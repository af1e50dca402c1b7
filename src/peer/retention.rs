//! Which record goes when a newcomer needs its place.
//!
//! First those that are neutral and idle: forgetting them loses nothing. Then the idlest that are not banned; peers seen
//! within the last two hours count as equally idle, and among them the worst score goes first, so that a flood of new ids
//! pushes out its own and not the peers that have earned their standing. Then the earned ban that ends first. A pinned
//! record and one with an operator's setting never go.
//!
//! The price of keeping bans: ids that are banned one after the other push out first whom nobody holds, and when there are as
//! many of them as places, the bans that end first.

use super::Rules;
use super::record::Record;
use crate::breaker::gate::{Gate, Phase};
use crate::breaker::{BreakerState, Forced};
use crate::sync::Ordering;

/// The order of leaving: the smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Nothing is lost. Nanoseconds of the last-seen stamp.
    Neutral(u64),
    Unbanned {
        /// The most idle first.
        reverse_idleness: u64,
        score: u64,
        last_seen: u64,
    },
    /// End of the ban, in ticks.
    Banned(u64),
}

/// Peers seen this recently are not idle: 2^43 ns (2.4 hours), which is also the grain of idleness.
const IDLE_SHIFT: u32 = 43;
/// Scores that are this near to the initial one are no standing, as a part of the largest score: half a point of 100.
const NEAR: f64 = 0.5 / 100.0;

impl Record {
    /// How readily the record may go; `None` = never. The caller has read the meta word before and will notice a change.
    pub(crate) fn rank(&self, now: u64, rules: &Rules) -> Option<Rank> {
        // Relaxed, all: the caller's Acquire load of meta comes before and its CAS fails if the record has changed since.
        let gate: Gate = self.gate.load(Ordering::Relaxed).gate();
        let ban = self.ban.load(Ordering::Relaxed);
        let score = self.score.load(Ordering::Relaxed);
        if gate.limited || gate.forced != Forced::None || ban.is_held(now) {
            return None;
        }
        if ban.in_force(now) || score.is_pending() {
            return Some(Rank::Banned(ban.end()));
        }
        let last_seen = self.last_seen.load(Ordering::Relaxed);
        let points = score.at(ban, now, &rules.reputation).0;
        let (initial, max) = (rules.reputation.initial, rules.reputation.max);
        let near = (points.points() - initial.points()).abs() < NEAR * max.points();
        if near && self.is_quiet(&gate, last_seen, now, rules) {
            return Some(Rank::Neutral(last_seen));
        }
        let idleness = now.saturating_sub(last_seen) >> IDLE_SHIFT;
        Some(Rank::Unbanned { reverse_idleness: u64::MAX - idleness, score: points.bits(), last_seen })
    }

    /// Closed, without failures, with full buckets.
    fn is_quiet(&self, gate: &Gate, last_seen: u64, now: u64, rules: &Rules) -> bool {
        let closed = gate.state() == BreakerState::Closed && matches!(gate.phase, Phase::Closed { .. });
        let window = self.window.load(Ordering::Relaxed);
        let idle = now.saturating_sub(last_seen) >= rules.window;
        let failures = window.count(gate.generation, now / rules.slice, idle);
        let full = |bucket: &crate::token_bucket::bucket::Bucket| bucket.paid_at().debt(now, rules.burst.units()) == 0;
        closed && gate.backoff == 0 && failures == 0 && self.buckets.iter().all(full)
    }

    /// Whether a ban is in force, for the count of bans that eviction forgets.
    pub(crate) fn is_banned(&self, now: u64) -> bool {
        self.ban.load(Ordering::Relaxed).in_force(now)
    }
}
