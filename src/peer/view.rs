//! A record as a reader is shown it.

use std::time::{Duration, SystemTime};

use super::Rules;
use super::bytes;
use super::flow::Flow;
use super::limits::OwnLimits;
use super::record::Record;
use crate::breaker::gate::{Gate, GateWord, Phase};
use crate::breaker::rate::{RateImage, RateWindow};
use crate::breaker::transition::{self, Moment};
use crate::breaker::window::FailureWindow;
use crate::breaker::{BreakerState, Forced};
use crate::config::PeerLimits;
use crate::id::PeerId;
use crate::reputation::ban::BanWord;
use crate::reputation::score::ScoreWord;
use crate::reputation::{Ban, Tier};
#[cfg(feature = "serde")]
use crate::snapshot::wire;
use crate::sync::{Ordering, Word, fence};
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::{Limit, PaidAt};
use crate::token_bucket::rate::Rate;

/// One peer, as it stood at one time.
///
/// # Consistency
/// Each figure comes from one word, or follows from words that are read in one pass, at one time; figures from different
/// words may be moments apart.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeerView {
    /// Whose.
    pub id: PeerId,
    /// The breaker's state; an open breaker whose time is over is half-open.
    pub state: BreakerState,
    /// The operator's override.
    pub forced: Forced,
    /// Number of the breaker's period.
    pub generation: u16,
    /// Failures that count towards opening.
    pub failures_in_window: u32,
    /// Calls and failed calls in the window, when breakers open by failure rate.
    pub calls_in_window: Option<(u64, u64)>,
    /// The next open time is doubled this often.
    pub backoff_level: u8,
    /// What is left of the open time.
    #[cfg_attr(feature = "serde", serde(rename = "open_remaining_seconds", serialize_with = "wire::seconds"))]
    pub open_remaining: Option<Duration>,
    /// Probes that have not reported.
    pub probes_out: u8,
    /// Probes that succeeded in this half-open period.
    pub probe_successes: u8,
    /// 0 to 100; frozen while a ban is in force.
    pub score: f64,
    /// How well the peer stands.
    pub tier: Tier,
    /// Successes / (successes + failures); 0.5 before the first.
    pub reliability: f64,
    /// The ban in force.
    pub ban: Option<Ban>,
    /// Earned bans that are remembered.
    pub offences: u8,
    /// Moving average of the latencies, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Syncs that went well.
    pub successful_syncs: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Messages that went well.
    pub successful_messages: u64,
    /// Messages that failed.
    pub failed_messages: u64,
    /// Answers that did not come in time; saturates at 2^32 − 1, as do the next three.
    pub timeouts: u64,
    /// Failed dials, refused and reset connections.
    pub unreachable: u64,
    /// Breaches of the protocol.
    pub protocol_violations: u64,
    /// Fatal outcomes.
    pub fatal: u64,
    /// Bytes sent to the peer.
    pub bytes_sent: u64,
    /// Bytes received from the peer.
    pub bytes_received: u64,
    /// The peer's own limits.
    pub limits: PeerLimits,
    /// Used share of the upload bucket's burst, 0 to 1; 0 without a limit.
    pub upload_used: f64,
    /// Used share of the download bucket's burst.
    pub download_used: f64,
    /// When the record was made.
    #[cfg_attr(feature = "serde", serde(serialize_with = "wire::time"))]
    pub first_seen: SystemTime,
    /// When something was last recorded.
    #[cfg_attr(feature = "serde", serde(serialize_with = "wire::time"))]
    pub last_seen: SystemTime,
    /// `first_seen` on the guard's clock, in nanoseconds, for ordering.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) first_seen_nanos: u64,
}

/// The words of a record, read one after the other.
pub(crate) struct Image {
    pub(crate) id: PeerId,
    pub(crate) gate: GateWord,
    score: ScoreWord,
    window: FailureWindow,
    ban: BanWord,
    last_seen: u64,
    first_seen: u64,
    latency: Option<f64>,
    buckets: [PaidAt; 2],
    bytes: [u64; 2],
    counts: [u64; 8],
    rate: Option<RateImage>,
    limits: PeerLimits,
}

impl Record {
    /// Reads the words. Relaxed: the table validates by the meta word that they are one tenant's.
    pub(crate) fn image(&self, rate: Option<&RateWindow>, own: &OwnLimits) -> Image {
        let read = |word: &Word<u64>| word.load(Ordering::Relaxed);
        let unanswered = self.unanswered.load(Ordering::Relaxed);
        let offences = self.offences.load(Ordering::Relaxed);
        // The wide counters before the flow that is emptied into them.
        let bytes = [read(&self.bytes[0]), read(&self.bytes[1])];
        let successes = [read(&self.sync_successes), read(&self.message_successes)];
        // Acquire: pairs with the Release fence of `empty_flow`: who has read what was added reads the flow without it.
        fence(Ordering::Acquire);
        let flow = [self.flow[0].load(Ordering::Relaxed), self.flow[1].load(Ordering::Relaxed)];
        let lately = |count: fn(Flow) -> u64| count(flow[0]) + count(flow[1]);
        let (score, ban) = self.score_and_ban();
        Image {
            id: self.id(),
            gate: self.gate.load(Ordering::Relaxed),
            score,
            window: self.window.load(Ordering::Relaxed),
            ban,
            last_seen: read(&self.last_seen),
            first_seen: read(&self.first_seen),
            latency: self.latency.load(Ordering::Relaxed).get(),
            buckets: [self.buckets[0].paid_at(), self.buckets[1].paid_at()],
            bytes: [bytes::sum(bytes[0], flow[0].bytes()), bytes::sum(bytes[1], flow[1].bytes())],
            counts: [
                successes[0] + lately(Flow::sync_successes),
                successes[1] + lately(Flow::message_successes),
                read(&self.sync_failures),
                read(&self.message_failures),
                unanswered.0.into(),
                unanswered.1.into(),
                offences.0.into(),
                offences.1.into(),
            ],
            limits: own.get(),
            rate: rate.map(RateWindow::image),
        }
    }

    /// A score and the ban word that stood when it was read: a score of the ban before would be shown as frozen under the
    /// next one. Repeated only while bans change.
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
}

/// Turns times of the guard's clock into times of the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall {
    pub(crate) now: u64,
    pub(crate) time: SystemTime,
}

impl Wall {
    pub(crate) fn at(&self, nanos: u64) -> SystemTime {
        let (ago, ahead) = (self.now.saturating_sub(nanos), nanos.saturating_sub(self.now));
        let time = self.time.checked_sub(Duration::from_nanos(ago)).unwrap_or(SystemTime::UNIX_EPOCH);
        time.checked_add(Duration::from_nanos(ahead)).unwrap_or(time)
    }
}

impl Image {
    /// The ban word; a pending ban counts as written.
    fn ban_word(&self, now: u64, rules: &Rules) -> BanWord {
        self.score.settling(self.ban, now, &rules.reputation)
    }

    /// The ban in force.
    pub(crate) fn ban(&self, now: u64, rules: &Rules) -> Option<Ban> {
        self.ban_word(now, rules).ban(now)
    }

    /// What the breaker's transitions need to know; the dice are for transitions that are written, which a view never does.
    pub(crate) fn moment(&self, now: u64) -> Moment {
        Moment { now, idle: now.saturating_sub(self.last_seen), dice: 0 }
    }

    pub(crate) fn bucket(&self, direction: Direction) -> PaidAt {
        self.buckets[direction.index()]
    }

    pub(crate) fn own_limit(&self, direction: Direction) -> Option<u64> {
        match direction {
            Direction::Upload => self.limits.upload,
            Direction::Download => self.limits.download,
        }
    }

    fn gate_seen(&self, now: u64, rules: &Rules) -> (Gate, Gate) {
        let gate = self.gate.gate();
        (gate, transition::seen(gate, &self.moment(now), &rules.breaker).0)
    }

    /// Used share of a direction's bucket, by the limit in force.
    fn used(&self, direction: Direction, inherited: Rate, now: u64, rules: &Rules) -> f64 {
        let rate = self.own_limit(direction).map_or(inherited, Rate::new);
        if rate.is_unlimited() {
            return 0.0;
        }
        let limit = Limit::new(rate, rules.burst);
        self.bucket(direction).debt(now, limit.burst) as f64 / limit.burst as f64
    }

    /// The view at `wall.now`; `inherited`: the guard's limits for each peer, by direction.
    pub(crate) fn view(&self, wall: &Wall, inherited: [Rate; 2], rules: &Rules) -> PeerView {
        let now = wall.now;
        let (gate, seen) = self.gate_seen(now, rules);
        let idle = now.saturating_sub(self.last_seen) >= rules.window;
        let closed = matches!(seen.phase, Phase::Closed { .. });
        let failures = if closed { self.window.count(gate.generation, now / rules.slice, idle) } else { 0 };
        let open_remaining = match seen.phase {
            Phase::Open { until } if seen.forced != Forced::Open => {
                transition::open_remaining(until, now, &rules.breaker)
            }
            _ => None,
        };
        let (probes_out, probe_successes) = match seen.phase {
            Phase::HalfOpen { probes, called, successes, .. } => (probes + called, successes),
            _ => (0, 0),
        };
        let params = &rules.reputation;
        let ban_word = self.ban_word(now, rules);
        let ban = ban_word.ban(now);
        let score = self.score.at(ban_word, now, params).0.points();
        let [sync_ok, message_ok, sync_bad, message_bad, timeouts, unreachable, violations, fatal] = self.counts;
        let successes = sync_ok + message_ok;
        let failures_total = sync_bad + message_bad + timeouts + unreachable + violations + fatal;
        let total = successes + failures_total;
        PeerView {
            id: self.id,
            state: transition::shown(&seen),
            forced: gate.forced,
            generation: seen.generation.number(),
            failures_in_window: failures,
            calls_in_window: self
                .rate
                .map(|rate| if idle { (0, 0) } else { rate.counts(gate.generation, now / rules.slice) }),
            backoff_level: transition::cooled(&seen, now),
            open_remaining,
            probes_out,
            probe_successes,
            score,
            tier: Tier::of(score, params.probation.points(), ban.is_some()),
            reliability: if total == 0 { 0.5 } else { successes as f64 / total as f64 },
            ban,
            offences: ban_word.offences(now, params),
            latency_ms: self.latency,
            successful_syncs: sync_ok,
            failed_syncs: sync_bad,
            successful_messages: message_ok,
            failed_messages: message_bad,
            timeouts,
            unreachable,
            protocol_violations: violations,
            fatal,
            bytes_sent: self.bytes[Direction::Upload.index()],
            bytes_received: self.bytes[Direction::Download.index()],
            limits: self.limits,
            upload_used: self.used(Direction::Upload, inherited[0], now, rules),
            download_used: self.used(Direction::Download, inherited[1], now, rules),
            first_seen: wall.at(self.first_seen),
            last_seen: wall.at(self.last_seen),
            first_seen_nanos: self.first_seen,
        }
    }
}
