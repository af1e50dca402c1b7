//! The gate word: everything that a check of a peer needs, in one load.
//!
//! ```text
//!  63                              25 24        11 10    6 5 4 3  2 1  0
//! +----------------------------------+------------+-------+-+-+----+----+
//! | of the state                     | generation |backoff|L|B|forc|stat|
//! +----------------------------------+------------+-------+-+-+----+----+
//!   closed     since, tick (39)
//!   open       until, tick (39)
//!   half-open  lease, tick (27) | successes (4) | slots by call (4) | probes by permit (4)
//! ```
//!
//! L: the peer has byte limits of its own. B: the peer has been banned at some time, so that the ban word must be asked;
//! it stays for as long as the record lives. A gate whose state, forced and B fields are 0 admits.

use super::{BreakerState, Forced};
use crate::sync::{Field, packed};

type StateField = Field<0, 2>;
type ForcedField = Field<2, 2>;
type BannedField = Field<4, 1>;
type LimitedField = Field<5, 1>;
type BackoffField = Field<6, 5>;
type GenerationField = Field<11, 14>;
type SinceField = Field<25, 39>;
type LeaseField = Field<37, 27>;
type SuccessesField = Field<33, 4>;
type CalledField = Field<29, 4>;
type ProbesField = Field<25, 4>;

/// Bits of a tick that a closed or open gate keeps: it wraps after 18 years.
pub(crate) const TICK_BITS: u32 = 39;
/// Bits of the tick at which a half-open gate admitted its last probe: it wraps after 39 hours.
pub(crate) const LEASE_BITS: u32 = 27;
/// Largest back-off level that fits.
pub(crate) const MAX_BACKOFF: u8 = BackoffField::MAX as u8;

/// Number of a breaker's period; every transition moves to the next. 14 bits; 0 is the first period of a record and
/// never comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u16);

impl Generation {
    pub(crate) const FIRST: Self = Self(0);

    #[cfg(all(test, not(peerguard_loom)))]
    pub(crate) const fn new(number: u16) -> Self {
        Self(number & GenerationField::MAX as u16)
    }

    /// Where it stands in a gate word.
    #[cfg(feature = "capi")]
    pub(crate) const SHIFT: u32 = GenerationField::ONE.trailing_zeros();
    /// Its largest number.
    #[cfg(feature = "capi")]
    pub(crate) const MAX: u64 = GenerationField::MAX;

    /// `None` for a number that no generation has.
    #[cfg(feature = "capi")]
    pub(crate) const fn of_number(number: u16) -> Option<Self> {
        if number as u64 <= GenerationField::MAX { Some(Self(number)) } else { None }
    }

    pub(crate) const fn number(self) -> u16 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        let next = (self.0 + 1) & GenerationField::MAX as u16;
        Self(if next == 0 { 1 } else { next })
    }
}

/// What belongs to each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Closed {
        /// Tick at which the breaker closed.
        since: u64,
    },
    Open {
        /// Tick from which it reads half-open.
        until: u64,
    },
    HalfOpen {
        /// Probes out that a permit was given for.
        probes: u8,
        /// Probes out that `should_communicate` let through.
        called: u8,
        /// Successful probes.
        successes: u8,
        /// Tick at which the last probe was admitted.
        lease: u64,
    },
}

/// The gate, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) phase: Phase,
    pub(crate) forced: Forced,
    pub(crate) banned: bool,
    pub(crate) limited: bool,
    /// The open time has been doubled this often.
    pub(crate) backoff: u8,
    pub(crate) generation: Generation,
}

impl Gate {
    /// The gate of a record that has just been made.
    pub(crate) const NEW: Self = Self {
        phase: Phase::Closed { since: 0 },
        forced: Forced::None,
        banned: false,
        limited: false,
        backoff: 0,
        generation: Generation::FIRST,
    };

    /// What stands in the word; a reader sees `HalfOpen` once an open time has passed, see
    /// [`transition::seen`](super::transition::seen).
    pub(crate) fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Probes that have not reported.
    pub(crate) fn probes_out(&self) -> u8 {
        match self.phase {
            Phase::HalfOpen { probes, called, .. } => probes + called,
            _ => 0,
        }
    }
}

/// The gate as it stands in memory: a check looks at a few bits and unpacks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GateWord(u64);

impl GateWord {
    /// What a check looks at; all 0 admits.
    pub(crate) const CHECKED: u64 = StateField::MASK | ForcedField::MASK | BannedField::MASK;
    pub(crate) const BANNED: u64 = BannedField::MASK;
    pub(crate) const LIMITED: u64 = LimitedField::MASK;

    /// Banned at some time.
    #[inline]
    pub(crate) const fn was_banned(self) -> bool {
        self.0 & Self::BANNED != 0
    }

    /// Closed, not forced, never banned: admitted without another look.
    #[inline]
    pub(crate) const fn admits(self) -> bool {
        self.0 & Self::CHECKED == 0
    }

    #[inline]
    pub(crate) const fn limited(self) -> bool {
        self.0 & Self::LIMITED != 0
    }

    #[inline]
    pub(crate) const fn generation(self) -> Generation {
        Generation(GenerationField::get(self.0) as u16)
    }

    pub(crate) fn gate(self) -> Gate {
        let word = self.0;
        let phase = match StateField::get(word) {
            0 => Phase::Closed { since: SinceField::get(word) },
            1 => Phase::Open { until: SinceField::get(word) },
            _ => Phase::HalfOpen {
                probes: ProbesField::get(word) as u8,
                called: CalledField::get(word) as u8,
                successes: SuccessesField::get(word) as u8,
                lease: LeaseField::get(word),
            },
        };
        let forced = match ForcedField::get(word) {
            0 => Forced::None,
            1 => Forced::Open,
            2 => Forced::Closed,
            _ => Forced::Observe,
        };
        Gate {
            phase,
            forced,
            banned: BannedField::get(word) != 0,
            limited: LimitedField::get(word) != 0,
            backoff: BackoffField::get(word) as u8,
            generation: self.generation(),
        }
    }
}

impl From<Gate> for GateWord {
    fn from(gate: Gate) -> Self {
        let phase = match gate.phase {
            Phase::Closed { since } => SinceField::pack(since),
            Phase::Open { until } => StateField::pack(1) | SinceField::pack(until),
            Phase::HalfOpen { probes, called, successes, lease } => {
                StateField::pack(2)
                    | ProbesField::pack(probes.into())
                    | CalledField::pack(called.into())
                    | SuccessesField::pack(successes.into())
                    | LeaseField::pack(lease)
            }
        };
        let forced = match gate.forced {
            Forced::None => 0,
            Forced::Open => 1,
            Forced::Closed => 2,
            Forced::Observe => 3,
        };
        Self(
            phase
                | ForcedField::pack(forced)
                | BannedField::pack(gate.banned.into())
                | LimitedField::pack(gate.limited.into())
                | BackoffField::pack(gate.backoff.into())
                | GenerationField::pack(gate.generation.0.into()),
        )
    }
}

packed!(GateWord);

#[cfg(all(test, not(peerguard_loom)))]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_gate() -> impl Strategy<Value = Gate> {
        let phase = prop_oneof![
            (0u64..1 << TICK_BITS).prop_map(|since| Phase::Closed { since }),
            (0u64..1 << TICK_BITS).prop_map(|until| Phase::Open { until }),
            (0u8..16, 0u8..16, 0u8..16, 0u64..1 << LEASE_BITS)
                .prop_map(|(probes, called, successes, lease)| Phase::HalfOpen { probes, called, successes, lease }),
        ];
        let forced = prop_oneof![Just(Forced::None), Just(Forced::Open), Just(Forced::Closed), Just(Forced::Observe)];
        (phase, forced, any::<bool>(), any::<bool>(), 0u8..32, 0u16..1 << 14).prop_map(
            |(phase, forced, banned, limited, backoff, generation)| Gate {
                phase,
                forced,
                banned,
                limited,
                backoff,
                generation: Generation::new(generation),
            },
        )
    }

    proptest! {
        #[test]
        fn a_gate_survives_its_word(gate in any_gate()) {
            let word = GateWord::from(gate);
            prop_assert_eq!(word.gate(), gate);
            let plain = gate.state() == BreakerState::Closed && gate.forced == Forced::None && !gate.banned;
            prop_assert_eq!(word.admits(), plain);
            prop_assert_eq!(word.limited(), gate.limited);
        }
    }

    #[test]
    fn a_generation_wraps_past_zero() {
        assert_eq!(Generation::new(0x3fff).next(), Generation::new(1));
    }
}
