//! Four threads on a table that is too small for their peers: newcomers push each other out while one peer is banned by the
//! operator, one is probed, and a snapshot is taken.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use peerguard::{BreakerState, Clock, Config, Direction, Outcome, PeerGuard, PeerId, Reason, Traffic};

use crate::play;

const PLACES: usize = 6;
const PROBED: PeerId = PeerId::new([1; 32]);
const BANNED: PeerId = PeerId::new([2; 32]);
const PROBES: u64 = 2;

/// What the threads did, by their own account.
#[derive(Default)]
struct Account {
    sent: AtomicU64,
    probes: AtomicU64,
    reports: AtomicU64,
}

fn newcomer(n: u64) -> PeerId {
    PeerId::digest(&n.to_le_bytes())
}

#[test]
fn four_threads_on_a_table_that_is_too_small() {
    let seeds = Arc::new(AtomicU64::new(0));
    play("small table", move || one_schedule(seeds.fetch_add(1, Ordering::Relaxed)));
}

fn one_schedule(seed: u64) {
    let (clock, hand) = Clock::manual(1 << 44);
    let mut config = Config { max_peers: PLACES, event_capacity: 8, ..Config::default() };
    config.circuit_breaker.jitter = 0.0;
    config.reputation.weights.timeout = 0.0;
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    // Held, so that its record stays whatever comes.
    let probed = guard.peer(&PROBED);
    (0..5).for_each(|_| {
        let _recorded = probed.report(Outcome::Timeout, None, Traffic::NONE);
    });
    hand.advance(Duration::from_secs(31));
    let account = Arc::new(Account::default());
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let (guard, account) = (guard.clone(), account.clone());
            shuttle::thread::spawn(move || match number {
                0..2 => newcomers(&guard, &account, seed * 4 + number),
                2 => probes(&guard, &account, seed),
                _ => operator(&guard, &account),
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let snapshot = guard.snapshot();
    let ids: HashSet<PeerId> = snapshot.peers().map(|peer| peer.id).collect();
    assert_eq!(ids.len(), snapshot.peers().len(), "one record for each key");
    assert!(ids.len() <= PLACES);
    assert!(guard.is_banned(&BANNED) && ids.contains(&BANNED), "the operator's ban stands");
    assert_eq!(snapshot.totals().evicted_bans, 0);
    assert_eq!(snapshot.totals().uploaded, account.sent.load(Ordering::Relaxed), "bytes sent");
    let view = snapshot.peer(&PROBED).expect("it is held");
    assert_eq!((view.state, view.probes_out), (BreakerState::HalfOpen, 0), "every probe came back");
    assert_eq!(view.timeouts + view.successful_syncs, 5 + account.reports.load(Ordering::Relaxed), "reports of the probed");
}

/// First contacts, each of which needs a place; and probes of the peer that all know.
fn newcomers(guard: &PeerGuard, account: &Account, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    for _ in 0..4 {
        let id = newcomer(rng.u64(..10));
        let sent = rng.u64(1..100);
        if rng.bool() {
            let _recorded = guard.report(&id, Outcome::MessageSuccess, None, Traffic { sent, received: 0 });
        } else if let Ok(permit) = guard.admit_bytes(&id, Direction::Upload, sent) {
            let _recorded = permit.record(Outcome::Timeout, None, Traffic::NONE);
        } else {
            continue;
        }
        account.sent.fetch_add(sent, Ordering::Relaxed);
        probe(guard, account);
    }
}

/// Takes a probe, and gives it back: the breaker stays half-open.
fn probe(guard: &PeerGuard, account: &Account) {
    match guard.admit(&PROBED) {
        Ok(permit) => {
            assert!(permit.is_probe());
            let out = account.probes.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(out <= PROBES, "{out} probes at once");
            shuttle::thread::yield_now();
            account.probes.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        }
        Err(no) => assert_eq!(no.reason, Reason::ProbesOut),
    }
}

fn probes(guard: &PeerGuard, account: &Account, seed: u64) {
    let mut rng = Rng::with_seed(!seed);
    for _ in 0..4 {
        probe(guard, account);
        // A report without a permit, while no probe of `should_communicate` is out: counted, and nothing more.
        let outcome = [Outcome::Timeout, Outcome::SyncSuccess][rng.usize(..2)];
        let _recorded = guard.report(&PROBED, outcome, None, Traffic::NONE);
        account.reports.fetch_add(1, Ordering::Relaxed);
        let snapshot = guard.snapshot();
        let totals = snapshot.totals();
        assert_eq!(totals.closed + totals.open + totals.half_open, totals.total_peers);
    }
}

fn operator(guard: &PeerGuard, account: &Account) {
    guard.ban(&BANNED, Some(Duration::from_secs(3_600)), 1).expect("there is a place");
    for _ in 0..4 {
        assert_eq!(guard.admit(&BANNED).unwrap_err().reason, Reason::Banned, "a ban is never lost");
        assert!(guard.is_banned(&BANNED));
        let _recorded = guard.report(&BANNED, Outcome::SyncSuccess, None, Traffic { sent: 7, received: 0 });
        account.sent.fetch_add(7, Ordering::Relaxed);
    }
}
