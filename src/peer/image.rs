//! A record's words as they were read, and what follows from them at a time.

use std::ops::Deref;

use super::Rules;
use super::flow::Flow;
use super::latency::Latency;
use super::limits::OwnLimits;
use super::record::{Beside, Record};
use super::tally::{Pair, Tally};
use super::view::{Lens, PeerView, Wall};
use crate::breaker::gate::{Gate, GateWord};
use crate::breaker::rate::{RateImage, RateWindow};
use crate::breaker::transition::{self, Moment};
use crate::breaker::window::FailureWindow;
use crate::breaker::{BreakerState, Forced};
use crate::config::PeerLimits;
use crate::counters::bytes;
use crate::id::PeerId;
use crate::reputation::ban::BanWord;
use crate::reputation::score::{Score, ScoreWord};
use crate::reputation::{Ban, Tier};
use crate::sync::{Ordering, Word, fence};
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::PaidAt;
use crate::token_bucket::rate::Rate;

/// The words that a peer's standing follows from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) gate: GateWord,
    score: ScoreWord,
    ban: BanWord,
    pub(super) last_seen: u64,
}

/// What was counted of a peer; the flow is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// By direction.
    pub(crate) bytes: [u64; 2],
    pub(super) sync_successes: u64,
    pub(super) message_successes: u64,
    pub(super) failures: Pair,
    pub(super) unanswered: Pair,
    pub(super) offences: Pair,
}

/// The words of a record, read one after the other, but for those beside it. A snapshot is made of these: they are as
/// compact as the record, and what they mean is worked out when somebody asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) id: PeerId,
    pub(crate) standing: Standing,
    pub(crate) counts: Counts,
    pub(super) window: FailureWindow,
    pub(crate) first_seen: u64,
    latency: Latency,
    buckets: [PaidAt; 2],
}

#[cfg(not(any(peerguard_loom, peerguard_shuttle)))]
const _: () = assert!(size_of::<Words>() == 160);

/// Everything of a record: its words, and what lies beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    pub(crate) words: Words,
    pub(crate) limits: PeerLimits,
    pub(crate) rate: Option<RateImage>,
}

impl Record {
    /// Reads what the standing follows from. Relaxed: the table validates by the meta word that they are one tenant's.
    #[inline(always)]
    pub(crate) fn read_standing(&self) -> Standing {
        let (score, ban) = self.score_and_ban();
        let (gate, last_seen) = (self.gate.load(Ordering::Relaxed), self.last_seen.load(Ordering::Relaxed));
        Standing { gate, score, ban, last_seen }
    }

    /// A score and the ban word that stood when it was read: a score of the ban before would be shown as frozen under the
    /// next one. Repeated only while bans change.
    #[inline(always)]
    fn score_and_ban(&self) -> (ScoreWord, BanWord) {
        loop {
            // Acquire, both: in this order, and a score shows what its writer knew of the ban word to the third load.
            let ban = self.ban.load(Ordering::Acquire);
            let score = self.score.load(Ordering::Acquire);
            if self.ban.load(Ordering::Relaxed) == ban {
                return (score, ban);
            }
        }
    }

    /// Reads what was counted. Relaxed: as for [`Self::read_standing`].
    #[inline(always)]
    pub(crate) fn read_counts(&self, tally: &Tally) -> Counts {
        let read = |word: &Word<u64>| word.load(Ordering::Relaxed);
        let pairs = [&tally.failures, &tally.unanswered, &tally.offences].map(|pair| pair.load(Ordering::Relaxed));
        let [failures, unanswered, offences] = pairs;
        // The wide counters before the flow that is emptied into them.
        let bytes = [read(&tally.bytes[0]), read(&tally.bytes[1])];
        let successes = [read(&self.sync_successes), read(&tally.message_successes)];
        // Acquire: pairs with the Release fence of `empty_flow`: who has read what was added reads the flow without it.
        fence(Ordering::Acquire);
        let flow = [self.flow[0].load(Ordering::Relaxed), self.flow[1].load(Ordering::Relaxed)];
        let lately = |count: fn(Flow) -> u64| count(flow[0]) + count(flow[1]);
        Counts {
            bytes: [bytes::sum(bytes[0], flow[0].bytes()), bytes::sum(bytes[1], flow[1].bytes())],
            sync_successes: successes[0] + lately(Flow::sync_successes),
            message_successes: successes[1] + lately(Flow::message_successes),
            failures,
            unanswered,
            offences,
        }
    }

    /// Reads the words. Relaxed: as for [`Self::read_standing`].
    #[inline(always)]
    pub(crate) fn read(&self, tally: &Tally) -> Words {
        Words {
            counts: self.read_counts(tally),
            id: self.id(),
            standing: self.read_standing(),
            window: self.window.load(Ordering::Relaxed),
            first_seen: tally.first_seen.load(Ordering::Relaxed),
            latency: self.latency.load(Ordering::Relaxed),
            buckets: [self.buckets[0].paid_at(), self.buckets[1].paid_at()],
        }
    }

    /// Reads the words and what lies beside them. Relaxed: as for [`Self::read`].
    pub(crate) fn image(&self, beside: Beside<'_>) -> Image {
        let words = self.read(beside.tally);
        Image { words, limits: words.limits(beside.limits), rate: beside.rate.map(RateWindow::image) }
    }
}

/// What a peer's standing is, as far as orders and totals go by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) state: BreakerState,
    pub(crate) forced: Forced,
    pub(crate) banned: bool,
    pub(crate) score: Score,
}

impl Glance {
    pub(crate) fn tier(&self, rules: &Rules) -> Tier {
        Tier::of(self.score.points(), rules.reputation.probation.points(), self.banned)
    }
}

impl Standing {
    /// The ban word; a pending ban counts as written.
    #[inline]
    fn ban_word(&self, now: u64, rules: &Rules) -> BanWord {
        self.score.settling(self.ban, now, &rules.reputation)
    }

    /// The ban in force.
    pub(crate) fn ban(&self, now: u64, rules: &Rules) -> Option<Ban> {
        self.ban_word(now, rules).ban(now)
    }

    /// Earned bans that are remembered.
    pub(super) fn offences_remembered(&self, now: u64, rules: &Rules) -> u8 {
        self.ban_word(now, rules).offences(now, &rules.reputation)
    }

    /// What the breaker's transitions need to know; the dice are for transitions that are written, which a view never does.
    #[inline]
    pub(crate) fn moment(&self, now: u64) -> Moment {
        Moment { now, idle: now.saturating_sub(self.last_seen), dice: 0 }
    }

    /// The gate as it was read, and with what time has done to it.
    #[inline]
    pub(super) fn gate_seen(&self, now: u64, rules: &Rules) -> (Gate, Gate) {
        let gate = self.gate.gate();
        (gate, transition::seen(gate, &self.moment(now), &rules.breaker).0)
    }

    /// Probes that have not reported.
    pub(crate) fn probes_out(&self, now: u64, rules: &Rules) -> u8 {
        self.gate_seen(now, rules).1.probes_out()
    }

    #[inline]
    pub(crate) fn glance(&self, now: u64, rules: &Rules) -> Glance {
        let ban = self.ban_word(now, rules);
        let (state, forced) = if self.gate.admits() {
            (BreakerState::Closed, Forced::None)
        } else {
            let seen = self.gate_seen(now, rules).1;
            (transition::shown(&seen), seen.forced)
        };
        let score = self.score.at(ban, now, &rules.reputation).0;
        Glance { state, forced, banned: ban.in_force(now), score }
    }
}

impl Counts {
    /// Successes / (successes + failures); 0.5 before the first.
    #[inline]
    pub(crate) fn reliability(&self) -> f64 {
        let successes = self.sync_successes + self.message_successes;
        let failures = [self.failures, self.unanswered, self.offences].iter().map(Pair::sum).sum::<u64>();
        let total = successes + failures;
        if total == 0 { 0.5 } else { successes as f64 / total as f64 }
    }
}

impl Words {
    /// The peer's own limits, which are looked up only where there are any.
    #[inline]
    pub(crate) fn limits(&self, own: OwnLimits<'_>) -> PeerLimits {
        if !self.gate.limited() {
            return PeerLimits::default();
        }
        // Acquire: pairs with the CAS of `set_limits`; who has read the gate's bit reads the limits.
        fence(Ordering::Acquire);
        own.get()
    }

    pub(crate) fn bucket(&self, direction: Direction) -> PaidAt {
        self.buckets[direction.index()]
    }

    /// Moving average of the latencies, in milliseconds.
    #[inline]
    pub(crate) fn latency_ms(&self) -> Option<f64> {
        self.latency.get()
    }
}

impl Image {
    pub(crate) fn own_limit(&self, direction: Direction) -> Option<u64> {
        match direction {
            Direction::Upload => self.limits.upload,
            Direction::Download => self.limits.download,
        }
    }

    /// The view at `wall.now`; `inherited`: the guard's limits for each peer, by direction.
    pub(crate) fn view(&self, wall: &Wall, inherited: [Rate; 2], rules: &Rules) -> PeerView {
        Lens { wall: *wall, inherited, rules }.view(self)
    }
}

impl Deref for Image {
    type Target = Words;

    fn deref(&self) -> &Words {
        &self.words
    }
}

impl Deref for Words {
    type Target = Standing;

    fn deref(&self) -> &Standing {
        &self.standing
    }
}
