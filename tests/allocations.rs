//! The hot paths allocate nothing and read the clock at most once: counted, not timed.
//!
//! The allocator counts for each thread alone, so that tests running beside do not disturb.

#![allow(unsafe_code, reason = "an allocator that counts has to be an allocator")]
#![allow(unused_must_use, reason = "what a report returns is looked at where it matters")]

mod ids;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peerguard::{
    BreakerState, Clock, Config, Direction, FailureRate, Limits, Newcomers, Outcome, Peer, PeerGuard, PeerId, Reason,
    Recorded, Traffic,
};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing, because the counter is
// initialised at compile time and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's duties are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A guard on a clock that counts its readings.
struct Watched {
    guard: PeerGuard,
    time: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
}

/// Most clock readings that a call may take.
const NONE: u64 = 0;
const ONE: u64 = 1;

impl Watched {
    fn new(config: Config) -> Self {
        let (time, reads) = (Arc::new(AtomicU64::new(1 << 40)), Arc::new(AtomicU64::new(0)));
        let (clock_time, clock_reads) = (time.clone(), reads.clone());
        let clock = Clock::from_fn(move || {
            clock_reads.fetch_add(1, Ordering::Relaxed);
            clock_time.load(Ordering::Relaxed)
        });
        Self { guard: PeerGuard::with_clock(config, clock).unwrap(), time, reads }
    }

    fn advance(&self, by: Duration) {
        self.time.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Runs a call that must neither allocate nor free, nor read the clock more than `reads` times.
    fn hot<'a, T>(&'a self, what: &str, reads: u64, call: impl FnOnce(&'a PeerGuard) -> T) -> T {
        let (calls_before, reads_before) = (CALLS.get(), self.reads.load(Ordering::Relaxed));
        let answer = black_box(call(black_box(&self.guard)));
        let (calls, clock) = (CALLS.get() - calls_before, self.reads.load(Ordering::Relaxed) - reads_before);
        assert_eq!(calls, 0, "{what} called the allocator");
        assert!(clock <= reads, "{what} read the clock {clock} times, {reads} allowed");
        answer
    }
}

fn limited() -> Config {
    let mut config = Config { max_peers: 1000, ..Config::default() };
    config.bandwidth.upload_limit_bps = 1 << 30;
    config.bandwidth.download_limit_bps = 1 << 30;
    config.bandwidth.per_peer_upload_bps = 1 << 20;
    config.bandwidth.per_peer_download_bps = 1 << 20;
    config
}

fn peer(n: u64) -> PeerId {
    ids::random(1, n)
}

const LATENCY: Option<Duration> = Some(Duration::from_millis(20));

#[test]
fn the_counters_count() {
    let before = CALLS.get();
    drop(black_box(vec![1u8; 100]));
    assert_eq!(CALLS.get() - before, 2);
    let watched = Watched::new(limited());
    let before = watched.reads.load(Ordering::Relaxed);
    let _now = watched.guard.clock().now();
    assert_eq!(watched.reads.load(Ordering::Relaxed) - before, 1);
}

#[test]
fn a_closed_peer_is_admitted_and_reported() {
    let watched = Watched::new(limited());
    let _known = watched.guard.record_success(&peer(1), Some(5.0)).unwrap();
    for _ in 0..100 {
        let permit = watched.hot("admit, closed", NONE, |guard| guard.admit(&peer(1)).ok()).unwrap();
        watched.hot("success", ONE, |_| permit.success(LATENCY));
        let permit = watched.guard.admit(&peer(1)).unwrap();
        watched.hot("failure", ONE, |_| permit.failure());
        let permit = watched.guard.admit(&peer(1)).unwrap();
        let traffic = Traffic { sent: 10, received: 20 };
        watched.hot("record", ONE, |_| permit.record(Outcome::MessageSuccess, LATENCY, traffic));
        let permit = watched.guard.admit(&peer(1)).unwrap();
        watched.hot("drop", NONE, |_| drop(permit));
        let owned = watched.hot("admit_owned", NONE, |guard| guard.admit_owned(&peer(1)).unwrap());
        watched.hot("success, owned", ONE, |_| owned.success(None));
        assert!(watched.hot("should_communicate", NONE, |guard| guard.should_communicate(&peer(1))));
        watched.hot("record_success", ONE, |guard| guard.record_success(&peer(1), Some(7.5)).unwrap());
        watched.hot("a bad latency", NONE, |guard| guard.record_success(&peer(1), Some(f64::NAN)).unwrap_err());
        assert!(!watched.hot("is_banned", NONE, |guard| guard.is_banned(&peer(1))));
        watched.advance(Duration::from_millis(3));
    }
    assert!(watched.guard.view(&peer(1)).is_some_and(|view| view.successful_syncs == 301));
}

#[test]
fn bytes_are_taken_and_given_back() {
    let watched = Watched::new(limited());
    for _ in 0..50 {
        let mut permit =
            watched.hot("admit_bytes", ONE, |guard| guard.admit_bytes(&peer(1), Direction::Upload, 1000).ok()).unwrap();
        assert_eq!(watched.hot("refund", NONE, |_| permit.refund(400)), 400);
        watched.hot("success with bytes", ONE, |_| permit.success(LATENCY));
        let part = watched.hot("grant_up_to", ONE, |guard| guard.grant_up_to(&peer(1), Direction::Download, 5000));
        assert_eq!(part.unwrap().bytes(), 5000);
        assert!(watched.hot("try_upload", ONE, |guard| guard.try_upload(&peer(1), 300)));
        assert!(watched.hot("try_download", ONE, |guard| guard.try_download(&peer(1), 300)));
        let permit = watched.guard.admit_bytes(&peer(1), Direction::Upload, 10).unwrap();
        watched.hot("drop with bytes", ONE, |_| drop(permit));
        watched.advance(Duration::from_millis(50));
    }
    let hold = watched.guard.grant_up_to(&peer(1), Direction::Upload, u64::MAX).unwrap();
    let reason = |direction, bytes| {
        let refused = |guard: &PeerGuard| guard.admit_bytes(&peer(1), direction, bytes).err().map(|no| no.reason);
        watched.hot("admit_bytes, refused", ONE, refused)
    };
    assert_eq!(reason(Direction::Upload, 1000), Some(Reason::PeerBytes));
    assert_eq!(reason(Direction::Upload, 1 << 40), Some(Reason::PeerExceedsBurst));
    assert!(!watched.hot("try_upload, refused", ONE, |guard| guard.try_upload(&peer(1), 1000)));
    let limits = Limits { upload: 5000, ..watched.guard.limits() };
    watched.guard.update_limits(limits).unwrap();
    drop(hold);
    assert_eq!(reason(Direction::Upload, 1 << 20), Some(Reason::PeerBytes));
    watched.advance(Duration::from_secs(1));
    assert_eq!(reason(Direction::Upload, 1 << 19), Some(Reason::GlobalExceedsBurst));
    let _all = watched.guard.admit_bytes(&peer(1), Direction::Upload, 4990).unwrap();
    assert_eq!(reason(Direction::Upload, 1000), Some(Reason::GlobalBytes));
}

/// From the first failure to the last probe, with failure rates on or off.
fn through_all_states(failure_rate: Option<FailureRate>) {
    let mut config = limited();
    config.circuit_breaker.failure_rate = failure_rate;
    let watched = Watched::new(config);
    let guard = &watched.guard;
    let _known = guard.record_success(&peer(1), None).unwrap();
    let stale = guard.admit(&peer(1)).unwrap();
    for _ in 0..5 {
        let permit = watched.hot("admit, closed", NONE, |guard| guard.admit(&peer(1)).unwrap());
        watched.hot("a failure, the last one trips", ONE, |_| permit.record(Outcome::Timeout, None, Traffic::NONE));
    }
    let no = watched.hot("admit, open", ONE, |guard| guard.admit(&peer(1)).unwrap_err());
    assert_eq!(no.reason, Reason::Open);
    assert!(!watched.hot("should_communicate, open", ONE, |guard| guard.should_communicate(&peer(1))));
    assert_eq!(watched.hot("a stale report", ONE, |_| stale.success(None)), Recorded::Stale);
    watched.advance(no.retry_after.unwrap());
    let probe = watched.hot("admit, the first probe", ONE, |guard| guard.admit(&peer(1)).unwrap());
    assert!(probe.is_probe());
    assert!(watched.hot("should_communicate, probe", ONE, |guard| guard.should_communicate(&peer(1))));
    let no = watched.hot("admit, probes out", ONE, |guard| guard.admit(&peer(1)).unwrap_err());
    assert_eq!(no.reason, Reason::ProbesOut);
    watched.hot("drop of a probe", ONE, |_| drop(probe));
    watched.hot("report of a called probe", ONE, |guard| guard.record_success(&peer(1), Some(3.0)).unwrap());
    let probe = watched.hot("admit, a probe", ONE, |guard| guard.admit(&peer(1)).unwrap());
    assert_eq!(watched.hot("the probe that closes", ONE, |_| probe.success(LATENCY)), Recorded::Counted);
    assert_eq!(guard.view(&peer(1)).unwrap().state, BreakerState::Closed);
    for _ in 0..5 {
        let _counted = guard.record_failure(&peer(1));
    }
    watched.advance(Duration::from_secs(300));
    let probe = guard.admit(&peer(1)).unwrap();
    watched.hot("the probe that re-opens", ONE, |_| probe.record(Outcome::Timeout, None, Traffic::NONE));
    assert_eq!(guard.view(&peer(1)).unwrap().state, BreakerState::Open);
}

#[test]
fn the_breaker_goes_through_its_states() {
    through_all_states(None);
    through_all_states(Some(FailureRate::default()));
}

#[test]
fn bans_are_earned_and_asked() {
    let watched = Watched::new(limited());
    let _known = watched.guard.record_success(&peer(1), None).unwrap();
    let permit = watched.guard.admit(&peer(1)).unwrap();
    watched.hot("a fatal report", ONE, |_| permit.record(Outcome::Fatal, None, Traffic::NONE));
    for _ in 0..5 {
        let permit = watched.guard.admit(&peer(2));
        let violation =
            |_: &PeerGuard| permit.map(|permit| permit.record(Outcome::ProtocolViolation, None, Traffic::NONE));
        let _counted = watched.hot("a violation, the last one bans", ONE + ONE, violation);
    }
    for banned in [peer(1), peer(2)] {
        assert!(watched.hot("is_banned", ONE, |guard| guard.is_banned(&banned)));
        let no = watched.hot("admit, banned", ONE, |guard| guard.admit(&banned).unwrap_err());
        assert_eq!(no.reason, Reason::Banned);
        let bytes = |guard: &PeerGuard| guard.admit_bytes(&banned, Direction::Upload, 1).unwrap_err();
        assert_eq!(watched.hot("admit_bytes, banned", ONE, bytes).reason, Reason::Banned);
        assert!(!watched.hot("should_communicate, banned", ONE, |guard| guard.should_communicate(&banned)));
        watched.hot("a report under a ban", ONE, |guard| guard.record_failure(&banned));
    }
    watched.advance(Duration::from_secs(3601));
    // Its breaker, which the ban outlasted, is half-open by now or closed.
    watched.hot("admit after a ban", ONE, |guard| guard.admit(&peer(1)).is_ok());
}

/// All calls of a handle, tracked or not.
fn use_handle(watched: &Watched, peer: &Peer) {
    let looking = if peer.is_tracked() { NONE } else { ONE };
    for _ in 0..20 {
        let permit = watched.hot("Peer::admit", NONE, |_| peer.admit().ok()).unwrap();
        watched.hot("success by Peer", ONE, |_| permit.success(LATENCY));
        assert!(watched.hot("Peer::check", looking, |_| peer.check()).is_ok());
        let permit = watched.hot("Peer::admit_bytes", ONE, |_| peer.admit_bytes(Direction::Upload, 100).ok()).unwrap();
        watched.hot("success with bytes by Peer", ONE, |_| permit.success(LATENCY));
        let granted = watched.hot("Peer::grant_up_to", ONE, |_| peer.grant_up_to(Direction::Download, 100).ok());
        watched.hot("drop with bytes by Peer", ONE, |_| drop(granted));
        watched.hot("Peer::report", ONE, |_| peer.report(Outcome::MessageSuccess, None, Traffic::NONE));
        watched.advance(Duration::from_millis(10));
    }
}

#[test]
fn a_handle_needs_no_allocation() {
    let watched = Watched::new(limited());
    let handle = watched.hot("peer()", ONE, |guard| guard.peer(&peer(1)));
    use_handle(&watched, &handle);
    let clone = watched.hot("Peer::clone", ONE, |_| handle.clone());
    watched.hot("drop of a Peer", NONE, |_| drop(clone));
    for _ in 0..5 {
        watched.hot("failure by Peer", ONE, |_| handle.report(Outcome::Timeout, None, Traffic::NONE));
    }
    let open = watched.hot("Peer::check, open", ONE, |_| handle.check()).unwrap_err();
    assert_eq!(
        (open.reason, watched.hot("Peer::admit, open", ONE, |_| handle.admit()).unwrap_err()),
        (Reason::Open, open)
    );
    watched.advance(open.retry_after.unwrap());
    assert!(watched.hot("Peer::check, half-open", ONE, |_| handle.check()).is_ok());
    let probe = watched.hot("Peer::admit, probe", ONE, |_| handle.admit().ok()).unwrap();
    watched.hot("probe by Peer", ONE, |_| probe.success(None));
    watched.hot("fatal by Peer", ONE, |_| handle.report(Outcome::Fatal, None, Traffic::NONE));
    assert_eq!(watched.hot("Peer::check, banned", ONE, |_| handle.check()).unwrap_err().reason, Reason::Banned);
    watched.hot("Peer::admit, banned", ONE, |_| handle.admit().unwrap_err());
}

#[test]
fn first_contact_and_eviction_allocate_nothing() {
    let watched = Watched::new(limited());
    let (_, capacity) = watched.guard.occupancy();
    for n in 0..capacity as u64 {
        let stranger = peer(4 * n);
        let permit = watched.hot("admit, unknown", NONE, |guard| guard.admit(&stranger).ok()).unwrap();
        watched.hot("first report", ONE, |_| permit.failure());
        watched.hot("first report by key", ONE, |guard| guard.record_success(&peer(4 * n + 1), None).unwrap());
        let third = peer(4 * n + 2);
        let permit = watched.hot("first bytes", ONE, |guard| guard.admit_bytes(&third, Direction::Upload, 10).ok());
        watched.hot("success with first bytes", ONE, |_| permit.map(|permit| permit.success(None)));
        assert!(watched.hot("first take", ONE, |guard| guard.try_upload(&peer(4 * n + 3), 1)));
        watched.advance(Duration::from_millis(1));
    }
    let totals = watched.guard.get_summary();
    assert!(totals.evictions >= 2 * capacity as u64, "the table has been full for most of the time: {totals:?}");
}

#[test]
fn a_full_table_serves_newcomers_without_allocation() {
    for newcomers in [Newcomers::Untracked, Newcomers::Refuse] {
        let watched = Watched::new(Config { max_peers: 14, newcomers, ..limited() });
        let handles: Vec<Peer> = (0..500).map(|n| watched.guard.peer(&peer(n))).collect();
        let stranger = peer(9999);
        let untracked = handles.iter().find(|handle| !handle.is_tracked()).expect("500 do not fit in 14 places");
        let allowed = if newcomers == Newcomers::Refuse { ONE } else { NONE };
        let permit = watched.hot("admit, table full", allowed, |guard| guard.admit(&stranger));
        assert_eq!(permit.is_ok(), newcomers == Newcomers::Untracked);
        let taken = watched.hot("admit_bytes, table full", ONE, |guard| {
            guard.admit_bytes(&stranger, Direction::Upload, 10).map(|mut permit| permit.refund(5))
        });
        assert_eq!(taken.is_ok(), newcomers == Newcomers::Untracked);
        watched.hot("report, table full", ONE, |guard| guard.record_failure(&stranger));
        if newcomers == Newcomers::Untracked {
            use_handle(&watched, untracked);
        }
    }
}

#[test]
fn operators_calls_allocate_nothing_either() {
    let watched = Watched::new(limited());
    watched.hot("ban", ONE, |guard| guard.ban(&peer(1), None, 7)).unwrap();
    assert!(watched.hot("unban", ONE, |guard| guard.unban(&peer(1))));
    watched.hot("force_open", ONE, |guard| guard.force_open(&peer(1))).unwrap();
    let no = watched.hot("admit, forced open", ONE, |guard| guard.admit(&peer(1)).unwrap_err());
    assert_eq!(no.reason, Reason::ForcedOpen);
    watched.hot("force_closed", ONE, |guard| guard.force_closed(&peer(1))).unwrap();
    watched.hot("admit, forced closed", ONE, |guard| guard.admit(&peer(1)).is_ok());
    watched.hot("observe", ONE, |guard| guard.observe(&peer(1))).unwrap();
    let permit = watched.hot("admit, observed", ONE, |guard| guard.admit(&peer(1)).ok()).unwrap();
    watched.hot("failure, observed", ONE, |_| permit.failure());
    assert!(watched.hot("reset", ONE, |guard| guard.reset(&peer(1))));
}
