//! What is measured: something that runs a stretch of the stream and says how often it was refused.

use std::ops::Range;

use peerguard::PeerId;

use crate::rivals::Gate;
use crate::workload::{Key, Workload};

/// Bytes of each request. With the limits below no bucket ever runs dry, though every bucket is really asked.
pub const REQUEST: u32 = 256;
/// Bytes per second, global and per peer: a whole number of nanoseconds per 256 bytes, so that every limiter, also one
/// that rounds, enforces the same rate.
pub const LIMIT: u64 = 64_000_000_000;

/// In `FourReports`; three successes outweigh a failure.
pub const SUCCESSES_PER_FAILURE: usize = 3;

/// What one operation of the stream does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Ban and breaker are asked, the permit is dropped.
    Admit,
    /// Ban and breaker are asked, a success is reported.
    AdmitSuccess,
    /// The same for so many peers in one call.
    Batch(usize),
    /// Ban, breaker, peer bytes and global bytes are asked, a success is reported.
    AdmitBytesSuccess,
    /// Ban and breaker are asked, nothing is taken or counted.
    Check,
    /// A check, and a report of success without a permit.
    CheckReport,
    /// Peer bytes and global bytes are taken, nothing else is asked.
    TryUpload,
    /// A failure is reported. Between two failures of a peer it is brought back up, untimed.
    Failure,
    /// No gate, four reports: one failure and three successes, so that no breaker opens and no score falls for good.
    FourReports,
    /// What brings a peer back up after a failure: three successes. Never timed.
    Recover,
}

impl Operation {
    pub fn name(self) -> String {
        match self {
            Operation::Admit => "admit".into(),
            Operation::AdmitSuccess => "admit + success".into(),
            Operation::Batch(n) => format!("admit + success, batches of {n}"),
            Operation::AdmitBytesSuccess => "admit_bytes + success".into(),
            Operation::Check => "check".into(),
            Operation::CheckReport => "check + report".into(),
            Operation::TryUpload => "try_upload".into(),
            Operation::Failure => "record_failure".into(),
            Operation::FourReports => "failure + 3 successes".into(),
            Operation::Recover => "3 successes".into(),
        }
    }
}

/// Who does it: decides what its figures are compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Ours,
    /// Does the whole operation.
    Rival,
    /// Does a part of it; shown, and never the best rival.
    Part,
    Floor,
}

/// One contender of a scenario, its peers already known to it.
pub trait Subject: Sync {
    /// Runs `stretch` of the stream; returns how many operations were refused (a benchmark in which any is, is void).
    fn run(&self, operation: Operation, load: &Workload, stretch: Range<usize>) -> usize;
}

pub struct Contender {
    pub name: &'static str,
    pub role: Role,
    pub subject: Box<dyn Subject>,
}

/// A rival at work. The loops are generic over the gate, so that nothing stands between them and the calls.
pub struct Cycle<G>(G);

impl<G: Gate> Cycle<G> {
    /// Every peer becomes known, with all that the rival keeps of it, in the order of `peers`: it has nothing to do with
    /// the stream's.
    pub fn new(gate: G, peers: &[Key]) -> Self {
        for peer in peers {
            assert!(gate.admit(peer, REQUEST), "a newcomer is admitted");
            gate.success(peer, None);
        }
        Cycle(gate)
    }

    #[inline]
    fn count(ids: &[PeerId], passes: impl Fn(&Key) -> bool) -> usize {
        ids.iter().map(|id| usize::from(!passes(id.as_bytes()))).sum()
    }
}

impl<G: Gate> Subject for Cycle<G> {
    fn run(&self, operation: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let gate = &self.0;
        let ids = &load.ids[stretch];
        let bytes = std::hint::black_box(REQUEST);
        let three = |key: &Key| (0..SUCCESSES_PER_FAILURE).for_each(|_| gate.success(key, None));
        match operation {
            Operation::Admit | Operation::Check => Self::count(ids, |key| gate.admit(key, 0)),
            Operation::AdmitSuccess | Operation::Batch(_) | Operation::CheckReport => Self::count(ids, |key| {
                let admitted = gate.admit(key, 0);
                if admitted {
                    gate.success(key, None);
                }
                admitted
            }),
            Operation::AdmitBytesSuccess => Self::count(ids, |key| {
                let admitted = gate.admit(key, bytes);
                if admitted {
                    gate.success(key, None);
                }
                admitted
            }),
            Operation::TryUpload => Self::count(ids, |key| gate.take(key, bytes)),
            Operation::Failure => Self::count(ids, |key| {
                gate.failure(key);
                true
            }),
            Operation::FourReports => Self::count(ids, |key| {
                gate.failure(key);
                three(key);
                true
            }),
            Operation::Recover => Self::count(ids, |key| {
                three(key);
                true
            }),
        }
    }
}
