//! Is a floor a floor? It may cost at most the sum of its parts, measured in the same rounds, plus a quarter.

use super::full::{Full, TwoLines};
use super::least::{ByKey, Held, OneLine};
use super::parts::{CoarseClock, DependentLoads, HashOnly, OneCas};
use super::table::Table;
use crate::measure::{Effort, Timing, paired};
use crate::plan::{FULL_FLOOR_HELD, FULL_FLOOR_KEY, LEAST_FLOOR_HELD, LEAST_FLOOR_KEY};
use crate::stats::Quartiles;
use crate::subject::{Contender, Operation, Role, Subject};
use crate::workload::{Skew, Workload};

/// What a floor may cost beyond its parts.
const ALLOWANCE: f64 = 1.25;

/// One floor beside the sum of its parts.
pub struct Check {
    pub operation: Operation,
    pub floor: &'static str,
    pub peers: usize,
    pub ns: f64,
    /// How many of what, and the nanoseconds of one.
    pub parts: Vec<(usize, &'static str, f64)>,
    /// Floor over sum of parts, round by round.
    pub ratio: Quartiles,
}

impl Check {
    fn of(operation: Operation, peers: usize, floor: &Timing, parts: &[(usize, &Timing)]) -> Self {
        let in_round = |round: usize| -> f64 {
            let cost = |(count, part): &(usize, &Timing)| *count as f64 * part.rounds[round];
            parts.iter().map(cost).sum()
        };
        let sums: Vec<f64> = (0..floor.rounds.len()).map(in_round).collect();
        Check {
            operation,
            floor: floor.name,
            peers,
            ns: floor.quartiles().median,
            parts: parts.iter().map(|(count, part)| (*count, part.name, part.quartiles().median)).collect(),
            ratio: Quartiles::of_ratios(&floor.rounds, &sums),
        }
    }

    pub fn holds(&self) -> bool {
        self.ratio.median <= ALLOWANCE
    }
}

/// Checks the floors over so many peers.
pub fn floors(peers: usize, effort: Effort) -> Vec<Check> {
    let load = Workload::new(peers, Skew::Uniform, effort.stream(peers));
    let part = |name, subject: Box<dyn Subject>| Contender { name, role: Role::Floor, subject };
    let [index, one_line] = Table::<OneLine>::footprints(peers);
    // Of the second line of a record only the address matters, and that comes with the first: it is no dependent load.
    let [_, two_lines] = Table::<TwoLines>::footprints(peers);
    let contenders = [
        part("hash", Box::new(HashOnly::new())),
        part("index load", Box::new(DependentLoads::over(index))),
        part("record load", Box::new(DependentLoads::over(one_line))),
        part("record load", Box::new(DependentLoads::over(two_lines))),
        part("coarse clock", Box::new(CoarseClock)),
        part("RMW", Box::new(OneCas::new())),
        part(LEAST_FLOOR_KEY, Box::new(ByKey(Table::new(&load.peers)))),
        part(LEAST_FLOOR_HELD, Box::new(Held(Table::new(&load.peers)))),
        part(FULL_FLOOR_KEY, Box::new(Full::new(&load.peers, false))),
        part(FULL_FLOOR_HELD, Box::new(Full::new(&load.peers, true))),
    ];
    let contenders: Vec<&Contender> = contenders.iter().collect();
    let mut checks = Vec::new();
    // How often the coarse clock is read, and how many read-modify-writes follow.
    for (operation, clocks, writes) in [(Operation::AdmitSuccess, 1, 1), (Operation::AdmitBytesSuccess, 2, 3)] {
        let timings = paired(&contenders, operation, &load, 1, effort);
        let [hash, index, narrow, wide, clock, rmw, f1, f1_held, f2, f2_held] = &timings[..] else {
            unreachable!("as many timings as contenders");
        };
        if writes == 1 {
            checks.push(Check::of(operation, peers, f1, &[(1, hash), (1, index), (1, narrow), (1, rmw)]));
            checks.push(Check::of(operation, peers, f1_held, &[(1, narrow), (1, rmw)]));
        }
        let mut parts = vec![(1, hash), (1, index), (1, wide), (clocks, clock), (writes, rmw)];
        checks.push(Check::of(operation, peers, f2, &parts));
        parts.drain(..2);
        checks.push(Check::of(operation, peers, f2_held, &parts));
    }
    checks
}
