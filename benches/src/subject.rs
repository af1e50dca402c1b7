//! What is measured: something that runs a stretch of the stream and says how often it was refused.

use std::ops::Range;

use peerguard::PeerId;

use crate::rivals::Gate;
use crate::workload::Workload;

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
    /// Ban and breaker are asked, a success is reported.
    AdmitSuccess,
    /// Ban, breaker, peer bytes and global bytes are asked, a success is reported.
    AdmitBytesSuccess,
    /// No gate, four reports: one failure and three successes, so that no breaker opens and no score falls for good.
    FourReports,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Operation::AdmitSuccess => "admit + success",
            Operation::AdmitBytesSuccess => "admit_bytes + success",
            Operation::FourReports => "failure + 3 successes",
        }
    }

    pub fn bytes(self) -> u32 {
        match self {
            Operation::AdmitBytesSuccess => REQUEST,
            Operation::AdmitSuccess | Operation::FourReports => 0,
        }
    }
}

/// Who does it: decides what its figures are compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Ours,
    Rival,
    Floor,
}

/// One contender of a scenario, its peers already known to it.
pub trait Subject: Sync {
    /// Runs `stretch` of the stream; returns how many operations were refused (a benchmark in which any is, is void).
    fn run(&self, load: &Workload, stretch: Range<usize>) -> usize;
}

pub struct Contender {
    pub name: &'static str,
    pub role: Role,
    pub subject: Box<dyn Subject>,
}

/// A rival at work. The loop is generic over the gate, so that nothing stands between it and the calls.
pub struct Cycle<G> {
    gate: G,
    operation: Operation,
}

impl<G: Gate> Cycle<G> {
    pub fn new(gate: G, operation: Operation) -> Self {
        Cycle { gate, operation }
    }
}

impl<G: Gate> Subject for Cycle<G> {
    fn run(&self, load: &Workload, stretch: Range<usize>) -> usize {
        let mut refused = 0;
        if self.operation == Operation::FourReports {
            for key in load.ids[stretch].iter().map(PeerId::as_bytes) {
                self.gate.failure(key);
                for _ in 0..SUCCESSES_PER_FAILURE {
                    self.gate.success(key, None);
                }
            }
            return 0;
        }
        let bytes = std::hint::black_box(self.operation.bytes());
        for key in load.ids[stretch].iter().map(PeerId::as_bytes) {
            if self.gate.admit(key, bytes) {
                self.gate.success(key, None);
            } else {
                refused += 1;
            }
        }
        refused
    }
}
