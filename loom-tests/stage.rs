//! What a model plays on: one record, or a table of very few, with the guard's counters and events beside it.

use std::sync::Arc;
use std::time::Duration;

use crate::breaker::gate::{Gate, Generation};
use crate::breaker::rate::RateWindow;
use crate::breaker::transition::Asker;
use crate::config::Config;
use crate::counters::{Counters, Total};
use crate::decision::{Recorded, Rejection, Traffic};
use crate::event::EventKind;
use crate::event::ring::Ring;
use crate::id::PeerId;
use crate::peer::admit::Admitted;
use crate::peer::limits::{LimitWords, OwnLimits};
use crate::peer::record::{Beside, Record};
use crate::peer::report::{Report, Standing};
use crate::peer::tally::{Pair, Tally};
use crate::peer::{Rules, Site};
use crate::reputation::outcome::Outcome;
use crate::sync::{AtomicU64, Ordering};
use crate::table::Table;

pub(super) const SECOND: u64 = 1_000_000_000;
/// When every model begins: within a second, so that a stamp of a moment is that of the second.
pub(super) const START: u64 = 1_000 * SECOND + SECOND / 2;

/// The life of a record that is alone.
pub(super) const LIFE: u32 = 1;

/// A configuration whose transitions are near: two failures open for ten seconds without jitter, one probe at a time whose
/// lease is five seconds, one success closes.
pub(super) fn config() -> Config {
    let mut config = Config::default();
    config.circuit_breaker.failure_threshold = 2;
    config.circuit_breaker.success_threshold = 1;
    config.circuit_breaker.recovery_timeout = Duration::from_secs(10);
    config.circuit_breaker.probe_timeout = Some(Duration::from_secs(5));
    config.circuit_breaker.jitter = 0.0;
    config
}

pub(super) fn id(n: u64) -> PeerId {
    PeerId::from_words([n, n, n, n])
}

/// The books that changes are written down in.
pub(super) struct Books {
    pub(super) rules: Rules,
    counters: Counters,
    events: Ring,
}

impl Books {
    fn new(config: &Config) -> Self {
        Self { rules: Rules::new(config, 0), counters: Counters::new(), events: Ring::new(4) }
    }

    pub(super) fn site(&self, now: u64) -> Site<'_> {
        Site { rules: &self.rules, counters: &self.counters, events: &self.events, slot: 0, now }
    }

    /// What has happened, oldest first.
    pub(super) fn happened(&self) -> Vec<EventKind> {
        let (entries, _, lost) = self.events.read_from(0, usize::MAX);
        assert_eq!(lost, 0, "no event of a model is lost");
        entries.iter().map(|entry| entry.kind).collect()
    }

    pub(super) fn total(&self, total: Total) -> u64 {
        self.counters.sum(total)
    }
}

/// One record, with failure-rate counters where the configuration has them on.
pub(super) struct One {
    pub(super) books: Books,
    pub(super) record: Record,
    tally: Tally,
    own: LimitWords,
    rate: Option<RateWindow>,
}

impl One {
    pub(super) fn new(config: &Config) -> Arc<Self> {
        let rate = config.circuit_breaker.failure_rate.map(|_| RateWindow::new());
        let one = Self {
            books: Books::new(config),
            record: Record::free(),
            tally: Tally::free(),
            own: [AtomicU64::new(0), AtomicU64::new(0)],
            rate,
        };
        one.record.begin_flow(LIFE);
        one.record.furnish(&id(1), LIFE, START, &one.books.rules.reputation);
        one.tally.begin(START);
        Arc::new(one)
    }

    /// Reports without latency and traffic.
    pub(super) fn report(&self, outcome: Outcome, standing: Standing, now: u64) -> Recorded {
        let report = Report { outcome, latency: None, traffic: Traffic::NONE };
        self.record.report(&report, standing, self.beside(), &self.books.site(now))
    }

    pub(super) fn beside(&self) -> Beside<'_> {
        Beside { tally: &self.tally, limits: OwnLimits(&self.own), rate: self.rate.as_ref() }
    }

    pub(super) fn admit(&self, asker: Asker, now: u64) -> Result<Admitted, Rejection> {
        self.record.admit(asker, None, &self.books.site(now))
    }

    pub(super) fn gate(&self) -> Gate {
        self.record.gate.load(Ordering::Relaxed).gate()
    }

    pub(super) fn failures(&self, now: u64) -> u32 {
        let generation = self.gate().generation;
        self.record.window.load(Ordering::Relaxed).count(generation, now / self.books.rules.slice, false)
    }

    pub(super) fn is_banned(&self, now: u64) -> bool {
        self.record.ban_in_force(&self.books.site(now)).is_some()
    }

    /// Score at `now`, in points.
    pub(super) fn score(&self, now: u64) -> f64 {
        let ban = self.record.ban.load(Ordering::Relaxed);
        self.record.score.load(Ordering::Relaxed).at(ban, now, &self.books.rules.reputation).0.points()
    }

    pub(super) fn offences(&self, now: u64) -> u8 {
        self.record.ban.load(Ordering::Relaxed).offences(now, &self.books.rules.reputation)
    }

    /// A record whose breaker opened at `START`; returns the period in which it was closed.
    pub(super) fn opened(config: &Config) -> (Arc<Self>, Generation) {
        let one = Self::new(config);
        let closed = one.gate().generation;
        for _ in 0..config.circuit_breaker.failure_threshold {
            one.report(Outcome::Timeout, Standing::Call, START);
        }
        (one, closed)
    }
}

/// A table.
pub(super) struct Many {
    pub(super) books: Books,
    pub(super) table: Table,
}

impl Many {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Self::by(&config(), capacity)
    }

    pub(super) fn by(config: &Config, capacity: usize) -> Arc<Self> {
        let keys = std::array::from_fn(|i| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Arc::new(Self { books: Books::new(config), table: Table::new(capacity, false, keys) })
    }

    /// First contact without anything else.
    pub(super) fn meet(&self, peer: &PeerId) -> bool {
        self.table.pin_or_insert(peer, &self.books.site(START)).is_ok()
    }

    /// Reports as the facade does: makes a record if need be. `false` when there is no place.
    pub(super) fn report(&self, peer: &PeerId, outcome: Outcome) -> bool {
        let site = self.books.site(START);
        let report = Report { outcome, latency: None, traffic: Traffic::NONE };
        let Ok(pin) = self.table.pin_or_insert(peer, &site) else { return false };
        pin.record().report(&report, Standing::Call, self.table.beside(pin.slot()), &site);
        true
    }

    /// Key, sync successes and sync failures of every record that is live.
    pub(super) fn tenants(&self) -> Vec<(PeerId, u64, u64)> {
        let slots = 0..self.table.len() as u32;
        let live = slots.filter_map(|slot| Some((slot, self.table.image(slot)?)));
        live.map(|(slot, image)| {
            let record = self.table.record(slot);
            let lately: u64 = record.flow.iter().map(|flow| flow.load(Ordering::Relaxed).sync_successes()).sum();
            let successes = record.sync_successes.load(Ordering::Relaxed) + lately;
            let Pair(failures, _) = self.table.tally(slot).failures.load(Ordering::Relaxed);
            (image.id, successes, failures.into())
        })
        .collect()
    }
}
