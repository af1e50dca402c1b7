//! The score word.
//!
//! ```text
//!  63                   36 35                         4 3      1   0
//! +-----------------------+----------------------------+--------+---+
//! | stamp, second (28)    | score, 2^-25 points (32)   | period | P |
//! +-----------------------+----------------------------+--------+---+
//!   with P (an earned ban that is pending) the stamp is: fatal (1) | turn (1) | tick of the moment (26)
//! ```
//!
//! The stamp wraps after 8.5 years; decay has long been complete by then.

use super::ban::BanWord;
use super::outcome::Outcome;
use super::params::Params;
use crate::clock::{SKEW, TICK_SHIFT, second, tick};
use crate::sync::{Field, packed};

type PendingField = Field<0, 1>;
type PeriodField = Field<1, 3>;
type ValueField = Field<4, 32>;
type StampField = Field<36, 28>;
type MomentField = Field<36, 26>;
type TurnField = Field<62, 1>;
type FatalField = Field<63, 1>;

/// Seconds that a clock may be set back before a stamp ahead of it is taken for one of long ago: 48 days.
const SET_BACK: u64 = 1 << 22;
/// Bits behind the point of a score.
pub(crate) const SCORE_BITS: u32 = 25;

/// A score in fixed point, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score(u32);

impl Score {
    /// A score that no peer has: above all.
    pub(super) const NOBODYS: Self = Self(u32::MAX);

    pub(crate) fn new(points: f64) -> Self {
        Self((points * f64::from(1u32 << SCORE_BITS)).round() as u32)
    }

    pub(crate) fn points(self) -> f64 {
        f64::from(self.0) / f64::from(1u32 << SCORE_BITS)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0.into()
    }

    #[inline]
    fn add(self, weight: i64, params: &Params) -> Self {
        Self((i64::from(self.0) + weight).max(params.min.0.into()).min(params.max.0.into()) as u32)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScoreWord(u64);

/// An earned ban that has not been written to the ban word yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) fatal: bool,
    /// The turn bit of the ban word before it.
    pub(crate) turn: bool,
    /// When it was earned, to a tick.
    pub(crate) moment: u64,
}

impl ScoreWord {
    /// `score` as of second `stamp`, written under `ban`.
    fn written(score: Score, stamp: u64, period: u8) -> Self {
        Self(ValueField::pack(score.0.into()) | StampField::pack(stamp) | PeriodField::pack(period.into()))
    }

    /// A new record's score.
    pub(crate) fn new(params: &Params, now: u64) -> Self {
        Self::written(params.initial, second(now), BanWord::NEW.period())
    }

    /// The initial score, for a reset under `ban`.
    pub(crate) fn reset(ban: BanWord, params: &Params, now: u64) -> Self {
        Self::written(params.initial, second(now), ban.period())
    }

    #[inline]
    pub(crate) fn is_pending(self) -> bool {
        PendingField::get(self.0) == 1
    }

    /// The pending ban; `now` gives the high bits of its moment.
    pub(crate) fn pending(self, now: u64) -> Option<Pending> {
        if !self.is_pending() {
            return None;
        }
        let moment = MomentField::get(self.0);
        let ago = tick(now).wrapping_sub(moment) & MomentField::MAX;
        // A helper whose clock reading is older than the moment: the moment lies ahead.
        let skewed = ago > MomentField::MAX - (SKEW >> TICK_SHIFT);
        let ago = if skewed { ago as i64 - (MomentField::MAX as i64 + 1) } else { ago as i64 };
        let at = tick(now).saturating_add_signed(-ago) << TICK_SHIFT;
        Some(Pending { fatal: FatalField::get(self.0) == 1, turn: TurnField::get(self.0) == 1, moment: at })
    }

    /// The word without the mark, once the ban has been written; sealed.
    pub(crate) fn settled(self, pending: &Pending) -> Self {
        Self(StampField::set(PendingField::set(self.0, 0), second(pending.moment))).sealed()
    }

    /// Of the period before its own: void under every ban word that can follow, and not the word that it was.
    pub(crate) fn sealed(self) -> Self {
        Self(PeriodField::set(self.0, PeriodField::get(self.0).wrapping_sub(1)))
    }

    /// The ban period that it was written in.
    pub(crate) fn period(self) -> u8 {
        PeriodField::get(self.0) as u8
    }

    /// The ban word as it will be once a mark has been settled.
    pub(crate) fn settling(self, ban: BanWord, now: u64, params: &Params) -> BanWord {
        match self.pending(now) {
            Some(pending) if pending.turn == ban.turn() => ban.earned(pending.fatal, pending.moment, params),
            _ => ban,
        }
    }

    /// The score at `now` under `ban`, with the second that it is stamped with.
    pub(crate) fn at(self, ban: BanWord, now: u64, params: &Params) -> (Score, u64) {
        let value = Score(ValueField::get(self.0) as u32);
        if ban.in_force(now) {
            return (value, second(now));
        }
        let (score, stamp) = if PeriodField::get(self.0) == u64::from(ban.period()) {
            (value, StampField::get(self.0))
        } else {
            let score = if ban.was_lifted() { params.initial } else { params.probation };
            (score, ban.end_second())
        };
        let elapsed = second(now).wrapping_sub(stamp) & StampField::MAX;
        // A stamp ahead of a clock that was set back: no time has passed.
        if elapsed > StampField::MAX - SET_BACK {
            return (score, stamp);
        }
        if elapsed == 0 {
            return (score, stamp);
        }
        let elapsed = params.decay.whole(elapsed);
        let distance = i64::from(score.0) - i64::from(params.initial.0);
        let left = i64::from(params.initial.0) + params.decay.apply(distance, elapsed);
        (Score(left as u32), stamp.wrapping_add(elapsed))
    }

    /// The score decayed to `now` under `ban`: what an operator's ban freezes.
    pub(crate) fn decayed(self, ban: BanWord, now: u64, params: &Params) -> Self {
        let (score, stamp) = self.at(ban, now, params);
        Self::written(score, stamp, ban.period())
    }

    /// Whether no success changes the word at `now`, for a peer that was never banned: a quick look. Where the answer is no,
    /// [`Self::after`] knows.
    #[inline(always)]
    pub(crate) fn is_at_top(self, now: u64, params: &Params) -> bool {
        // Not pending, and of the period in which a record begins.
        self == Self::written(params.top, second(now), BanWord::NEW.period())
    }

    /// The word after a success at `now` of a score that stood at the top and is brought back to it, for a peer that was never
    /// banned: a quick look, as [`Self::is_at_top`].
    pub(crate) fn again_at_top(self, now: u64, params: &Params) -> Option<Self> {
        let stamp = StampField::get(self.0);
        let elapsed = second(now).wrapping_sub(stamp) & StampField::MAX;
        let top = |stamp| Self::written(params.top, stamp, BanWord::NEW.period());
        (self == top(stamp) && elapsed <= params.top_lasts)
            .then(|| top(stamp.wrapping_add(params.decay.whole(elapsed))))
    }

    /// What `outcome` makes of the score at `now`, where no ban is in force. A change that earns a ban comes back marked.
    #[inline]
    pub(crate) fn after(self, outcome: Outcome, ban: BanWord, now: u64, params: &Params) -> Self {
        let (score, stamp) = self.at(ban, now, params);
        let next = score.add(params.weight(outcome), params);
        let fatal = outcome == Outcome::Fatal;
        if fatal || (score > params.min && next <= params.min) {
            return Self(
                PendingField::MASK
                    | PeriodField::pack(ban.period().into())
                    | ValueField::pack(next.0.into())
                    | MomentField::pack(tick(now))
                    | TurnField::pack(ban.turn().into())
                    | FatalField::pack(fatal.into()),
            );
        }
        Self::written(next, stamp, ban.period())
    }
}

packed!(ScoreWord);

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use crate::config::ReputationConfig;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3600 * SECOND;

    fn params() -> Params {
        Params::new(&ReputationConfig::default())
    }

    #[test]
    fn scores_move_by_their_weights_and_stay_in_range() {
        let params = params();
        let mut word = ScoreWord::new(&params, 0);
        for _ in 0..60 {
            word = word.after(Outcome::SyncSuccess, BanWord::NEW, 0, &params);
        }
        assert_eq!(word.at(BanWord::NEW, 0, &params).0.points(), 100.0);
        let word = word.after(Outcome::SyncFailure, BanWord::NEW, 0, &params);
        assert_eq!(word.at(BanWord::NEW, 0, &params).0.points(), 95.0);
        let hours = word.at(BanWord::NEW, 10 * HOUR, &params).0.points();
        assert!((hours - (50.0 + 45.0 * 0.99f64.powi(10))).abs() < 1e-6);
    }

    #[test]
    fn the_change_that_reaches_the_minimum_is_marked_with_its_moment() {
        let params = params();
        let now = 77 * HOUR + 5 * SECOND;
        let mut word = ScoreWord::new(&params, now);
        for _ in 0..9 {
            word = word.after(Outcome::SyncFailure, BanWord::NEW, now, &params);
            assert!(!word.is_pending());
        }
        word = word.after(Outcome::SyncFailure, BanWord::NEW, now, &params);
        let pending = word.pending(now + 3 * SECOND).unwrap();
        assert_eq!((pending.fatal, tick(pending.moment)), (false, tick(now)));
        assert_eq!(word.pending(now - SECOND).unwrap().moment, pending.moment);
        let ban = BanWord::NEW.earned(false, pending.moment, &params);
        let settled = word.settled(&pending);
        assert_eq!(settled.at(ban, now, &params).0.points(), 0.0);
        let ended = now + HOUR + 3 * SECOND;
        assert!((settled.at(ban, ended, &params).0.points() - 25.0).abs() < 1e-3);
        let lifted = ban.lifted(now + SECOND).unwrap();
        assert_eq!(settled.at(lifted, now + SECOND, &params).0.points(), 50.0);
    }

    proptest! {
        #[test]
        fn no_success_changes_a_score_at_the_top(second in 0u64..1 << 33, points in 0.0..=100.0f64, weight in -2.0..2.0f64) {
            let mut config = ReputationConfig { max_score: points.max(50.0), ..ReputationConfig::default() };
            config.weights.message_success = weight;
            let (params, now) = (Params::new(&config), second * SECOND);
            let word = ScoreWord::written(params.max, second, BanWord::NEW.period());
            prop_assert_eq!(word.is_at_top(now, &params), weight >= 0.0);
            for outcome in [Outcome::SyncSuccess, Outcome::MessageSuccess] {
                if word.is_at_top(now, &params) {
                    prop_assert_eq!(word.after(outcome, BanWord::NEW, now, &params), word);
                }
            }
            prop_assert!(!word.is_at_top(now + SECOND, &params) && !word.sealed().is_at_top(now, &params));
            prop_assert!(word.sealed().again_at_top(now, &params).is_none());
            prop_assert!(!word.after(Outcome::SyncFailure, BanWord::NEW, now, &params).is_at_top(now, &params));
        }

        #[test]
        fn a_success_soon_after_another_keeps_a_score_at_the_top(
            begin in 0u64..1 << 33,
            elapsed in prop_oneof![0u64..100, 0u64..100_000, Just((1 << 28) - 1), Just(1 << 28)],
            max in 50.0..=100.0f64,
            weights in (-1.0..3.0f64, 0.0..3.0f64),
            factor in 0.5..=1.0f64,
        ) {
            let mut config = ReputationConfig { max_score: max, hourly_decay_factor: factor, ..ReputationConfig::default() };
            (config.weights.sync_success, config.weights.message_success) = weights;
            let (params, now) = (Params::new(&config), (begin + elapsed) * SECOND);
            let word = ScoreWord::written(params.max, begin, BanWord::NEW.period());
            for outcome in [Outcome::SyncSuccess, Outcome::MessageSuccess] {
                if let Some(next) = word.again_at_top(now, &params) {
                    prop_assert_eq!(next, word.after(outcome, BanWord::NEW, now, &params));
                }
            }
            let weight = weights.0.min(weights.1);
            let lost = (max - 50.0) * (1.0 - factor.powf(elapsed as f64 / 3600.0));
            if elapsed < 1 << 27 && weight >= 0.0 && lost < weight - 1e-6 {
                prop_assert!(word.again_at_top(now, &params).is_some());
            }
        }

        /// Within 0.01 point of the formula over 30 days, whatever the pattern of writes.
        #[test]
        fn no_pattern_of_writes_loses_decay(gaps in prop::collection::vec(0u64..20_000 * SECOND, 1..200), start: u32) {
            let params = params();
            let mut now = u64::from(start) * SECOND;
            let begin = now;
            let mut word = ScoreWord::new(&params, now);
            for _ in 0..20 {
                word = word.after(Outcome::SyncSuccess, BanWord::NEW, now, &params);
            }
            for gap in gaps {
                now += gap;
                word = word.decayed(BanWord::NEW, now, &params);
            }
            let exact = 50.0 + 40.0 * 0.99f64.powf((now - begin) as f64 / HOUR as f64);
            prop_assert!((word.at(BanWord::NEW, now, &params).0.points() - exact).abs() < 0.01);
        }
    }
}
