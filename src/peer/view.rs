//! A record as a reader is shown it.

use std::time::{Duration, SystemTime};

use super::Rules;
use super::image::{Glance, Image, Standing};
use crate::breaker::gate::Phase;
use crate::breaker::transition;
use crate::breaker::{BreakerState, Forced};
use crate::config::PeerLimits;
use crate::id::PeerId;
use crate::reputation::{Ban, Tier};
#[cfg(feature = "serde")]
use crate::snapshot::wire;
use crate::sync::{Ordering, Word};
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::Limit;
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
    /// Doublings of the open time: of the next one while closed; of the last one otherwise, and a failed probe adds one.
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
    /// Syncs that failed; saturates at 2^32 − 1, as does every count of failures.
    pub failed_syncs: u64,
    /// Messages that went well.
    pub successful_messages: u64,
    /// Messages that failed.
    pub failed_messages: u64,
    /// Answers that did not come in time.
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
}

/// Turns times of the guard's clock into times of the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall {
    pub(crate) now: u64,
    pub(crate) time: SystemTime,
}

/// Nanoseconds since 1970, before or after it, modulo 2^64.
fn nanos_since_1970(time: SystemTime) -> u64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as u64,
        Err(until) => (until.duration().as_nanos() as u64).wrapping_neg(),
    }
}

impl Wall {
    /// Both clocks as they were read together. They are held together as long as they drift by less than 10 ms, so that a time
    /// is shown alike each time. `offset`: nanoseconds between them, modulo 2^64.
    pub(crate) fn held(now: u64, time: SystemTime, offset: &Word<u64>) -> Self {
        let found = nanos_since_1970(time).wrapping_sub(now);
        // Relaxed: any of the offsets that threads have stored lately will do.
        let drift = found.wrapping_sub(offset.load(Ordering::Relaxed)) as i64;
        let by = Duration::from_nanos(drift.unsigned_abs());
        if by >= Duration::from_millis(10) {
            // Relaxed: as above.
            offset.store(found, Ordering::Relaxed);
            return Self { now, time };
        }
        let time_held = if drift < 0 { time.checked_add(by) } else { time.checked_sub(by) };
        Self { now, time: time_held.unwrap_or(time) }
    }

    pub(crate) fn at(&self, nanos: u64) -> SystemTime {
        let (ago, ahead) = (self.now.saturating_sub(nanos), nanos.saturating_sub(self.now));
        let time = self.time.checked_sub(Duration::from_nanos(ago)).unwrap_or(SystemTime::UNIX_EPOCH);
        time.checked_add(Duration::from_nanos(ahead)).unwrap_or(time)
    }
}

/// How words are read: at which time, by whose limits and rules.
#[derive(Clone, Copy)]
pub(crate) struct Lens<'a> {
    pub(crate) wall: Wall,
    /// The guard's limits for each peer, by direction.
    pub(crate) inherited: [Rate; 2],
    pub(crate) rules: &'a Rules,
}

impl Lens<'_> {
    #[inline]
    pub(crate) fn glance(&self, standing: &Standing) -> Glance {
        standing.glance(self.wall.now, self.rules)
    }

    /// Used share of a direction's bucket, by the limit in force.
    fn used(&self, image: &Image, direction: Direction) -> f64 {
        let rate = image.own_limit(direction).map_or(self.inherited[direction.index()], Rate::new);
        if rate.is_unlimited() {
            return 0.0;
        }
        let limit = Limit::new(rate, &self.rules.burst);
        image.bucket(direction).debt(self.wall.now, limit.burst) as f64 / limit.burst as f64
    }

    pub(crate) fn view(&self, image: &Image) -> PeerView {
        let (words, counts) = (&image.words, &image.words.counts);
        let (now, rules) = (self.wall.now, self.rules);
        let (gate, seen) = words.gate_seen(now, rules);
        let idle = now.saturating_sub(words.last_seen) >= rules.window;
        let closed = matches!(seen.phase, Phase::Closed { .. });
        let failures = if closed { words.window.count(gate.generation, now / rules.slice, idle) } else { 0 };
        let open_remaining = match seen.phase {
            Phase::Open { until } if seen.forced != Forced::Open => {
                transition::open_remaining(until, now, &rules.breaker)
            }
            _ => None,
        };
        let probe_successes = match seen.phase {
            Phase::HalfOpen { successes, .. } => successes,
            _ => 0,
        };
        let glance = words.glance(now, rules);
        PeerView {
            id: words.id,
            state: glance.state,
            forced: gate.forced,
            generation: seen.generation.number(),
            failures_in_window: failures,
            calls_in_window: image
                .rate
                .map(|rate| if idle { (0, 0) } else { rate.counts(gate.generation, now / rules.slice) }),
            backoff_level: transition::cooled(&seen, now),
            open_remaining,
            probes_out: seen.probes_out(),
            probe_successes,
            score: glance.score.points(),
            tier: glance.tier(rules),
            reliability: counts.reliability(),
            ban: words.ban(now, rules),
            offences: words.offences_remembered(now, rules),
            latency_ms: words.latency_ms(),
            successful_syncs: counts.sync_successes,
            failed_syncs: counts.failures.0.into(),
            successful_messages: counts.message_successes,
            failed_messages: counts.failures.1.into(),
            timeouts: counts.unanswered.0.into(),
            unreachable: counts.unanswered.1.into(),
            protocol_violations: counts.offences.0.into(),
            fatal: counts.offences.1.into(),
            bytes_sent: counts.bytes[Direction::Upload.index()],
            bytes_received: counts.bytes[Direction::Download.index()],
            limits: image.limits,
            upload_used: self.used(image, Direction::Upload),
            download_used: self.used(image, Direction::Download),
            first_seen: self.wall.at(words.first_seen),
            last_seen: self.wall.at(words.last_seen),
        }
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    /// At 1970, before it, where 64 bits of nanoseconds since then are full, and long after.
    #[test]
    fn a_time_is_shown_alike_wherever_the_wall_clock_stands() {
        let year = Duration::from_secs(365 * 86_400);
        let (epoch, full) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::MAX));
        for start in [epoch, epoch - 60 * year, full, full + 400 * year] {
            for late in [-3i64, -1, 0, 1, 3] {
                let time = |millis: i64| match u64::try_from(millis) {
                    Ok(after) => start + Duration::from_millis(after),
                    Err(_) => start - Duration::from_millis(millis.unsigned_abs()),
                };
                let now = |millis: i64| (1u64 << 40).wrapping_add_signed(millis * 1_000_000);
                let offset = Word::new(0);
                let first = Wall::held(now(late), time(late), &offset).at(now(-1_000));
                assert_eq!(first, time(-1_000), "from {:?}", time(late));
                // The clocks' readings are a millisecond apart, either way; then the wall clock is set by an hour.
                for (read, told) in [(-2, -1), (-1, -2), (0, 0), (2, 1), (1, 2), (1_000, 1_001)] {
                    assert_eq!(Wall::held(now(read), time(told), &offset).at(now(-1_000)), first, "{read} {told}");
                }
                let set = Wall::held(now(5), time(3_600_005), &offset);
                assert_eq!(set.at(now(-1_000)), time(3_599_000));
            }
        }
    }
}
