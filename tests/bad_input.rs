//! Bad input gets a typed error that names the field or the position; nothing panics and nothing changes.

use std::fmt::Debug;
use std::time::Duration;

use peerguard::{
    Clock, Config, Direction, Error, FailureRate, Limits, Outcome, PeerGuard, PeerId, PeerIdError, PeerLimits, Traffic,
};

const DAY: Duration = Duration::from_secs(86_400);
const NS: Duration = Duration::from_nanos(1);
const TOP_RATE: u64 = 1 << 40;

/// The field that a guard of this configuration is refused for; `None` when it is made.
fn refused(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
    let mut config = Config { max_peers: 16, ..Config::default() };
    change(&mut config);
    let error = PeerGuard::with_clock(config.clone(), Clock::manual(0).0).err();
    assert_eq!(error, config.validate().err());
    let error = error?;
    assert!(error.to_string().contains(error.field()), "{error}");
    assert!(error.to_string().len() > error.field().len() + 5, "says nothing about what is allowed: {error}");
    Some(error.field())
}

/// Asserts that each bad value names the field and each good one is taken.
fn check<T: Clone + Debug>(name: &str, set: impl Fn(&mut Config, T), good: &[T], bad: &[T]) {
    let name = name.replace(' ', "");
    for value in good {
        assert_eq!(refused(|config| set(config, value.clone())), None, "{name} = {value:?} is allowed");
    }
    for value in bad {
        assert_eq!(refused(|config| set(config, value.clone())), Some(name.as_str()), "{name} = {value:?}");
    }
}

macro_rules! field {
    ($($path:ident).+, good: $good:expr, bad: $bad:expr $(,)?) => {
        check(stringify!($($path).+), |config, value| config.$($path).+ = value, &$good, &$bad)
    };
}

#[test]
fn the_defaults_are_allowed() {
    assert_eq!(Config::default().validate(), Ok(()));
    assert_eq!(Config::classic().validate(), Ok(()));
}

#[test]
fn the_table_and_the_event_ring_have_bounds() {
    field!(max_peers, good: [1, 1 << 10], bad: [0, (1 << 26) + 1, usize::MAX]);
    field!(event_capacity, good: [1, 1 << 12], bad: [0, (1 << 20) + 1, usize::MAX]);
}

#[test]
fn each_breaker_field_out_of_range_is_named() {
    field!(circuit_breaker.failure_threshold, good: [1, 31], bad: [0, 32, u32::MAX]);
    field!(circuit_breaker.success_threshold, good: [1, 15], bad: [0, 16, u32::MAX]);
    field!(circuit_breaker.half_open_max_probes, good: [None, Some(1), Some(15)], bad: [Some(0), Some(16), Some(u32::MAX)]);
    let recovery_timeout = |config: &mut Config, value| {
        config.circuit_breaker.recovery_timeout = value;
        config.circuit_breaker.max_open_time = DAY;
    };
    let bad = [Duration::ZERO, Duration::from_millis(1) - NS, DAY + NS, Duration::MAX];
    check("circuit_breaker.recovery_timeout", recovery_timeout, &[Duration::from_millis(1), DAY], &bad);
    field!(
        circuit_breaker.probe_timeout,
        good: [None, Some(Duration::from_millis(1)), Some(DAY)],
        bad: [Some(Duration::ZERO), Some(DAY + NS), Some(Duration::MAX)]
    );
    field!(circuit_breaker.failure_window, good: [8 * NS, DAY], bad: [Duration::ZERO, 7 * NS, DAY + NS, Duration::MAX]);
    field!(
        circuit_breaker.max_open_time,
        good: [Duration::from_secs(30), DAY],
        bad: [Duration::ZERO, Duration::from_secs(30) - NS, DAY + NS, Duration::MAX]
    );
    field!(circuit_breaker.jitter, good: [0.0, 1.0], bad: [f64::NAN, f64::INFINITY, -0.001, 1.001, f64::NEG_INFINITY]);
}

#[test]
fn each_part_of_the_failure_rate_is_named() {
    let rate =
        |rate, min_calls| refused(|config| config.circuit_breaker.failure_rate = Some(FailureRate { rate, min_calls }));
    assert_eq!(rate(1.0, 1), None);
    assert_eq!(rate(1e-9, 65_535), None);
    for bad in [f64::NAN, f64::INFINITY, 0.0, -0.5, 1.000_001] {
        assert_eq!(rate(bad, 20), Some("circuit_breaker.failure_rate.rate"), "{bad}");
    }
    for bad in [0, 65_536, u32::MAX] {
        assert_eq!(rate(0.5, bad), Some("circuit_breaker.failure_rate.min_calls"), "{bad}");
    }
}

#[test]
fn each_reputation_field_out_of_range_is_named() {
    field!(reputation.initial_score, good: [1.0, 99.0], bad: [f64::NAN, f64::INFINITY, 0.0, -1.0, 100.0, 1e300]);
    field!(reputation.max_score, good: [50.1, 100.0], bad: [f64::NAN, f64::INFINITY, 0.0, -1.0, 100.1]);
    field!(reputation.min_score, good: [0.0, 24.9], bad: [f64::NAN, f64::NEG_INFINITY, -0.1, 25.0, 50.0, 1e9]);
    field!(
        reputation.hourly_decay_factor,
        good: [1e-9, 0.5, 1.0],
        bad: [f64::NAN, f64::INFINITY, 0.0, -0.5, 1.000_001]
    );
    field!(
        reputation.ban_duration,
        good: [None, Some(Duration::from_millis(1)), Some(DAY)],
        bad: [Some(Duration::ZERO), Some(Duration::MAX), Some(10_000 * DAY)]
    );
    field!(
        reputation.max_ban_duration,
        good: [Duration::from_secs(3600), 3650 * DAY],
        bad: [Duration::ZERO, Duration::from_secs(3600) - NS, 10_000 * DAY, Duration::MAX]
    );
    field!(
        reputation.offence_memory,
        good: [Duration::from_secs(1), 3650 * DAY],
        bad: [Duration::ZERO, NS, 10_000 * DAY, Duration::MAX]
    );
    field!(reputation.latency_weight, good: [0.0, 10.0], bad: [f64::NAN, f64::INFINITY, -0.1, 10.1]);
}

/// Scores are kept in 2^-25 points: what is one score there is no range.
#[test]
fn scores_are_compared_as_they_are_kept() {
    const UNIT: f64 = 1.0 / (1 << 25) as f64;
    let set = |config: &mut Config, [min, initial, max]: [f64; 3]| {
        let reputation = &mut config.reputation;
        (reputation.min_score, reputation.initial_score, reputation.max_score) = (min, initial, max);
    };
    let scores = |scores| refused(|config| set(config, scores));
    for max in [1e-9, 0.49 * UNIT] {
        assert_eq!(scores([0.0, max / 2.0, max]), Some("reputation.max_score"), "{max}");
    }
    for bad in [[0.0, 1e-8, 2e-8], [0.0, UNIT, 1.0], [0.0, 50.0, 50.0 + 1e-9], [0.0, 2.0 * UNIT, 2.4 * UNIT]] {
        assert_eq!(scores(bad), Some("reputation.initial_score"), "{bad:?}");
    }
    for bad in [[25.0 - 1e-9, 50.0, 100.0], [0.5 * UNIT, 2.0 * UNIT, 1.0], [1.0 - 0.4 * UNIT, 2.0, 100.0]] {
        assert_eq!(scores(bad), Some("reputation.min_score"), "{bad:?}");
    }
    for good in [[0.0, 2.0 * UNIT, 3.0 * UNIT], [0.4 * UNIT, 1.6 * UNIT, 2.5 * UNIT], [1.0 - UNIT, 2.0, 2.0 + UNIT]] {
        assert_eq!(scores(good), None, "{good:?}");
        let mut config = Config { max_peers: 16, ..Config::default() };
        set(&mut config, good);
        let guard = PeerGuard::with_clock(config, Clock::manual(0).0).unwrap();
        let peer = PeerId::new([7; 32]);
        let _recorded = guard.report(&peer, Outcome::SyncFailure, None, Traffic::NONE);
        assert!(guard.is_banned(&peer), "{good:?}: a loss of five points bans");
    }
}

#[test]
fn each_weight_out_of_range_is_named() {
    macro_rules! weight {
        ($($name:ident),+) => {$(
            field!(
                reputation.weights.$name,
                good: [0.0, -100.0, 100.0],
                bad: [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -100.1, 100.1]
            );
        )+};
    }
    weight!(sync_success, sync_failure, message_success, message_failure, timeout, unreachable, protocol_violation);
}

#[test]
fn each_rate_and_the_interval_out_of_range_are_named() {
    const ABOVE: u64 = (1 << 63) + 1;
    field!(bandwidth.upload_limit_bps, good: [0, 1, TOP_RATE], bad: [TOP_RATE + 1, ABOVE, u64::MAX]);
    field!(bandwidth.download_limit_bps, good: [0, 1, TOP_RATE], bad: [TOP_RATE + 1, ABOVE, u64::MAX]);
    field!(bandwidth.per_peer_upload_bps, good: [0, 1, TOP_RATE], bad: [TOP_RATE + 1, ABOVE, u64::MAX]);
    field!(bandwidth.per_peer_download_bps, good: [0, 1, TOP_RATE], bad: [TOP_RATE + 1, ABOVE, u64::MAX]);
    field!(
        bandwidth.refill_interval,
        good: [NS, Duration::from_secs(3600)],
        bad: [Duration::ZERO, Duration::from_secs(3600) + NS, Duration::MAX]
    );
}

#[test]
fn every_rate_and_interval_at_the_ends_of_their_ranges_works() {
    for interval in [NS, Duration::from_micros(1), Duration::from_secs(3600)] {
        for rate in [1, 9, 1 << 20, TOP_RATE] {
            let mut config = Config { max_peers: 16, ..Config::default() };
            config.bandwidth.upload_limit_bps = rate;
            config.bandwidth.per_peer_upload_bps = rate;
            config.bandwidth.refill_interval = interval;
            let (clock, hand) = Clock::manual(u64::MAX >> 1);
            let guard = PeerGuard::with_clock(config, clock).unwrap();
            let peer = PeerId::new([7; 32]);
            assert!(guard.try_upload(&peer, 1), "a full bucket holds at least one byte: {rate} {interval:?}");
            assert!(!guard.try_upload(&peer, u64::MAX));
            hand.advance(Duration::from_secs(36_000));
            assert!(guard.try_upload(&peer, 1));
        }
    }
}

#[test]
fn limits_out_of_range_are_refused_and_change_nothing() {
    let guard = PeerGuard::with_clock(Config { max_peers: 16, ..Config::default() }, Clock::manual(0).0).unwrap();
    let peer = PeerId::new([1; 32]);
    let before = Limits { upload: 10, download: 20, per_peer_upload: 30, per_peer_download: 40 };
    guard.update_limits(before).unwrap();
    for bad in [TOP_RATE + 1, (1 << 63) + 1, u64::MAX] {
        for (limits, field) in [
            (Limits { upload: bad, ..Limits::default() }, "upload"),
            (Limits { download: bad, ..Limits::default() }, "download"),
            (Limits { per_peer_upload: bad, ..Limits::default() }, "per_peer_upload"),
            (Limits { per_peer_download: bad, ..Limits::default() }, "per_peer_download"),
        ] {
            assert_eq!(guard.update_limits(limits).unwrap_err().field(), field);
            assert_eq!(guard.limits(), before);
        }
        for (limits, field) in [
            (PeerLimits { upload: Some(bad), download: None }, "upload"),
            (PeerLimits { upload: None, download: Some(bad) }, "download"),
        ] {
            match guard.set_peer_limits(&peer, limits) {
                Err(Error::Config(error)) => assert_eq!(error.field(), field),
                other => panic!("{other:?}"),
            }
            assert!(guard.view(&peer).is_none(), "a refused call made a record");
        }
    }
    guard.update_limits(Limits { upload: TOP_RATE, ..before }).unwrap();
    guard.set_peer_limits(&peer, PeerLimits { upload: Some(TOP_RATE), download: Some(0) }).unwrap();
}

#[test]
fn a_latency_that_is_no_time_is_refused_and_changes_nothing() {
    let (clock, hand) = Clock::manual(5);
    let guard = PeerGuard::with_clock(Config { max_peers: 16, ..Config::default() }, clock).unwrap();
    let (known, unknown) = (PeerId::new([1; 32]), PeerId::new([2; 32]));
    let _ = guard.record_success(&known, Some(20.0)).unwrap();
    let before = shown(&guard, &known);
    let totals = format!("{:?}", guard.get_summary());
    hand.advance(Duration::ZERO);
    for bad in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-300, f64::MIN] {
        for peer in [&known, &unknown] {
            let error = guard.record_success(peer, Some(bad)).unwrap_err();
            assert_eq!(error.milliseconds.to_bits(), bad.to_bits());
            assert!(error.to_string().contains("latency"), "{error}");
        }
    }
    assert_eq!(shown(&guard, &known), before);
    assert!(guard.view(&unknown).is_none());
    assert_eq!(format!("{:?}", guard.get_summary()), totals);
}

/// A view without its wall-clock times, which are reckoned from the moment of the view.
fn shown(guard: &PeerGuard, peer: &PeerId) -> String {
    let text = format!("{:?}", guard.view(peer));
    let end = text.find("first_seen").expect("a view tells when the peer was first seen");
    text[..end].to_owned()
}

/// Any finite latency is a time, however long.
#[test]
fn extreme_latencies_are_kept_finite() {
    let guard = PeerGuard::with_clock(Config { max_peers: 16, ..Config::default() }, Clock::manual(5).0).unwrap();
    let peer = PeerId::new([1; 32]);
    for latency in [0.0, -0.0, 1e-300, f64::MIN_POSITIVE, 1e300, f64::MAX, f64::MAX, 1.0] {
        let _ = guard.record_success(&peer, Some(latency)).unwrap();
        let average = guard.view(&peer).unwrap().latency_ms.unwrap();
        assert!(average.is_finite() && average >= 0.0, "{average} after {latency}");
        assert_eq!(guard.top_peers(10).len(), 1);
        assert_eq!(guard.sync_candidates(10).len(), 1);
    }
    let _ = guard.report(&peer, Outcome::SyncSuccess, Some(Duration::MAX), Traffic::default());
    assert!(guard.view(&peer).unwrap().latency_ms.unwrap().is_finite());
}

#[test]
fn ids_of_another_length_are_refused() {
    for length in (0..100).filter(|&length| length != 32) {
        let bytes = vec![0xab; length];
        assert_eq!(PeerId::from_slice(&bytes), Err(PeerIdError::Length { found: length, expected: 32 }));
        assert_eq!(PeerId::digest(&bytes), PeerId::digest(&bytes));
    }
    for length in (0..200).filter(|&length| length != 64) {
        let error = "a".repeat(length).parse::<PeerId>().unwrap_err();
        assert_eq!(error, PeerIdError::Length { found: length, expected: 64 });
        assert!(error.to_string().contains("64"), "{error}");
    }
    assert_eq!(PeerId::from_slice(&[9; 32]), Ok(PeerId::new([9; 32])));
}

#[test]
fn ids_that_are_not_hex_are_refused_with_the_position() {
    let good = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789";
    let id: PeerId = good.parse().unwrap();
    assert_eq!(id.to_string(), good.to_lowercase());
    for position in 0..64 {
        for bad in ['g', 'G', ' ', '/', ':', '@', '`', '-', '+', '\0', '\u{7f}'] {
            let mut text: Vec<char> = good.chars().collect();
            text[position] = bad;
            let text: String = text.into_iter().collect();
            let error = text.parse::<PeerId>().unwrap_err();
            assert_eq!(error, PeerIdError::NotHex { position });
            assert!(error.to_string().contains(&position.to_string()), "{error}");
        }
    }
    // 64 bytes, but not 64 digits: a letter of two bytes starts at 10.
    let text = format!("{}é{}", "a".repeat(10), "b".repeat(52));
    assert_eq!(text.parse::<PeerId>(), Err(PeerIdError::NotHex { position: 10 }));
}

/// Numbers at the ends of their types pass through every call that takes one.
#[test]
fn extreme_numbers_do_not_panic() {
    let mut config = Config { max_peers: 16, ..Config::default() };
    config.bandwidth.upload_limit_bps = TOP_RATE;
    config.bandwidth.per_peer_download_bps = 1;
    for start in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        let (clock, hand) = Clock::manual(start);
        let guard = PeerGuard::with_clock(config.clone(), clock).unwrap();
        let peer = PeerId::new([3; 32]);
        for _ in 0..3 {
            for direction in [Direction::Upload, Direction::Download] {
                for bytes in [0, 1, u64::MAX / 2, u64::MAX] {
                    drop(guard.admit_bytes(&peer, direction, bytes));
                    if let Ok(mut permit) = guard.grant_up_to(&peer, direction, bytes) {
                        permit.refund(u64::MAX);
                        let traffic = Traffic { sent: u64::MAX, received: u64::MAX };
                        let _ = permit.record(Outcome::Timeout, Some(Duration::MAX), traffic);
                    }
                }
            }
            guard.ban(&peer, Some(Duration::MAX), 255).unwrap();
            // At the very end of time no ban can outlast the moment.
            assert!(start > u64::MAX / 2 || guard.is_banned(&peer));
            guard.ban(&peer, None, 0).unwrap();
            assert!(guard.is_banned(&peer));
            let _ = (guard.explain(&peer), guard.view(&peer), guard.snapshot());
            assert!(guard.unban(&peer));
            let _ = (guard.top_peers(usize::MAX), guard.sync_candidates(usize::MAX), guard.drain_events(usize::MAX));
            let _ = (guard.top_peers(0), guard.get_sync_candidates(0), guard.drain_events(0));
            hand.step_back(Duration::from_secs(5));
        }
    }
}
