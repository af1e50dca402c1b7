//! The command line.

/// What the caller asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Run { quick: bool },
    Help,
}

pub const USAGE: &str = "\
Measures peerguard beside what a user would assemble from existing crates, and beside the bare memory under both.

usage: cargo run --release -p peerguard-benches -- [--quick]

  --quick    15 short rounds per scenario, at most two minutes in all (without it: 31 rounds, at most ten minutes)
  --help     this text

Prints one table and writes target/bench.json.";

/// Reads the arguments after the program's name; the error is one line for the caller.
pub fn parse(args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut quick = false;
    for arg in args {
        match arg.as_str() {
            "--quick" => quick = true,
            "--help" | "-h" => return Ok(Command::Help),
            other => {
                return Err(format!("unknown argument `{other}`; known are --quick and --help"));
            }
        }
    }
    Ok(Command::Run { quick })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, String> {
        parse(args.iter().map(ToString::to_string))
    }

    #[test]
    fn known_arguments_are_understood() {
        assert_eq!(parsed(&[]), Ok(Command::Run { quick: false }));
        assert_eq!(parsed(&["--quick"]), Ok(Command::Run { quick: true }));
        assert_eq!(parsed(&["--quick", "--help"]), Ok(Command::Help));
    }

    #[test]
    fn an_unknown_argument_is_named_in_the_error() {
        let error = parsed(&["--quick", "--fast"]).unwrap_err();
        assert!(error.contains("`--fast`") && error.contains("--quick"), "{error}");
    }
}
