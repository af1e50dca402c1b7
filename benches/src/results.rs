//! What a run has found out.

use crate::contact::Contact;
use crate::floors::check::Check;
use crate::measure::Timing;
use crate::passes::Pass;
use crate::plan::Scenario;
use crate::stats::Quartiles;
use crate::tails::Tail;

/// A scenario and what came out.
pub struct Outcome {
    pub scenario: Scenario,
    pub timings: Vec<Timing>,
}

impl Outcome {
    pub fn timing(&self, name: &str) -> Option<&Timing> {
        self.timings.iter().find(|t| t.name == name)
    }
}

/// The 99th percentile of `admit` in nanoseconds, round by round: while nobody reads, and while the guard is published,
/// scraped and queried once a second.
pub struct Scrape {
    pub quiet: Vec<f64>,
    pub scraped: Vec<f64>,
}

impl Scrape {
    pub fn ratio(&self) -> Quartiles {
        Quartiles::of_ratios(&self.scraped, &self.quiet)
    }
}

/// Everything, as far as it was asked for.
#[derive(Default)]
pub struct Results {
    pub rounds: usize,
    pub outcomes: Vec<Outcome>,
    pub tails: Vec<Tail>,
    pub checks: Vec<Check>,
    pub passes: Vec<Pass>,
    pub contacts: Vec<Contact>,
    /// Resident bytes per peer.
    pub memory: Vec<(&'static str, f64)>,
    pub scrape: Option<Scrape>,
}

impl Results {
    pub fn tail(&self, name: &str) -> Option<&Tail> {
        self.tails.iter().find(|tail| tail.name == name)
    }

    pub fn pass(&self, name: &str) -> Option<&Pass> {
        self.passes.iter().find(|pass| pass.name == name)
    }

    pub fn memory_of(&self, name: &str) -> Option<f64> {
        self.memory.iter().find(|(subject, _)| *subject == name).map(|&(_, bytes)| bytes)
    }
}
