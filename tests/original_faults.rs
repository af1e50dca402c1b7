//! The faults of the implementation that this library replaces, each as a test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Barrier;
use std::time::Duration;

use peerguard::{
    BreakerState, Clock, Config, Direction, Limits, ManualClock, Outcome, PeerGuard, PeerId, PeerView, Reason,
    Recorded, Totals, Traffic,
};

/// The system's allocator, with the bytes that each thread took.
struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a constant-initialised thread-local without
// a destructor, so that touching it neither allocates nor fails.
#[allow(unsafe_code, reason = "an allocator is unsafe by its trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + layout.size() as u64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes that `f` allocates on this thread.
fn allocated(f: impl FnOnce()) -> u64 {
    let before = TAKEN.get();
    f();
    TAKEN.get() - before
}

const PEER: PeerId = PeerId::new([1; 32]);
const HOUR: Duration = Duration::from_secs(3600);
const OPEN: Duration = Duration::from_secs(30);

fn id(n: u64) -> PeerId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    PeerId::new(bytes)
}

/// The defaults without jitter.
fn guard(change: impl FnOnce(&mut Config)) -> (PeerGuard, ManualClock) {
    let (clock, hand) = Clock::manual(1_000_000_000_000);
    let mut config = Config { max_peers: 256, ..Config::default() };
    config.circuit_breaker.jitter = 0.0;
    change(&mut config);
    (PeerGuard::with_clock(config, clock).unwrap(), hand)
}

fn view(guard: &PeerGuard) -> PeerView {
    guard.view(&PEER).expect("the peer has a record")
}

/// Message failures, which cost a point each: the breaker opens long before a ban.
fn fail(guard: &PeerGuard, times: usize) {
    for _ in 0..times {
        let _ = guard.report(&PEER, Outcome::MessageFailure, None, Traffic::default());
    }
}

/// Opens the breaker and lets the open time pass.
fn half_open(guard: &PeerGuard, hand: &ManualClock) {
    fail(guard, 5);
    assert_eq!(view(guard).state, BreakerState::Open);
    hand.advance(OPEN + Duration::from_millis(2));
    assert_eq!(view(guard).state, BreakerState::HalfOpen);
}

#[test]
fn half_open_admits_no_more_than_its_probes() {
    let (guard, hand) = guard(|_| {});
    half_open(&guard, &hand);
    let probes: Vec<_> = (0..100).filter_map(|_| guard.admit(&PEER).ok()).collect();
    assert_eq!(probes.len(), 2);
    assert!(probes.iter().all(|probe| probe.is_probe()));
    assert_eq!(guard.admit(&PEER).unwrap_err().reason, Reason::ProbesOut);
    assert!((0..100).all(|_| !guard.should_communicate(&PEER)));
    drop(probes);
    assert!(guard.should_communicate(&PEER));
}

#[test]
fn half_open_admits_no_more_than_its_probes_under_threads() {
    let (guard, hand) = guard(|_| {});
    half_open(&guard, &hand);
    let start = Barrier::new(4);
    let admitted: usize = std::thread::scope(|scope| {
        let ask = || {
            start.wait();
            let probes: Vec<_> = (0..1000).filter_map(|_| guard.admit(&PEER).ok()).collect();
            start.wait();
            probes.len()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 2);
}

#[test]
fn a_late_failure_while_open_does_not_restart_the_timer() {
    let (guard, hand) = guard(|_| {});
    fail(&guard, 5);
    let mut last = view(&guard).open_remaining.unwrap();
    for _ in 0..29 {
        hand.advance(Duration::from_secs(1));
        assert_eq!(guard.report(&PEER, Outcome::Timeout, None, Traffic::default()), Recorded::Ignored);
        let remaining = view(&guard).open_remaining.unwrap();
        assert_eq!(remaining, last - Duration::from_secs(1));
        last = remaining;
    }
    hand.advance(last);
    assert!(guard.admit(&PEER).is_ok_and(|permit| permit.is_probe()));
}

#[test]
fn a_result_from_before_a_trip_neither_closes_nor_reopens_the_breaker() {
    let (guard, hand) = guard(|_| {});
    let early: Vec<_> = (0..6).map(|_| guard.admit_owned(&PEER).unwrap()).collect();
    let mut early = early.into_iter();
    half_open(&guard, &hand);
    let probe = guard.admit(&PEER).unwrap();
    for _ in 0..3 {
        let before = (view(&guard).generation, view(&guard).probes_out);
        assert_eq!(early.next().unwrap().success(None), Recorded::Stale);
        assert_eq!(early.next().unwrap().failure(), Recorded::Stale);
        assert_eq!((view(&guard).generation, view(&guard).probes_out), before);
        assert_eq!((view(&guard).state, view(&guard).probe_successes), (BreakerState::HalfOpen, 0));
    }
    assert_eq!(probe.success(None), Recorded::Counted);
    assert_eq!(guard.admit(&PEER).unwrap().success(None), Recorded::Counted);
    assert_eq!(view(&guard).state, BreakerState::Closed);
    // Counters and reputation took the stale ones.
    assert_eq!((view(&guard).successful_syncs, view(&guard).failed_syncs), (5, 3));
}

#[test]
fn a_result_from_before_a_trip_does_not_count_in_the_closed_period_after_it() {
    let (guard, hand) = guard(|_| {});
    let early: Vec<_> = (0..5).map(|_| guard.admit_owned(&PEER).unwrap()).collect();
    half_open(&guard, &hand);
    for _ in 0..2 {
        let _ = guard.admit(&PEER).unwrap().success(None);
    }
    for permit in early {
        assert_eq!(permit.record(Outcome::Timeout, None, Traffic::default()), Recorded::Stale);
    }
    assert_eq!((view(&guard).state, view(&guard).failures_in_window), (BreakerState::Closed, 0));
}

#[test]
fn failures_take_no_memory() {
    let (guard, hand) = guard(|config| config.reputation.weights.message_failure = 0.0);
    fail(&guard, 5);
    let taken = allocated(|| {
        for _ in 0..1_000_000 {
            fail(&guard, 1);
            hand.advance(Duration::from_millis(100));
            if let Ok(permit) = guard.admit(&PEER) {
                let _ = permit.failure();
            }
        }
    });
    assert_eq!(taken, 0);
    assert!(view(&guard).message_failures() >= 1_000_000);
    assert!(view(&guard).failures_in_window <= 5);
}

/// The count under the name that the test speaks of.
trait Failures {
    fn message_failures(&self) -> u64;
}

impl Failures for PeerView {
    fn message_failures(&self) -> u64 {
        self.failed_messages
    }
}

#[test]
fn checks_of_unknown_ids_allocate_and_insert_nothing() {
    let (guard, _hand) = guard(|config| {
        config.bandwidth.upload_limit_bps = 1;
        config.bandwidth.per_peer_upload_bps = 1;
    });
    fail(&guard, 1);
    let taken = allocated(|| {
        for n in 0..100_000 {
            let peer = id(n);
            assert!(guard.should_communicate(&peer));
            drop(guard.admit(&peer).unwrap());
            assert!(guard.admit_bytes(&peer, Direction::Upload, 2).is_err());
            assert!(!guard.try_upload(&peer, 2));
            assert!(!guard.is_banned(&peer));
            assert!(!guard.unban(&peer));
            assert!(!guard.reset(&peer));
            assert!(guard.view(&peer).is_none());
        }
    });
    assert_eq!(taken, 0);
    for n in 0..1000 {
        let _ = guard.explain(&id(n));
    }
    assert_eq!(guard.get_summary().total_peers, 1);
}

#[test]
fn records_are_bounded_and_idle_ones_evicted() {
    let (guard, hand) = guard(|config| config.max_peers = 64);
    for n in 0..10_000 {
        let _ = guard.record_success(&id(n), Some(20.0)).unwrap();
        hand.advance(Duration::from_secs(1));
        assert!(guard.get_summary().total_peers <= 64);
    }
    let totals = guard.get_summary();
    assert!(totals.total_peers >= 32, "{}", totals.total_peers);
    assert_eq!(totals.evictions + totals.untracked + totals.total_peers, 10_000);
    assert!(guard.view(&id(9_999)).is_some());
}

#[test]
fn a_banned_peer_is_refused_before_the_breaker_moves() {
    let (guard, hand) = guard(|_| {});
    fail(&guard, 5);
    guard.ban(&PEER, Some(HOUR), 7).unwrap();
    hand.advance(OPEN + Duration::from_millis(2));
    let before = guard.dump_words(&PEER).unwrap();
    for _ in 0..10 {
        assert_eq!(guard.admit(&PEER).unwrap_err().reason, Reason::Banned);
        assert!(!guard.should_communicate(&PEER));
    }
    let after = view(&guard);
    assert_eq!((after.state, after.probes_out), (BreakerState::HalfOpen, 0));
    assert_eq!(guard.dump_words(&PEER).unwrap(), before);
    hand.advance(HOUR);
    assert_eq!((0..5).filter(|_| guard.should_communicate(&PEER)).count(), 2, "both probes are still to be had");
}

#[test]
fn global_tokens_are_not_spent_when_the_peers_bucket_refuses() {
    let (guard, _hand) = guard(|config| {
        config.bandwidth.upload_limit_bps = 1_000;
        config.bandwidth.per_peer_upload_bps = 100;
    });
    assert!(guard.try_upload(&PEER, 100));
    for _ in 0..1000 {
        assert!(!guard.try_upload(&PEER, 50));
        assert_eq!(guard.admit_bytes(&PEER, Direction::Upload, 100).unwrap_err().reason, Reason::PeerBytes);
    }
    for n in 0..9 {
        assert!(guard.try_upload(&id(n), 100), "peer {n} gets its share of the rest");
    }
    assert!(!guard.try_upload(&id(99), 1));
}

#[test]
fn peer_tokens_are_not_spent_when_the_global_bucket_refuses() {
    let (guard, _hand) = guard(|config| {
        config.bandwidth.upload_limit_bps = 1_000;
        config.bandwidth.per_peer_upload_bps = 1_000;
    });
    assert!(guard.try_upload(&id(1), 950));
    for _ in 0..1000 {
        assert!(!guard.try_upload(&PEER, 51));
        assert!(guard.view(&PEER).is_none(), "a refused newcomer got a record");
    }
    assert!(guard.try_upload(&PEER, 50));
    guard.update_limits(Limits { upload: 0, per_peer_upload: 1_000, ..Limits::default() }).unwrap();
    assert!(guard.try_upload(&PEER, 950));
    assert!(!guard.try_upload(&PEER, 1));
}

#[test]
fn a_poll_each_199_ms_gets_the_whole_rate() {
    let (guard, hand) = guard(|config| config.bandwidth.upload_limit_bps = 10_000);
    assert!(guard.try_upload(&PEER, 10_000));
    let mut sent = 0;
    for _ in 0..5_000 {
        hand.advance(Duration::from_millis(199));
        while guard.try_upload(&PEER, 10) {
            sent += 10;
        }
    }
    assert_eq!(sent, 199 * 10 * 5_000);
}

#[test]
fn concurrent_spends_are_not_lost() {
    for _ in 0..20 {
        let (guard, _hand) = guard(|config| {
            config.bandwidth.upload_limit_bps = 100_000;
            config.bandwidth.per_peer_upload_bps = 60_000;
        });
        let start = Barrier::new(2);
        let spent: Vec<[u64; 2]> = std::thread::scope(|scope| {
            let spend = |first: u64| {
                start.wait();
                let mut spent = [0; 2];
                for n in first..first + 100_000 {
                    spent[(n % 2) as usize] += u64::from(guard.try_upload(&id(n % 2), 1));
                }
                spent
            };
            let threads: Vec<_> = [0, 1].map(|first| scope.spawn(move || spend(first))).into_iter().collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let by_peer = [spent[0][0] + spent[1][0], spent[0][1] + spent[1][1]];
        assert!(by_peer.iter().all(|&sum| sum <= 60_000), "{by_peer:?}");
        assert_eq!(by_peer[0] + by_peer[1], 100_000);
        assert_eq!(guard.get_summary().uploaded, 100_000);
    }
}

#[test]
fn rates_below_ten_bytes_a_second_give_their_bytes() {
    for rate in 1..10 {
        let (guard, hand) = guard(|config| config.bandwidth.upload_limit_bps = rate);
        assert!(guard.try_upload(&PEER, rate));
        let mut sent = 0;
        for _ in 0..10_000 {
            hand.advance(Duration::from_millis(100));
            sent += u64::from(guard.try_upload(&PEER, 1));
        }
        assert!((1000 * rate - 1..=1000 * rate).contains(&sent), "{sent} bytes in 1,000 s at {rate} B/s");
    }
}

#[test]
fn an_interval_below_a_millisecond_does_not_panic() {
    for interval in [1, 999, 999_999] {
        let (guard, hand) = guard(|config| {
            config.bandwidth.upload_limit_bps = 1_000_000_000;
            config.bandwidth.refill_interval = Duration::from_nanos(interval);
        });
        assert!(guard.try_upload(&PEER, 10 * interval));
        assert!(!guard.try_upload(&PEER, 1));
        hand.advance(Duration::from_nanos(5 * interval));
        assert!(guard.try_upload(&PEER, 5 * interval));
    }
}

#[test]
fn a_request_above_the_burst_does_not_look_like_later() {
    let (guard, _hand) = guard(|config| {
        config.bandwidth.upload_limit_bps = 1_000;
        config.bandwidth.per_peer_download_bps = 1_000;
    });
    let no = guard.admit_bytes(&PEER, Direction::Upload, 1_001).unwrap_err();
    assert_eq!((no.reason, no.retry_after), (Reason::GlobalExceedsBurst, None));
    let no = guard.admit_bytes(&PEER, Direction::Download, 1_001).unwrap_err();
    assert_eq!((no.reason, no.retry_after), (Reason::PeerExceedsBurst, None));
    assert!(guard.admit_bytes(&PEER, Direction::Upload, 1_000).is_ok());
}

#[test]
fn update_limits_takes_a_shared_guard_and_hands_out_no_burst() {
    let (guard, _hand) = guard(|config| config.bandwidth.upload_limit_bps = 1_000);
    let shared: &PeerGuard = &guard;
    assert!(shared.try_upload(&PEER, 1_000));
    for upload in [2_000, 1_000, 1_000_000, 500, 1_000] {
        shared.update_limits(Limits { upload, ..Limits::default() }).unwrap();
        assert!(!shared.try_upload(&PEER, 1), "a free burst at {upload} B/s");
    }
}

#[test]
fn decay_counts_seconds_of_the_guards_clock() {
    let (guard, hand) = guard(|_| {});
    for _ in 0..5 {
        let _ = guard.record_failure(&PEER);
    }
    assert_eq!(view(&guard).score, 25.0);
    let formula = |seconds: f64| 50.0 - 25.0 * 0.99f64.powf(seconds / 3600.0);
    for seconds in [1, 30, 59, 61, 3_600, 86_400] {
        let (guard, hand) = (&guard, &hand);
        hand.advance(Duration::from_secs(seconds));
        let expected = formula(seconds as f64);
        let score = view(guard).score;
        assert!((score - expected).abs() < 1e-4, "after {seconds} s: {score}, not {expected}");
        hand.step_back(Duration::from_secs(seconds));
    }
    // A write each second takes nothing from it.
    for second in 1..=7_200 {
        hand.advance(Duration::from_secs(1));
        let _ = guard.report(&PEER, Outcome::Timeout, None, Traffic::default());
        let _ = guard.report(&PEER, Outcome::MessageSuccess, None, Traffic::default());
        let _ = guard.report(&PEER, Outcome::MessageSuccess, None, Traffic::default());
        let error = view(&guard).score - formula(f64::from(second));
        assert!(error.abs() < 0.01, "after {second} s: {error}");
    }
}

#[test]
fn a_ban_ends() {
    let (guard, hand) = guard(|_| {});
    for _ in 0..10 {
        let _ = guard.record_failure(&PEER);
    }
    assert!(guard.is_banned(&PEER));
    hand.advance(HOUR + Duration::from_millis(2));
    assert!(!guard.is_banned(&PEER));
    assert!((view(&guard).score - 25.0).abs() < 1e-3);
    assert!(guard.admit(&PEER).is_ok());
}

#[test]
fn one_bad_latency_neither_stays_nor_breaks_the_order() {
    let (guard, _hand) = guard(|_| {});
    for n in 0..20 {
        let _ = guard.record_success(&id(n), Some(n as f64 + 1.0)).unwrap();
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert!(guard.record_success(&id(n), Some(bad)).is_err());
        }
        assert_eq!(guard.view(&id(n)).unwrap().latency_ms, Some(n as f64 + 1.0));
        assert_eq!(guard.view(&id(n)).unwrap().successful_syncs, 1);
    }
    let candidates = guard.get_sync_candidates(20);
    assert_eq!(candidates.len(), 20);
    // The bonus is capped at 100 ms; all faster ones tie.
    let mut sorted = candidates.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 20);
    assert_eq!(guard.get_top_peers(20).len(), 20);
}

/// The totals by state, which must add up.
fn states(totals: &Totals) -> (u64, u64, u64) {
    assert_eq!(totals.closed + totals.open + totals.half_open, totals.total_peers);
    (totals.closed, totals.open, totals.half_open)
}

#[test]
fn the_banned_are_counted() {
    let (guard, hand) = guard(|_| {});
    for n in 0..10 {
        guard.ban(&id(n), Some(HOUR * (n as u32 + 1)), 1).unwrap();
    }
    let _ = guard.report(&PEER, Outcome::Fatal, None, Traffic::default());
    assert_eq!(guard.get_summary().banned, 11);
    hand.advance(HOUR + Duration::from_millis(2));
    assert_eq!(guard.get_summary().banned, 9);
    assert!(guard.unban(&id(9)));
    assert_eq!(guard.get_summary().banned, 8);
    assert_eq!(guard.snapshot().totals().banned, 8);
}

#[test]
fn a_peer_is_in_exactly_one_state_all_along() {
    let (guard, hand) = guard(|_| {});
    for n in 0..3 {
        let _ = guard.record_success(&id(n), None).unwrap();
    }
    fail(&guard, 4);
    assert_eq!(states(&guard.get_summary()), (4, 0, 0));
    fail(&guard, 1);
    assert_eq!(states(&guard.get_summary()), (3, 1, 0));
    hand.advance(OPEN + Duration::from_millis(2));
    assert_eq!(states(&guard.get_summary()), (3, 0, 1), "half-open is seen before anyone asks");
    let _ = guard.admit(&PEER).unwrap().success(None);
    assert_eq!(states(&guard.get_summary()), (3, 0, 1));
    let _ = guard.admit(&PEER).unwrap().success(None);
    assert_eq!(states(&guard.get_summary()), (4, 0, 0), "open no longer counts it after recovery");
    assert_eq!(guard.get_summary().trips, 1);
}

#[test]
fn lists_are_as_long_as_asked_and_no_longer() {
    let (guard, _hand) = guard(|_| {});
    for n in 0..50 {
        let _ = guard.record_success(&id(n), None).unwrap();
    }
    for n in [0, 1, 10, 50, 51, usize::MAX] {
        assert_eq!(guard.get_top_peers(n).len(), n.min(50));
        assert_eq!(guard.get_sync_candidates(n).len(), n.min(50));
        assert_eq!(guard.snapshot().top_peers(n).len(), n.min(50));
    }
}

/// An outage of the node's own still bans its peers, but not for good.
#[test]
fn after_an_outage_of_our_own_every_peer_comes_back() {
    let (guard, hand) = guard(|config| config.max_peers = 1024);
    for n in 0..100 {
        for _ in 0..10 {
            let _ = guard.record_failure(&id(n));
        }
    }
    assert_eq!(guard.get_summary().banned, 100);
    assert_eq!(guard.get_sync_candidates(100).len(), 0);
    hand.advance(HOUR + Duration::from_millis(2));
    assert_eq!(guard.get_summary().banned, 0);
    let candidates = guard.get_sync_candidates(100);
    assert_eq!(candidates.len(), 100, "half-open peers with a free probe are candidates whatever their score");
    for peer in candidates {
        for _ in 0..2 {
            assert_eq!(guard.admit(&peer).unwrap().success(None), Recorded::Counted);
        }
    }
    assert_eq!(states(&guard.get_summary()), (100, 0, 0));
}
