//! Quantiles over the peers' average latencies.

use hdrhistogram::Histogram;

/// Quantiles over the peers' average latencies, in milliseconds, to three digits.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LatencyQuantiles {
    /// Peers that have a latency.
    pub peers: u64,
    /// Half of the peers are at most this slow.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// 99 in a hundred.
    pub p99: f64,
    /// 999 in a thousand.
    pub p999: f64,
}

/// Longest latency that is told apart: a day, in microseconds.
const LONGEST: u64 = 24 * 3600 * 1_000_000;

impl LatencyQuantiles {
    /// `each` hands over every average, in any order.
    pub(crate) fn of(each: impl FnOnce(&mut dyn FnMut(f64))) -> Option<Self> {
        // The bounds are constants within the crate's documented range; without a histogram there are no quantiles.
        let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST, 3).ok()?;
        each(&mut |milliseconds| histogram.saturating_record((milliseconds * 1000.0).round() as u64));
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let peers = histogram.len();
        (peers != 0).then(|| Self { peers, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) })
    }
}
