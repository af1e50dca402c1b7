//! peerguard at work, by key, by held `Peer`, and in batches.

use std::hint::black_box;
use std::ops::Range;

use peerguard::{BandwidthConfig, Config, Direction, Outcome, Peer, PeerGuard, PeerId, Permit, Rejection, Traffic};

use crate::subject::{LIMIT, Operation, REQUEST, SUCCESSES_PER_FAILURE, Subject};
use crate::workload::{Key, Workload};

/// A guard with so many places and with the limits that the rivals have: global and per peer, burst of one second.
pub fn guard(max_peers: usize) -> PeerGuard {
    let config = Config {
        max_peers,
        bandwidth: BandwidthConfig {
            upload_limit_bps: LIMIT,
            per_peer_upload_bps: LIMIT,
            ..BandwidthConfig::default()
        },
        ..Config::default()
    };
    PeerGuard::new(config).expect("a valid configuration")
}

/// Places for twice the peers, as the floors' index has.
fn half_full(peers: usize) -> usize {
    (2 * peers).max(1 << 10)
}

/// Successes that bring a newcomer's score to the top, where the floors' stand.
const TO_THE_TOP: usize = 25;

/// Every peer becomes known in the order of `peers`, which has nothing to do with the stream's: records lie in the order
/// of first contact. It is a peer of long standing.
fn filled(max_peers: usize, peers: &[Key]) -> PeerGuard {
    let guard = guard(max_peers);
    for peer in peers {
        let id = PeerId::new(*peer);
        assert!(guard.try_upload(&id, u64::from(REQUEST)), "a newcomer is admitted");
        for _ in 0..TO_THE_TOP {
            let _ = guard.record_success(&id, None);
        }
    }
    guard
}

fn refused(results: impl Iterator<Item = bool>) -> usize {
    results.map(|passed| usize::from(!passed)).sum()
}

/// An admission that is followed by a report of success.
#[inline(always)]
fn succeed(admitted: Result<Permit<'_>, Rejection>) -> bool {
    admitted.map(|permit| black_box(permit.success(None))).is_ok()
}

/// The guard is asked by key. The stream is converted once: a node's messages carry `PeerId`s.
pub struct ByKey(PeerGuard);

impl ByKey {
    pub fn new(peers: &[Key]) -> Self {
        ByKey(filled(half_full(peers.len()), peers))
    }

    /// A guard with the default number of places, few of them taken.
    pub fn roomy(peers: &[Key]) -> Self {
        ByKey(filled(Config::default().max_peers, peers))
    }
}

impl Subject for ByKey {
    fn run(&self, operation: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let guard = &self.0;
        let bytes = black_box(u64::from(REQUEST));
        let ids = load.ids[stretch].iter();
        let three = |id: &PeerId| (0..SUCCESSES_PER_FAILURE).all(|_| guard.record_success(id, None).is_ok());
        match operation {
            Operation::Admit | Operation::Check => refused(ids.map(|id| guard.admit(id).is_ok())),
            Operation::AdmitSuccess | Operation::Batch(_) => refused(ids.map(|id| succeed(guard.admit(id)))),
            Operation::AdmitBytesSuccess => {
                refused(ids.map(|id| succeed(guard.admit_bytes(id, Direction::Upload, bytes))))
            }
            Operation::CheckReport => {
                refused(ids.map(|id| guard.should_communicate(id) && guard.record_success(id, None).is_ok()))
            }
            Operation::TryUpload => refused(ids.map(|id| guard.try_upload(id, bytes))),
            Operation::Failure => refused(ids.map(|id| {
                black_box(guard.record_failure(id));
                true
            })),
            Operation::FourReports => refused(ids.map(|id| {
                black_box(guard.record_failure(id));
                three(id)
            })),
            Operation::Recover => refused(ids.map(three)),
        }
    }
}

/// A handle per peer, held as a node holds it with the connection.
pub struct ByPeer(Vec<Peer>);

impl ByPeer {
    pub fn new(peers: &[Key]) -> Self {
        let guard = filled(half_full(peers.len()), peers);
        ByPeer(peers.iter().map(|&key| guard.peer(&PeerId::new(key))).collect())
    }
}

impl Subject for ByPeer {
    fn run(&self, operation: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let bytes = black_box(u64::from(REQUEST));
        let handles = load.order[stretch].iter().map(|&at| &self.0[at as usize]);
        let report = |peer: &Peer, outcome| {
            black_box(peer.report(outcome, None, Traffic::default()));
        };
        let three = |peer: &Peer| (0..SUCCESSES_PER_FAILURE).for_each(|_| report(peer, Outcome::SyncSuccess));
        match operation {
            Operation::Admit => refused(handles.map(|peer| peer.admit().is_ok())),
            Operation::Check => refused(handles.map(|peer| peer.check().is_ok())),
            Operation::AdmitSuccess | Operation::Batch(_) => refused(handles.map(|peer| succeed(peer.admit()))),
            Operation::AdmitBytesSuccess => {
                refused(handles.map(|peer| succeed(peer.admit_bytes(Direction::Upload, bytes))))
            }
            Operation::CheckReport => refused(handles.map(|peer| {
                let passed = peer.check().is_ok();
                if passed {
                    report(peer, Outcome::SyncSuccess);
                }
                passed
            })),
            Operation::TryUpload => unreachable!("a Peer takes bytes with a permit"),
            Operation::Failure => refused(handles.map(|peer| {
                report(peer, Outcome::SyncFailure);
                true
            })),
            Operation::FourReports => refused(handles.map(|peer| {
                report(peer, Outcome::SyncFailure);
                three(peer);
                true
            })),
            Operation::Recover => refused(handles.map(|peer| {
                three(peer);
                true
            })),
        }
    }
}

/// The guard is asked for a batch of peers at a time; each is told about as its answer comes.
pub struct Batched(PeerGuard);

impl Batched {
    pub fn new(peers: &[Key]) -> Self {
        Batched(filled(half_full(peers.len()), peers))
    }
}

impl Subject for Batched {
    fn run(&self, operation: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        let Operation::Batch(size) = operation else { unreachable!("batches only") };
        load.ids[stretch].chunks(size).map(|ids| refused(self.0.admit_batch(ids).map(succeed))).sum()
    }
}
