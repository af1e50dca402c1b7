//! Medians and quartiles of a handful of rounds.

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Quartiles {
    /// Of at least one value; between two values it interpolates linearly.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let place = q * (sorted.len() - 1) as f64;
            let below = sorted[place.floor() as usize];
            let above = sorted[place.ceil() as usize];
            below + (above - below) * place.fract()
        };
        Quartiles { low: at(0.25), median: at(0.5), high: at(0.75) }
    }

    /// Of the ratios `above[i] / below[i]`: each round is compared with itself only.
    pub fn of_ratios(above: &[f64], below: &[f64]) -> Self {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(a, b)| a / b).collect();
        Self::of(&ratios)
    }

    pub fn spread(self) -> f64 {
        self.high - self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_five_values_are_the_second_third_and_fourth() {
        let q = Quartiles::of(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((q.low, q.median, q.high), (2.0, 3.0, 4.0));
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine is ten times slower in the last round; the ratio does not see it.
        let q = Quartiles::of_ratios(&[4.0, 4.0, 40.0], &[2.0, 2.0, 20.0]);
        assert_eq!((q.median, q.spread()), (2.0, 0.0));
    }
}
