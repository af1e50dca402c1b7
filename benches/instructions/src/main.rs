//! A guard against getting slower: counts the instructions of the hot operations under callgrind and compares them with
//! the committed ones. Counts repeat where times do not, so that a busy machine changes nothing.

mod list;
mod operations;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{fs, io};

use operations::{ALL, PEERS, Setting};

const COMPILER: &str = env!("COMPILER");

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["check"] => check(),
        ["renew"] => renew(),
        ["run", name] => run(name),
        _ => {
            eprintln!("usage: peerguard-instructions check | renew | run OPERATION");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("peerguard-instructions: {error}");
        ExitCode::FAILURE
    })
}

fn list_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.txt")
}

fn check() -> io::Result<ExitCode> {
    let list = fs::read_to_string(list_file())?;
    let wrong = list::differences(&list, COMPILER, &count_all()?);
    if wrong.is_empty() {
        println!("all within {} % of benches/instructions/counts.txt", list::TOLERANCE * 100.0);
        return Ok(ExitCode::SUCCESS);
    }
    wrong.iter().for_each(|line| eprintln!("{line}"));
    eprintln!("if that is as it should be: `make instructions-renew`, and commit benches/instructions/counts.txt");
    Ok(ExitCode::FAILURE)
}

fn renew() -> io::Result<ExitCode> {
    fs::write(list_file(), list::write(COMPILER, &count_all()?))?;
    Ok(ExitCode::SUCCESS)
}

/// In callgrind: one operation on every peer.
fn run(name: &str) -> io::Result<ExitCode> {
    let (_, work) = ALL
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| io::Error::other(format!("no operation `{name}`")))?;
    work(&Setting::new());
    Ok(ExitCode::SUCCESS)
}

fn count_all() -> io::Result<Vec<(&'static str, f64)>> {
    ALL.iter()
        .map(|&(name, _)| {
            let count = count(name)?;
            println!("{count:8.1}  {name}");
            Ok((name, count))
        })
        .collect()
}

/// Instructions of one operation: the mean over all peers.
fn count(name: &str) -> io::Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_region*"])
        .arg(std::env::current_exe()?)
        .args(["run", name])
        .output()
        .map_err(|error| io::Error::other(format!("valgrind is needed (Debian's package valgrind): {error}")))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    match collected.and_then(|count| count.parse::<u64>().ok()) {
        Some(count) if output.status.success() && count > 0 => Ok(count as f64 / PEERS as f64),
        _ => Err(io::Error::other(format!("callgrind counted nothing for {name}:\n{text}"))),
    }
}
