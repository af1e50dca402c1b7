//! Benchmarks of peerguard: paired rounds against what a user would assemble today, and against the bare memory.

mod args;
mod floors;
mod goals;
mod measure;
mod ours;
mod plan;
mod report;
mod rivals;
mod stats;
mod subject;
mod tails;
mod workload;

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use args::{Command, USAGE};
use report::Outcome;
use workload::Workload;

fn main() -> ExitCode {
    match args::parse(std::env::args().skip(1)) {
        Err(error) => {
            eprintln!("peerguard-benches: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Ok(Command::Help) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Command::Run { quick }) => match run(quick) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("peerguard-benches: target/bench.json cannot be written: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(quick: bool) -> io::Result<()> {
    let effort = plan::effort(quick);
    let mut checks = Vec::new();
    for peers in plan::PEER_COUNTS {
        eprintln!("checking the floors over {peers} peers");
        checks.extend(floors::check::floors(peers, effort));
    }
    let mut outcomes = Vec::new();
    for scenario in plan::scenarios() {
        eprintln!("measuring {scenario}");
        let load = Workload::new(scenario.peers, scenario.skew, effort.operations);
        let contenders = plan::contenders(scenario.operation, &load.peers);
        let timings = measure::paired(&contenders, &load, scenario.threads, effort);
        outcomes.push(Outcome { scenario, timings });
    }
    let scenario = plan::TAILS;
    eprintln!("measuring the tails of {scenario}");
    let load = Workload::new(scenario.peers, scenario.skew, 4 * effort.operations);
    let tails = tails::measure(&plan::contenders(scenario.operation, &load.peers), &load);

    println!("Nanoseconds per operation, medians of {} paired rounds\n", effort.rounds);
    println!("{}", report::table(&outcomes));
    println!("Floors beside their parts, measured in the same rounds\n");
    println!("{}", report::floor_checks(&checks));
    println!("Nanoseconds of single calls (timer included): {scenario}\n");
    println!("{}", report::tails(&tails));
    println!("{}", report::goals(&goals::measured(&outcomes)));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
    fs::create_dir_all(path.parent().expect("a file in target"))?;
    fs::write(path, report::json(&outcomes))
}
