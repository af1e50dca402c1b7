//! One seed: a configuration, a starting time and a list of calls, played against the guard and the model.

use std::panic::{AssertUnwindSafe, catch_unwind};

use peerguard::{Clock, Config, PeerGuard};

use crate::reference::calls::{Call, Mood, slice_ns};
use crate::reference::config;
use crate::reference::coverage::Coverage;
use crate::reference::run::Run;
use crate::reference::shrink::shrink;

/// What one seed stands for.
pub struct Sequence {
    pub config: Config,
    pub start: u64,
    pub calls: Vec<Call>,
}

impl Sequence {
    pub fn new(seed: u64) -> Self {
        let config = config::config(seed);
        let start = config::start(seed, slice_ns(&config));
        let calls = Mood::new(seed, &config).calls();
        Self { config, start, calls }
    }

    /// `Err` says what differed first, after which call.
    fn play(&self, calls: &[Call], coverage: &mut Coverage) -> Result<(), String> {
        let (clock, hand) = Clock::manual(self.start);
        let guard = PeerGuard::with_clock(self.config.clone(), clock).expect("a valid configuration");
        let handles = Default::default();
        let mut run = Run::new(&guard, hand, &handles, &self.config);
        let played = catch_unwind(AssertUnwindSafe(|| run_all(&mut run, calls, coverage)));
        played.unwrap_or_else(|panic| {
            // What the guard handed out is not given back to a guard that has panicked.
            std::mem::forget(run);
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("panic: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
        })
    }

    /// Plays the sequence; a failure comes back shrunk and in words.
    pub fn check(&self, seed: u64, coverage: &mut Coverage) -> Result<(), String> {
        if self.play(&self.calls, coverage).is_ok() {
            return Ok(());
        }
        let fails = |calls: &[Call]| self.play(calls, &mut Coverage::default());
        let calls = shrink(&self.calls, |calls| fails(calls).is_err());
        let what = fails(&calls).expect_err("shrinking keeps the failure");
        let list: Vec<String> = calls.iter().enumerate().map(|(n, call)| format!("  {n}: {call:?}")).collect();
        Err(format!("seed {seed}: {what}\nstart {}\n{:#?}\n{}", self.start, self.config, list.join("\n")))
    }
}

fn run_all(run: &mut Run<'_>, calls: &[Call], coverage: &mut Coverage) -> Result<(), String> {
    for (number, call) in calls.iter().enumerate() {
        if run.is_doubtful() {
            coverage.count("cut short".to_owned(), 1);
            break;
        }
        run.step(call).map_err(|what| format!("after call {number}: {what}"))?;
    }
    run.cover(coverage);
    Ok(())
}
