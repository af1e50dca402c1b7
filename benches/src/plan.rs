//! Which scenarios a run measures.

use std::fmt;

use crate::floors::full::Full;
use crate::floors::least::{ByKey, Held};
use crate::floors::table::Table;
use crate::measure::Effort;
use crate::ours;
use crate::rivals::Limits;
use crate::rivals::conventional::Conventional;
use crate::rivals::one_entry::OneEntry;
use crate::rivals::three_maps::ThreeMaps;
use crate::subject::{Contender, Cycle, LIMIT, Operation, Role, Subject};
use crate::tails;
use crate::workload::{Key, Skew};

pub const RIVAL_A: &str = "A: three maps";
pub const RIVAL_B: &str = "B: one entry";
pub const CONVENTIONAL: &str = "conventional";
pub const LEAST_FLOOR_KEY: &str = "floor F1 by key";
pub const LEAST_FLOOR_HELD: &str = "floor F1 held";
pub const FULL_FLOOR_KEY: &str = "floor F2 by key";
pub const FULL_FLOOR_HELD: &str = "floor F2 held";

pub const OURS_BY_KEY: &str = "peerguard by key";
pub const OURS_BY_PEER: &str = "peerguard by Peer";

/// The floors that a contender stands on: F1, the bare look-up and one change, and F2, all that the operation must do.
pub fn floors_of(name: &str) -> [&'static str; 2] {
    match name {
        OURS_BY_PEER => [LEAST_FLOOR_HELD, FULL_FLOOR_HELD],
        _ => [LEAST_FLOOR_KEY, FULL_FLOOR_KEY],
    }
}

/// One paired comparison.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub operation: Operation,
    pub peers: usize,
    pub threads: usize,
    pub skew: Skew,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peers, threads) = (self.peers, self.threads);
        let thread = if threads == 1 { "thread" } else { "threads" };
        let (operation, skew) = (self.operation.name(), self.skew.name());
        write!(f, "{operation}, {peers} peers, {threads} {thread}, {skew}")
    }
}

/// The load whose slowest calls are looked at.
pub const TAILS: Scenario =
    Scenario { operation: Operation::AdmitBytesSuccess, peers: 100_000, threads: tails::THREADS, skew: Skew::Zipf };

pub const PEER_COUNTS: [usize; 3] = [1, 1_000, 100_000];

/// Every scenario of a run, in the order of the table.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for operation in [Operation::AdmitSuccess, Operation::AdmitBytesSuccess] {
        let mut add = |peers, threads, skew| {
            all.push(Scenario { operation, peers, threads, skew });
        };
        for peers in PEER_COUNTS {
            add(peers, 1, Skew::Uniform);
        }
        add(100_000, 1, Skew::Zipf);
        add(1_000, 2, Skew::Uniform);
        add(100_000, 2, Skew::Uniform);
    }
    all.push(Scenario { operation: Operation::FourReports, peers: 1_000, threads: 1, skew: Skew::Uniform });
    all
}

/// Fifteen short rounds, or twice as many that are four times as long.
pub fn effort(quick: bool) -> Effort {
    match quick {
        true => Effort { rounds: 15, operations: 1 << 16 },
        false => Effort { rounds: 31, operations: 1 << 18 },
    }
}

/// Everyone who takes part in a scenario.
pub fn contenders(operation: Operation, peers: &[Key]) -> Vec<Contender> {
    let mut all = ours(operation, peers);
    all.extend(rivals(operation));
    // The floors do one request and one report; four reports are another thing.
    if operation != Operation::FourReports {
        all.extend(floors(operation, peers));
    }
    all
}

fn ours(operation: Operation, peers: &[Key]) -> Vec<Contender> {
    let ours = |name, subject: Box<dyn Subject>| Contender { name, role: Role::Ours, subject };
    vec![
        ours(OURS_BY_KEY, Box::new(ours::ByKey::new(peers, operation))),
        ours(OURS_BY_PEER, Box::new(ours::ByPeer::new(peers, operation))),
    ]
}

fn rivals(operation: Operation) -> Vec<Contender> {
    let limits = Limits { global: LIMIT, per_peer: LIMIT };
    let rival = |name, subject: Box<dyn Subject>| Contender { name, role: Role::Rival, subject };
    vec![
        rival(RIVAL_A, Box::new(Cycle::new(ThreeMaps::new(limits), operation))),
        rival(RIVAL_B, Box::new(Cycle::new(OneEntry::new(limits), operation))),
        rival(CONVENTIONAL, Box::new(Cycle::new(Conventional::new(limits), operation))),
    ]
}

fn floors(operation: Operation, peers: &[Key]) -> Vec<Contender> {
    let floor = |name, subject: Box<dyn Subject>| Contender { name, role: Role::Floor, subject };
    vec![
        floor(LEAST_FLOOR_KEY, Box::new(ByKey(Table::new(peers)))),
        floor(LEAST_FLOOR_HELD, Box::new(Held(Table::new(peers)))),
        floor(FULL_FLOOR_KEY, Box::new(Full::new(peers, operation, false))),
        floor(FULL_FLOOR_HELD, Box::new(Full::new(peers, operation, true))),
    ]
}
