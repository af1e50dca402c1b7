//! The command line.

/// What the caller asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Run(Options),
    List,
    Plots,
    /// In a process of its own: hold one subject and say what it takes.
    MemoryOf(String),
    Help,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub quick: bool,
    /// Of what is planned only that whose name contains one of these; empty: all.
    pub only: Vec<String>,
    pub rounds: Option<usize>,
    /// Write the tables and plots into docs/.
    pub docs: bool,
}

impl Options {
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

pub const USAGE: &str = "\
Measures peerguard beside what a user would assemble from existing crates, and beside the bare memory under both.

usage: cargo run --release -p peerguard-benches -- [--quick] [--only TEXT]... [--rounds N] [--docs]

  --quick        15 short rounds per scenario, at most two minutes in all (without it: 31 rounds, at most ten minutes)
  --only TEXT    what has TEXT in its name, as --list shows it; may be given several times
  --rounds N     N rounds instead, at least 15
  --docs         also writes the tables into docs/performance.md and draws the plots beside it; not with --only
  --list         the names of all that is measured
  --plots        only draws the plots, from the target/bench.json of an earlier run
  --help         this text

Prints the tables and writes target/bench.json.";

/// Least rounds that a median is taken of.
pub const LEAST_ROUNDS: usize = 15;

/// Reads the arguments after the program's name; the error is one line for the caller.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--docs" => options.docs = true,
            "--only" => options.only.push(value()?),
            "--rounds" => {
                let text = value()?;
                let rounds = text.parse().ok().filter(|&n: &usize| n >= LEAST_ROUNDS);
                options.rounds =
                    Some(rounds.ok_or_else(|| format!("--rounds {text}: a number from {LEAST_ROUNDS} on is needed"))?);
            }
            "--list" => return Ok(Command::List),
            "--plots" => return Ok(Command::Plots),
            "--memory-of" => return Ok(Command::MemoryOf(value()?)),
            "--help" | "-h" => return Ok(Command::Help),
            other => return Err(format!("unknown argument `{other}`; --help names those that are known")),
        }
    }
    if options.docs && !options.only.is_empty() {
        return Err("--docs writes the whole table, so it cannot be combined with --only".into());
    }
    Ok(Command::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, String> {
        parse(args.iter().map(ToString::to_string))
    }

    #[test]
    fn known_arguments_are_understood() {
        assert_eq!(parsed(&[]), Ok(Command::Run(Options::default())));
        let options =
            Options { quick: true, only: vec!["admit".into(), "tails".into()], rounds: Some(20), docs: false };
        let args = ["--quick", "--only", "admit", "--rounds", "20", "--only", "tails"];
        assert_eq!(parsed(&args), Ok(Command::Run(options)));
        assert_eq!(parsed(&["--quick", "--help"]), Ok(Command::Help));
    }

    #[test]
    fn a_wrong_argument_is_named_in_the_error() {
        for (args, name) in [
            (&["--quick", "--fast"][..], "`--fast`"),
            (&["--only"], "--only"),
            (&["--rounds", "3"], "--rounds 3"),
            (&["--docs", "--only", "x"], "--docs"),
        ] {
            let error = parsed(args).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn only_selects_by_any_of_its_texts() {
        let options = Options { only: vec!["tails".into(), "1000 peers".into()], ..Options::default() };
        assert!(options.wants("admit + success, 1000 peers, 1 thread, uniform") && options.wants("tails"));
        assert!(!options.wants("memory"));
    }
}
