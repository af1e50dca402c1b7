//! Configurations and starting times of the sequences.

use std::time::Duration;

use fastrand::Rng;
use peerguard::{Config, FailureRate};

use crate::reference::calls::rate;

pub fn config(seed: u64) -> Config {
    let mut rng = Rng::with_seed(seed ^ 0x636f_6e66);
    let mut config = if rng.u8(..8) == 0 { Config::classic() } else { Config::default() };
    config.max_peers = 64;
    config.event_capacity = 256;
    let breaker = &mut config.circuit_breaker;
    if rng.u8(..4) > 0 {
        breaker.jitter = 0.0;
    }
    if rng.bool() {
        breaker.failure_threshold = rng.u32(1..=6);
        breaker.success_threshold = rng.u32(1..=3);
        breaker.half_open_max_probes = [None, Some(1), Some(2), Some(5), Some(15)][rng.usize(..5)];
    }
    if rng.bool() {
        breaker.recovery_timeout = time(&mut rng);
        breaker.max_open_time = breaker.recovery_timeout.max(time(&mut rng));
        breaker.failure_window = [
            Duration::from_nanos(rng.u64(8..1000)),
            Duration::from_nanos(rng.u64(8..60_000_000_000)),
            Duration::from_secs(rng.u64(1..86_400)),
        ][rng.usize(..3)];
    }
    if rng.bool() {
        breaker.probe_timeout = Some(time(&mut rng));
    }
    if rng.u8(..3) == 0 {
        breaker.failure_rate = Some(FailureRate { rate: rng.f64().max(0.05), min_calls: rng.u32(1..12) });
    }
    let reputation = &mut config.reputation;
    if rng.bool() {
        reputation.initial_score = f64::from(rng.u32(40..=120)) / 2.0;
        reputation.max_score = f64::from(rng.u32(130..=200)) / 2.0;
        reputation.min_score = f64::from(rng.u32(0..20)) / 2.0;
    }
    reputation.hourly_decay_factor = [0.99, 0.99, 0.9, 0.01, 1.0][rng.usize(..5)];
    if rng.bool() {
        reputation.ban_duration = [None, Some(time(&mut rng)), Some(Duration::from_secs(60))][rng.usize(..3)];
        reputation.max_ban_duration = reputation.ban_duration.unwrap_or_default().max(time(&mut rng) * 50);
        reputation.offence_memory = Duration::from_secs(rng.u64(1..200_000));
    }
    if rng.u8(..4) == 0 {
        reputation.weights.sync_success = 10.0;
        reputation.weights.sync_failure = -25.5;
        reputation.weights.timeout = 0.0;
    }
    let bandwidth = &mut config.bandwidth;
    for limit in [
        &mut bandwidth.upload_limit_bps,
        &mut bandwidth.download_limit_bps,
        &mut bandwidth.per_peer_upload_bps,
        &mut bandwidth.per_peer_download_bps,
    ] {
        if rng.bool() {
            *limit = rate(&mut rng);
        }
    }
    if rng.u8(..3) == 0 {
        bandwidth.refill_interval = Duration::from_nanos(1 << rng.u32(..36));
    }
    config
}

/// From a millisecond to a day.
fn time(rng: &mut Rng) -> Duration {
    let top = [1_000_000u64, 1_000_000_000, 100_000_000_000, 86_400_000_000_000][rng.usize(..4)];
    Duration::from_nanos(rng.u64(1_000_000..=top))
}

/// Where the clock starts: often just before a field of a word wraps.
pub fn start(seed: u64, slice_ns: u64) -> u64 {
    let mut rng = Rng::with_seed(seed ^ 0x7374_6172);
    let bits = rng.u32(1..45);
    let before = rng.u64(..1 << bits);
    let wrap = match rng.u32(..6) {
        0 => return before,
        1 => rng.u64(..1 << 60),
        2 => 1_000_000_000u64 << [28, 32][rng.usize(..2)],
        3 => slice_ns.saturating_mul(1 << rng.u32(8..24)).min(1 << 62),
        _ => 1 << [30, 34, 45, 46, 47, 52, 53, 54, 58, 59, 60, 61, 62, 63][rng.usize(..14)],
    };
    wrap.saturating_sub(before)
}
