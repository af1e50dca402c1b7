//! Two threads, ten million mixed operations each, then the sums: nothing is lost and nothing is counted twice.

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use peerguard::{
    BanOrigin, Clock, Config, Direction, EventKind, ManualClock, Outcome, Peer, PeerGuard, PeerId, PeerLimits, Reason,
    Recorded, Rejection, Traffic,
};

const THREADS: usize = 2;
const OPERATIONS: u64 = 10_000_000;
const PEERS: usize = 48;
/// Peers from here on are banned and unbanned by the thread whose number is the remainder, and earn no bans.
const OPERATORS: usize = 16;
/// Peers from here on do fatal things and are lifted by whoever finds them banned.
const OFFENDERS: usize = 32;

fn id(n: usize) -> PeerId {
    let mut bytes = [0; 32];
    bytes[0] = n as u8;
    bytes[31] = 0xa5;
    PeerId::new(bytes)
}

/// What one thread knows that it did to one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct PeerSums {
    outcomes: [u64; 8],
    bytes: [u64; 2],
}

/// What one thread knows that it did.
#[derive(Debug, Default)]
struct Sums {
    peers: HashMap<usize, PeerSums>,
    refused: HashMap<Reason, u64>,
    /// `should_communicate`, `try_upload` and `try_download` that said no: they do not tell why.
    refused_silently: u64,
    lifted: u64,
    /// By number of the peer, for the operator's own.
    banned: HashMap<usize, bool>,
}

struct Worker<'g> {
    number: usize,
    rng: Rng,
    guard: &'g PeerGuard,
    handles: Vec<Peer>,
    sums: Sums,
}

impl Worker<'_> {
    fn run(mut self, clock: &ManualClock, first: u64, last: u64) -> Sums {
        for operation in first..last {
            if self.number == 0 && operation % 512 == 0 {
                clock.advance(Duration::from_millis(1));
            }
            let peer = self.rng.usize(..PEERS);
            self.operate(peer);
        }
        self.sums
    }

    fn peer(&mut self, peer: usize) -> &mut PeerSums {
        self.sums.peers.entry(peer).or_default()
    }

    fn direction(&mut self) -> Direction {
        if self.rng.bool() { Direction::Upload } else { Direction::Download }
    }

    fn outcome(&mut self, peer: usize) -> Outcome {
        use Outcome::*;
        let usual = [
            SyncSuccess,
            MessageSuccess,
            SyncSuccess,
            MessageSuccess,
            SyncFailure,
            MessageFailure,
            Timeout,
            Unreachable,
        ];
        match self.rng.u32(..64) {
            0 => Cancelled,
            1 => LocalError,
            2 if peer >= OFFENDERS => Fatal,
            3 => ProtocolViolation,
            n => usual[n as usize % usual.len()],
        }
    }

    fn count(&mut self, peer: usize, outcome: Outcome) {
        if !matches!(outcome, Outcome::Cancelled | Outcome::LocalError) {
            self.peer(peer).outcomes[outcome as usize] += 1;
        }
    }

    fn refused(&mut self, rejection: Rejection) {
        *self.sums.refused.entry(rejection.reason).or_default() += 1;
    }

    fn operate(&mut self, peer: usize) {
        let guard = self.guard;
        let id = id(peer);
        match self.rng.u32(..16) {
            0..=3 => self.exchange(peer),
            4 => match guard.admit(&id) {
                Ok(permit) => {
                    let _ = permit.success(Some(Duration::from_micros(700)));
                    self.count(peer, Outcome::SyncSuccess);
                }
                Err(no) => self.refused(no),
            },
            5..=6 => {
                let traffic = Traffic { sent: self.rng.u64(..100), received: self.rng.u64(..100) };
                let outcome = self.outcome(peer);
                let _ = if self.rng.bool() {
                    guard.report(&id, outcome, None, traffic)
                } else {
                    self.handles[peer].report(outcome, None, traffic)
                };
                self.count(peer, outcome);
                self.peer(peer).bytes[0] += traffic.sent;
                self.peer(peer).bytes[1] += traffic.received;
            }
            7 => {
                let _ = guard.record_success(&id, Some(3.5)).unwrap();
                self.count(peer, Outcome::SyncSuccess);
            }
            8 => {
                let _ = guard.record_failure(&id);
                self.count(peer, Outcome::SyncFailure);
            }
            9..=11 => self.take(peer),
            12 => {
                if !guard.should_communicate(&id) {
                    self.sums.refused_silently += 1;
                }
            }
            13 => {
                let refused = self.handles[peer].admit().err();
                refused.into_iter().for_each(|no| self.refused(no));
            }
            14 => {
                let _ = (guard.is_banned(&id), guard.view(&id));
            }
            _ => self.ban_or_lift(peer),
        }
    }

    /// A permit for bytes, by key or by handle, whole or in part, perhaps refunded in part.
    fn exchange(&mut self, peer: usize) {
        let guard = self.guard;
        let id = id(peer);
        let direction = self.direction();
        let bytes = self.rng.u64(1..4_000);
        let handle = self.handles[peer].clone();
        let admitted = match self.rng.u32(..4) {
            0 => guard.admit_bytes(&id, direction, bytes),
            1 => guard.grant_up_to(&id, direction, bytes),
            2 => handle.admit_bytes(direction, bytes),
            _ => handle.grant_up_to(direction, bytes),
        };
        let mut permit = match admitted {
            Ok(permit) => permit,
            Err(no) => return self.refused(no),
        };
        if self.rng.u32(..4) == 0 {
            permit.refund(self.rng.u64(..5_000));
        }
        let moved = permit.bytes();
        if self.rng.u32(..8) == 0 {
            drop(permit);
        } else {
            let outcome = self.outcome(peer);
            let _ = permit.record(outcome, Some(Duration::from_micros(1_500)), Traffic::default());
            self.count(peer, outcome);
        }
        self.peer(peer).bytes[direction as usize] += moved;
    }

    fn take(&mut self, peer: usize) {
        let bytes = self.rng.u64(1..2_000);
        let direction = self.direction();
        let taken = match direction {
            Direction::Upload => self.guard.try_upload(&id(peer), bytes),
            Direction::Download => self.guard.try_download(&id(peer), bytes),
        };
        if taken {
            self.peer(peer).bytes[direction as usize] += bytes;
        } else {
            self.sums.refused_silently += 1;
        }
    }

    fn ban_or_lift(&mut self, peer: usize) {
        let id = id(peer);
        if (OPERATORS..OFFENDERS).contains(&peer) && peer % THREADS == self.number {
            // Nobody else bans this peer, so each call's effect is known.
            if self.rng.bool() {
                self.guard.ban(&id, None, 7).unwrap();
                self.sums.banned.insert(peer, true);
            } else {
                let was = self.sums.banned.insert(peer, false).unwrap_or(false);
                assert_eq!(self.guard.unban(&id), was, "an operator's ban was lost or lifted twice");
            }
        } else if peer >= OFFENDERS && self.guard.is_banned(&id) {
            self.sums.lifted += u64::from(self.guard.unban(&id));
        }
    }
}

#[test]
fn sums_are_exact_after_two_threads_of_mixed_operations() {
    let mut config = Config { max_peers: 4096, event_capacity: 1 << 20, ..Config::default() };
    // Only fatal outcomes earn bans, and those last.
    config.reputation.weights.sync_failure = 0.0;
    config.reputation.weights.message_failure = 0.0;
    config.reputation.weights.timeout = 0.0;
    config.reputation.weights.unreachable = 0.0;
    config.reputation.weights.protocol_violation = 0.0;
    config.reputation.ban_duration = None;
    config.circuit_breaker.recovery_timeout = Duration::from_millis(5);
    config.circuit_breaker.max_open_time = Duration::from_millis(40);
    let limits = [80_000_000, 60_000_000, 2_500_000, 2_500_000];
    config.bandwidth.upload_limit_bps = limits[0];
    config.bandwidth.download_limit_bps = limits[1];
    config.bandwidth.per_peer_upload_bps = limits[2];
    config.bandwidth.per_peer_download_bps = limits[3];
    let (clock, hand) = Clock::manual(1 << 44);
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    for peer in (0..PEERS).step_by(4) {
        guard.set_peer_limits(&id(peer), PeerLimits { upload: Some(500_000), download: Some(0) }).unwrap();
    }
    let mut earned = 0;
    let mut all: Vec<Sums> = Vec::new();
    // In parts, so that the ring of events can be drained between them without a loss.
    let parts = 40;
    let mut banned: Vec<HashMap<usize, bool>> = vec![HashMap::new(); THREADS];
    for part in 0..parts {
        let start = Barrier::new(THREADS);
        let sums: Vec<Sums> = std::thread::scope(|scope| {
            let work = |number: usize, banned: HashMap<usize, bool>| {
                let (guard, hand, start) = (&guard, &hand, &start);
                scope.spawn(move || {
                    let worker = Worker {
                        number,
                        rng: Rng::with_seed((part * THREADS as u64) + number as u64),
                        guard,
                        handles: (0..PEERS).map(|peer| guard.peer(&id(peer))).collect(),
                        sums: Sums { banned, ..Sums::default() },
                    };
                    start.wait();
                    worker.run(hand, part * OPERATIONS / parts, (part + 1) * OPERATIONS / parts)
                })
            };
            let threads: Vec<_> = banned.drain(..).enumerate().map(|(number, banned)| work(number, banned)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        banned = sums.iter().map(|sums| sums.banned.clone()).collect();
        all.extend(sums);
        let events = guard.drain_events(usize::MAX);
        earned += events.iter().filter(|event| event.kind == EventKind::Banned(BanOrigin::Earned)).count() as u64;
    }
    let totals = guard.get_summary();
    assert_eq!(totals.events_lost, 0);

    let mut bytes = [0; 2];
    for peer in 0..PEERS {
        let mut expected = PeerSums::default();
        for sums in all.iter().filter_map(|sums| sums.peers.get(&peer)) {
            (0..8).for_each(|outcome| expected.outcomes[outcome] += sums.outcomes[outcome]);
            (0..2).for_each(|direction| expected.bytes[direction] += sums.bytes[direction]);
        }
        let view = guard.view(&id(peer)).unwrap();
        let counted = PeerSums {
            outcomes: [
                view.successful_syncs,
                view.successful_messages,
                view.failed_syncs,
                view.failed_messages,
                view.timeouts,
                view.unreachable,
                view.protocol_violations,
                view.fatal,
            ],
            bytes: [view.bytes_sent, view.bytes_received],
        };
        assert_eq!(counted, expected, "peer {peer}");
        (0..2).for_each(|direction| bytes[direction] += expected.bytes[direction]);
        if let Some(&banned) = banned[peer % THREADS].get(&peer).filter(|_| (OPERATORS..OFFENDERS).contains(&peer)) {
            assert_eq!(view.ban.is_some(), banned, "peer {peer}");
        }
    }
    assert_eq!([totals.uploaded, totals.downloaded], bytes);

    let offenders = (OFFENDERS..PEERS).filter(|&peer| guard.is_banned(&id(peer))).count() as u64;
    let operated = banned.iter().flat_map(HashMap::values).filter(|banned| **banned).count() as u64;
    let lifted: u64 = all.iter().map(|sums| sums.lifted).sum();
    assert_eq!(earned, lifted + offenders, "each earned ban was lifted once or is in force");
    assert_eq!(totals.banned, offenders + operated);
    assert!(earned > 1_000, "{earned} earned bans");

    let told: u64 = all.iter().flat_map(|sums| sums.refused.values()).sum();
    let silent: u64 = all.iter().map(|sums| sums.refused_silently).sum();
    assert_eq!(totals.denied_total(), told + silent);
    let throttled = [totals.throttled_upload, totals.throttled_download].map(|scopes| scopes.peer + scopes.global);
    let by_bytes: u64 = [Reason::PeerBytes, Reason::GlobalBytes, Reason::PeerExceedsBurst, Reason::GlobalExceedsBurst]
        .map(|reason| totals.denied(reason))
        .iter()
        .sum();
    assert_eq!(throttled.iter().sum::<u64>(), by_bytes);
    for reason in [Reason::Banned, Reason::Open, Reason::ProbesOut, Reason::PeerBytes, Reason::GlobalBytes] {
        assert!(totals.denied(reason) > 1_000, "{reason}: {}", totals.denied(reason));
    }
    assert_eq!((totals.total_peers, totals.evictions, totals.untracked), (PEERS as u64, 0, 0));
    within_limits(&guard, &hand);
}

/// What the guard's bucket gives two threads that always ask is the burst and the rate.
fn within_limits(guard: &PeerGuard, clock: &ManualClock) {
    let granted = AtomicU64::new(0);
    clock.advance(Duration::from_secs(60));
    let begin = clock.now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let granted = &granted;
            scope.spawn(move || {
                let mut rng = Rng::with_seed(thread as u64);
                for operation in 0..500_000 {
                    if thread == 0 && operation % 4096 == 0 {
                        clock.advance(Duration::from_millis(1));
                    }
                    let bytes = rng.u64(1..100_000);
                    if guard.try_upload(&id(rng.usize(..PEERS)), bytes) {
                        granted.fetch_add(bytes, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let granted = u128::from(granted.into_inner());
    let most = 80_000_000u128 * (1_000_000_000 + u128::from(clock.now() - begin)) / 1_000_000_000;
    assert!(granted <= most, "{granted} bytes, at most {most}");
    assert!(granted * 100 >= most * 99, "{granted} bytes of {most}");
}

#[test]
fn bytes_of_peers_without_a_record_saturate() {
    let config = Config { max_peers: 4, ..Config::default() };
    let guard = PeerGuard::with_clock(config, Clock::manual(1 << 50).0).unwrap();
    let _held: Vec<Peer> = (0..4).map(|n| guard.peer(&id(n))).collect();
    let mut last = 0;
    for sent in [1000, u64::MAX, 7, u64::MAX, 1 << 62, 1 << 31] {
        let traffic = Traffic { sent, received: 1 };
        assert_eq!(guard.report(&id(100), Outcome::Cancelled, None, traffic), Recorded::Untracked);
        let now = guard.get_summary().uploaded;
        assert!(now > last || now == i64::MAX as u64, "{last}, then {now}");
        last = now;
    }
    assert_eq!((last, guard.get_summary().downloaded), (i64::MAX as u64, 6));
}
