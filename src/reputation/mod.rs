//! One peer's reputation: a score that decays, and bans.
//!
//! Two words. The **score** ([`score::ScoreWord`]) is the score at a stamp; what it is now follows from the time. The
//! **ban** ([`ban::BanWord`]) is the end of the last ban, with its origin and reason and the offences so far.
//!
//! The score carries the number of the ban period that it was written after. Under a newer number it is void: then the
//! peer is banned and its score frozen, or the ban has ended and the score follows from the ban word (half the initial
//! score at the ban's end; the initial score when the ban was lifted). So neither the expiry nor the lifting of a ban has
//! to write the score, and a weight that was computed before a ban cannot survive it.
//!
//! An earned ban begins in the score word: the change that takes the score to the minimum marks it *pending*, with the
//! moment. Whoever meets the mark writes the ban word and takes the mark off; the ban word's turn bit tells whether that
//! has been done. The transitions are pure functions in [`score`] and [`ban`]; the loops that apply them are in
//! [`crate::peer`].

pub(crate) mod ban;
pub(crate) mod decay;
pub(crate) mod outcome;
pub(crate) mod params;
pub(crate) mod score;

use std::fmt;

pub use ban::{Ban, BanOrigin, BanReason};
pub use outcome::Outcome;

/// How well a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Tier {
    /// A ban is in force.
    Banned,
    /// At most half the initial score (25).
    Probation,
    /// Below 60.
    Neutral,
    /// Below 80.
    Good,
    /// 80 and above.
    Trusted,
}

impl Tier {
    pub(crate) fn of(score: f64, probation: f64, banned: bool) -> Self {
        match score {
            _ if banned => Self::Banned,
            s if s <= probation => Self::Probation,
            s if s < 60.0 => Self::Neutral,
            s if s < 80.0 => Self::Good,
            _ => Self::Trusted,
        }
    }

    /// `banned`, `probation`, `neutral`, `good` or `trusted`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Probation => "probation",
            Self::Neutral => "neutral",
            Self::Good => "good",
            Self::Trusted => "trusted",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
