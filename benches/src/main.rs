//! The benchmarks' command: see `--help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use peerguard_benches::args::{self, Command, Options, USAGE};
use peerguard_benches::{docs, json, memory, plots, report, run};

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("peerguard-benches: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match obey(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peerguard-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> io::Result<()> {
    match command {
        Command::Help => println!("{USAGE}"),
        Command::List => run::names().iter().for_each(|name| println!("{name}")),
        Command::MemoryOf(subject) => println!("{}", memory::per_peer(&subject)?),
        Command::Plots => draw(&serde_json::from_str(&fs::read_to_string(in_root("target/bench.json"))?)?)?,
        Command::Run(options) => measured(&options)?,
    }
    Ok(())
}

fn measured(options: &Options) -> io::Result<()> {
    let results = run::run(options)?;
    let tables = report::sections(&results);
    println!("{tables}");
    let figures = json::figures(&results);
    let path = in_root("target/bench.json");
    fs::create_dir_all(path.parent().expect("a file in target"))?;
    fs::write(path, format!("{figures:#}\n"))?;
    if options.docs {
        docs::replace(&in_root("docs/performance.md"), &tables)?;
        draw(&figures)?;
    }
    Ok(())
}

fn draw(figures: &serde_json::Value) -> io::Result<()> {
    fs::write(in_root("docs/performance-peers.svg"), plots::peers(figures)?)?;
    fs::write(in_root("docs/performance-tails.svg"), plots::tails(figures)?)
}

/// A path from the repository's root.
fn in_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
