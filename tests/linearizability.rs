//! Ten thousand histories of three threads on the real guard, each explained by an order of its calls.
//!
//! `PEERGUARD_HISTORIES` asks for another number, `PEERGUARD_SEED` for another first seed. What the search is and what is
//! promised stands in `linear/mod.rs`. An illegal history is printed.

#[allow(dead_code, reason = "the sequences of `model` are another test's")]
#[path = "model/mod.rs"]
mod reference;

mod linear;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use linear::calls::{CALLS, THREADS, Topic};
use linear::faults::Fault;
use linear::history::{History, KEYS};
use linear::record::{record, terms};
use linear::search::{Object, Op, Search, Verdict};
use linear::{breaker, bytes, quiet, standing};
use peerguard::Totals;
use reference::{reputation, rules};

/// A legal search, or what it came to.
type Found = Result<(), (Verdict, String)>;

/// What came of a number of histories.
#[derive(Debug, Default)]
struct Sum {
    histories: u64,
    calls: u64,
    overlapping: u64,
    steps: u64,
    most_steps: u64,
    undecided: u64,
    /// No order explains them.
    illegal: u64,
    /// Their counters are wrong at the end.
    miscounted: u64,
    /// The first of these, in words.
    first: Option<String>,
}

impl Sum {
    /// Searches one object of a history; `Err` with the verdict in words.
    fn search<O: Object>(&mut self, object: &O, ops: &[Vec<Op<O::Atom>>], start: O::State, what: &str) -> Found {
        let mut search = Search::new(object, ops);
        let verdict = search.run(start);
        self.steps += search.steps;
        self.most_steps = self.most_steps.max(search.steps);
        let all: usize = ops.iter().map(Vec::len).sum();
        match verdict {
            Verdict::Legal => Ok(()),
            Verdict::Undecided => Err((verdict, format!("{what}: undecided after {} steps", search.steps))),
            Verdict::Illegal => {
                let text = format!("{what}: no order explains more than {} of {all} operations", search.deepest);
                Err((verdict, text))
            }
        }
    }

    fn check(&mut self, history: &History, totals: &Totals, topic: Topic) {
        self.histories += 1;
        self.calls += history.calls() as u64;
        self.overlapping += history.overlapping() as u64;
        let found = match topic {
            Topic::Peers => self.check_peers(history),
            Topic::Bytes => self.check_bytes(history),
        };
        let counted = quiet::check(history, totals);
        self.miscounted += u64::from(counted.is_err());
        if let Err((verdict, _)) = &found {
            self.illegal += u64::from(*verdict == Verdict::Illegal);
            self.undecided += u64::from(*verdict == Verdict::Undecided);
        }
        if self.first.is_none()
            && let Err(what) = found.map_err(|(_, what)| what).and(counted)
        {
            self.first = Some(format!("{what}\n{history}"));
        }
    }

    fn check_peers(&mut self, history: &History) -> Found {
        let of_breaker = rules::Rules::new(&history.config.circuit_breaker);
        let of_reputation = reputation::Rules::new(&history.config.reputation);
        let weights = &history.config.reputation.weights;
        let mut found = Ok(());
        for key in 0..KEYS {
            let object = breaker::BreakerOf { rules: &of_breaker };
            let what = format!("key {key}, breaker");
            let breaker = self.search(&object, &breaker::ops(history, key), breaker::start(history.start), &what);
            let object = standing::StandingOf { rules: &of_reputation, weights };
            let start = standing::start(history.start, &of_reputation);
            let standing = self.search(&object, &standing::ops(history, key), start, &format!("key {key}, standing"));
            found = found.and(breaker).and(standing);
        }
        found
    }

    fn check_bytes(&mut self, history: &History) -> Found {
        let [peer, all] = terms(&history.config).expect("there are limits");
        let buckets = bytes::Buckets { peer, all };
        self.search(&buckets, &bytes::ops(history, &buckets), bytes::start(history.start), "bytes")
    }

    fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.calls += other.calls;
        self.overlapping += other.overlapping;
        self.steps += other.steps;
        self.most_steps = self.most_steps.max(other.most_steps);
        self.undecided += other.undecided;
        self.illegal += other.illegal;
        self.miscounted += other.miscounted;
        self.first = self.first.take().or(other.first);
    }
}

/// Records and searches so many histories, a few hundred at a time.
fn run(histories: u64, first: u64, topic: Topic, fault: Fault) -> Sum {
    let sum = Mutex::new(Sum::default());
    let mut seed = first;
    while seed < first + histories {
        let until = (seed + 250).min(first + histories);
        let recorded = record(seed..until, topic, fault);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    let mut own = Sum::default();
                    while let Some((history, totals)) = recorded.get(next.fetch_add(1, Ordering::Relaxed)) {
                        own.check(history, totals, topic);
                    }
                    sum.lock().unwrap().add(own);
                });
            }
        });
        seed = until;
    }
    sum.into_inner().unwrap()
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}

fn all_are_legal(topic: Topic, share: u64) {
    let histories = number("PEERGUARD_HISTORIES", 10_000) * share / 10;
    let sum = run(histories, number("PEERGUARD_SEED", 0), topic, Fault::None);
    let overlap = sum.overlapping as f64 / sum.calls as f64;
    println!(
        "{topic:?}: {} histories of {THREADS} threads x {CALLS} operations, {} calls, {:.1} % overlapping another; \
         {} illegal, {} undecided, {} miscounted; {} steps, at most {} in one search",
        sum.histories,
        sum.calls,
        100.0 * overlap,
        sum.illegal,
        sum.undecided,
        sum.miscounted,
        sum.steps,
        sum.most_steps
    );
    if let Some(what) = sum.first {
        panic!("the first: {what}");
    }
    assert!(overlap >= 0.3, "only {:.1} % of the calls overlapped another", 100.0 * overlap);
}

#[test]
fn breakers_and_standings_are_linearizable() {
    all_are_legal(Topic::Peers, 7);
}

#[test]
fn byte_buckets_are_linearizable_as_a_whole() {
    all_are_legal(Topic::Bytes, 3);
}

/// Each planted fault is found within so many histories.
const ENOUGH: u64 = 500;

#[test]
fn planted_faults_are_caught() {
    let of_peers = Fault::OF_PEERS.map(|fault| (fault, Topic::Peers));
    let of_bytes = Fault::OF_BYTES.map(|fault| (fault, Topic::Bytes));
    for (fault, topic) in of_peers.into_iter().chain(of_bytes) {
        let sum = run(ENOUGH, 0, topic, fault);
        println!("{fault:?}: {} of {ENOUGH} histories are illegal", sum.illegal);
        assert!(sum.illegal > 0, "{fault:?} was not caught");
    }
}
