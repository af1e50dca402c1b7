//! Searches histories and adds up what came of them.

use peerguard::Totals;

use crate::linear::calls::Topic;
use crate::linear::history::{History, KEYS};
use crate::linear::record::terms;
use crate::linear::search::{Object, Op, Search, Verdict};
use crate::linear::{breaker, bytes, quiet, standing};
use crate::reference::{reputation, rules};

/// A legal search, or what it came to.
type Found = Result<(), (Verdict, String)>;

/// What came of a number of histories.
#[derive(Debug, Default)]
pub struct Sum {
    pub histories: u64,
    pub calls: u64,
    pub overlapping: u64,
    pub steps: u64,
    pub most_steps: u64,
    pub undecided: u64,
    /// No order explains them.
    pub illegal: u64,
    /// Their counters are wrong at the end.
    pub miscounted: u64,
    /// The first of these, in words.
    pub first: Option<String>,
}

impl Sum {
    /// Searches one object of a history; `Err` with the verdict in words.
    fn search<O: Object>(&mut self, object: &O, ops: &[Vec<Op<O::Atom>>], start: O::State, what: &str) -> Found {
        let mut search = Search::new(object, ops);
        let verdict = search.run(start);
        self.steps += search.steps;
        self.most_steps = self.most_steps.max(search.steps);
        let all: usize = ops.iter().map(Vec::len).sum();
        match verdict {
            Verdict::Legal => Ok(()),
            Verdict::Undecided => Err((verdict, format!("{what}: undecided after {} steps", search.steps))),
            Verdict::Illegal => {
                let text = format!("{what}: no order explains more than {} of {all} operations", search.deepest);
                Err((verdict, text))
            }
        }
    }

    pub fn check(&mut self, history: &History, totals: &Totals, topic: Topic) {
        self.histories += 1;
        self.calls += history.calls() as u64;
        self.overlapping += history.overlapping() as u64;
        let found = match topic {
            Topic::Peers => self.check_peers(history),
            Topic::Bytes => self.check_bytes(history),
        };
        let counted = quiet::check(history, totals);
        self.miscounted += u64::from(counted.is_err());
        if let Err((verdict, _)) = &found {
            self.illegal += u64::from(*verdict == Verdict::Illegal);
            self.undecided += u64::from(*verdict == Verdict::Undecided);
        }
        if self.first.is_none()
            && let Err(what) = found.map_err(|(_, what)| what).and(counted)
        {
            self.first = Some(format!("{what}\n{history}"));
        }
    }

    fn check_peers(&mut self, history: &History) -> Found {
        let of_breaker = rules::Rules::new(&history.config.circuit_breaker);
        let of_reputation = reputation::Rules::new(&history.config.reputation);
        let weights = &history.config.reputation.weights;
        let mut found = Ok(());
        for key in 0..KEYS {
            let object = breaker::BreakerOf { rules: &of_breaker };
            let what = format!("key {key}, breaker");
            let breaker = self.search(&object, &breaker::ops(history, key), breaker::start(history.start), &what);
            let object = standing::StandingOf { rules: &of_reputation, weights };
            let start = standing::start(history.start, &of_reputation);
            let standing = self.search(&object, &standing::ops(history, key), start, &format!("key {key}, standing"));
            found = found.and(breaker).and(standing);
        }
        found
    }

    fn check_bytes(&mut self, history: &History) -> Found {
        let [peer, all] = terms(&history.config).expect("there are limits");
        let buckets = bytes::Buckets { peer, all };
        self.search(&buckets, &bytes::ops(history), bytes::start(history.start), "bytes")
    }

    pub fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.calls += other.calls;
        self.overlapping += other.overlapping;
        self.steps += other.steps;
        self.most_steps = self.most_steps.max(other.most_steps);
        self.undecided += other.undecided;
        self.illegal += other.illegal;
        self.miscounted += other.miscounted;
        self.first = self.first.take().or(other.first);
    }
}
