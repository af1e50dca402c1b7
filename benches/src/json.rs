//! The list for machines: one object per figure of ours and rival.

use serde_json::{Value, json};

use crate::plan::{CONVENTIONAL, FULL_FLOOR_HELD, FULL_FLOOR_KEY, OURS_BY_PEER, floors_of};
use crate::results::{Outcome, Results};
use crate::stats::Quartiles;
use crate::subject::Role;
use crate::tails::{self, PERCENTILES};
use crate::{contact, passes};

/// What an object compares.
struct Row<'a> {
    operation: String,
    peers: usize,
    threads: usize,
    skew: &'a str,
    ours: Quartiles,
    floor: Option<f64>,
}

impl Row<'_> {
    fn against(&self, rival: Option<(&str, f64)>) -> Value {
        json!({
            "operation": self.operation,
            "peers": self.peers,
            "threads": self.threads,
            "skew": self.skew,
            "ns": rounded(self.ours.median),
            "spread": rounded(self.ours.spread()),
            "rival": rival.map(|(name, _)| name),
            "rival_ns": rival.map(|(_, ns)| rounded(ns)),
            "floor_ns": self.floor.map(rounded),
        })
    }
}

/// To a hundredth of a nanosecond.
fn rounded(ns: f64) -> f64 {
    (ns * 100.0).round() / 100.0
}

/// All figures that are times.
pub fn figures(results: &Results) -> Value {
    let mut all: Vec<Value> = results.outcomes.iter().flat_map(of_outcome).collect();
    all.extend(of_tails(results));
    all.extend(of_contacts(results));
    all.extend(of_passes(results));
    Value::Array(all)
}

fn of_outcome(outcome: &Outcome) -> Vec<Value> {
    let s = outcome.scenario;
    let mut all = Vec::new();
    for ours in outcome.timings.iter().filter(|t| t.role == Role::Ours) {
        let row = Row {
            operation: format!("{}, {}", s.operation.name(), ours.name),
            peers: s.peers,
            threads: s.threads,
            skew: s.skew.name(),
            ours: ours.quartiles(),
            floor: outcome.timing(floors_of(ours.name, s.operation)[1]).map(|floor| floor.quartiles().median),
        };
        let rivals = outcome.timings.iter().filter(|t| matches!(t.role, Role::Rival | Role::Part));
        all.extend(rivals.map(|rival| row.against(Some((rival.name, rival.quartiles().median)))));
    }
    all
}

fn of_tails(results: &Results) -> Vec<Value> {
    let mut all = Vec::new();
    for (place, percentile) in PERCENTILES.iter().enumerate() {
        for ours in results.tails.iter().filter(|tail| tail.role == Role::Ours) {
            let floor = if ours.name == OURS_BY_PEER { FULL_FLOOR_HELD } else { FULL_FLOOR_KEY };
            let row = Row {
                operation: format!("p{percentile} of the cycle under a mixed load, {}", ours.name),
                peers: 100_000,
                threads: tails::THREADS,
                skew: "zipf 0.99",
                ours: ours.quartiles(place),
                floor: results.tail(floor).map(|floor| floor.quartiles(place).median),
            };
            let rivals = results.tails.iter().filter(|tail| tail.role == Role::Rival);
            all.extend(rivals.map(|rival| row.against(Some((rival.name, rival.quartiles(place).median)))));
        }
    }
    all
}

fn of_contacts(results: &Results) -> Vec<Value> {
    let mut all = Vec::new();
    for ours in results.contacts.iter().filter(|contact| contact.name == crate::plan::OURS_BY_KEY) {
        let row = Row {
            operation: ours.operation.into(),
            peers: contact::NEWCOMERS,
            threads: 1,
            skew: "uniform",
            ours: Quartiles::of(&ours.rounds),
            floor: None,
        };
        let others = results.contacts.iter().filter(|c| c.operation == ours.operation && c.name != ours.name);
        let rivals: Vec<Value> =
            others.map(|rival| row.against(Some((rival.name, Quartiles::of(&rival.rounds).median)))).collect();
        if rivals.is_empty() {
            all.push(row.against(None));
        }
        all.extend(rivals);
    }
    all
}

fn of_passes(results: &Results) -> Vec<Value> {
    let floor = results.pass(passes::SEQUENTIAL_READ).map(|read| read.quartiles().median);
    let ours = results
        .passes
        .iter()
        .filter(|pass| !pass.name.starts_with(CONVENTIONAL) && pass.name != passes::SEQUENTIAL_READ);
    ours.map(|pass| {
        let row = Row {
            operation: pass.name.into(),
            peers: passes::PEERS,
            threads: 1,
            skew: "uniform",
            ours: pass.quartiles(),
            floor,
        };
        let rival = pass.rival.and_then(|rival| results.pass(rival));
        row.against(rival.map(|rival| (CONVENTIONAL, rival.quartiles().median)))
    })
    .collect()
}
