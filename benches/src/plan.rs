//! Which scenarios a run measures, and who takes part in each.

use std::fmt;

use failsafe::StateMachine;
use failsafe::backoff::Exponential;
use failsafe::failure_policy::ConsecutiveFailures;
use recloser::Recloser;

use crate::floors::full::{Full, Prefetched};
use crate::floors::least::{self, Held, OneLoad};
use crate::floors::table::Table;
use crate::measure::Effort;
use crate::ours;
use crate::rivals::Limits;
use crate::rivals::breakers::{Breakers, Tower};
use crate::rivals::conventional::Conventional;
use crate::rivals::limiters::{Direct, Keyed};
use crate::rivals::lookups::{Dash, Papaya};
use crate::rivals::one_entry::OneEntry;
use crate::rivals::three_maps::ThreeMaps;
use crate::subject::{Contender, Cycle, LIMIT, Operation, Role, Subject};
use crate::workload::{Key, Skew};

pub const OURS_BY_KEY: &str = "by key";
pub const OURS_BY_PEER: &str = "by Peer";
pub const OURS_BATCHED: &str = "in batches";
pub const OURS_ROOMY: &str = "by key, 100,000 places";
pub const RIVAL_A: &str = "A";
pub const RIVAL_B: &str = "B";
pub const CONVENTIONAL: &str = "conventional";
pub const LEAST_FLOOR_KEY: &str = "F1 by key";
pub const LEAST_FLOOR_HELD: &str = "F1 held";
pub const FULL_FLOOR_KEY: &str = "F2 by key";
pub const FULL_FLOOR_HELD: &str = "F2 held";
pub const PREFETCHED_FLOOR: &str = "F2 prefetched";
pub const LOAD_FLOOR: &str = "one load";

/// The floors that one of ours stands on: F1, the bare look-up and one change, and the one that the operation must have.
pub fn floors_of(ours: &str, operation: Operation) -> [&'static str; 2] {
    match (ours, operation) {
        (OURS_BY_PEER, Operation::Check | Operation::Admit) => [LEAST_FLOOR_HELD, LOAD_FLOOR],
        (OURS_BY_PEER, _) => [LEAST_FLOOR_HELD, FULL_FLOOR_HELD],
        (_, Operation::Batch(_)) => [LEAST_FLOOR_KEY, PREFETCHED_FLOOR],
        _ => [LEAST_FLOOR_KEY, FULL_FLOOR_KEY],
    }
}

/// One paired comparison.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scenario {
    pub operation: Operation,
    pub peers: usize,
    pub threads: usize,
    pub skew: Skew,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let Scenario { operation, peers, threads, skew } = *self;
        write!(
            f,
            "{}, {peers} peer{}, {threads} thread{}, {}",
            operation.name(),
            plural(peers),
            plural(threads),
            skew.name()
        )
    }
}

/// Every scenario of a run, in the order of the table. One peer and two threads: both are at the same peer. More peers and
/// two threads: each thread has its own.
pub fn scenarios() -> Vec<Scenario> {
    use Operation::*;
    let mut all = Vec::new();
    let mut add = |operation, peers, threads, skew| all.push(Scenario { operation, peers, threads, skew });
    for operation in [AdmitSuccess, AdmitBytesSuccess] {
        for peers in [1, 1_000, 100_000, 1_000_000] {
            add(operation, peers, 1, Skew::Uniform);
        }
        add(operation, 100_000, 1, Skew::Zipf);
        for peers in [1, 1_000, 100_000] {
            add(operation, peers, 2, Skew::Uniform);
        }
    }
    for peers in [1_000, 100_000] {
        add(Admit, peers, 1, Skew::Uniform);
    }
    for size in [16, 64] {
        add(Batch(size), 1_000, 1, Skew::Uniform);
        add(Batch(size), 1_000_000, 1, Skew::Uniform);
    }
    for peers in [1, 1_000] {
        add(Check, peers, 1, Skew::Uniform);
    }
    for peers in [1_000, 100_000] {
        add(CheckReport, peers, 1, Skew::Uniform);
    }
    add(TryUpload, 1_000, 1, Skew::Uniform);
    for peers in [1, 1_000] {
        add(TryUpload, peers, 2, Skew::Uniform);
    }
    add(Failure, 1_000, 1, Skew::Uniform);
    add(FourReports, 1_000, 1, Skew::Uniform);
    all
}

/// Fifteen short rounds, or twice as many longer ones.
pub fn effort(quick: bool) -> Effort {
    match quick {
        true => Effort { rounds: 15, operations: 1 << 13 },
        false => Effort { rounds: 31, operations: 1 << 17 },
    }
}

/// Someone who may take part: in which operations, over how many peers.
struct Entrant {
    name: &'static str,
    role: Role,
    takes: fn(Operation, usize) -> bool,
    make: fn(&[Key]) -> Box<dyn Subject>,
}

const LIMITS: Limits = Limits { global: LIMIT, per_peer: LIMIT };

type Failsafe = StateMachine<ConsecutiveFailures<Exponential>, ()>;

fn one_call(operation: Operation) -> bool {
    !matches!(operation, Operation::Batch(_))
}

fn changes_one_word(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::AdmitSuccess | Operation::AdmitBytesSuccess | Operation::CheckReport | Operation::TryUpload
    )
}

const ENTRANTS: &[Entrant] = &[
    Entrant {
        name: OURS_BY_KEY,
        role: Role::Ours,
        takes: |operation, _| operation != Operation::Check,
        make: |peers| Box::new(ours::ByKey::new(peers)),
    },
    Entrant {
        name: OURS_BY_PEER,
        role: Role::Ours,
        takes: |operation, _| one_call(operation) && operation != Operation::TryUpload,
        make: |peers| Box::new(ours::ByPeer::new(peers)),
    },
    Entrant {
        name: OURS_BATCHED,
        role: Role::Ours,
        takes: |operation, _| !one_call(operation),
        make: |peers| Box::new(ours::Batched::new(peers)),
    },
    Entrant {
        name: OURS_ROOMY,
        role: Role::Ours,
        takes: |operation, peers| {
            peers == 1_000 && matches!(operation, Operation::AdmitSuccess | Operation::AdmitBytesSuccess)
        },
        make: |peers| Box::new(ours::ByKey::roomy(peers)),
    },
    Entrant {
        name: RIVAL_A,
        role: Role::Rival,
        takes: |_, _| true,
        make: |peers| Box::new(Cycle::new(ThreeMaps::new(LIMITS), peers)),
    },
    Entrant {
        name: RIVAL_B,
        role: Role::Rival,
        takes: |_, _| true,
        make: |peers| Box::new(Cycle::new(OneEntry::new(LIMITS), peers)),
    },
    Entrant {
        name: CONVENTIONAL,
        role: Role::Rival,
        takes: |_, _| true,
        make: |peers| Box::new(Cycle::new(Conventional::new(LIMITS), peers)),
    },
    Entrant {
        name: "governor, keyed",
        role: Role::Part,
        takes: |operation, _| operation == Operation::TryUpload,
        make: |peers| Box::new(Keyed::new(peers)),
    },
    Entrant {
        name: "governor, direct",
        role: Role::Part,
        takes: |operation, _| operation == Operation::TryUpload,
        make: |_| Box::new(Direct::new()),
    },
    Entrant {
        name: "recloser in a DashMap",
        role: Role::Part,
        takes: |operation, _| operation == Operation::AdmitSuccess,
        make: |peers| Box::new(Breakers::<Recloser>::new(peers)),
    },
    Entrant {
        name: "failsafe in a DashMap",
        role: Role::Part,
        takes: |operation, _| operation == Operation::AdmitSuccess,
        make: |peers| Box::new(Breakers::<Failsafe>::new(peers)),
    },
    Entrant {
        name: "tower-resilience in a DashMap",
        role: Role::Part,
        takes: |operation, peers| operation == Operation::AdmitSuccess && peers <= 1_000,
        make: |peers| Box::new(Breakers::<Tower>::new(peers)),
    },
    Entrant {
        name: "DashMap get",
        role: Role::Part,
        takes: |operation, _| operation == Operation::Admit,
        make: |peers| Box::new(Dash::new(peers)),
    },
    Entrant {
        name: "papaya get",
        role: Role::Part,
        takes: |operation, _| operation == Operation::Admit,
        make: |peers| Box::new(Papaya::new(peers)),
    },
    Entrant {
        name: LEAST_FLOOR_KEY,
        role: Role::Floor,
        takes: |operation, _| changes_one_word(operation),
        make: |peers| Box::new(least::ByKey(Table::new(peers))),
    },
    Entrant {
        name: LEAST_FLOOR_HELD,
        role: Role::Floor,
        takes: |operation, _| changes_one_word(operation),
        make: |peers| Box::new(Held(Table::new(peers))),
    },
    Entrant {
        name: FULL_FLOOR_KEY,
        role: Role::Floor,
        takes: |operation, _| operation != Operation::Check,
        make: |peers| Box::new(Full::new(peers, false)),
    },
    Entrant {
        name: FULL_FLOOR_HELD,
        role: Role::Floor,
        takes: |operation, _| one_call(operation) && !matches!(operation, Operation::Admit | Operation::Check),
        make: |peers| Box::new(Full::new(peers, true)),
    },
    Entrant {
        name: PREFETCHED_FLOOR,
        role: Role::Floor,
        takes: |operation, _| !one_call(operation),
        make: |peers| Box::new(Prefetched::new(peers)),
    },
    Entrant {
        name: LOAD_FLOOR,
        role: Role::Floor,
        takes: |operation, _| matches!(operation, Operation::Admit | Operation::Check),
        make: |peers| Box::new(OneLoad(Table::new(peers))),
    },
];

/// Whether `name` takes part in a scenario.
pub fn takes_part(name: &str, operation: Operation, peers: usize) -> bool {
    ENTRANTS.iter().any(|entrant| entrant.name == name && (entrant.takes)(operation, peers))
}

/// Everyone who takes part in at least one of the operations, their `peers` known to them.
pub fn contenders(operations: &[Operation], peers: &[Key]) -> Vec<Contender> {
    let wanted = |entrant: &&Entrant| operations.iter().any(|&operation| (entrant.takes)(operation, peers.len()));
    let make = |entrant: &Entrant| Contender { name: entrant.name, role: entrant.role, subject: (entrant.make)(peers) };
    ENTRANTS.iter().filter(wanted).map(make).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_ours_has_its_floor_and_its_rivals() {
        for scenario in scenarios() {
            let takes = |name| takes_part(name, scenario.operation, scenario.peers);
            for ours in [OURS_BY_KEY, OURS_BY_PEER].into_iter().filter(|&ours| takes(ours)) {
                assert!(takes(floors_of(ours, scenario.operation)[1]), "{scenario}: {ours} has no floor");
            }
            assert!(takes(RIVAL_A) && takes(RIVAL_B) && takes(CONVENTIONAL), "{scenario}");
        }
    }
}
