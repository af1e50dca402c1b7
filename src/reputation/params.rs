//! The reputation's configuration in the words' units.

use super::decay::Decay;
use super::outcome::Outcome;
use super::score::{SCORE_BITS, Score};
use crate::clock::{TICK_SHIFT, nanos};
use crate::config::ReputationConfig;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) initial: Score,
    pub(crate) probation: Score,
    pub(crate) min: Score,
    pub(crate) max: Score,
    pub(crate) decay: Decay,
    first_ban: Option<u64>,
    longest_ban: u64,
    /// Nanoseconds.
    pub(crate) offence_memory: u64,
    weights: [i64; 10],
    /// The score that no success moves: the highest, or none that there is where a success takes points away.
    pub(super) top: Score,
    /// How many seconds after a success any other brings a score back to the top.
    pub(super) top_lasts: u64,
}

/// Points in units of a score.
fn fixed(points: f64) -> i64 {
    (points * (1u64 << SCORE_BITS) as f64).round() as i64
}

impl Params {
    pub(crate) fn new(config: &ReputationConfig) -> Self {
        let w = &config.weights;
        let weight = |outcome| match outcome {
            Outcome::SyncSuccess => w.sync_success,
            Outcome::MessageSuccess => w.message_success,
            Outcome::SyncFailure => w.sync_failure,
            Outcome::MessageFailure => w.message_failure,
            Outcome::Timeout => w.timeout,
            Outcome::Unreachable => w.unreachable,
            Outcome::ProtocolViolation => w.protocol_violation,
            Outcome::Fatal | Outcome::Cancelled | Outcome::LocalError => 0.0,
        };
        let (initial, max) = (Score::new(config.initial_score), Score::new(config.max_score));
        let decay = Decay::new(config.hourly_decay_factor);
        let least = w.sync_success.min(w.message_success);
        Self {
            top: if least >= 0.0 { max } else { Score::NOBODYS },
            top_lasts: decay.lasts(max.bits() - initial.bits(), fixed(least.max(0.0)) as u64),
            initial,
            probation: Score::new(config.initial_score / 2.0),
            min: Score::new(config.min_score),
            max,
            decay,
            first_ban: config.ban_duration.map(nanos),
            longest_ban: nanos(config.max_ban_duration),
            offence_memory: nanos(config.offence_memory),
            weights: Outcome::ALL.map(|outcome| fixed(weight(outcome))),
        }
    }

    /// Ticks of an earned ban, doubled for each offence remembered; `None` = until unbanned.
    pub(crate) fn ban_ticks(&self, offences: u8) -> Option<u64> {
        let first = u128::from(self.first_ban?);
        let nanos = (first << offences).min(self.longest_ban.into()) as u64;
        Some(nanos.div_ceil(1 << TICK_SHIFT))
    }

    /// What an outcome adds, in units of the score.
    #[inline]
    pub(crate) fn weight(&self, outcome: Outcome) -> i64 {
        self.weights[outcome as usize]
    }
}
