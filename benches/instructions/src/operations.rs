//! The operations that are counted, each over so many peers that a random hash key moves no count by a percent.

use std::hint::black_box;
use std::time::Duration;

use peerguard::{BandwidthConfig, Clock, Config, Direction, ManualClock, Outcome, Peer, PeerGuard, PeerId, Traffic};

/// Which group a key falls in, and where in it, is up to the guard's random key; the mean over so many is not.
pub const PEERS: usize = 1 << 15;
const BYTES: u64 = 256;
/// Far from any refusal.
const LIMIT: u64 = 64_000_000_000;
/// Successes that bring a newcomer's score to the top, where a node's peers of long standing have theirs.
const TO_THE_TOP: usize = 25;

/// What an operation works on.
pub struct Setting {
    guard: PeerGuard,
    hand: ManualClock,
    ids: Vec<PeerId>,
    /// Ids that the guard has no record of.
    strangers: Vec<PeerId>,
    handles: Vec<Peer>,
}

impl Setting {
    /// A manual clock: when a second or a tick of the kernel passes would be up to the machine.
    pub fn new() -> Self {
        let (clock, hand) = Clock::manual(1_000_000_000_000);
        let config = Config {
            max_peers: 2 * PEERS,
            bandwidth: BandwidthConfig {
                upload_limit_bps: LIMIT,
                per_peer_upload_bps: LIMIT,
                ..BandwidthConfig::default()
            },
            ..Config::default()
        };
        let guard = PeerGuard::with_clock(config, clock).expect("a valid configuration");
        let id = |kind: &str, n: usize| PeerId::digest(format!("{kind} {n}").as_bytes());
        let ids: Vec<PeerId> = (0..PEERS).map(|n| id("peer", n)).collect();
        let strangers = (0..PEERS).map(|n| id("stranger", n)).collect();
        for id in &ids {
            assert!(guard.try_upload(id, BYTES));
            let _ = guard.record_success(id, None);
        }
        // All buckets are full again.
        hand.advance(Duration::from_secs(3600));
        for id in &ids {
            for _ in 0..TO_THE_TOP {
                let _ = guard.record_success(id, None);
            }
        }
        let handles = ids.iter().map(|id| guard.peer(id)).collect();
        Setting { guard, hand, ids, strangers, handles }
    }

    /// Opens every peer's breaker.
    fn open_all(&self) {
        for id in &self.ids {
            for _ in 0..5 {
                self.guard.record_failure(id);
            }
            assert!(self.guard.admit(id).is_err());
        }
    }
}

/// What callgrind counts: nothing outside of this function.
#[inline(never)]
pub fn counted_region(work: impl FnOnce()) {
    work();
}

type Work = fn(&Setting);

/// Runs `each` on every item, in the counted region.
fn count<T>(items: &[T], each: impl Fn(&T)) {
    counted_region(|| items.iter().for_each(each));
}

/// Every operation by its name in the committed list; it runs [`PEERS`] times.
pub const ALL: &[(&str, Work)] = &[
    ("admit", |s| count(&s.ids, |id| assert!(s.guard.admit(id).is_ok()))),
    ("admit of an unknown peer", |s| count(&s.strangers, |id| assert!(s.guard.admit(id).is_ok()))),
    ("admit of an open peer", |s| {
        s.open_all();
        count(&s.ids, |id| assert!(s.guard.admit(id).is_err()));
    }),
    ("admit + success", |s| {
        count(&s.ids, |id| match s.guard.admit(id) {
            Ok(permit) => _ = black_box(permit.success(None)),
            Err(_) => panic!("refused"),
        });
    }),
    ("admit_bytes + success", |s| {
        count(&s.ids, |id| match s.guard.admit_bytes(id, Direction::Upload, black_box(BYTES)) {
            Ok(permit) => _ = black_box(permit.success(None)),
            Err(_) => panic!("refused"),
        });
    }),
    ("try_upload", |s| count(&s.ids, |id| assert!(s.guard.try_upload(id, black_box(BYTES))))),
    ("should_communicate", |s| count(&s.ids, |id| assert!(s.guard.should_communicate(id)))),
    ("record_success", |s| {
        count(&s.ids, |id| {
            let _ = black_box(s.guard.record_success(id, None));
        })
    }),
    ("record_success with latency", |s| {
        count(&s.ids, |id| {
            let _ = black_box(s.guard.record_success(id, black_box(Some(20.0))));
        });
    }),
    ("record_success, the first in a second", |s| {
        s.hand.advance(Duration::from_secs(1));
        count(&s.ids, |id| {
            let _ = black_box(s.guard.record_success(id, None));
        })
    }),
    ("record_success below the top", |s| {
        // The scores have decayed by more than a success is worth.
        s.hand.advance(Duration::from_secs(24 * 3600));
        count(&s.ids, |id| {
            let _ = black_box(s.guard.record_success(id, None));
        })
    }),
    ("record_failure", |s| {
        count(&s.ids, |id| {
            black_box(s.guard.record_failure(id));
        })
    }),
    ("Peer check", |s| count(&s.handles, |peer| assert!(peer.check().is_ok()))),
    ("Peer check + report", |s| {
        count(&s.handles, |peer| {
            assert!(peer.check().is_ok());
            black_box(peer.report(Outcome::SyncSuccess, None, Traffic::default()));
        });
    }),
    ("Peer admit + success", |s| {
        count(&s.handles, |peer| match peer.admit() {
            Ok(permit) => _ = black_box(permit.success(None)),
            Err(_) => panic!("refused"),
        });
    }),
    ("Peer admit_bytes + success", |s| {
        count(&s.handles, |peer| match peer.admit_bytes(Direction::Upload, black_box(BYTES)) {
            Ok(permit) => _ = black_box(permit.success(None)),
            Err(_) => panic!("refused"),
        });
    }),
];
