//! Byte limits from 1 B/s to 100 GB/s, asked at every spacing, under a manual clock.

mod meeting;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use meeting::Meeting;
use peerguard::{Clock, Config, Direction, Limits, ManualClock, PeerGuard, PeerId, PeerLimits, Reason};

const SECOND: u64 = 1_000_000_000;
const RATES: [u64; 13] = [
    1,
    3,
    10,
    97,
    1_000,
    65_537,
    1_000_000,
    12_345_678,
    125_000_000,
    1_000_000_000,
    7_777_777_777,
    10_000_000_000,
    100_000_000_000,
];
const SPACINGS: [u64; 12] =
    [1, 2, 7, 33, 1_000, 12_345, 1_000_000, 33_333_333, 100_000_000, 199_000_000, SECOND, 10 * SECOND];
const PEER: PeerId = PeerId::new([42; 32]);

fn guard(start: u64, change: impl FnOnce(&mut Config)) -> (PeerGuard, ManualClock) {
    let (clock, hand) = Clock::manual(start);
    let mut config = Config { max_peers: 16, ..Config::default() };
    change(&mut config);
    (PeerGuard::with_clock(config, clock).unwrap(), hand)
}

/// Grants, in order of time.
#[derive(Default)]
struct Log {
    grants: Vec<(u64, u64)>,
}

impl Log {
    fn add(&mut self, at: u64, bytes: u64) {
        self.grants.push((at, bytes));
    }

    /// Over every window at most burst + rate · T.
    ///
    /// A window of grants i..=j is too much when sum(i..=j) > burst + rate · (t_j − t_i), that is when
    /// (sum(..=j) − rate · t_j) − (sum(..i) − rate · t_i) > burst: one pass with the least of the second terms does.
    fn assert_within(&self, rate: u64, burst_ns: u64, what: &str) {
        let (rate, second) = (i128::from(rate), i128::from(SECOND));
        let burst = (rate * i128::from(burst_ns)).max(second);
        let mut sum = 0;
        let mut least = i128::MAX;
        for &(at, bytes) in &self.grants {
            let paid = rate * i128::from(at);
            least = least.min(sum - paid);
            sum += i128::from(bytes) * second;
            let over = sum - paid - least - burst;
            assert!(over <= 0, "{what}: {over} / 10^9 bytes above burst + rate · T at {at}");
        }
    }

    fn sum(&self) -> u128 {
        self.grants.iter().map(|&(_, bytes)| u128::from(bytes)).sum()
    }
}

/// Limits a scope to `rate` through the configuration.
fn limit(config: &mut Config, global: bool, rate: u64) {
    if global {
        config.bandwidth.upload_limit_bps = rate;
    } else {
        config.bandwidth.per_peer_upload_bps = rate;
    }
}

#[test]
fn no_window_gives_more_than_burst_and_rate() {
    let mut rng = Rng::with_seed(1);
    for rate in RATES {
        for spacing in SPACINGS {
            for (global, interval) in [(false, 100_000_000), (true, 100_000_000), (false, 1), (true, 999_983)] {
                // Also across the wrap of a word of 2^-10 ns.
                let start = if rng.bool() { 1_000 } else { (1 << 54) - spacing * 100 };
                let (guard, hand) = guard(start, |config| {
                    limit(config, global, rate);
                    config.bandwidth.refill_interval = Duration::from_nanos(interval);
                });
                let burst = u128::from(rate) * u128::from(interval * 10) / u128::from(SECOND);
                let burst = u64::try_from(burst).unwrap().max(1);
                let mut log = Log::default();
                for _ in 0..200 {
                    let bytes = match rng.u8(..4) {
                        0 => burst,
                        1 => rng.u64(1..=burst),
                        2 => rng.u64(1..=burst.div_ceil(10)),
                        _ => 1,
                    };
                    if rng.bool() {
                        if guard.try_upload(&PEER, bytes) {
                            log.add(hand.now(), bytes);
                        }
                    } else if let Ok(permit) = guard.grant_up_to(&PEER, Direction::Upload, bytes) {
                        log.add(hand.now(), permit.bytes());
                    }
                    hand.advance(Duration::from_nanos(rng.u64(..=2 * spacing)));
                }
                assert!(!log.grants.is_empty());
                log.assert_within(rate, interval * 10, &format!("{rate} B/s, spacing {spacing} ns"));
            }
        }
    }
}

/// A caller that asks for as much as there is, at each spacing, over so many polls that the burst hardly matters.
#[test]
fn a_caller_that_always_asks_gets_the_rate_at_any_spacing() {
    for rate in RATES {
        for spacing in SPACINGS {
            // The burst holds two spacings and a few bytes; what does not fit into it is forfeited by design.
            let interval = (spacing / 5).max(100_000).max(SECOND.div_ceil(rate));
            let (guard, hand) = guard(77, |config| {
                limit(config, rate % 2 == 0, rate);
                config.bandwidth.refill_interval = Duration::from_nanos(interval);
            });
            let mut log = Log::default();
            while let Ok(permit) = guard.grant_up_to(&PEER, Direction::Upload, u64::MAX) {
                log.add(hand.now(), permit.bytes());
            }
            let begin = (hand.now(), log.sum());
            // Until both 2,000 polls and 2,000 bytes have passed, and the refill interval's worth many times over.
            let per_byte = SECOND.div_ceil(rate);
            let polls = 2_000 * (per_byte / spacing + 1);
            let polls = polls.min(200_000);
            for _ in 0..polls {
                hand.advance(Duration::from_nanos(spacing));
                if let Ok(permit) = guard.grant_up_to(&PEER, Direction::Upload, u64::MAX) {
                    log.add(hand.now(), permit.bytes());
                }
            }
            let got = log.sum() - begin.1;
            let due = u128::from(rate) * u128::from(hand.now() - begin.0) / u128::from(SECOND);
            assert!(
                got * 1000 >= due.saturating_sub(1) * 999,
                "{rate} B/s asked each {spacing} ns: {got} of {due} bytes in {polls} polls"
            );
            log.assert_within(rate, interval * 10, &format!("{rate} B/s, spacing {spacing} ns"));
        }
    }
}

/// A caller that asks for the same amount again and again, worth at least a nanosecond.
#[test]
fn equal_requests_lose_nothing_to_rounding() {
    for rate in RATES {
        for worth_ns in [1u64, 2, 3, 10, 1_000, 1_000_003, 250_000_000] {
            let bytes = u64::try_from((u128::from(rate) * u128::from(worth_ns)).div_ceil(u128::from(SECOND))).unwrap();
            let (guard, hand) = guard(5, |config| limit(config, false, rate));
            while guard.try_upload(&PEER, bytes) {
                // The burst of a second goes first; large steps would take too many calls.
                if bytes < rate / 10_000 {
                    assert!(guard.grant_up_to(&PEER, Direction::Upload, u64::MAX).is_ok());
                }
            }
            let begin = hand.now();
            let mut got = 0u128;
            for _ in 0..3_000 {
                let wait = match guard.admit_bytes(&PEER, Direction::Upload, bytes) {
                    Ok(_) => {
                        got += u128::from(bytes);
                        continue;
                    }
                    Err(no) => no.retry_after.expect("it fits a full bucket"),
                };
                hand.advance(wait);
            }
            let due = u128::from(rate) * u128::from(hand.now() - begin) / u128::from(SECOND);
            // The wait is in whole nanoseconds, and a request of one byte may stand for less than a nanosecond's worth.
            assert!(
                got * 1000 + u128::from(bytes) * 1000 >= due * 999,
                "{rate} B/s in requests of {bytes}: {got} of {due}"
            );
        }
    }
}

/// The original threw away the remainder of each refill: polls each 199 ms got 50.3 % of the rate.
#[test]
fn polls_each_199_ms_get_the_whole_rate() {
    for rate in RATES {
        let (guard, hand) = guard(0, |config| {
            limit(config, true, rate);
            // A bucket that holds a few bytes even at the lowest rates.
            config.bandwidth.refill_interval = Duration::from_nanos(100_000_000.max(SECOND / rate));
        });
        while guard.grant_up_to(&PEER, Direction::Upload, u64::MAX).is_ok() {}
        let polls = 20_000;
        let mut got = 0;
        for _ in 0..polls {
            hand.advance(Duration::from_millis(199));
            if let Ok(permit) = guard.grant_up_to(&PEER, Direction::Upload, u64::MAX) {
                got += u128::from(permit.bytes());
            }
        }
        let due = u128::from(rate) * 199 * polls / 1000;
        assert!(got * 1000 >= due * 999 && got <= due + 1, "{rate} B/s: {got} of {due}");
    }
}

#[test]
fn the_wait_is_the_shortest_after_which_the_request_fits() {
    let mut rng = Rng::with_seed(3);
    for round in 0..4_000 {
        let rate = RATES[rng.usize(..RATES.len())];
        let (guard, hand) = guard(rng.u64(..1 << 60), |config| limit(config, round % 2 == 0, rate));
        let taken = rng.u64(1..=rate);
        let bytes = rng.u64(1..=rate);
        assert!(guard.try_upload(&PEER, taken));
        hand.advance(Duration::from_nanos(rng.u64(..2 * SECOND)));
        let Err(no) = guard.admit_bytes(&PEER, Direction::Upload, bytes) else { continue };
        assert_eq!(no.reason, if round % 2 == 0 { Reason::GlobalBytes } else { Reason::PeerBytes });
        let wait = no.retry_after.unwrap();
        hand.advance(wait - Duration::from_nanos(1));
        assert!(
            guard.admit_bytes(&PEER, Direction::Upload, bytes).is_err(),
            "fits 1 ns earlier: {rate} {taken} {bytes}"
        );
        hand.advance(Duration::from_nanos(1));
        assert!(guard.admit_bytes(&PEER, Direction::Upload, bytes).is_ok(), "{rate} {taken} {bytes}");
    }
}

#[test]
fn a_request_above_the_burst_is_told_that_it_never_passes() {
    for rate in RATES {
        for global in [true, false] {
            let (guard, hand) = guard(9, |config| limit(config, global, rate));
            for bytes in [rate + 1, u64::MAX] {
                let no = guard.admit_bytes(&PEER, Direction::Upload, bytes).unwrap_err();
                let reason = if global { Reason::GlobalExceedsBurst } else { Reason::PeerExceedsBurst };
                assert_eq!((no.reason, no.retry_after), (reason, None));
            }
            assert!(guard.admit_bytes(&PEER, Direction::Upload, rate).is_ok(), "the whole burst passes at {rate} B/s");
            hand.advance(Duration::from_secs(1));
            assert!(guard.admit_bytes(&PEER, Direction::Upload, rate).is_ok());
        }
    }
}

/// Fractions used of the peer's and the guard's bucket.
fn used(guard: &PeerGuard) -> f64 {
    guard.view(&PEER).map_or(0.0, |view| view.upload_used)
}

#[test]
fn a_refund_gives_back_exactly_what_was_charged() {
    let mut rng = Rng::with_seed(4);
    for _ in 0..3_000 {
        let rate = RATES[rng.usize(..RATES.len())];
        let (guard, hand) = guard(rng.u64(..1 << 60), |config| {
            limit(config, true, rate);
            limit(config, false, rate);
        });
        let before = rng.u64(..rate);
        assert!(before == 0 || guard.try_upload(&PEER, before));
        let words = guard.dump_words(&PEER);
        let rest = room(&guard);
        if rest == [0; 2] {
            continue;
        }
        let bytes = rng.u64(1..=rest[0].min(rest[1]));
        let mut permit = guard.admit_bytes(&PEER, Direction::Upload, bytes).unwrap();
        let mut left = bytes;
        while left > 0 {
            let part = rng.u64(1..=left);
            assert_eq!(permit.refund(part), part);
            left -= part;
            assert_eq!(permit.bytes(), left);
        }
        assert_eq!(permit.refund(1), 0, "more than was charged");
        drop(permit);
        if let (Some(before), Some(after)) = (words, guard.dump_words(&PEER)) {
            assert_eq!(buckets(&after), buckets(&before), "{rate} {before:?} {bytes}");
        }
        assert_eq!(room(&guard), rest, "both scopes have what they had: {rate} {before} {bytes}");
        hand.advance(Duration::from_secs(1));
        assert!(guard.try_upload(&PEER, rate), "and fill up as they would have");
    }
}

/// The two bucket words of a record: they follow key, gate, score, window, ban, last seen and latency.
fn buckets(words: &[u64]) -> &[u64] {
    &words[10..12]
}

/// Bytes that the peer's and the guard's bucket hold.
fn room(guard: &PeerGuard) -> [u64; 2] {
    let explained = guard.explain(&PEER);
    [explained.peer_buckets[0], explained.global_buckets[0]].map(|bucket| bucket.unwrap().available)
}

#[test]
fn a_late_refund_never_lifts_a_bucket_above_full() {
    for rate in RATES {
        let (guard, hand) = guard(3, |config| limit(config, false, rate));
        let mut permit = guard.admit_bytes(&PEER, Direction::Upload, rate).unwrap();
        hand.advance(Duration::from_secs(3600));
        assert_eq!(permit.refund(rate), rate);
        drop(permit);
        assert!(guard.try_upload(&PEER, rate));
        assert!(!guard.try_upload(&PEER, 1), "{rate} B/s: the refund came on top of the burst");
    }
}

#[test]
fn a_refund_after_a_change_of_limits_gives_back_the_charged_share() {
    let (guard, _hand) = guard(3, |config| limit(config, false, 1_000_000));
    assert!(guard.try_upload(&PEER, 250_000));
    let mut permit = guard.admit_bytes(&PEER, Direction::Upload, 500_000).unwrap();
    assert!((used(&guard) - 0.75).abs() < 1e-9);
    guard.update_limits(Limits { per_peer_upload: 4_000_000, ..Limits::default() }).unwrap();
    assert!((used(&guard) - 0.75).abs() < 1e-9);
    assert_eq!(permit.refund(500_000), 500_000);
    drop(permit);
    assert!((used(&guard) - 0.25).abs() < 1e-9, "{}", used(&guard));
}

#[test]
fn a_change_of_limits_keeps_the_used_fraction_of_every_bucket() {
    let mut rng = Rng::with_seed(6);
    for _ in 0..2_000 {
        let rate = RATES[rng.usize(3..RATES.len())];
        let (guard, hand) = guard(rng.u64(..1 << 60), |config| limit(config, false, rate));
        let fraction = rng.f64();
        assert!(guard.try_upload(&PEER, ((rate as f64 * fraction) as u64).max(1)));
        let before = used(&guard);
        let other = RATES[rng.usize(3..RATES.len())];
        if rng.bool() {
            guard.update_limits(Limits { per_peer_upload: other, ..Limits::default() }).unwrap();
        } else {
            guard.set_peer_limits(&PEER, PeerLimits { upload: Some(other), download: None }).unwrap();
        }
        assert!((used(&guard) - before).abs() < 1e-9, "{rate} → {other}: {before} → {}", used(&guard));
        // And so no free burst: what is left is the same share of the new one.
        let left = (other as f64 * (1.0 - before)) as u64;
        assert!(!guard.try_upload(&PEER, left + 2 + other / 1_000_000));
        hand.advance(Duration::from_millis(500));
        let expected = (before - 0.5).max(0.0);
        assert!((used(&guard) - expected).abs() < 1e-8);
    }
}

#[test]
fn a_limit_on_what_was_unlimited_starts_full() {
    let (guard, _hand) = guard(11, |_| {});
    assert!(guard.try_upload(&PEER, u64::MAX / 4));
    guard.update_limits(Limits { upload: 1_000, per_peer_upload: 1_000, ..Limits::default() }).unwrap();
    assert!(guard.try_upload(&PEER, 1_000));
    assert!(!guard.try_upload(&PEER, 1));
}

/// The original panicked below an interval of a millisecond and gave nothing below 10 B/s.
#[test]
fn small_rates_and_intervals_give_their_bytes() {
    for rate in 1..10 {
        let (guard, hand) = guard(0, |config| {
            limit(config, true, rate);
            config.bandwidth.refill_interval = Duration::from_micros(10);
        });
        let mut got = 0;
        for _ in 0..100_000 {
            got += u64::from(guard.try_upload(&PEER, 1));
            hand.advance(Duration::from_millis(1));
        }
        // The bucket holds one byte, so each may wait a poll longer than it is due.
        let least = 100 * SECOND / (SECOND / rate + 1_000_000);
        assert!((least..=100 * rate + 1).contains(&got), "{got} bytes in 100 s at {rate} B/s");
    }
}

#[test]
fn directions_and_peers_have_buckets_of_their_own() {
    let (guard, _hand) = guard(0, |config| {
        config.bandwidth.per_peer_upload_bps = 100;
        config.bandwidth.per_peer_download_bps = 200;
        config.bandwidth.upload_limit_bps = 160;
    });
    let other = PeerId::new([9; 32]);
    assert!(guard.try_upload(&PEER, 100));
    assert!(!guard.try_upload(&PEER, 1));
    assert!(guard.try_download(&PEER, 200));
    assert!(!guard.try_download(&PEER, 1));
    assert!(!guard.try_upload(&other, 61), "the guard's own limit is nearly used up");
    assert!(guard.try_upload(&other, 60), "and a refusal took nothing of it");
    assert!(guard.try_download(&other, 200));
}

/// For want of room all peers without a record share one bucket: each is granted what that and the guard's have.
#[test]
fn a_peer_that_finds_no_room_is_granted_what_there_is() {
    // Rates at which a byte costs a whole number of units, so that nothing is rounded.
    const EVEN: [u64; 4] = [1_000, 1_000_000, 125_000_000, 1_000_000_000];
    let mut rng = Rng::with_seed(8);
    for _ in 0..3_000 {
        let [own, all] = [(); 2].map(|()| EVEN[rng.usize(..EVEN.len())]);
        let (guard, _hand) = guard(rng.u64(..1 << 60), |config| {
            config.max_peers = 1;
            limit(config, false, own);
            limit(config, true, all);
        });
        // An operator's ban keeps the only record.
        guard.ban(&PEER, None, 0).unwrap();
        let [one, other] = [1, 2].map(|n| PeerId::new([n; 32]));
        let taken = rng.u64(..own.min(all));
        assert!(guard.try_upload(&one, taken));
        let before = guard.dump_global_words();
        let rest = own.min(all) - taken;
        let want = rng.u64(1..=2 * rest);
        let mut permit = guard.grant_up_to(&other, Direction::Upload, want).unwrap();
        let granted = want.min(rest);
        assert_eq!(permit.bytes(), granted, "{own} {all} {taken} {want}");
        assert_eq!(
            guard.get_summary().upload_available,
            Some(all - taken - granted),
            "charged for more than was given"
        );
        let part = rng.u64(..=granted);
        assert_eq!([permit.refund(part), permit.refund(u64::MAX)], [part, granted - part]);
        assert_eq!(guard.dump_global_words(), before, "{own} {all} {taken} {want}");
        drop(permit);
        assert!(guard.try_upload(&one, rest));
        let empty = guard.dump_global_words();
        let no = guard.grant_up_to(&other, Direction::Upload, want).unwrap_err();
        assert_eq!(no, guard.admit_bytes(&other, Direction::Upload, 1).unwrap_err(), "as for one byte");
        assert_eq!(guard.dump_global_words(), empty, "a refusal took something");
        assert!(guard.view(&one).is_none() && guard.view(&other).is_none());
    }
}

/// Two first contacts at once, of two peers under the guard's limit and of one under its own: the later one gets the rest.
#[test]
fn newcomers_that_meet_share_out_what_there_is() {
    for global in [true, false] {
        let (guard, hand) = guard(1 << 40, |config| {
            config.max_peers = 1 << 16;
            limit(config, global, 1_000);
        });
        let granted = AtomicU64::new(0);
        Meeting::default().hold(|thread, member| {
            for round in 0..20_000u64 {
                let peer = PeerId::digest(&[round, if global { thread } else { 0 }].map(u64::to_le_bytes).concat());
                member.meet();
                let permit = guard.grant_up_to(&peer, Direction::Upload, 600).unwrap();
                // Relaxed: the meeting orders it.
                granted.fetch_add(permit.bytes(), Ordering::Relaxed);
                member.meet();
                if thread == 0 {
                    assert_eq!(granted.swap(0, Ordering::Relaxed), 1_000, "round {round}");
                    hand.advance(Duration::from_secs(1));
                }
            }
        });
    }
}
