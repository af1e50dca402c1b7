//! One record per key, ever: first contacts with the same keys at the same time, with and without eviction.

mod ids;
mod meeting;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use meeting::{Meeting, THREADS};
use peerguard::{
    BreakerState, Clock, Config, Direction, Outcome, Peer, PeerGuard, PeerId, PeerView, Permit, Reason, Recorded,
    Snapshot, Traffic,
};

fn guard(max_peers: usize) -> PeerGuard {
    let (clock, _hand) = Clock::manual(1 << 44);
    PeerGuard::with_clock(Config { max_peers, ..Config::default() }, clock).unwrap()
}

/// As above, where nobody gets a ban by many small failures, and with little to make.
fn small_guard(max_peers: usize) -> PeerGuard {
    let (clock, _hand) = Clock::manual(1 << 44);
    let mut config = Config { max_peers, event_capacity: 1, ..Config::default() };
    config.reputation.weights.message_failure = 0.0;
    PeerGuard::with_clock(config, clock).unwrap()
}

#[track_caller]
fn assert_each_key_once(snapshot: &Snapshot) {
    let ids: Vec<PeerId> = snapshot.peers().map(|peer| peer.id).collect();
    if let Some(pair) = ids.windows(2).find(|pair| pair[0] >= pair[1]) {
        panic!("two records of {}", pair[0]);
    }
    let totals = snapshot.totals();
    assert_eq!(totals.total_peers, ids.len() as u64);
    assert_eq!(totals.closed + totals.open + totals.half_open, totals.total_peers);
}

/// Both threads meet each key at the same moment; nothing is evicted, so that every outcome must be found.
#[test]
fn first_contacts_at_the_same_moment_share_one_record() {
    const KEYS: u64 = 100_000;
    let guard = guard(2 * KEYS as usize);
    Meeting::default().hold(|thread, member| {
        for n in 0..KEYS {
            if n % 4 == 0 {
                member.meet();
            }
            let key = ids::random(1, n);
            match (n + thread) % 4 {
                0 => assert_eq!(guard.admit(&key).unwrap().success(None), Recorded::Counted),
                1 => assert_eq!(guard.record_success(&key, Some(1.0)).unwrap(), Recorded::Counted),
                2 => {
                    let permit = guard.admit_bytes(&key, Direction::Upload, 5).unwrap();
                    assert_eq!(permit.success(None), Recorded::Counted);
                }
                _ => {
                    let handle = guard.peer(&key);
                    assert_eq!(handle.admit().unwrap().success(None), Recorded::Counted);
                }
            }
        }
    });
    let snapshot = guard.snapshot();
    assert_each_key_once(&snapshot);
    assert_eq!(snapshot.peers().len() as u64, KEYS);
    assert_eq!((snapshot.totals().evictions, snapshot.totals().records_made), (0, KEYS));
    assert!(snapshot.peers().all(|peer| peer.successful_syncs == THREADS));
}

/// Different keys that share a few groups, met at the same moment: nobody's place in the index is overwritten.
#[test]
fn first_contacts_of_different_keys_lose_nobody() {
    const ROUNDS: u64 = 2_000;
    const KEYS: u64 = 12;
    let guards: Vec<PeerGuard> = (0..ROUNDS).map(|_| small_guard(24)).collect();
    let key = |round: u64, thread: u64, n: u64| ids::random(4 + thread as u16, round * KEYS + n);
    Meeting::default().hold(|thread, member| {
        for (round, guard) in guards.iter().enumerate() {
            member.meet();
            for n in 0..KEYS {
                let _counted = guard.report(&key(round as u64, thread, n), Outcome::SyncSuccess, None, Traffic::NONE);
            }
        }
    });
    let mut crowded = 0;
    for (round, guard) in guards.iter().enumerate() {
        let snapshot = guard.snapshot();
        assert_each_key_once(&snapshot);
        let evictions = snapshot.totals().evictions;
        let found = |&(thread, n): &(u64, u64)| guard.view(&key(round as u64, thread, n)).is_some();
        let keys = (0..THREADS).flat_map(|thread| (0..KEYS).map(move |n| (thread, n)));
        let found = keys.filter(found).count() as u64;
        assert_eq!((found, snapshot.peers().len() as u64), (THREADS * KEYS - evictions, found));
        crowded += u64::from(evictions != 0);
    }
    assert!(crowded < ROUNDS / 2, "{crowded} guards had full groups");
}

/// A key's class, which tells what is reported of it.
fn class(id: &PeerId) -> u64 {
    id.as_bytes().iter().map(|&byte| u64::from(byte)).sum::<u64>() % 3
}

/// What is reported of a key: nobody else's outcome may stand in its record.
fn outcome(id: &PeerId) -> (Outcome, Traffic) {
    let sent = 1 + u64::from(id.as_bytes()[0]);
    let outcome = [Outcome::SyncSuccess, Outcome::MessageSuccess, Outcome::MessageFailure][class(id) as usize];
    (outcome, Traffic { sent, received: 2 * sent })
}

fn assert_own_outcomes(peer: &PeerView) {
    let (_, traffic) = outcome(&peer.id);
    let counts = [peer.successful_syncs, peer.successful_messages, peer.failed_messages];
    let own = counts[class(&peer.id) as usize];
    let others = [peer.failed_syncs, peer.timeouts, peer.unreachable, peer.protocol_violations, peer.fatal];
    assert_eq!(counts.iter().chain(&others).sum::<u64>(), own, "another peer's outcome: {peer:?}");
    assert_eq!(peer.bytes_sent, own * traffic.sent, "another peer's bytes: {peer:?}");
    assert_eq!(peer.bytes_received, own * traffic.received, "another peer's bytes: {peer:?}");
}

/// More keys than places: records come, go and come back while the same keys are reported on both threads, at once or by
/// permits that outlive the record they were given for.
#[test]
fn eviction_never_leaves_two_records_nor_mixes_peers() {
    for (places, keys, rounds) in [(2, 6, 60), (14, 28, 60), (128, 400, 60)] {
        let guard = small_guard(places);
        Meeting::default().hold(|thread, member| {
            for round in 0..rounds {
                churn(&guard, thread, round, keys);
                member.meet();
                if thread == 0 {
                    let snapshot = guard.snapshot();
                    assert_each_key_once(&snapshot);
                    snapshot.peers().for_each(|peer| assert_own_outcomes(&peer));
                    let whole = |peer: PeerView| guard.view(&peer.id).is_some();
                    assert!(snapshot.peers().all(whole), "a record that its key does not lead to");
                    assert_eq!(snapshot.peers().len(), places);
                }
                member.meet();
            }
        });
        let totals = guard.get_summary();
        assert!(totals.evictions > 50_000, "the table was under pressure: {totals:?}");
        assert_eq!(totals.records_made, totals.evictions + places as u64);
    }
}

/// Reports of some keys, in nearly the same order on both threads.
fn churn(guard: &PeerGuard, thread: u64, round: u64, keys: u64) {
    const OPERATIONS: u64 = 5_000;
    let mut permits = VecDeque::new();
    for n in 0..OPERATIONS {
        let key = ids::random(1, ids::mix(round * OPERATIONS + n) % keys);
        let (outcome, traffic) = outcome(&key);
        match guard.admit(&key) {
            Ok(permit) if (n + thread).is_multiple_of(2) => permits.push_back(permit),
            _ => {
                let _counted = guard.report(&key, outcome, None, traffic);
            }
        }
        if permits.len() > 8 {
            end(permits.pop_front());
        }
    }
    permits.into_iter().for_each(|permit| end(Some(permit)));
}

fn end(permit: Option<Permit<'_>>) {
    if let Some(permit) = permit {
        let (outcome, traffic) = outcome(&permit.peer());
        let _counted = permit.record(outcome, None, traffic);
    }
}

/// Peers that both threads hold from the first moment on, among newcomers that push each other out.
#[test]
fn held_peers_keep_every_outcome_under_eviction() {
    const PLACES: usize = 256;
    const HELD: u64 = 32;
    const REPORTS: u64 = 5_000;
    const ROUNDS: u64 = 20;
    for round in 0..ROUNDS {
        let guard = guard(PLACES);
        let held = |n: u64| ids::random(2, round * HELD + n);
        let handles: RwLock<Vec<Peer>> = RwLock::default();
        Meeting::default().hold(|thread, member| {
            // Fills the table, so that the first contacts below have to evict.
            (0..1000).for_each(|n| newcomer(&guard, thread, n));
            member.meet();
            let own: Vec<Peer> = (0..HELD).map(|n| guard.peer(&held(n))).collect();
            for n in 0..REPORTS {
                let peer = &own[(n % HELD) as usize];
                let (outcome, traffic) = outcome(&peer.id());
                match n % 3 {
                    0 => guard.report(&peer.id(), outcome, None, traffic),
                    1 => peer.report(outcome, None, traffic),
                    _ => match peer.admit() {
                        Ok(permit) => permit.record(outcome, None, traffic),
                        Err(_) => peer.report(outcome, None, traffic),
                    },
                };
                newcomer(&guard, thread, 1000 + n);
            }
            handles.write().unwrap_or_else(PoisonError::into_inner).extend(own);
        });
        let snapshot = guard.snapshot();
        assert_each_key_once(&snapshot);
        assert!(snapshot.totals().evictions > REPORTS);
        for n in 0..HELD {
            let view = guard.view(&held(n)).expect("a held record stays");
            assert_own_outcomes(&view);
            let reports = THREADS * (REPORTS / HELD + u64::from(n < REPORTS % HELD));
            assert_eq!(view.successful_syncs + view.successful_messages + view.failed_messages, reports);
        }
    }
}

fn newcomer(guard: &PeerGuard, thread: u64, n: u64) {
    let _counted = guard.report(&ids::random(3, thread << 32 | n), Outcome::MessageFailure, None, Traffic::NONE);
}

/// A snapshot is one pass over a table that changes: it still shows nobody twice.
#[test]
fn a_snapshot_under_eviction_shows_each_key_once() {
    const PLACES: usize = 512;
    const SNAPSHOTS: u64 = 2_000;
    let guard = guard(PLACES);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !over.load(Ordering::Relaxed) {
                n += 1;
                let key = ids::random(1, ids::mix(n) % (PLACES as u64 + 100));
                let _counted = guard.report(&key, Outcome::SyncSuccess, None, Traffic::NONE);
            }
        });
        let _end = End(&over);
        let (mut taken, mut disturbed) = (0, 0);
        while taken < SNAPSHOTS || disturbed < SNAPSHOTS / 20 {
            assert!(taken < 1_000 * SNAPSHOTS, "nothing is evicted");
            taken += 1;
            let before = guard.get_summary().evictions;
            let snapshot = guard.snapshot();
            disturbed += u64::from(guard.get_summary().evictions != before);
            assert_each_key_once(&snapshot);
            let mut top: Vec<PeerId> = guard.get_top_peers(usize::MAX).into_iter().map(|(id, _)| id).collect();
            let all = top.len();
            top.sort_unstable();
            top.dedup();
            assert_eq!(top.len(), all, "a peer is listed twice");
        }
    });
}

/// Handles and leaked probes never take all pins of a record: calls find it, whoever holds it.
#[test]
fn a_peer_that_is_held_by_a_great_many_is_not_taken_for_unknown() {
    const MOST: usize = 1 << 19;
    let mut config = Config { max_peers: 8, ..Config::default() };
    config.circuit_breaker.half_open_max_probes = Some(15);
    let (clock, hand) = Clock::manual(1 << 50);
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    let key = ids::random(1, 1);
    let handles: Vec<Peer> = (0..MOST + 3).map(|_| guard.peer(&key)).collect();
    assert_eq!(handles.iter().filter(|peer| peer.is_tracked()).count(), MOST);
    guard.ban(&key, Some(Duration::from_secs(60)), 0).unwrap();
    assert!(guard.is_banned(&key));
    for peer in [&handles[0], &handles[MOST + 1]] {
        assert_eq!(peer.admit().unwrap_err().reason, Reason::Banned);
        assert_eq!(peer.check().unwrap_err().reason, Reason::Banned);
    }
    assert_eq!(guard.admit_bytes(&key, Direction::Upload, 1).unwrap_err().reason, Reason::Banned);
    assert!(guard.unban(&key));
    for _ in 0..5 {
        guard.report(&key, Outcome::Timeout, None, Traffic::NONE);
    }
    hand.advance(Duration::from_secs(60));
    // Probes that keep no pin bring it back all the same.
    for peer in [&handles[0], &handles[MOST + 1]] {
        assert_eq!(peer.admit().unwrap().success(None), Recorded::Counted);
    }
    assert_eq!(guard.view(&key).unwrap().state, BreakerState::Closed);
    drop(handles);
    assert!(guard.peer(&key).is_tracked());
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
