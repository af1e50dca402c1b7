//! One run: what is asked for, measured one after the other, world by world: all scenarios over the same peers share
//! their contenders.

use std::io;
use std::time::Instant;

use crate::args::Options;
use crate::floors::check;
use crate::measure::{self, Effort};
use crate::plan::{self, Scenario};
use crate::results::{Outcome, Results};
#[cfg(feature = "exporters")]
use crate::scrape;
use crate::subject::{Contender, Operation};
use crate::tails::{self, MIX};
use crate::workload::{Skew, Workload};
use crate::{contact, memory, passes};

/// What is measured besides the scenarios, by the names that `--only` knows.
pub const FLOORS: &str = "floors";
pub const TAILS: &str = "tails";
pub const CONTACT: &str = "first contact and eviction";
pub const PASSES: &str = "reading everything: snapshot, summary, top 10, metrics text";
pub const MEMORY: &str = "memory per peer";
pub const SCRAPE: &str = "scrape: p99 of admit";

/// The peers whose slowest calls are looked at.
const TAIL_PEERS: usize = 100_000;
/// Rounds of what takes long: each of scraping two seconds.
const LONG_ROUNDS: usize = 15;

/// Every name that `--only` is compared with.
pub fn names() -> Vec<String> {
    let scenarios = plan::scenarios().into_iter().map(|scenario| scenario.to_string());
    scenarios.chain([FLOORS, TAILS, CONTACT, PASSES, MEMORY, SCRAPE].map(String::from)).collect()
}

pub fn run(options: &Options) -> io::Result<Results> {
    let mut effort = plan::effort(options.quick);
    effort.rounds = options.rounds.unwrap_or(effort.rounds);
    let started = Instant::now();
    let say = |what: &str| eprintln!("[{:4} s] {what}", started.elapsed().as_secs());
    let mut results = Results { rounds: effort.rounds, ..Results::default() };
    if options.wants(FLOORS) {
        let counts: &[usize] = if options.quick { &[1_000, 100_000] } else { &[1, 1_000, 100_000, 1_000_000] };
        for &peers in counts {
            say(&format!("the floors over {peers} peers"));
            results.checks.extend(check::floors(peers, effort));
        }
    }
    let wanted: Vec<Scenario> = plan::scenarios().into_iter().filter(|s| options.wants(&s.to_string())).collect();
    for peers in [1, 1_000, 100_000, 1_000_000] {
        let here: Vec<Scenario> = wanted.iter().copied().filter(|s| s.peers == peers).collect();
        world(peers, &here, options, effort, &mut results, &say);
    }
    // In the order of the plan, which is by operation.
    results.outcomes.sort_by_key(|outcome| wanted.iter().position(|&scenario| scenario == outcome.scenario));
    if options.wants(CONTACT) {
        say(CONTACT);
        results.contacts = contact::measure(effort.rounds);
    }
    if options.wants(PASSES) {
        say(PASSES);
        results.passes = passes::measure(LONG_ROUNDS);
    }
    if options.wants(MEMORY) {
        say(MEMORY);
        results.memory = memory::measure()?;
    }
    #[cfg(feature = "exporters")]
    // Half a minute: more than a quick run has.
    if options.wants(SCRAPE) && (!options.quick || !options.only.is_empty()) {
        say(SCRAPE);
        results.scrape = Some(scrape::measure(LONG_ROUNDS)?);
    }
    say("done");
    Ok(results)
}

/// All that is wanted over so many peers.
fn world(
    peers: usize,
    scenarios: &[Scenario],
    options: &Options,
    effort: Effort,
    results: &mut Results,
    say: &dyn Fn(&str),
) {
    let with_tails = peers == TAIL_PEERS && options.wants(TAILS);
    let mut operations: Vec<Operation> = scenarios.iter().map(|s| s.operation).collect();
    operations.extend(with_tails.then_some(MIX).into_iter().flatten());
    if operations.is_empty() {
        return;
    }
    let uniform = Workload::new(peers, Skew::Uniform, effort.stream(peers));
    let skewed = (with_tails || scenarios.iter().any(|s| s.skew == Skew::Zipf))
        .then(|| Workload::new(peers, Skew::Zipf, effort.stream(peers)));
    say(&format!("making {peers} peers known to everyone"));
    let everyone = plan::contenders(&operations, &uniform.peers);
    for &scenario in scenarios {
        say(&scenario.to_string());
        let load = if scenario.skew == Skew::Zipf { skewed.as_ref() } else { None }.unwrap_or(&uniform);
        let takes = |c: &&Contender| plan::takes_part(c.name, scenario.operation, peers);
        let contenders: Vec<&Contender> = everyone.iter().filter(takes).collect();
        let timings = measure::paired(&contenders, scenario.operation, load, scenario.threads, effort);
        results.outcomes.push(Outcome { scenario, timings });
    }
    if let Some(load) = skewed.as_ref().filter(|_| with_tails) {
        say(TAILS);
        let takes = |c: &&Contender| {
            c.name != plan::OURS_ROOMY && MIX.iter().all(|&operation| plan::takes_part(c.name, operation, peers))
        };
        let contenders: Vec<&Contender> = everyone.iter().filter(takes).collect();
        results.tails = tails::measure(&contenders, load, effort);
    }
}
