//! Any configuration is refused with the name of a field, or gives a guard that keeps its promises.

use peerguard::{
    BandwidthConfig, CircuitBreakerConfig, Clock, Config, FailureRate, Newcomers, PeerGuard, ReputationConfig, Weights,
};

use super::play::play;
use super::reader::Reader;

/// A field as it is by default, or as the input has it: so that configurations with few wrong fields are met.
fn field<'a, T>(reader: &mut Reader<'a>, default: T, drawn: impl FnOnce(&mut Reader<'a>) -> T) -> T {
    if reader.below(4) == 0 { drawn(reader) } else { default }
}

pub fn config(r: &mut Reader<'_>) -> Config {
    let default = Config::default();
    let breaker = default.circuit_breaker;
    let reputation = default.reputation;
    let weights = reputation.weights;
    let bandwidth = default.bandwidth;
    Config {
        // No more than fits the machine that searches: what is larger is another test's.
        max_peers: field(r, 16, |r| r.u32() as usize % 300),
        event_capacity: field(r, 32, |r| r.u32() as usize % 300),
        newcomers: if r.bool() { Newcomers::Untracked } else { Newcomers::Refuse },
        circuit_breaker: CircuitBreakerConfig {
            failure_threshold: field(r, breaker.failure_threshold, Reader::u32),
            recovery_timeout: field(r, breaker.recovery_timeout, Reader::duration),
            success_threshold: field(r, breaker.success_threshold, Reader::u32),
            failure_window: field(r, breaker.failure_window, Reader::duration),
            failure_rate: field(r, breaker.failure_rate, |r| {
                r.option(|r| FailureRate { rate: r.f64(), min_calls: r.u32() })
            }),
            half_open_max_probes: field(r, breaker.half_open_max_probes, |r| r.option(Reader::u32)),
            probe_timeout: field(r, breaker.probe_timeout, |r| r.option(Reader::duration)),
            backoff: field(r, breaker.backoff, Reader::bool),
            max_open_time: field(r, breaker.max_open_time, Reader::duration),
            jitter: field(r, breaker.jitter, Reader::f64),
        },
        reputation: ReputationConfig {
            initial_score: field(r, reputation.initial_score, Reader::f64),
            max_score: field(r, reputation.max_score, Reader::f64),
            min_score: field(r, reputation.min_score, Reader::f64),
            hourly_decay_factor: field(r, reputation.hourly_decay_factor, Reader::f64),
            ban_duration: field(r, reputation.ban_duration, |r| r.option(Reader::duration)),
            max_ban_duration: field(r, reputation.max_ban_duration, Reader::duration),
            offence_memory: field(r, reputation.offence_memory, Reader::duration),
            latency_weight: field(r, reputation.latency_weight, Reader::f64),
            weights: Weights {
                sync_success: field(r, weights.sync_success, Reader::f64),
                sync_failure: field(r, weights.sync_failure, Reader::f64),
                message_success: field(r, weights.message_success, Reader::f64),
                message_failure: field(r, weights.message_failure, Reader::f64),
                timeout: field(r, weights.timeout, Reader::f64),
                unreachable: field(r, weights.unreachable, Reader::f64),
                protocol_violation: field(r, weights.protocol_violation, Reader::f64),
            },
        },
        bandwidth: BandwidthConfig {
            upload_limit_bps: field(r, bandwidth.upload_limit_bps, Reader::u64),
            download_limit_bps: field(r, bandwidth.download_limit_bps, Reader::u64),
            per_peer_upload_bps: field(r, bandwidth.per_peer_upload_bps, Reader::u64),
            per_peer_download_bps: field(r, bandwidth.per_peer_download_bps, Reader::u64),
            refill_interval: field(r, bandwidth.refill_interval, Reader::duration),
        },
    }
}

pub fn run(data: &[u8]) {
    let mut reader = Reader::new(data);
    let config = config(&mut reader);
    let (clock, hand) = Clock::manual(reader.u64());
    let checked = config.validate();
    match PeerGuard::with_clock(config.clone(), clock) {
        Ok(guard) => {
            assert_eq!(checked, Ok(()));
            play(&guard, &hand, &mut reader);
        }
        Err(error) => {
            assert_eq!(checked.as_ref(), Err(&error));
            assert!(!error.field().is_empty() && error.to_string().contains(error.field()), "{error}");
        }
    }
}
