//! Decay of a score towards its initial value, in integers.
//!
//! The distance shrinks by `factor^(1/3600)` each second (the original's `0.99^hours`). The powers for 1, 2, 4, … seconds
//! are tabled to 62 bits and multiplied up for a whole span first, so that a span costs one rounding of the score however
//! long it is. Decay is applied by whole steps of time: one second for the default factor, longer for slower decays, so
//! that a write each step still moves the score by more than its rounding.

/// Bits behind the point of a tabled power.
const POWER_BITS: u32 = 62;
/// Spans of up to 2^28 steps.
const POWERS: usize = 28;
/// The factor whose step is one second.
const ONE_SECOND_FACTOR: f64 = 0.99;

#[derive(Clone, Debug)]
pub(crate) struct Decay {
    powers: [u64; POWERS],
    /// Seconds in a step.
    step: u64,
}

impl Decay {
    /// `factor`: what remains after an hour, above 0 and at most 1.
    pub(crate) fn new(factor: f64) -> Self {
        let step = if factor < 1.0 { (ONE_SECOND_FACTOR.ln() / factor.ln()).floor().clamp(1.0, 3600.0) } else { 1.0 };
        let per_step = factor.ln() * step / 3600.0;
        let powers =
            std::array::from_fn(|i| ((per_step * (1u64 << i) as f64).exp() * (1u64 << POWER_BITS) as f64) as u64);
        Self { powers, step: step as u64 }
    }

    /// The whole steps in `seconds`, as seconds.
    pub(crate) fn whole(&self, seconds: u64) -> u64 {
        // The division is for the rest: most guards keep the default.
        if self.step == 1 { seconds } else { seconds - seconds % self.step }
    }

    /// The most seconds after which no more than `loss` of `distance` is gone; below 2^27, which a stamp of 28 bits can tell.
    pub(super) fn lasts(&self, distance: u64, loss: u64) -> u64 {
        let kept = |&seconds: &u64| {
            let left = self.apply(distance as i64, self.whole(seconds));
            distance - left as u64 <= loss
        };
        let (mut least, mut beyond) = (0, 1 << 27);
        while beyond - least > 1 {
            let middle = (least + beyond) / 2;
            if kept(&middle) { least = middle } else { beyond = middle }
        }
        least
    }

    /// What is left of `distance` after `seconds` (whole steps), rounded to the nearest.
    pub(crate) fn apply(&self, distance: i64, seconds: u64) -> i64 {
        let mut steps = if self.step == 1 { seconds } else { seconds / self.step };
        if steps == 0 || distance == 0 {
            return distance;
        }
        if steps >> POWERS != 0 {
            return 0;
        }
        let mut factor = 1u64 << POWER_BITS;
        while steps != 0 {
            let power = self.powers[steps.trailing_zeros() as usize];
            factor = ((u128::from(factor) * u128::from(power)) >> POWER_BITS) as u64;
            steps &= steps - 1;
        }
        let left = (u128::from(distance.unsigned_abs()) * u128::from(factor) + (1 << (POWER_BITS - 1))) >> POWER_BITS;
        left as i64 * distance.signum()
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_span_follows_the_formula(distance in -(100i64 << 25)..100 << 25, seconds in 0u64..40_000_000) {
            let exact = distance as f64 * 0.99f64.powf(seconds as f64 / 3600.0);
            let ours = Decay::new(0.99).apply(distance, seconds) as f64;
            prop_assert!((ours - exact).abs() <= 0.6 + exact.abs() * 1e-12, "{ours} {exact}");
        }
    }

    #[test]
    fn thirty_days_of_writes_stay_within_a_hundredth_of_a_point() {
        let decay = Decay::new(0.99);
        for every in [1, 2, 7, 59, 3600, 40_000] {
            let mut distance = -50i64 << 25;
            let mut now = 0;
            while now + every <= 30 * 24 * 3600 {
                now += every;
                distance = decay.apply(distance, every);
                let exact = -50.0 * 0.99f64.powf(now as f64 / 3600.0);
                let ours = distance as f64 / (1u64 << 25) as f64;
                assert!((ours - exact).abs() < 0.01, "every {every} s, after {now} s: {ours} {exact}");
            }
        }
    }

    #[test]
    fn slow_decays_take_longer_steps() {
        assert_eq!(Decay::new(1.0).apply(1000, 1 << 20), 1000);
        assert_eq!(Decay::new(0.99).whole(7), 7);
        assert_eq!(Decay::new(0.9999).whole(205), 200);
    }
}
