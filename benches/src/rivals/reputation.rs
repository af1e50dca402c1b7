//! The reputation that every rival keeps per peer: the same decay, weights and clamp as peerguard's.

const INITIAL: f64 = 50.0;
const HOURLY_DECAY: f64 = 0.99;
/// Weight of a new latency in the moving average.
const LATENCY_SHARE: f64 = 0.2;
const SECOND: u64 = 1_000_000_000;

/// One peer's reputation; time is in nanoseconds since the rival was made.
#[derive(Clone, Debug)]
pub struct Reputation {
    pub score: f64,
    updated: u64,
    pub successes: u64,
    pub failures: u64,
    pub latency_ms: Option<f64>,
    pub banned: bool,
}

impl Reputation {
    pub fn new(now: u64) -> Self {
        Reputation { score: INITIAL, updated: now, successes: 0, failures: 0, latency_ms: None, banned: false }
    }

    #[inline]
    pub fn success(&mut self, latency_ms: Option<f64>, now: u64) {
        self.successes += 1;
        if let Some(ms) = latency_ms {
            self.latency_ms = Some(match self.latency_ms {
                Some(average) => average + LATENCY_SHARE * (ms - average),
                None => ms,
            });
        }
        self.weigh(2.0, now);
    }

    #[inline]
    pub fn failure(&mut self, now: u64) {
        self.failures += 1;
        self.weigh(-5.0, now);
    }

    #[inline]
    fn weigh(&mut self, weight: f64, now: u64) {
        let seconds = now.saturating_sub(self.updated) / SECOND;
        if seconds > 0 {
            let kept = HOURLY_DECAY.powf(seconds as f64 / 3600.0);
            self.score = INITIAL + (self.score - INITIAL) * kept;
            self.updated += seconds * SECOND;
        }
        self.score = (self.score + weight).clamp(0.0, 100.0);
        self.banned |= self.score <= 0.0;
    }
}
