//! A recorded history, and how much of it overlapped.

use std::fmt;

use peerguard::Config;

use crate::linear::fact::Fact;
use crate::linear::search::Op;

/// Keys of a history.
pub const KEYS: usize = 2;

/// One call: who it was about, stamps before and after it, and what was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    pub called: u64,
    pub returned: u64,
    pub key: usize,
    pub fact: Fact,
}

/// The clock was set.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    pub called: u64,
    pub returned: u64,
    pub to: u64,
}

#[derive(Debug)]
pub struct History {
    pub seed: u64,
    pub config: Config,
    pub start: u64,
    /// By thread; the last has the calls that were made when the others had ended.
    pub threads: Vec<Vec<Entry>>,
    /// By one thread, in its order.
    pub moves: Vec<Move>,
}

impl History {
    /// The operations of one object: of the calls that touch it, the ways in which they may have.
    pub fn ops<A>(&self, ways: impl Fn(&Entry) -> Vec<Vec<A>>) -> Vec<Vec<Op<A>>> {
        let op = |entry: &Entry| {
            let ways = ways(entry);
            let times = self.times(entry);
            (!ways.is_empty()).then_some(Op { called: entry.called, returned: entry.returned, times, ways })
        };
        self.threads.iter().map(|entries| entries.iter().filter_map(op).collect()).collect()
    }

    /// What the clock may have said during a call.
    pub fn times(&self, entry: &Entry) -> Vec<u64> {
        let mut times = Vec::new();
        let mut standing = self.start;
        for step in &self.moves {
            if step.returned > entry.called {
                times.push(standing);
                if step.called > entry.returned {
                    return times;
                }
            }
            standing = step.to;
        }
        times.push(standing);
        times
    }

    pub fn calls(&self) -> usize {
        self.threads.iter().map(Vec::len).sum::<usize>() + self.moves.len()
    }

    /// Calls that overlapped a call of another thread.
    pub fn overlapping(&self) -> usize {
        let overlaps = |thread: usize, entry: &Entry| {
            let others = self.threads.iter().enumerate().filter(|(other, _)| *other != thread);
            others.flat_map(|(_, entries)| entries).any(|o| o.called < entry.returned && entry.called < o.returned)
        };
        let threads = self.threads.iter().enumerate();
        threads.map(|(thread, entries)| entries.iter().filter(|entry| overlaps(thread, entry)).count()).sum()
    }

    /// Whether a call of `key` that `which` had begun before `stamp`.
    pub fn begun_before(&self, key: usize, stamp: u64, which: impl Fn(&Fact) -> bool) -> bool {
        let mut entries = self.threads.iter().flatten();
        entries.any(|entry| entry.key == key && entry.called < stamp && which(&entry.fact))
    }

    /// Whether the entry overlaps a call about the same key that `which`.
    pub fn overlapped_by(&self, entry: &Entry, which: impl Fn(&Fact) -> bool) -> bool {
        let mut others = self.threads.iter().flatten().filter(|other| other.key == entry.key);
        others.any(|other| {
            let overlaps = other.called < entry.returned && entry.called < other.returned;
            other.called != entry.called && overlaps && which(&other.fact)
        })
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, clock from {}", self.seed, self.start)?;
        let mut lines: Vec<(u64, String)> = Vec::new();
        for (thread, entries) in self.threads.iter().enumerate() {
            for entry in entries {
                let Entry { called, returned, key, fact } = entry;
                lines.push((*called, format!("  {called}-{returned} thread {thread} key {key}: {fact:?}")));
            }
        }
        for step in &self.moves {
            lines.push((step.called, format!("  {}-{} clock to {}", step.called, step.returned, step.to)));
        }
        lines.sort();
        lines.iter().try_for_each(|(_, line)| writeln!(f, "{line}"))?;
        writeln!(f, "{:#?}", self.config)
    }
}
