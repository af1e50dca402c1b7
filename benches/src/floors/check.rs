//! Is a floor a floor? It may cost at most the sum of its parts, measured in the same rounds, plus a quarter.

use crate::floors::parts::{DependentLoads, HashOnly, OneCas};
use crate::floors::table::{ByKey, Held, Table};
use crate::measure::{Effort, Timing, paired};
use crate::plan::{FLOOR_HELD, FLOOR_KEY};
use crate::stats::Quartiles;
use crate::subject::{Contender, Role, Subject};
use crate::workload::{Skew, Workload};

/// What a floor may cost beyond its parts.
const ALLOWANCE: f64 = 1.25;

/// One floor beside the sum of its parts.
pub struct Check {
    pub floor: &'static str,
    pub peers: usize,
    pub ns: f64,
    pub parts: Vec<(&'static str, f64)>,
    /// Floor over sum of parts, round by round.
    pub ratio: Quartiles,
}

impl Check {
    fn of(peers: usize, floor: &Timing, parts: &[&Timing]) -> Self {
        let sums: Vec<f64> = (0..floor.rounds.len())
            .map(|round| parts.iter().map(|p| p.rounds[round]).sum())
            .collect();
        Check {
            floor: floor.name,
            peers,
            ns: floor.quartiles().median,
            parts: parts
                .iter()
                .map(|p| (p.name, p.quartiles().median))
                .collect(),
            ratio: Quartiles::of_ratios(&floor.rounds, &sums),
        }
    }

    pub fn holds(&self) -> bool {
        self.ratio.median <= ALLOWANCE
    }
}

/// Checks both floors over so many peers.
pub fn floors(peers: usize, effort: Effort) -> Vec<Check> {
    let load = Workload::new(peers, Skew::Uniform, effort.operations);
    let part = |name, subject: Box<dyn Subject>| Contender {
        name,
        role: Role::Floor,
        subject,
    };
    let [index, records] = Table::footprints(peers);
    let timings = paired(
        &[
            part(FLOOR_KEY, Box::new(ByKey(Table::new(&load.peers)))),
            part(FLOOR_HELD, Box::new(Held(Table::new(&load.peers)))),
            part("hash", Box::new(HashOnly::new())),
            part("index load", Box::new(DependentLoads::over(index))),
            part("record load", Box::new(DependentLoads::over(records))),
            part("CAS", Box::new(OneCas::new())),
        ],
        &load,
        1,
        effort,
    );
    let [by_key, held, hash, index, record, cas] = &timings[..] else {
        unreachable!("six contenders give six timings");
    };
    vec![
        Check::of(peers, by_key, &[hash, index, record, cas]),
        Check::of(peers, held, &[record, cas]),
    ]
}
