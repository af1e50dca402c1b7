//! What reads everything: snapshot, totals, the best ten, the metrics' text; beside one sequential read of as many records
//! and the conventional design's own pass.

use std::any::Any;
use std::hint::black_box;

use peerguard::{Outcome, PeerGuard, PeerId, Totals, Traffic};
#[cfg(feature = "exporters")]
use peerguard::{
    Publisher,
    export::prometheus::{Exporter, Format, PeerSeries},
};

use crate::measure::processor_time;
use crate::ours;
use crate::rivals::conventional::Conventional;
use crate::rivals::{Gate, Limits};
use crate::stats::Quartiles;
use crate::subject::{LIMIT, REQUEST};
use crate::workload::{Key, Rng, Skew, Workload};

pub const PEERS: usize = 100_000;
pub const SNAPSHOT: &str = "snapshot";
pub const SEQUENTIAL_READ: &str = "sequential read of the records";

/// A record as large as peerguard's, with what is counted beside it.
type Record = [u64; 23];

/// One way of reading everything, and its nanoseconds in each round.
pub struct Pass {
    pub name: &'static str,
    /// The pass of the conventional design that answers the same, if it has one.
    pub rival: Option<&'static str>,
    pub rounds: Vec<f64>,
}

impl Pass {
    pub fn quartiles(&self) -> Quartiles {
        Quartiles::of(&self.rounds)
    }
}

/// Runs the passes, each once in every round, on this thread's processor time.
pub fn measure(rounds: usize) -> Vec<Pass> {
    let peers = Workload::new(PEERS, Skew::Uniform, 0).peers;
    let guard = lively_guard(&peers);
    let conventional = lively_conventional(&peers);
    let records: Vec<Record> = (0..PEERS as u64).map(|i| std::array::from_fn(|w| i ^ w as u64)).collect();

    type Work<'a> = Box<dyn Fn() -> Box<dyn Any> + 'a>;
    #[cfg_attr(not(feature = "exporters"), expect(unused_mut))]
    let mut passes: Vec<(&'static str, Option<&'static str>, Work)> = vec![
        (SEQUENTIAL_READ, None, Box::new(|| Box::new(sum(&records)))),
        ("copy of the records", None, Box::new(|| Box::new(records.clone()))),
        // Every record's words, read, validated and copied; what they mean is worked out by the rows below.
        (SNAPSHOT, None, Box::new(|| Box::new(guard.snapshot()))),
        ("snapshot, with its totals", None, Box::new(|| Box::new(*guard.snapshot().totals()))),
        ("snapshot, with every view made", None, Box::new(|| Box::new(everything(&guard)))),
        ("summary", Some("conventional summary"), Box::new(|| Box::new(guard.get_summary()))),
        ("top 10", Some("conventional top 10"), Box::new(|| Box::new(guard.top_peers(10)))),
        ("conventional summary", None, Box::new(|| Box::new(summary(&conventional)))),
        ("conventional top 10", None, Box::new(|| Box::new(top(&conventional, 10)))),
    ];
    #[cfg(feature = "exporters")]
    for (name, series) in [
        ("snapshot and metrics text, 100 worst peers", PeerSeries::default()),
        ("snapshot and metrics text, all peers", PeerSeries::All),
    ] {
        // The first text of a publication works the figures out, so each is of a new one.
        let publisher = Publisher::new(&guard);
        let exporter = Exporter::new(&publisher, series);
        let scrape = move || {
            publisher.publish_now();
            exporter.text(Format::Text)
        };
        passes.push((name, None, Box::new(move || Box::new(scrape()))));
    }
    let mut measured: Vec<Pass> =
        passes.iter().map(|&(name, rival, _)| Pass { name, rival, rounds: Vec::new() }).collect();
    for round in 0..=rounds {
        for turn in 0..passes.len() {
            let at = (round + turn) % passes.len();
            let start = processor_time();
            let result = passes[at].2();
            let took = processor_time() - start;
            // Given back untimed: when and by whom is the reader's affair.
            drop(black_box(result));
            if round > 0 {
                measured[at].rounds.push(took.as_nanos() as f64);
            }
        }
    }
    measured
}

/// A snapshot with all that can be asked of it: totals, quantiles, and each peer's view in the order of the ids, made and
/// given up one by one.
fn everything(guard: &PeerGuard) -> (Totals, u64) {
    let snapshot = guard.snapshot();
    let _ = black_box(snapshot.latency());
    let failures = snapshot.peers().map(|peer| black_box(&peer).failed_syncs).sum();
    (*snapshot.totals(), failures)
}

/// Peers of all kinds: most well, some failing, some open, some banned.
pub fn lively_guard(peers: &[Key]) -> PeerGuard {
    let guard = ours::guard(peers.len());
    let mut rng = Rng::new(1);
    for key in peers {
        let id = PeerId::new(*key);
        let _ = guard.try_upload(&id, u64::from(REQUEST));
        let latency = Some((rng.unit() * 200.0).max(1.0));
        for _ in 0..rng.below(8) {
            let _ = guard.record_success(&id, latency);
        }
        let report = |outcome| {
            let _ = guard.report(&id, outcome, None, Traffic::default());
        };
        match rng.below(20) {
            0 => report(Outcome::Fatal),
            1 => (0..5).for_each(|_| report(Outcome::SyncFailure)),
            2..5 => report(Outcome::SyncFailure),
            _ => {}
        }
    }
    guard
}

fn lively_conventional(peers: &[Key]) -> Conventional {
    let rival = Conventional::new(Limits { global: LIMIT, per_peer: LIMIT });
    let mut rng = Rng::new(1);
    for key in peers {
        let _ = rival.take(key, REQUEST);
        let latency = Some((rng.unit() * 200.0).max(1.0));
        (0..rng.below(8)).for_each(|_| rival.success(key, latency));
        match rng.below(20) {
            0 | 1 => (0..5).for_each(|_| rival.failure(key)),
            2..5 => rival.failure(key),
            _ => {}
        }
    }
    rival
}

fn sum(records: &[Record]) -> u64 {
    records.iter().flatten().fold(0, |sum, word| sum ^ word)
}

/// Peers, banned ones, mean score, successes, failures.
fn summary(rival: &Conventional) -> (usize, usize, f64, u64, u64) {
    let mut all = (0, 0, 0.0, 0, 0);
    for peer in &rival.peers {
        let known = &peer.reputation;
        all.0 += 1;
        all.1 += usize::from(known.banned);
        all.2 += known.score;
        all.3 += known.successes;
        all.4 += known.failures;
    }
    all.2 /= all.0 as f64;
    all
}

/// The best `n`, by selection and then by sorting those.
fn top(rival: &Conventional, n: usize) -> Vec<(Key, f64)> {
    let known = rival.peers.iter().filter(|peer| !peer.reputation.banned);
    let mut all: Vec<(Key, f64)> = known.map(|peer| (*peer.key(), peer.reputation.score)).collect();
    let better = |a: &(Key, f64), b: &(Key, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if all.len() > n {
        all.select_nth_unstable_by(n, better);
        all.truncate(n);
    }
    all.sort_unstable_by(better);
    all
}
