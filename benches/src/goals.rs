//! The figures that the project set itself, and what this run says about them.

use crate::passes::{SEQUENTIAL_READ, SNAPSHOT};
use crate::plan::{
    CONVENTIONAL, FULL_FLOOR_HELD, FULL_FLOOR_KEY, LEAST_FLOOR_KEY, LOAD_FLOOR, OURS_BATCHED, OURS_BY_KEY,
    OURS_BY_PEER, PREFETCHED_FLOOR, RIVAL_A, RIVAL_B,
};
use crate::results::{Outcome, Results, Scrape};
use crate::stats::Quartiles;
use crate::subject::Operation::{self, AdmitBytesSuccess, AdmitSuccess, Batch, Check, CheckReport, TryUpload};
use crate::tails::PERCENTILES;
use crate::workload::Skew;

/// What must be so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}
use Bound::{AtLeast, AtMost};

/// A goal in words, its bound, and what was measured, if it was.
pub struct Goal {
    pub what: String,
    pub bound: Bound,
    pub measured: Option<Quartiles>,
}

impl Goal {
    pub fn verdict(&self) -> &'static str {
        let met = self.measured.map(|q| match self.bound {
            AtMost(most) => q.median <= most,
            AtLeast(least) => q.median >= least,
        });
        match met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "not measured",
        }
    }
}

/// On one thread: operation, peers, ours, the other, and how many times ours may cost the other, or the other ours.
const RATIOS: &[(Operation, usize, &str, &str, Bound)] = &[
    (AdmitSuccess, 1_000, OURS_BY_KEY, FULL_FLOOR_KEY, AtMost(1.3)),
    (AdmitSuccess, 1_000, OURS_BY_KEY, LEAST_FLOOR_KEY, AtMost(2.2)),
    (AdmitBytesSuccess, 1_000, OURS_BY_KEY, FULL_FLOOR_KEY, AtMost(1.3)),
    (AdmitBytesSuccess, 1_000, OURS_BY_KEY, RIVAL_A, AtLeast(5.0)),
    (AdmitBytesSuccess, 1_000, OURS_BY_KEY, RIVAL_B, AtLeast(2.0)),
    (AdmitBytesSuccess, 1_000, OURS_BY_KEY, CONVENTIONAL, AtLeast(5.0)),
    (AdmitBytesSuccess, 1_000, OURS_BY_PEER, RIVAL_A, AtLeast(8.0)),
    (AdmitBytesSuccess, 100_000, OURS_BY_KEY, FULL_FLOOR_KEY, AtMost(1.3)),
    (AdmitBytesSuccess, 100_000, OURS_BY_KEY, RIVAL_A, AtLeast(4.0)),
    (AdmitBytesSuccess, 100_000, OURS_BY_KEY, RIVAL_B, AtLeast(2.5)),
    (AdmitBytesSuccess, 1_000_000, OURS_BY_KEY, FULL_FLOOR_KEY, AtMost(1.3)),
    (AdmitBytesSuccess, 1_000_000, OURS_BY_KEY, RIVAL_A, AtLeast(4.0)),
    (AdmitBytesSuccess, 1_000_000, OURS_BY_KEY, RIVAL_B, AtLeast(2.5)),
    (Batch(64), 1_000_000, OURS_BATCHED, PREFETCHED_FLOOR, AtMost(1.4)),
    (Batch(64), 1_000_000, OURS_BATCHED, RIVAL_A, AtLeast(10.0)),
    (Check, 1, OURS_BY_PEER, LOAD_FLOOR, AtMost(1.5)),
    (CheckReport, 1_000, OURS_BY_PEER, FULL_FLOOR_HELD, AtMost(1.3)),
    (CheckReport, 1_000, OURS_BY_PEER, RIVAL_A, AtLeast(8.0)),
];

/// Every goal, in the order in which they were set.
pub fn goals(results: &Results) -> Vec<Goal> {
    let mut all: Vec<Goal> = RATIOS.iter().map(|ratio| against(results, ratio)).collect();
    all.extend(two_threads(results));
    all.extend(tails(results));
    let pair = |ours: Option<&Vec<f64>>, other: Option<&Vec<f64>>| Some(Quartiles::of_ratios(ours?, other?));
    let rounds = |name| results.pass(name).map(|pass| &pass.rounds);
    all.push(Goal {
        what: format!("{SNAPSHOT} of 100,000 peers ÷ {SEQUENTIAL_READ}"),
        bound: AtMost(2.0),
        measured: pair(rounds(SNAPSHOT), rounds(SEQUENTIAL_READ)),
    });
    let ours = results.memory_of(OURS_BY_KEY);
    all.push(Goal {
        what: "resident bytes per tracked peer, 100,000 peers".into(),
        bound: AtMost(224.0),
        measured: ours.map(|bytes| Quartiles::of(&[bytes])),
    });
    all.push(Goal {
        what: format!("the same ÷ {CONVENTIONAL}"),
        bound: AtMost(0.5),
        measured: ours.zip(results.memory_of(CONVENTIONAL)).map(|(ours, other)| Quartiles::of(&[ours / other])),
    });
    all.push(Goal {
        what: "p99 of admit while scraped and queried each second ÷ not, 100,000 peers".into(),
        bound: AtMost(1.2),
        measured: results.scrape.as_ref().map(Scrape::ratio),
    });
    all
}

fn outcome(results: &Results, operation: Operation, peers: usize, threads: usize) -> Option<&Outcome> {
    results.outcomes.iter().find(|outcome| {
        let s = outcome.scenario;
        (s.operation, s.peers, s.threads, s.skew) == (operation, peers, threads, Skew::Uniform)
    })
}

fn against(results: &Results, &(operation, peers, ours, other, bound): &(Operation, usize, &str, &str, Bound)) -> Goal {
    let measured = || {
        let outcome = outcome(results, operation, peers, 1)?;
        let (ours, other) = (outcome.timing(ours)?, outcome.timing(other)?);
        Some(match bound {
            AtMost(_) => ours.ratio_to(other),
            AtLeast(_) => other.ratio_to(ours),
        })
    };
    let name = operation.name();
    let what = match bound {
        AtMost(_) => format!("{name} {ours} ÷ {other}, {} peers", grouped(peers)),
        AtLeast(_) => format!("{other} ÷ {name} {ours}, {} peers", grouped(peers)),
    };
    Goal { what, bound, measured: measured() }
}

fn two_threads(results: &Results) -> Vec<Goal> {
    let upload = outcome(results, TryUpload, 1_000, 2);
    let ours = upload.and_then(|outcome| outcome.timing(OURS_BY_KEY));
    let conventional = upload.and_then(|outcome| outcome.timing(CONVENTIONAL));
    let admit = outcome(results, AdmitSuccess, 100_000, 2);
    let timing = |name| admit.and_then(|outcome| outcome.timing(name));
    let scaling = || {
        let (ours, floor) = (timing(OURS_BY_KEY)?.slowdown(), timing(FULL_FLOOR_KEY)?.slowdown());
        Some(Quartiles::of_ratios(&floor, &ours))
    };
    vec![
        Goal {
            what: "try_upload, 2 threads on different peers ÷ its cost alone".into(),
            bound: AtMost(2.0),
            measured: ours.map(|ours| Quartiles::of(&ours.slowdown())),
        },
        Goal {
            what: format!("{CONVENTIONAL} ÷ try_upload, 2 threads on different peers"),
            bound: AtLeast(10.0),
            measured: ours.zip(conventional).map(|(ours, other)| other.ratio_to(ours)),
        },
        Goal {
            what: format!("admit + success, 2 threads, 100,000 peers: scaling ÷ that of {FULL_FLOOR_KEY}"),
            bound: AtLeast(0.9),
            measured: scaling(),
        },
        Goal {
            what: format!("{RIVAL_A} ÷ admit + success {OURS_BY_KEY}, 2 threads, 100,000 peers"),
            bound: AtLeast(4.0),
            measured: timing(OURS_BY_KEY).zip(timing(RIVAL_A)).map(|(ours, other)| other.ratio_to(ours)),
        },
    ]
}

fn tails(results: &Results) -> Vec<Goal> {
    let place = PERCENTILES.iter().position(|&p| p == 99.9).expect("a column of its own");
    let ratio = |other| Some(results.tail(OURS_BY_KEY)?.ratio_to(results.tail(other)?, place));
    let goal = |other, most| Goal {
        what: format!("p99.9 of the cycle {OURS_BY_KEY}, mixed load, 2 threads ÷ {other}"),
        bound: AtMost(most),
        measured: ratio(other),
    };
    vec![goal(FULL_FLOOR_KEY, 1.5), goal(CONVENTIONAL, 0.2)]
}

/// 100000 as 100,000.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{scenarios, takes_part};

    #[test]
    fn every_goal_is_about_a_scenario_of_the_plan() {
        for &(operation, peers, ours, other, _) in RATIOS {
            let planned = scenarios().iter().any(|s| (s.operation, s.peers, s.threads) == (operation, peers, 1));
            assert!(planned, "{operation:?} over {peers} peers");
            assert!(takes_part(ours, operation, peers) && takes_part(other, operation, peers), "{ours}, {other}");
        }
    }

    #[test]
    fn a_run_of_nothing_measures_no_goal() {
        assert!(goals(&Results::default()).iter().all(|goal| goal.verdict() == "not measured"));
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([1, 1_000, 100_000].map(grouped), ["1", "1,000", "100,000"]);
    }
}
