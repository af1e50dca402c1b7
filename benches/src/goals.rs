//! The figures that the project set itself, and what this run says about them.

use crate::plan::{OURS_BY_KEY, OURS_BY_PEER, RIVAL_A, RIVAL_B};
use crate::report::Outcome;
use crate::stats::Quartiles;
use crate::subject::Operation;
use crate::workload::Skew;

/// At 1,000 peers on one thread, with both byte limits: how many times faster than a rival, at least.
const GOALS: [(&str, &str, f64); 3] =
    [(OURS_BY_KEY, RIVAL_A, 4.0), (OURS_BY_KEY, RIVAL_B, 2.0), (OURS_BY_PEER, RIVAL_A, 8.0)];

/// Each goal in words, the least ratio, and the measured one.
pub fn measured(outcomes: &[Outcome]) -> Vec<(String, f64, Quartiles)> {
    let judged = outcomes.iter().filter(|o| {
        let s = o.scenario;
        s.operation == Operation::AdmitBytesSuccess && (s.peers, s.threads, s.skew) == (1_000, 1, Skew::Uniform)
    });
    judged
        .flat_map(|outcome| {
            GOALS.iter().filter_map(|&(ours, rival, least)| {
                let ratio = outcome.timing(rival)?.ratio_to(outcome.timing(ours)?);
                Some((format!("{ours}, times faster than {rival}"), least, ratio))
            })
        })
        .collect()
}
