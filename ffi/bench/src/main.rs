//! What a C call costs beside the same call in Rust: both in one process, in turns.
//!
//! The exported functions are called through pointers that the optimiser cannot see through, as a C host calls them; the
//! Rust calls are inlined, as a Rust node's are. Each round times both, one after the other, in changing order; shown are
//! medians over the rounds with the quartiles of the difference within a round. With two arguments, other numbers of rounds
//! and of calls: few, to count instructions.

use std::hint::black_box;
use std::time::Duration;

use peerguard::{Config, Direction, Outcome, Peer, PeerGuard, PeerId, Traffic};

mod c;
use c::{Api, Id, PermitMemory};

/// How often each operation is timed, and how many calls at a time.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    calls: usize,
}

impl Effort {
    fn of_arguments() -> Self {
        let mut numbers = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
        Self { rounds: numbers.next().unwrap_or(21), calls: numbers.next().unwrap_or(100_000) }
    }
}

const KEYS: usize = 1000;
/// Most that the border may cost, in nanoseconds.
const GOAL: f64 = 8.0;

struct Rust {
    guard: PeerGuard,
    peer: Peer,
    ids: Vec<PeerId>,
}

struct Foreign {
    api: Api,
    guard: u64,
    peer: u64,
    ids: Vec<Id>,
}

fn config() -> Config {
    let mut config = Config { max_peers: 10_000, ..Config::default() };
    config.bandwidth.per_peer_upload_bps = 1 << 40;
    config.bandwidth.upload_limit_bps = 1 << 40;
    config
}

/// CPU time of this thread, so that other processes disturb less.
fn now() -> i128 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

fn nanos(calls: usize, run: impl FnOnce()) -> f64 {
    let began = now();
    run();
    (now() - began) as f64 / calls as f64
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

/// One line of the table, for an operation of so many C calls; whether the goal is met.
fn compare(effort: Effort, what: &str, crossings: u8, mut rust: impl FnMut(), mut foreign: impl FnMut()) -> bool {
    let mut times = [Vec::new(), Vec::new()];
    rust();
    foreign();
    for round in 0..effort.rounds {
        let (mut one, mut other) = (0.0, 0.0);
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                one = nanos(effort.calls, &mut rust);
            } else {
                other = nanos(effort.calls, &mut foreign);
            }
        }
        times[0].push(one);
        times[1].push(other);
    }
    let border = times[1].iter().zip(&times[0]).map(|(foreign, rust)| foreign - rust).collect();
    let [rust, foreign] = times.map(|times| quartiles(times)[1]);
    let [low, median, high] = quartiles(border);
    let met = median <= GOAL * f64::from(crossings);
    let verdict = if met { "met" } else { "missed" };
    println!("{what:<36} {rust:>8.1} {foreign:>8.1} {median:>+8.1}  ({low:+.1} to {high:+.1})  {verdict}");
    met
}

fn main() {
    let rust = Rust::new();
    let c = Foreign::new();
    let effort = Effort::of_arguments();
    let Effort { rounds, calls } = effort;
    let latency = Some(Duration::from_millis(5));
    println!(
        "{KEYS} peers, {rounds} rounds of {calls}; medians in ns, quartiles of the difference; goal: at most {GOAL} ns a call"
    );
    println!("{:<36} {:>8} {:>8} {:>8}", "", "Rust", "C", "border");
    let each = || (0..calls).map(|i| i % KEYS);
    let mut permit = PermitMemory::default();
    let place = &raw mut permit;
    let all = [
        compare(
            effort,
            "check by peer",
            1,
            || each().for_each(|_| _ = black_box(black_box(&rust.peer).check())),
            || each().for_each(|_| c.api.peer_check(c.peer)),
        ),
        compare(
            effort,
            "admit by peer",
            1,
            || each().for_each(|_| std::mem::forget(black_box(black_box(&rust.peer).admit()))),
            || each().for_each(|_| c.api.peer_admit(c.peer, place)),
        ),
        compare(
            effort,
            "admit + report by peer",
            2,
            || {
                each().for_each(|_| {
                    let permit = black_box(&rust.peer).admit().expect("closed");
                    black_box(permit.record(black_box(Outcome::MessageSuccess), black_box(latency), Traffic::NONE));
                });
            },
            || {
                each().for_each(|_| {
                    c.api.peer_admit(c.peer, place);
                    c.api.peer_report(c.peer, place);
                });
            },
        ),
        compare(
            effort,
            "should_communicate",
            1,
            || each().for_each(|i| _ = black_box(rust.guard.should_communicate(&rust.ids[i]))),
            || each().for_each(|i| c.api.should_communicate(c.guard, &c.ids[i])),
        ),
        compare(
            effort,
            "admit",
            1,
            || each().for_each(|i| std::mem::forget(black_box(rust.guard.admit(&rust.ids[i])))),
            || each().for_each(|i| c.api.admit(c.guard, &c.ids[i], place)),
        ),
        compare(
            effort,
            "admit + report",
            2,
            || {
                each().for_each(|i| {
                    let permit = rust.guard.admit(&rust.ids[i]).expect("closed");
                    black_box(permit.record(black_box(Outcome::MessageSuccess), black_box(latency), Traffic::NONE));
                });
            },
            || {
                each().for_each(|i| {
                    c.api.admit(c.guard, &c.ids[i], place);
                    c.api.report(c.guard, place);
                });
            },
        ),
        compare(
            effort,
            "admit_bytes + report",
            2,
            || {
                each().for_each(|i| {
                    let permit =
                        rust.guard.admit_bytes(&rust.ids[i], Direction::Upload, black_box(100)).expect("enough");
                    black_box(permit.record(black_box(Outcome::MessageSuccess), black_box(latency), Traffic::NONE));
                });
            },
            || {
                each().for_each(|i| {
                    c.api.admit_bytes(c.guard, &c.ids[i], 100, place);
                    c.api.report(c.guard, place);
                });
            },
        ),
    ];
    let met = all.iter().filter(|&&met| met).count();
    println!("{met} of {} met; two calls may cost it twice", all.len());
}

impl Rust {
    fn new() -> Self {
        let guard = PeerGuard::new(config()).expect("a valid configuration");
        let ids: Vec<PeerId> = (0..KEYS).map(|i| PeerId::digest(&i.to_le_bytes())).collect();
        for id in &ids {
            guard.report(id, Outcome::MessageSuccess, None, Traffic::NONE);
        }
        let peer = guard.peer(&ids[0]);
        Self { guard, peer, ids }
    }
}

impl Foreign {
    fn new() -> Self {
        let api = Api::new();
        let guard = api.guard(10_000, 1 << 40);
        let ids: Vec<Id> =
            (0..KEYS).map(|i: usize| Id { bytes: *PeerId::digest(&i.to_le_bytes()).as_bytes() }).collect();
        for id in &ids {
            api.report_key(guard, id);
        }
        let peer = api.peer(guard, &ids[0]);
        Self { api, guard, peer, ids }
    }
}
