//! What a user would assemble from existing crates today to get a breaker, a reputation and byte limits per peer.
//! Each rival keeps to one file, and is written as a user who measures would write it: foldhash instead of SipHash,
//! look-ups by borrowed key before `entry`, guards dropped before the next structure is touched, no `powf` while less
//! than a second has passed.

pub mod breakers;
pub mod conventional;
pub mod limiters;
pub mod lookups;
pub mod one_entry;
pub mod reputation;
#[cfg(test)]
mod tests;
pub mod three_maps;

use crate::workload::Key;

/// What a node asks of its guard. `bytes == 0` asks ban and breaker only.
pub trait Gate: Sync {
    /// May I talk to this peer, and send so much?
    fn admit(&self, peer: &Key, bytes: u32) -> bool;
    /// Takes bytes from the peer's bucket and from the global one; asks nothing else.
    fn take(&self, peer: &Key, bytes: u32) -> bool;
    /// The exchange went well.
    fn success(&self, peer: &Key, latency_ms: Option<f64>);
    /// The exchange failed.
    fn failure(&self, peer: &Key);
}

/// The byte limits of a rival, global and per peer, in bytes per second; a burst is one second's worth.
#[derive(Clone, Copy)]
pub struct Limits {
    pub global: u64,
    pub per_peer: u64,
}

/// Failures in a row that open a breaker.
pub const FAILURE_THRESHOLD: u32 = 5;
/// How long it stays open at first, and at most.
pub const OPEN_FOR: std::time::Duration = std::time::Duration::from_secs(30);
pub const OPEN_AT_MOST: std::time::Duration = std::time::Duration::from_secs(300);
