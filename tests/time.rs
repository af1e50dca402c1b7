//! The guard against the model where time is unkind: before every wrap of a packed time, over ten years, across steps
//! back and suspends; and bans, to the tick.
//!
//! `PEERGUARD_SEQUENCES` sets how many sequences are played before each wrap (3,000), and for each kind of step.

#[allow(dead_code, reason = "what only single sequences need is `model`'s")]
#[path = "model/mod.rs"]
mod reference;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use peerguard::{Clock, Config, Outcome, PeerGuard, PeerId, Reason, Traffic};
use reference::calls::{Call, Mood, slice_ns};
use reference::coverage::Coverage;
use reference::run::Run;
use reference::sequence::Sequence;

const SECOND: u64 = 1_000_000_000;
const TICK: u64 = 1 << 20;
/// So long before a wrap the clock starts.
const BEFORE: u64 = 300 * SECOND;

/// The times at which a packed field is 0 again, by what it is of; `slice`: nanoseconds of a slice of the window.
fn wraps(slice: u64) -> [(&'static str, u64); 8] {
    [
        ("window, slices (14 bits)", slice.saturating_mul(1 << 14)),
        ("pending ban, moment (26 bits of ticks)", 1 << 46),
        ("half-open, lease (27 bits of ticks)", 1 << 47),
        ("bucket, paid at (54 bits of ns)", 1 << 54),
        ("score, second (28 bits)", SECOND << 28),
        ("open until, closed since (39 bits of ticks)", 1 << 59),
        ("differences with a sign (63 bits)", 1 << 63),
        ("ban, end (44 bits of ticks), and the clock itself", u64::MAX),
    ]
}

fn sequences() -> u64 {
    match std::env::var("PEERGUARD_SEQUENCES") {
        Ok(text) => text.parse().expect("PEERGUARD_SEQUENCES is a number"),
        Err(_) => 3_000,
    }
}

/// Plays one sequence for each seed on all cores; the first that differs from the model fails the test.
fn play(what: &str, of_seed: impl Fn(u64) -> Sequence + Sync) {
    let next = AtomicU64::new(0);
    let failure = Mutex::new(None);
    let coverage = Mutex::new(Coverage::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut own = Coverage::default();
                while failure.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= sequences() {
                        break;
                    }
                    if let Err(what) = of_seed(seed).check(seed, &mut own) {
                        failure.lock().unwrap().get_or_insert(what);
                    }
                }
                coverage.lock().unwrap().add(&own);
            });
        }
    });
    if let Some(difference) = failure.into_inner().unwrap() {
        panic!("{what}: {difference}");
    }
    println!("{what}: {} sequences agree; {:?}", sequences(), coverage.into_inner().unwrap());
}

#[test]
fn every_call_is_right_before_and_after_each_wrap() {
    for (number, (what, _)) in wraps(1).into_iter().enumerate() {
        play(what, |seed| {
            let mut sequence = Sequence::new(seed ^ 0x7772_6170);
            let mut rng = Rng::with_seed(seed);
            let (_, wrap) = wraps(slice_ns(&sequence.config))[number];
            // The second and third turn as well as the first.
            let turn = wrap.checked_mul(rng.u64(1..4)).unwrap_or(wrap);
            sequence.start = turn.saturating_sub(BEFORE);
            // So that the wrap is passed in the middle, whatever the sequence's own steps are.
            let near = Call::Advance(BEFORE - [0, 1, TICK, SECOND, 10 * SECOND][rng.usize(..5)]);
            let at = rng.usize(..sequence.calls.len());
            sequence.calls.insert(at, near);
            for step in [SECOND, 10 * SECOND] {
                let after = rng.usize(at..sequence.calls.len());
                sequence.calls.insert(after + 1, Call::Advance(step));
            }
            sequence
        });
    }
}

/// Plays sequences into which such steps are thrown.
fn play_with_steps(what: &str, step: impl Fn(&mut Rng) -> Call + Sync) {
    play(what, |seed| {
        let mut sequence = Sequence::new(seed ^ 0x7374_6570);
        let mut rng = Rng::with_seed(seed);
        for _ in 0..rng.usize(1..5) {
            let at = rng.usize(..sequence.calls.len());
            sequence.calls.insert(at, step(&mut rng));
        }
        sequence
    });
}

#[test]
fn every_call_is_right_when_the_clock_steps_back() {
    // 17.2 s is where a stamp of the future stops being taken for another thread's.
    let steps = [1, 10, 17, 18, 60, 600, 3_600].map(|seconds| seconds * SECOND);
    play_with_steps("steps back by 1 s to 1 h", |rng| {
        Call::StepBack(if rng.bool() { steps[rng.usize(..7)] } else { rng.u64(SECOND..=3_600 * SECOND) })
    });
}

#[test]
fn every_call_is_right_after_a_suspend() {
    play_with_steps("suspends of 8 h", |rng| Call::Advance(8 * 3_600 * SECOND + rng.u64(..3 * SECOND)));
}

/// One guard, ten years, all calls: the clock goes on by moments and by hours. Where the words cannot tell how old a stamp
/// is (`reference::doubt`, DESIGN.md) the peers are new from there on.
#[test]
fn ten_years() {
    const YEARS_NS: u64 = 3_653 * 86_400 * SECOND;
    let config = Config { max_peers: 64, event_capacity: 256, ..Config::default() };
    let mut now = 5 * SECOND;
    let (mut guards, mut calls) = (0u64, 0u64);
    let mut coverage = Coverage::default();
    let mut rng = Rng::with_seed(10);
    let end = now + YEARS_NS;
    while now < end {
        guards += 1;
        let (clock, hand) = Clock::manual(now);
        let guard = PeerGuard::with_clock(config.clone(), clock).unwrap();
        let handles = Default::default();
        let mut run = Run::new(&guard, hand.clone(), &handles, &config);
        'guard: for seed in guards << 32.. {
            let mut list = Mood::new(seed, &config).calls();
            list.retain(|call| !matches!(call, Call::StepBack(_)));
            // A day at most, once in each list of some 45 calls; most calls stand in the same second.
            list.push(Call::Advance(rng.u64(..=86_400 * SECOND)));
            for call in list {
                let call = match call {
                    Call::Advance(ns) => Call::Advance(ns.min(86_400 * SECOND)),
                    call => call,
                };
                run.step(&call).unwrap_or_else(|what| panic!("at {} ns, {call:?}: {what}", hand.now()));
                calls += 1;
                if hand.now() >= end || run.is_doubtful() {
                    break 'guard;
                }
            }
        }
        now = hand.now();
        run.cover(&mut coverage);
    }
    println!("ten years, {calls} calls, {guards} guards: {coverage:?}");
    coverage.assert_all_reached(1);
    assert!(calls >= 20_000, "only {calls} calls in ten years");
}

/// What may happen to the clock while a ban is in force.
#[derive(Clone, Copy, Debug)]
enum Upset {
    Nothing,
    Back(u64),
    Suspend(u64),
}

/// A ban is in force until its end and no longer, to one tick, wherever the clock starts and whatever it does meanwhile.
#[test]
fn bans_end_at_their_time_to_a_tick() {
    let mut upsets = vec![Upset::Nothing, Upset::Suspend(8 * 3_600 * SECOND)];
    upsets.extend([1, 17, 18, 60, 600, 3_600].map(|seconds| Upset::Back(seconds * SECOND)));
    let lengths = [1, 30, 3_600, 86_400, 10 * 365 * 86_400].map(Duration::from_secs);
    let slice = slice_ns(&Config::default());
    let mut starts: Vec<u64> = wraps(slice).iter().map(|(_, wrap)| wrap.saturating_sub(BEFORE)).collect();
    starts.extend([0, 3_601 * SECOND]);
    let mut ends = 0;
    for &start in &starts {
        for &length in &lengths {
            let Some(end) = start.checked_add(length.as_nanos() as u64).filter(|end| *end <= u64::MAX - 2 * TICK)
            else {
                // The clock stops before such a ban does.
                continue;
            };
            for &upset in &upsets {
                for earned in [false, true] {
                    a_ban_ends(start, length, end, upset, earned);
                    ends += 1;
                }
            }
        }
    }
    println!("{ends} bans ended at their time, to a tick");
    assert!(ends > 500);
}

fn a_ban_ends(start: u64, length: Duration, end: u64, upset: Upset, earned: bool) {
    let id = PeerId::new([9; 32]);
    let (clock, hand) = Clock::manual(start);
    let mut config = Config { max_peers: 4, ..Config::default() };
    config.reputation.ban_duration = Some(length);
    config.reputation.max_ban_duration = length.max(config.reputation.max_ban_duration);
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    if earned {
        let _recorded = guard.report(&id, Outcome::Fatal, None, Traffic::NONE);
    } else {
        guard.ban(&id, Some(length), 1).unwrap();
    }
    let case = format!("from {start}, {length:?}, {upset:?}, earned: {earned}");
    assert!(guard.is_banned(&id), "{case}");
    match upset {
        Upset::Nothing => {}
        Upset::Back(ns) => {
            hand.step_back(Duration::from_nanos(ns));
            assert!(guard.is_banned(&id), "{case}: after the step back");
        }
        Upset::Suspend(ns) => {
            let awake = start.saturating_add(ns);
            hand.set(awake);
            assert_eq!(guard.is_banned(&id), awake < end, "{case}: after the suspend");
        }
    }
    if !matches!(upset, Upset::Suspend(_)) {
        hand.set(start + length.as_nanos() as u64 / 2);
        assert!(guard.is_banned(&id), "{case}: half of it");
    }
    hand.set(end - TICK);
    assert!(guard.is_banned(&id), "{case}: a tick before its end");
    let refused = guard.admit(&id).expect_err("a ban refuses");
    assert_eq!(refused.reason, Reason::Banned, "{case}");
    let wait = refused.retry_after.expect("it ends by itself").as_nanos() as u64;
    assert!((1..2 * TICK).contains(&wait), "{case}: a tick before its end the wait is {wait} ns");
    hand.set(end + TICK);
    assert!(!guard.is_banned(&id), "{case}: a tick after its end");
}
