//! One peer's score, ban and offences.

use peerguard::{BanOrigin, BanReason, ReputationConfig, Tier};

use crate::reference::time::{TICK_BITS, second, tick, ticks_up, until};

/// How far a score kept in fixed point may lie from the formula.
pub const SCORE_SLACK: f64 = 1e-4;
const MOST_OFFENCES: u32 = 15;

#[derive(Clone, Debug)]
pub struct Rules {
    pub initial: f64,
    max: f64,
    min: f64,
    hourly: f64,
    ban_ns: Option<i128>,
    max_ban_ns: i128,
    memory_ns: i128,
}

impl Rules {
    pub fn new(config: &ReputationConfig) -> Self {
        let ns = |d: std::time::Duration| i128::try_from(d.as_nanos()).unwrap();
        Self {
            initial: config.initial_score,
            max: config.max_score,
            min: config.min_score,
            hourly: config.hourly_decay_factor,
            ban_ns: config.ban_duration.map(ns),
            max_ban_ns: ns(config.max_ban_duration),
            memory_ns: ns(config.offence_memory),
        }
    }

    fn decayed(&self, score: Score, now_second: i128) -> Score {
        let elapsed = (now_second - score.second).max(0);
        let part = self.hourly.powf(elapsed as f64 / 3600.0);
        Score {
            points: self.initial + (score.points - self.initial) * part,
            second: score.second + elapsed,
            exact: score.exact && (elapsed == 0 || score.points == self.initial || self.hourly == 1.0),
            ..score
        }
    }
}

/// The tick at which a ban of `ns` from now is over: at the latest the last one of a 64-bit clock, 584 years from its zero.
fn end(now: u64, ns: i128) -> i128 {
    (tick(now) + ticks_up(ns)).min(tick(u64::MAX))
}

/// Points and the second they were right at.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    pub points: f64,
    second: i128,
    /// The number of the ban that it was written after; void under a later one.
    period: u32,
    /// Neither the formula nor the fixed point has rounded anything yet.
    pub exact: bool,
}

/// The last ban, in force or over.
#[derive(Clone, Copy, Debug)]
pub struct Ban {
    pub origin: BanOrigin,
    pub reason: BanReason,
    /// The tick at which it is over; `None` = never by itself.
    end: Option<i128>,
    lifted: bool,
}

impl Ban {
    /// A lifted ban stays lifted, whatever the clock does.
    fn over(&self, now: u64) -> bool {
        self.lifted || self.end.is_some_and(|end| tick(now) >= end)
    }

    pub fn remaining(&self, now: u64) -> Option<i128> {
        self.end.map(|end| until(now, end))
    }
}

/// Everything follows from the time: a ban that is over is not written down as such, and a clock that steps back before
/// its end finds it in force.
#[derive(Clone, Debug)]
pub struct Standing {
    score: Score,
    last_ban: Option<Ban>,
    /// How many bans there have been, not counting those that took over from one in force.
    period: u32,
    offences: u32,
}

/// What a weight did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crossing {
    None,
    Banned,
    /// Rounding alone decides whether the lower bound was reached.
    Edge,
}

impl Standing {
    pub fn new(now: u64, rules: &Rules) -> Self {
        Self {
            score: Score { points: rules.initial, second: second(now), period: 0, exact: true },
            last_ban: None,
            period: 0,
            offences: 0,
        }
    }

    /// The ban in force.
    pub fn ban(&self, now: u64) -> Option<Ban> {
        self.last_ban.filter(|ban| !ban.over(now))
    }

    pub fn score(&self, now: u64, rules: &Rules) -> Score {
        if self.ban(now).is_some() {
            return self.score;
        }
        let mut start = self.score;
        if let Some(Ban { end: Some(end), lifted, .. }) = self.last_ban
            && start.period != self.period
        {
            start = Score {
                points: if lifted { rules.initial } else { rules.initial / 2.0 },
                second: (end << TICK_BITS) / 1_000_000_000,
                period: self.period,
                exact: true,
            };
        }
        rules.decayed(start, second(now))
    }

    pub fn offences(&self, now: u64, rules: &Rules) -> u32 {
        let Some(Ban { end: Some(end), .. }) = self.last_ban.filter(|ban| ban.over(now)) else {
            return self.offences;
        };
        let forgotten = ((tick(now) - end).max(0) << TICK_BITS) / rules.memory_ns;
        u32::try_from((i128::from(self.offences) - forgotten).max(0)).unwrap()
    }

    /// Decay, weight and clamp; only outside a ban.
    pub fn weigh(&mut self, now: u64, weight: f64, rules: &Rules) -> Crossing {
        let before = self.score(now, rules);
        let sum = before.points + weight;
        self.score = Score { points: sum.clamp(rules.min, rules.max), ..before };
        if before.points <= rules.min || weight >= 0.0 {
            return Crossing::None;
        }
        if !before.exact && (sum - rules.min).abs() < SCORE_SLACK {
            return Crossing::Edge;
        }
        if sum <= rules.min { Crossing::Banned } else { Crossing::None }
    }

    /// A ban for what the peer did. Outside a ban, but for a report that overlaps an operator's: of the two the later end holds.
    pub fn earn_ban(&mut self, now: u64, reason: BanReason, rules: &Rules) {
        let before = self.offences(now, rules);
        let length = rules.ban_ns.map(|ns| (ns << before).min(rules.max_ban_ns));
        self.impose(now, BanOrigin::Earned, reason, length.map(|ns| end(now, ns)), rules);
        self.offences = (before + 1).min(MOST_OFFENCES);
    }

    /// An operator's ban: of two the later end holds. `false` when the one in force stays.
    pub fn operator_ban(&mut self, now: u64, length: Option<i128>, code: u8, rules: &Rules) -> bool {
        self.impose(now, BanOrigin::Operator, BanReason::Operator(code), length.map(|ns| end(now, ns)), rules)
    }

    fn impose(&mut self, now: u64, origin: BanOrigin, reason: BanReason, end: Option<i128>, rules: &Rules) -> bool {
        match self.ban(now) {
            Some(ban) => {
                let later = match (ban.end, end) {
                    (None, _) => false,
                    (Some(_), None) => true,
                    (Some(old), Some(new)) => new > old,
                };
                if !later {
                    return false;
                }
            }
            None => {
                self.score = self.score(now, rules);
                self.offences = self.offences(now, rules);
                self.period += 1;
            }
        }
        self.last_ban = Some(Ban { origin, reason, end, lifted: false });
        true
    }

    pub fn unban(&mut self, now: u64) -> bool {
        let Some(ban) = self.last_ban.as_mut().filter(|ban| !ban.over(now)) else {
            return false;
        };
        ban.end = Some(tick(now));
        ban.lifted = true;
        true
    }

    pub fn reset(&mut self, now: u64, rules: &Rules) -> bool {
        let lifted = self.unban(now);
        self.offences = 0;
        self.score = Score { points: rules.initial, second: second(now), period: self.period, exact: true };
        lifted
    }

    pub fn tier(&self, now: u64, rules: &Rules) -> Tier {
        if self.ban(now).is_some() {
            return Tier::Banned;
        }
        match self.score(now, rules).points {
            points if points <= rules.initial / 2.0 => Tier::Probation,
            points if points < 60.0 => Tier::Neutral,
            points if points < 80.0 => Tier::Good,
            _ => Tier::Trusted,
        }
    }

    /// Whether rounding alone decides the tier.
    pub fn tier_on_the_edge(&self, now: u64, rules: &Rules) -> bool {
        let score = self.score(now, rules);
        !score.exact && [rules.initial / 2.0, 60.0, 80.0].iter().any(|edge| (score.points - edge).abs() < SCORE_SLACK)
    }
}
