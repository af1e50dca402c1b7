//! What the node did and what came of it: the facts behind the table and the summary.
//!
//! The guard keeps its own counters; here stands what only the node can know (how many attempts it
//! made before it was stopped) and what only an onlooker can (whether the peer was really dead).

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use peerguard::{BreakerState, CircuitBreakerConfig, PeerView, Reason, Rejection};

use crate::peers::{Life, Truth};

pub struct Ledger {
    accounts: Vec<Mutex<Account>>,
    breaker: CircuitBreakerConfig,
    pub down: Meter,
    pub up: Meter,
}

impl Ledger {
    pub fn new(truths: impl Iterator<Item = Arc<Truth>>, breaker: CircuitBreakerConfig) -> Self {
        Self {
            accounts: truths.map(|truth| Mutex::new(Account::new(truth))).collect(),
            breaker,
            down: Meter::default(),
            up: Meter::default(),
        }
    }

    pub fn account(&self, index: usize) -> MutexGuard<'_, Account> {
        self.accounts[index].lock().expect("nobody panics with it")
    }

    pub fn accounts(&self) -> impl Iterator<Item = MutexGuard<'_, Account>> {
        (0..self.accounts.len()).map(|index| self.account(index))
    }

    /// The open time at a back-off level, before the jitter that comes on top.
    pub fn open_time(&self, level: u8) -> Duration {
        let doubled = self.breaker.recovery_timeout * 2_u32.saturating_pow(level.into());
        doubled.min(self.breaker.max_open_time)
    }
}

/// One peer's part.
pub struct Account {
    truth: Arc<Truth>,
    /// Conversations begun while nobody was there to answer.
    pub made_while_dead: u64,
    /// Conversations that breaker or ban refused while nobody was there to answer.
    pub saved_while_dead: u64,
    pub refusals: Tally<Reason>,
    /// Answers that were none, by what gave them away.
    pub garbage: Tally<&'static str>,
    pub trips: Vec<Trip>,
    pub recoveries: Vec<Recovery>,
    failures: Option<Failures>,
    opening: Option<Opening>,
}

/// A row of counted failures without a success between them.
#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

/// The last time the breaker opened.
#[derive(Clone, Copy)]
struct Opening {
    open_time: Duration,
    failing_since: Instant,
}

/// Closed to open.
#[derive(Clone, Copy)]
pub struct Trip {
    pub attempts: u32,
    /// From the first failed attempt.
    pub took: Duration,
    pub was_dead: bool,
}

/// A peer that was cut off, came back and was used again.
#[derive(Clone, Copy)]
pub struct Recovery {
    /// From its coming back to the first conversation that went well (or to now, when none did).
    pub waited: Duration,
    /// The open time that was in force.
    pub open_time: Duration,
}

impl Account {
    fn new(truth: Arc<Truth>) -> Self {
        Self {
            truth,
            made_while_dead: 0,
            saved_while_dead: 0,
            refusals: Tally::default(),
            garbage: Tally::default(),
            trips: Vec::new(),
            recoveries: Vec::new(),
            failures: None,
            opening: None,
        }
    }

    fn is_dead(&self) -> bool {
        self.truth.now() == Life::Dead
    }

    pub fn attempt(&mut self) {
        self.made_while_dead += u64::from(self.is_dead());
    }

    pub fn refused(&mut self, no: &Rejection) {
        self.refusals.add(no.reason, 1);
        let gate_closed = matches!(no.reason, Reason::Open | Reason::ProbesOut | Reason::Banned);
        self.saved_while_dead += u64::from(gate_closed && self.is_dead());
    }

    pub fn garbage(&mut self, what: &'static str) {
        self.garbage.add(what, 1);
    }

    pub fn success(&mut self) {
        self.failures = None;
        self.recoveries.extend(self.revival());
        self.opening = None;
    }

    /// A failed conversation that the breaker counted, and the peer as the guard sees it now.
    pub fn failure(&mut self, began: Instant, was_probe: bool, now: &PeerView, ledger: &Ledger) {
        let new = Failures { count: 0, since: began };
        let failures = self.failures.get_or_insert(new);
        failures.count += 1;
        let failures = *failures;
        if now.state != BreakerState::Open {
            return;
        }
        // A failed probe only opens again what was open before.
        if !was_probe {
            self.trips.push(Trip {
                attempts: failures.count,
                took: failures.since.elapsed(),
                was_dead: self.is_dead(),
            });
        }
        self.opening = Some(Opening { open_time: ledger.open_time(now.backoff_level), failing_since: failures.since });
    }

    /// The wait of a peer that was cut off and has come back, up to now.
    pub fn revival(&self) -> Option<Recovery> {
        let opening = self.opening?;
        match self.truth.now() {
            // A peer that fails without dying has been alive from before its failures.
            Life::Alive(since) if since > opening.failing_since => {
                Some(Recovery { waited: since.elapsed(), open_time: opening.open_time })
            }
            _ => None,
        }
    }
}

/// How often each of a few things happened.
#[derive(Clone)]
pub struct Tally<T>(Vec<(T, u64)>);

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq + Copy + Display> Tally<T> {
    pub fn add(&mut self, what: T, times: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == what) {
            Some((_, n)) => *n += times,
            None => self.0.push((what, times)),
        }
    }

    pub fn merge(mut self, other: &Self) -> Self {
        other.0.iter().for_each(|(what, n)| self.add(*what, *n));
        self
    }

    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, n)| n).sum()
    }

    /// "312 open, 4 banned", the most frequent first.
    pub fn in_words(&self) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let words: Vec<_> = sorted.iter().map(|(what, n)| format!("{n} {what}")).collect();
        words.join(", ")
    }
}

/// Payload bytes that really went through the sockets in one direction.
#[derive(Default)]
pub struct Meter {
    moved: AtomicU64,
    /// When the node's own limit first refused, and what had been moved by then.
    saturated: Mutex<Option<(Instant, u64)>>,
}

impl Meter {
    pub fn add(&self, bytes: u64) {
        // Relaxed: a statistic, read whole at the end.
        self.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// The first call ends the initial burst: from here on the limit alone says how fast.
    pub fn saturated(&self) {
        let mut saturated = self.saturated.lock().expect("nobody panics with it");
        saturated.get_or_insert_with(|| (Instant::now(), self.moved()));
    }

    /// What was moved since the initial burst; `None` while it lasts. `unspent` is what the bucket held just before.
    pub fn measure(&self, unspent: Option<u64>) -> Option<Measured> {
        let (since, before) = (*self.saturated.lock().expect("nobody panics with it"))?;
        Some(Measured { moved: self.moved() - before, over: since.elapsed(), unspent: unspent? })
    }
}

/// Bytes moved and in what time, and bytes that could have been moved, too.
#[derive(Clone, Copy)]
pub struct Measured {
    pub moved: u64,
    pub over: Duration,
    pub unspent: u64,
}
