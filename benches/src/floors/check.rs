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
    pub floor: &'static str,
    pub peers: usize,
    pub ns: f64,
    /// How many of what, and the nanoseconds of one.
    pub parts: Vec<(usize, &'static str, f64)>,
    /// Floor over sum of parts, round by round.
    pub ratio: Quartiles,
}

impl Check {
    fn of(peers: usize, floor: &Timing, parts: &[(usize, &Timing)]) -> Self {
        let in_round = |round: usize| -> f64 {
            let cost = |(count, part): &(usize, &Timing)| *count as f64 * part.rounds[round];
            parts.iter().map(cost).sum()
        };
        let sums: Vec<f64> = (0..floor.rounds.len()).map(in_round).collect();
        Check {
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

/// Checks the floors of `admit_bytes` + `success` over so many peers.
pub fn floors(peers: usize, effort: Effort) -> Vec<Check> {
    let load = Workload::new(peers, Skew::Uniform, effort.operations);
    let part = |name, subject: Box<dyn Subject>| Contender { name, role: Role::Floor, subject };
    let full = |held| Full::new(&load.peers, Operation::AdmitBytesSuccess, held);
    let [index, one_line] = Table::<OneLine>::footprints(peers);
    let [_, two_lines] = Table::<TwoLines>::footprints(peers);
    let timings = paired(
        &[
            part(LEAST_FLOOR_KEY, Box::new(ByKey(Table::new(&load.peers)))),
            part(LEAST_FLOOR_HELD, Box::new(Held(Table::new(&load.peers)))),
            part(FULL_FLOOR_KEY, Box::new(full(false))),
            part(FULL_FLOOR_HELD, Box::new(full(true))),
            part("hash", Box::new(HashOnly::new())),
            part("index load", Box::new(DependentLoads::over(index))),
            part("record load", Box::new(DependentLoads::over(one_line))),
            part("record load", Box::new(DependentLoads::over(two_lines))),
            part("coarse clock", Box::new(CoarseClock)),
            part("RMW", Box::new(OneCas::new())),
        ],
        &load,
        1,
        effort,
    );
    let [f1, f1_held, f2, f2_held, hash, index, narrow, wide, clock, rmw] = &timings[..] else {
        unreachable!("as many timings as contenders");
    };
    // F2's read-modify-writes: two buckets, bytes, successes. Its second record line follows from the same slot as the
    // first, so it adds no dependent load.
    vec![
        Check::of(peers, f1, &[(1, hash), (1, index), (1, narrow), (1, rmw)]),
        Check::of(peers, f1_held, &[(1, narrow), (1, rmw)]),
        Check::of(peers, f2, &[(1, hash), (1, index), (1, wide), (1, clock), (4, rmw)]),
        Check::of(peers, f2_held, &[(1, wide), (1, clock), (4, rmw)]),
    ]
}
