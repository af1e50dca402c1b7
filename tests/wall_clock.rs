//! The system's clocks: a wall clock that is set by ten years, a suspend of eight hours, and lives that pass the wraps of
//! the packed times by the clock of the kernel itself, in Linux time namespaces.
//!
//! The test binary has a `clock_gettime` of its own, which everything in it is linked to: it asks the C library and adds
//! what the test says. Where a kernel refuses time namespaces the same lives are led by that clock, and the output says so.

#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "stands between the process and the C library's clock")]

use std::ffi::{c_char, c_int, c_void};
use std::io::Write;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use peerguard::{BreakerState, Config, Outcome, PeerGuard, PeerId, Publisher, Reason, Traffic};

const ID: PeerId = PeerId::new([3; 32]);
const SECOND: i64 = 1_000_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: i64 = 365 * 86_400;
const TICK: u64 = 1 << 20;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

const REALTIME: c_int = 0;
const BOOTTIME: c_int = 7;

/// Seconds that are added to the wall clock, nanoseconds that are added to the time since boot.
static WALL: AtomicI64 = AtomicI64::new(0);
static BOOT: AtomicI64 = AtomicI64::new(0);

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

/// # Safety
/// As for the C library's: `out` is valid for a write.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: c_int, out: *mut Timespec) -> c_int {
    type Function = unsafe extern "C" fn(c_int, *mut Timespec) -> c_int;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;
    let mut next = NEXT.load(Ordering::Relaxed);
    if next == 0 {
        // SAFETY: a name that ends in 0; the answer is the C library's function of that name, or null.
        next = unsafe { dlsym(RTLD_NEXT, c"clock_gettime".as_ptr()) } as usize;
        if next == 0 {
            return -1;
        }
        NEXT.store(next, Ordering::Relaxed);
    }
    // SAFETY: `next` is the C library's `clock_gettime`, which has this type.
    let function: Function = unsafe { std::mem::transmute(next) };
    // SAFETY: the caller's promise.
    let status = unsafe { function(clock, out) };
    if status == 0 {
        // SAFETY: written just now.
        let time = unsafe { &mut *out };
        match clock {
            REALTIME => time.seconds += WALL.load(Ordering::Relaxed),
            BOOTTIME => {
                let nanos = time.nanos + BOOT.load(Ordering::Relaxed) % SECOND;
                time.seconds += BOOT.load(Ordering::Relaxed) / SECOND + nanos.div_euclid(SECOND);
                time.nanos = nanos.rem_euclid(SECOND);
            }
            _ => {}
        }
    }
    status
}

/// The clocks are one process's: tests that set them take turns, and set them back.
struct Clocks(#[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Clocks {
    fn take() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_wall(&self, seconds: i64) {
        WALL.store(seconds, Ordering::Relaxed);
    }

    fn add_to_boot(&self, nanos: i64) {
        BOOT.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        WALL.store(0, Ordering::Relaxed);
        BOOT.store(0, Ordering::Relaxed);
    }
}

fn guard() -> PeerGuard {
    let mut config = Config { max_peers: 16, ..Config::default() };
    config.circuit_breaker.jitter = 0.0;
    PeerGuard::new(config).unwrap()
}

fn trip(guard: &PeerGuard, id: &PeerId) {
    (0..5).for_each(|_| {
        let _recorded = guard.report(id, Outcome::Timeout, None, Traffic::NONE);
    });
}

#[test]
fn a_wall_clock_that_is_set_moves_what_is_shown_and_nothing_else() {
    let clocks = Clocks::take();
    let guard = guard();
    let publisher = Publisher::new(&guard);
    let (banned, open) = (ID, PeerId::new([4; 32]));
    guard.ban(&banned, Some(HOUR), 1).unwrap();
    trip(&guard, &open);
    let real = SystemTime::now();
    // Also before 1970, past the year 2300, and past 2554, when the nanoseconds since 1970 have filled 64 bits.
    for seconds in [10 * YEAR, -10 * YEAR, 0, -80 * YEAR, 400 * YEAR, 600 * YEAR, 10 * YEAR] {
        clocks.set_wall(seconds);
        assert!(guard.is_banned(&banned));
        let wait = guard.admit(&banned).unwrap_err().retry_after.unwrap();
        assert!(wait <= HOUR + Duration::from_millis(2) && wait > HOUR - Duration::from_secs(600), "{wait:?}");
        assert_eq!(guard.view(&open).unwrap().state, BreakerState::Open);
        let score = guard.view(&open).unwrap().score;
        assert!((score - 45.0).abs() < 0.01, "{score}");
        let published = publisher.publish_now();
        assert!(published.age() < Duration::from_secs(600));
        let events = guard.events_since(0, 100).events;
        assert_eq!(events.len(), 2);
        let shown = if seconds < 0 {
            real - Duration::from_secs(seconds.unsigned_abs())
        } else {
            real + Duration::from_secs(seconds.unsigned_abs())
        };
        for at in [guard.view(&open).unwrap().last_seen, published.taken_at, events[1].at] {
            let off = at.duration_since(shown).unwrap_or_else(|before| before.duration());
            assert!(off < Duration::from_secs(600), "the wall clock {seconds} s off shows {at:?}");
        }
    }
}

#[test]
fn eight_hours_of_suspend_count() {
    let clocks = Clocks::take();
    let guard = guard();
    let [short, long, open, good] = [1, 2, 3, 4].map(|n| PeerId::new([n; 32]));
    guard.ban(&short, Some(HOUR), 1).unwrap();
    guard.ban(&long, Some(9 * HOUR), 1).unwrap();
    trip(&guard, &open);
    for _ in 0..10 {
        guard.record_success(&good, None).unwrap();
    }
    clocks.add_to_boot(8 * 3_600 * SECOND);
    assert!(!guard.is_banned(&short), "an hour has passed");
    let score = guard.view(&short).unwrap().score;
    let expected = 50.0 - 25.0 * 0.99f64.powi(7);
    assert!((score - expected).abs() < 0.01, "on probation for seven hours: {score}, not {expected}");
    assert!(guard.is_banned(&long), "nine hours have not");
    let wait = guard.admit(&long).unwrap_err().retry_after.unwrap();
    assert!(wait <= HOUR + Duration::from_millis(2), "{wait:?}");
    assert!(guard.admit(&open).unwrap().is_probe(), "the open time is over");
    let score = guard.view(&good).unwrap().score;
    let expected = 50.0 + 20.0 * 0.99f64.powi(8);
    assert!((score - expected).abs() < 0.01, "{score}, not {expected}");
    // The recent time follows with a tick of the kernel's timer.
    let asked = Instant::now();
    loop {
        guard.record_success(&good, None).unwrap();
        let view = guard.view(&good).unwrap();
        let lapse = view.last_seen.duration_since(view.first_seen).unwrap();
        if lapse >= 8 * HOUR {
            break;
        }
        assert!(asked.elapsed() < Duration::from_secs(10), "{lapse:?}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_clock_of_the_system_that_steps_back_is_followed_back() {
    let clocks = Clocks::take();
    // The time since boot may be less than what is taken from it.
    clocks.add_to_boot(86_400 * SECOND);
    for seconds in [1, 17, 18, 60, 600, 3_600] {
        let guard = guard();
        guard.ban(&ID, Some(HOUR), 1).unwrap();
        clocks.add_to_boot(-seconds * SECOND);
        let (first, second) = (guard.clock().now(), guard.clock().now());
        assert!(first <= second);
        assert!(guard.is_banned(&ID));
        clocks.add_to_boot((seconds + 3_590) * SECOND);
        assert!(guard.is_banned(&ID), "ten seconds before its end");
        clocks.add_to_boot(11 * SECOND);
        assert!(!guard.is_banned(&ID), "a second after its end");
    }
}

fn variable(name: &str) -> Option<i64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// The time since boot as the process sees it.
fn since_boot() -> i64 {
    let mut out = Timespec { seconds: 0, nanos: 0 };
    // SAFETY: `out` is valid.
    assert_eq!(unsafe { clock_gettime(BOOTTIME, &mut out) }, 0);
    out.seconds * SECOND + out.nanos
}

/// Bans, open times and probes for four seconds, by whatever the process's clock says. Each must end at its time to a tick,
/// as told by readings before and after each question, so that it does not matter how slowly the threads run.
///
/// `PEERGUARD_WRAP` (ns) must be passed meanwhile; `PEERGUARD_BEFORE` (ns) sets the clock to so long before it.
#[test]
fn a_short_life() {
    let clocks = Clocks::take();
    let wrap = variable("PEERGUARD_WRAP");
    if let (Some(wrap), Some(before)) = (wrap, variable("PEERGUARD_BEFORE")) {
        clocks.add_to_boot(wrap - before - since_boot());
    }
    let mut config = Config { max_peers: 64, ..Config::default() };
    config.circuit_breaker.recovery_timeout = Duration::from_millis(150);
    config.circuit_breaker.max_open_time = Duration::from_millis(150);
    config.circuit_breaker.jitter = 0.0;
    config.reputation.ban_duration = Some(Duration::from_millis(100));
    config.bandwidth.per_peer_upload_bps = 1_000_000;
    let guard = PeerGuard::new(config).unwrap();
    let clock = guard.clock().clone();
    let born = clock.now();
    let mut taken = 0;
    let mut lives = 0u8;
    let end = (born as i64 + 4 * SECOND).max(wrap.map_or(0, |wrap| wrap + SECOND));
    while clock.now() < end as u64 {
        lives = lives.wrapping_add(1);
        let (banned, open) = (PeerId::new([lives; 32]), PeerId::new([lives | 0x80; 32]));
        ends_in_time(
            &guard,
            100,
            || guard.ban(&banned, Some(Duration::from_millis(100)), 1).unwrap(),
            || guard.admit(&banned).err().map(|no| no.reason == Reason::Banned),
        );
        ends_in_time(
            &guard,
            150,
            || trip(&guard, &open),
            || guard.admit(&open).err().map(|no| no.reason == Reason::Open),
        );
        assert!(guard.reset(&open));
        taken += (0..100).filter(|_| guard.try_upload(&ID, 50_000)).count() as u64 * 50_000;
    }
    let lived = (clock.now() - born) as f64 / 1e9;
    assert!(taken as f64 <= 1e6 * (lived + 1.0), "{taken} bytes in {lived} s at 1 MB/s and a burst of 1 MB");
    assert!(taken as f64 >= 1e6, "{taken} bytes in {lived} s");
    if let Some(wrap) = wrap {
        let (wrap, now) = (wrap.unsigned_abs(), clock.now());
        assert!((born..now).contains(&wrap), "the clock went from {born} to {now}, and not past {wrap}");
        println!("passed {wrap} ns, from {born}");
    }
}

/// `refused` says whether the peer is refused for the reason in question; `None` when it is admitted.
fn ends_in_time(guard: &PeerGuard, millis: u64, begin: impl FnOnce(), refused: impl Fn() -> Option<bool>) {
    let clock = guard.clock();
    let earliest = clock.now() + millis * 1_000_000 - TICK;
    begin();
    let latest = clock.now() + millis * 1_000_000 + TICK;
    loop {
        let before = clock.now();
        let Some(for_this) = refused() else {
            assert!(clock.now() >= earliest, "it ended {} ns too early", earliest - clock.now());
            return;
        };
        assert!(for_this, "refused for another reason");
        assert!(before <= latest, "it was in force {} ns too long", before - latest);
        sleep(Duration::from_micros(500));
    }
}

/// Leads a short life in a process of its own that passes a wrap, in a time namespace or by a clock that is set.
fn live_past(wrap: u64, in_namespace: bool) -> Command {
    let life = std::env::current_exe().unwrap();
    let mut command = if in_namespace {
        let mut unshare = Command::new("unshare");
        // Root may do so as it is; anybody else in a user namespace of their own.
        if !rustix::process::geteuid().is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        // So many are started at once that it may take seconds.
        let offset = ((wrap as i64 - since_boot()) / SECOND - 8).to_string();
        unshare.args(["--time", "--boottime", &offset, "--monotonic", &offset]).arg(life);
        unshare
    } else {
        let mut command = Command::new(life);
        command.env("PEERGUARD_BEFORE", (2 * SECOND).to_string());
        command
    };
    command.env("PEERGUARD_WRAP", wrap.to_string()).args(["--exact", "a_short_life", "--nocapture"]);
    command
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn lives_pass_the_wraps_in_time_namespaces() {
    let mut probe = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        probe.args(["--user", "--map-root-user"]);
    }
    let probe = probe.args(["--time", "--boottime", "1000", "true"]).output();
    let in_namespace = probe.as_ref().is_ok_and(|out| out.status.success());
    if !in_namespace {
        let why = probe.map_or_else(|error| error.to_string(), |out| text(&out));
        let why = why.trim();
        // Not by `println`, which is shown of a test that fails.
        writeln!(
            std::io::stderr(),
            "this kernel refuses time namespaces ({why}): the clock is set in each process instead"
        )
        .unwrap();
    }
    let slices = 7_500_000_000 << 14;
    let wraps = [slices, 1 << 46, 1 << 47, 1 << 54, (SECOND as u64) << 28, 1 << 59];
    let spawn = |wrap, in_namespace| {
        // Nobody has set the clock that the wrap is reckoned from.
        let _clocks = Clocks::take();
        let mut command = live_past(wrap, in_namespace);
        let pipe = std::process::Stdio::piped;
        (wrap, in_namespace, command.stdout(pipe()).stderr(pipe()).spawn().expect("util-linux has unshare"))
    };
    let mut lives: Vec<_> = wraps.iter().map(|wrap| spawn(*wrap, in_namespace)).collect();
    lives.push(spawn(1 << 47, false));
    for (wrap, in_namespace, life) in lives {
        let out = life.wait_with_output().unwrap();
        let how = if in_namespace { "in a time namespace" } else { "by a clock that is set" };
        assert!(out.status.success(), "{how}, past {wrap}:\n{}", text(&out));
        assert!(text(&out).contains(&format!("passed {wrap} ns")), "{how}:\n{}", text(&out));
        println!("{how}: passed {wrap} ns");
    }
}
