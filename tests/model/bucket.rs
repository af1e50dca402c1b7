//! A byte bucket as a debt in time (GCRA), in plain 128-bit arithmetic.

/// Parts of a nanosecond that a debt is kept in.
pub const UNITS: i128 = 1024;
/// A debt this far above the burst can only come from a clock that stepped back.
const STEP_BACK: i128 = (1 << 34) * UNITS;
/// What one request finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    Fits,
    /// Passes after this many units.
    Later(i128),
    Never,
}

/// Rate and burst of one direction and scope.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Bytes per second, never 0: an unlimited direction has no terms.
    rate: i128,
    burst: i128,
}

impl Terms {
    pub fn new(rate: u64, refill_interval_ns: i128) -> Option<Self> {
        let rate = i128::from(rate);
        (rate > 0).then(|| Self { rate, burst: (refill_interval_ns * 10 * UNITS).max(cost(1, rate)) })
    }

    pub fn bytes_per_second(&self) -> u64 {
        self.rate as u64
    }

    /// Bytes that a full bucket holds.
    pub fn burst_bytes(&self) -> u64 {
        self.bytes_within(self.burst)
    }

    fn bytes_within(&self, units: i128) -> u64 {
        (units * self.rate / (1_000_000_000 * UNITS)) as u64
    }

    pub fn cost(&self, bytes: u64) -> i128 {
        cost(bytes, self.rate)
    }

    /// Bytes that cost so many units, at least one of them in part.
    #[allow(dead_code, reason = "as for `short_by`")]
    pub fn bytes_of(&self, units: i128) -> u64 {
        self.bytes_within(units) + 1
    }

    /// The part of the burst that may be lent to threads.
    #[allow(dead_code, reason = "as for `short_by`")]
    pub fn lent(&self) -> i128 {
        self.burst / 8
    }
}

fn cost(bytes: u64, rate: i128) -> i128 {
    let per_second = 1_000_000_000 * UNITS;
    let whole = i128::from(bytes) * per_second;
    whole / rate + i128::from(whole % rate != 0)
}

/// The moment at which the bucket will be, or was, full again.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    full_at: i128,
}

impl Bucket {
    pub fn full(now: u64) -> Self {
        Self { full_at: i128::from(now) * UNITS }
    }

    pub fn debt(&self, now: u64, terms: &Terms) -> i128 {
        let debt = self.full_at - i128::from(now) * UNITS;
        if debt <= 0 || debt > terms.burst + STEP_BACK { 0 } else { debt.min(terms.burst) }
    }

    pub fn used(&self, now: u64, terms: &Terms) -> f64 {
        self.debt(now, terms) as f64 / terms.burst as f64
    }

    pub fn fit(&self, now: u64, bytes: u64, terms: &Terms) -> Fit {
        let cost = terms.cost(bytes);
        if cost > terms.burst {
            return Fit::Never;
        }
        let over = self.debt(now, terms) + cost - terms.burst;
        if over <= 0 { Fit::Fits } else { Fit::Later(over) }
    }

    /// As [`Self::fit`], when the bucket has less than it should by up to so many units: the least and the most that it may have
    /// to wait for; `None` if it fits all the same.
    #[allow(dead_code, reason = "not every test that shares the model has threads")]
    pub fn short_by(&self, now: u64, bytes: u64, missing: i128, terms: &Terms) -> Option<(i128, i128)> {
        let over = self.debt(now, terms) + terms.cost(bytes) - terms.burst;
        (over + missing > 0 && terms.cost(bytes) <= terms.burst).then(|| (over.max(1), over + missing))
    }

    /// The most bytes that would fit now.
    pub fn room(&self, now: u64, terms: &Terms) -> u64 {
        terms.bytes_within(terms.burst - self.debt(now, terms))
    }

    /// Takes without asking; the charge comes back for a refund.
    pub fn take(&mut self, now: u64, bytes: u64, terms: &Terms) -> i128 {
        let cost = terms.cost(bytes);
        self.full_at = i128::from(now) * UNITS + self.debt(now, terms) + cost;
        cost
    }

    /// Undoes a take that left the bucket as in `left`: what time has paid for by now does not come back.
    #[allow(dead_code, reason = "as for `short_by`")]
    pub fn undo(&mut self, left: &Self, now: u64, bytes: u64, terms: &Terms) {
        let owed = left.full_at - i128::from(now) * UNITS;
        self.full_at -= terms.cost(bytes).min(owed.max(0));
    }

    pub fn give_back(&mut self, units: i128) {
        self.full_at -= units;
    }
}
