//! The ban word: the last ban, and the offences so far.
//!
//! ```text
//!  63   62    60 59   58   55 54   47 46   45   44  43                             0
//! +----+--------+----+-------+-------+----+----+----+--------------------------------+
//! |held| period |turn|offence| code  |orig|lift|ever| end, tick (44)                 |
//! +----+--------+----+-------+-------+----+----+----+--------------------------------+
//! ```
//!
//! 44 bits hold every tick of a 64-bit time, so ends never wrap. `period` counts the ban periods (modulo 8): the score
//! carries it, see [`super`]. `turn` flips with each earned ban, and tells those who complete one whether it has been
//! written. `held`: an operator has banned in this ban period, so the record is not evicted while it lasts.

use std::time::Duration;

use super::params::Params;
use crate::clock::{TICK_SHIFT, tick};
use crate::sync::{Field, packed};

type EndField = Field<0, 44>;
type ForeverField = Field<44, 1>;
type LiftedField = Field<45, 1>;
type OperatorField = Field<46, 1>;
type CodeField = Field<47, 8>;
type OffencesField = Field<55, 4>;
type TurnField = Field<59, 1>;
type PeriodField = Field<60, 3>;
type HeldField = Field<63, 1>;

const LOW_SCORE: u8 = 0;
const FATAL: u8 = 1;

/// Who banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum BanOrigin {
    /// The peer's own deeds.
    Earned,
    /// An operator.
    Operator,
}

/// Why a peer is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BanReason {
    /// Its score fell to the minimum.
    LowScore,
    /// It did something fatal.
    Fatal,
    /// An operator's code, whose meaning is the node's own.
    Operator(u8),
}

impl std::fmt::Display for BanReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LowScore => f.write_str("low score"),
            Self::Fatal => f.write_str("fatal"),
            Self::Operator(code) => write!(f, "operator, code {code}"),
        }
    }
}

/// A ban in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Ban {
    /// Who banned.
    pub origin: BanOrigin,
    /// Why.
    pub reason: BanReason,
    /// What is left; `None` = until unbanned.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "remaining_seconds", serialize_with = "crate::snapshot::wire::seconds")
    )]
    pub remaining: Option<Duration>,
}

/// The ban word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BanWord(u64);

/// The end of a new ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    At(u64),
    Never,
}

impl BanWord {
    /// Never banned.
    pub(crate) const NEW: Self = Self(0);

    #[inline]
    pub(crate) fn in_force(self, now: u64) -> bool {
        LiftedField::get(self.0) == 0 && (ForeverField::get(self.0) == 1 || EndField::get(self.0) > tick(now))
    }

    fn is_operators(self) -> bool {
        OperatorField::get(self.0) == 1
    }

    /// A ban is in force, and an operator has banned in its period.
    pub(crate) fn is_held(self, now: u64) -> bool {
        HeldField::get(self.0) == 1 && self.in_force(now)
    }

    /// Tick of the end, for ordering; a permanent ban ends last.
    pub(crate) fn end(self) -> u64 {
        if ForeverField::get(self.0) == 1 { u64::MAX } else { EndField::get(self.0) }
    }

    /// Second in which the last ban ended.
    pub(crate) fn end_second(self) -> u64 {
        crate::clock::second(EndField::get(self.0) << TICK_SHIFT)
    }

    /// The last ban was lifted, not served.
    pub(crate) fn was_lifted(self) -> bool {
        LiftedField::get(self.0) == 1
    }

    pub(crate) fn period(self) -> u8 {
        PeriodField::get(self.0) as u8
    }

    pub(crate) fn turn(self) -> bool {
        TurnField::get(self.0) == 1
    }

    /// The ban in force, if one is.
    pub(crate) fn ban(self, now: u64) -> Option<Ban> {
        if !self.in_force(now) {
            return None;
        }
        let code = CodeField::get(self.0) as u8;
        let (origin, reason) = match (self.is_operators(), code) {
            (true, code) => (BanOrigin::Operator, BanReason::Operator(code)),
            (false, FATAL) => (BanOrigin::Earned, BanReason::Fatal),
            (false, _) => (BanOrigin::Earned, BanReason::LowScore),
        };
        let forever = ForeverField::get(self.0) == 1;
        let end = EndField::get(self.0) << TICK_SHIFT;
        let remaining = (!forever).then(|| Duration::from_nanos(end.saturating_sub(now)));
        Some(Ban { origin, reason, remaining })
    }

    /// Offences remembered at `now`: one less for each `offence_memory` since the last ban ended.
    pub(crate) fn offences(self, now: u64, params: &Params) -> u8 {
        let counted = OffencesField::get(self.0) as u8;
        if self.in_force(now) {
            return counted;
        }
        let unbanned = tick(now).saturating_sub(EndField::get(self.0)) << TICK_SHIFT;
        counted.saturating_sub(u8::try_from(unbanned / params.offence_memory).unwrap_or(u8::MAX))
    }

    /// A ban from `now` on. Under one that is in force the later end holds; else a new period begins.
    fn banned(self, end: End, operator: bool, code: u8, now: u64, params: &Params) -> Self {
        let in_force = self.in_force(now);
        let new_end = match end {
            End::At(tick) => tick,
            End::Never => u64::MAX,
        };
        if in_force && self.end() >= new_end {
            return self;
        }
        let mut word = OffencesField::set(self.0, self.offences(now, params).into());
        word = match end {
            End::At(tick) => EndField::set(ForeverField::set(word, 0), tick),
            End::Never => ForeverField::set(word, 1),
        };
        word = OperatorField::set(CodeField::set(LiftedField::set(word, 0), code.into()), operator.into());
        if !in_force {
            word = HeldField::set(PeriodField::set(word, PeriodField::get(word) + 1), 0);
        }
        Self(word)
    }

    /// An operator's ban.
    pub(crate) fn by_operator(self, ticks: Option<u64>, code: u8, now: u64, params: &Params) -> Self {
        Self(HeldField::set(self.banned(end(ticks, now), true, code, now, params).0, 1))
    }

    /// An earned ban that began at `now`: longer for each offence remembered, and one offence more.
    pub(crate) fn earned(self, fatal: bool, now: u64, params: &Params) -> Self {
        let offences = self.offences(now, params);
        let ticks = params.ban_ticks(offences);
        let banned = self.banned(end(ticks, now), false, if fatal { FATAL } else { LOW_SCORE }, now, params);
        let more = u64::from(offences + 1).min(OffencesField::MAX);
        Self(OffencesField::set(banned.0, more) ^ TurnField::MASK)
    }

    /// All bans lifted at `now`; `None` when none is in force.
    pub(crate) fn lifted(self, now: u64) -> Option<Self> {
        if !self.in_force(now) {
            return None;
        }
        let word = HeldField::set(LiftedField::set(ForeverField::set(self.0, 0), 1), 0);
        Some(Self(EndField::set(word, tick(now))))
    }

    /// Lifted, and the offences forgotten.
    pub(crate) fn reset(self, now: u64) -> Self {
        let lifted = self.lifted(now).unwrap_or(self);
        Self(OffencesField::set(lifted.0, 0))
    }
}

/// The end of a ban of `ticks` that begins at `now`; at most the last tick there is.
fn end(ticks: Option<u64>, now: u64) -> End {
    ticks.map_or(End::Never, |ticks| End::At(tick(now).saturating_add(ticks).min(EndField::MAX)))
}

packed!(BanWord);

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use crate::config::ReputationConfig;

    const HOUR: u64 = 3_600_000_000_000;

    fn params() -> Params {
        Params::new(&ReputationConfig::default())
    }

    #[test]
    fn earned_bans_double_to_a_day_and_offences_are_forgotten() {
        let params = params();
        let (mut word, mut now) = (BanWord::NEW, HOUR);
        for hours in [1, 2, 4, 8, 16, 24, 24] {
            word = word.earned(false, now, &params);
            let remaining = word.ban(now).unwrap().remaining.unwrap();
            assert!(remaining.abs_diff(Duration::from_secs(hours * 3600)) < Duration::from_millis(2));
            now += hours * HOUR + (2 << TICK_SHIFT);
            assert!(!word.in_force(now));
        }
        assert_eq!(word.offences(now, &params), 7);
        assert_eq!(word.offences(now + 49 * HOUR, &params), 5);
        assert_eq!(word.offences(now + 1000 * HOUR, &params), 0);
    }

    #[test]
    fn of_two_bans_the_later_end_holds() {
        let params = params();
        let short = BanWord::NEW.by_operator(Some(100), 1, 0, &params);
        let long = short.earned(true, 0, &params);
        assert_eq!(long.ban(0).unwrap().origin, BanOrigin::Earned);
        let kept = long.by_operator(Some(5), 2, 0, &params);
        assert_eq!((kept.end(), kept.is_operators()), (long.end(), false));
        assert!(kept.is_held(0));
        let ever = kept.by_operator(None, 3, 0, &params);
        let ban = Ban { origin: BanOrigin::Operator, reason: BanReason::Operator(3), remaining: None };
        assert_eq!(ever.ban(u64::MAX), Some(ban));
        assert_eq!(ever.period(), short.period());
        assert_eq!(ever.earned(false, 0, &params).ban(0), Some(ban));
    }

    #[test]
    fn lifting_ends_a_ban_at_once() {
        let params = params();
        let word = BanWord::NEW.by_operator(None, 0, HOUR, &params);
        let lifted = word.lifted(2 * HOUR).unwrap();
        assert!(!lifted.in_force(2 * HOUR) && lifted.was_lifted());
        assert_eq!(lifted.lifted(2 * HOUR), None);
        assert_eq!(lifted.by_operator(Some(1), 0, 3 * HOUR, &params).period(), 2);
    }
}
