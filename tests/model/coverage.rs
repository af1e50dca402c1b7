//! What the sequences have reached, so that agreement means something.

use std::collections::BTreeMap;

/// How often each thing happened, by its name.
#[derive(Debug, Default)]
pub struct Coverage {
    seen: BTreeMap<String, u64>,
}

/// What has to happen.
const EXPECTED: &[&str] = &[
    "refused Banned",
    "refused ForcedOpen",
    "refused Open",
    "refused ProbesOut",
    "refused PeerBytes",
    "refused PeerExceedsBurst",
    "refused GlobalBytes",
    "refused GlobalExceedsBurst",
    "event Opened",
    "event HalfOpened",
    "event Closed",
    "event ProbesLost",
    "event Forced(Open)",
    "event Forced(Closed)",
    "event Forced(Observe)",
    "event Reset",
    "event Banned(Earned)",
    "event Banned(Operator)",
    "event Unbanned",
    "recorded Counted",
    "recorded Stale",
    "recorded Ignored",
    "would deny",
];

impl Coverage {
    pub fn count(&mut self, what: String, n: u64) {
        *self.seen.entry(what).or_default() += n;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, n) in &other.seen {
            self.count(what.clone(), *n);
        }
    }

    pub fn assert_all_reached(&self, floor: u64) {
        for what in EXPECTED {
            let n = self.seen.get(*what).copied().unwrap_or(0);
            assert!(n >= floor, "{what}: only {n} times");
        }
    }
}
