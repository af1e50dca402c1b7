//! peerguard at work, by key and by held `Peer`.

use std::hint::black_box;
use std::ops::Range;

use peerguard::{BandwidthConfig, Config, Direction, Outcome, Peer, PeerGuard, PeerId, Traffic};

use crate::subject::{LIMIT, Operation, SUCCESSES_PER_FAILURE, Subject};
use crate::workload::{Key, Workload};

/// A guard with room for the peers and with the limits that the rivals have: global and per peer, burst of one second.
fn guard(peers: usize) -> PeerGuard {
    let config = Config {
        max_peers: Config::default().max_peers.max(2 * peers),
        bandwidth: BandwidthConfig {
            upload_limit_bps: LIMIT,
            per_peer_upload_bps: LIMIT,
            ..BandwidthConfig::default()
        },
        ..Config::default()
    };
    PeerGuard::new(config).expect("a valid configuration")
}

/// The guard is asked by key. The stream is converted once: a node's messages carry `PeerId`s.
pub struct ByKey {
    guard: PeerGuard,
    operation: Operation,
}

impl ByKey {
    pub fn new(peers: &[Key], operation: Operation) -> Self {
        let guard = guard(peers.len());
        // In an order that has nothing to do with the stream's: records lie in the order of first contact.
        for peer in peers {
            let _ = guard.record_success(&PeerId::new(*peer), None);
        }
        ByKey { guard, operation }
    }
}

impl Subject for ByKey {
    fn run(&self, load: &Workload, stretch: Range<usize>) -> usize {
        let mut refused = 0;
        let bytes = black_box(u64::from(self.operation.bytes()));
        let ids = &load.ids[stretch];
        match self.operation {
            Operation::AdmitSuccess => {
                for id in ids {
                    match self.guard.admit(id) {
                        Ok(permit) => drop(permit.success(None)),
                        Err(_) => refused += 1,
                    }
                }
            }
            Operation::FourReports => {
                for id in ids {
                    let _ = black_box(self.guard.record_failure(id));
                    for _ in 0..SUCCESSES_PER_FAILURE {
                        refused += usize::from(self.guard.record_success(id, None).is_err());
                    }
                }
            }
            Operation::AdmitBytesSuccess => {
                for id in ids {
                    match self.guard.admit_bytes(id, Direction::Upload, bytes) {
                        Ok(permit) => drop(permit.success(None)),
                        Err(_) => refused += 1,
                    }
                }
            }
        }
        refused
    }
}

/// A handle per peer, held as a node holds it with the connection.
pub struct ByPeer {
    handles: Vec<Peer>,
    operation: Operation,
}

impl ByPeer {
    pub fn new(peers: &[Key], operation: Operation) -> Self {
        let guard = guard(peers.len());
        ByPeer { handles: peers.iter().map(|&key| guard.peer(&PeerId::new(key))).collect(), operation }
    }
}

impl Subject for ByPeer {
    fn run(&self, load: &Workload, stretch: Range<usize>) -> usize {
        let mut refused = 0;
        let bytes = black_box(u64::from(self.operation.bytes()));
        let handles = load.order[stretch].iter().map(|&at| &self.handles[at as usize]);
        match self.operation {
            Operation::AdmitSuccess => {
                for peer in handles {
                    match peer.admit() {
                        Ok(permit) => drop(permit.success(None)),
                        Err(_) => refused += 1,
                    }
                }
            }
            Operation::FourReports => {
                for peer in handles {
                    let _ = black_box(peer.report(Outcome::SyncFailure, None, Traffic::default()));
                    for _ in 0..SUCCESSES_PER_FAILURE {
                        let _ = black_box(peer.report(Outcome::SyncSuccess, None, Traffic::default()));
                    }
                }
            }
            Operation::AdmitBytesSuccess => {
                for peer in handles {
                    match peer.admit_bytes(Direction::Upload, bytes) {
                        Ok(permit) => drop(permit.success(None)),
                        Err(_) => refused += 1,
                    }
                }
            }
        }
        refused
    }
}
