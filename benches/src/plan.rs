//! Which scenarios a run measures.

use std::fmt;

use crate::floors::table::{ByKey, Held, Table};
use crate::measure::Effort;
use crate::rivals::Limits;
use crate::rivals::conventional::Conventional;
use crate::rivals::one_entry::OneEntry;
use crate::rivals::three_maps::ThreeMaps;
use crate::subject::{Contender, Cycle, LIMIT, Operation, Role};
use crate::tails;
use crate::workload::{Key, Skew};

pub const RIVAL_A: &str = "A: three maps";
pub const RIVAL_B: &str = "B: one entry";
pub const CONVENTIONAL: &str = "conventional";
pub const FLOOR_KEY: &str = "floor by key (F1)";
pub const FLOOR_HELD: &str = "floor held";

pub const OURS_BY_KEY: &str = "peerguard by key";
pub const OURS_BY_PEER: &str = "peerguard by Peer";

/// The floor that a contender stands on.
pub fn floor_of(name: &str) -> &'static str {
    match name {
        OURS_BY_PEER => FLOOR_HELD,
        _ => FLOOR_KEY,
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
pub const TAILS: Scenario = Scenario {
    operation: Operation::AdmitBytesSuccess,
    peers: 100_000,
    threads: tails::THREADS,
    skew: Skew::Zipf,
};

pub const PEER_COUNTS: [usize; 3] = [1, 1_000, 100_000];

/// Every scenario of a run, in the order of the table.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for operation in [Operation::AdmitSuccess, Operation::AdmitBytesSuccess] {
        let mut add = |peers, threads, skew| {
            all.push(Scenario {
                operation,
                peers,
                threads,
                skew,
            });
        };
        for peers in PEER_COUNTS {
            add(peers, 1, Skew::Uniform);
        }
        add(100_000, 1, Skew::Zipf);
        add(1_000, 2, Skew::Uniform);
        add(100_000, 2, Skew::Uniform);
    }
    all.push(Scenario {
        operation: Operation::FourReports,
        peers: 1_000,
        threads: 1,
        skew: Skew::Uniform,
    });
    all
}

/// Fifteen short rounds, or twice as many that are four times as long.
pub fn effort(quick: bool) -> Effort {
    match quick {
        true => Effort {
            rounds: 15,
            operations: 1 << 16,
        },
        false => Effort {
            rounds: 31,
            operations: 1 << 18,
        },
    }
}

/// Everyone who takes part in a scenario.
pub fn contenders(operation: Operation, peers: &[Key]) -> Vec<Contender> {
    let limits = Limits {
        global: LIMIT,
        per_peer: LIMIT,
    };
    let rival = |name, subject| Contender {
        name,
        role: Role::Rival,
        subject,
    };
    let floor = |name, subject| Contender {
        name,
        role: Role::Floor,
        subject,
    };
    vec![
        rival(
            RIVAL_A,
            Box::new(Cycle::new(ThreeMaps::new(limits), operation)) as _,
        ),
        rival(
            RIVAL_B,
            Box::new(Cycle::new(OneEntry::new(limits), operation)) as _,
        ),
        rival(
            CONVENTIONAL,
            Box::new(Cycle::new(Conventional::new(limits), operation)) as _,
        ),
        floor(FLOOR_KEY, Box::new(ByKey(Table::new(peers))) as _),
        floor(FLOOR_HELD, Box::new(Held(Table::new(peers))) as _),
    ]
}
