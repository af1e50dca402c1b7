//! Publication of snapshots: age, order, interval, and counters that never fall.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use peerguard::{Clock, Config, Outcome, PeerGuard, PeerId, Publisher, Traffic};

fn peer(n: u64) -> PeerId {
    PeerId::digest(&n.to_le_bytes())
}

/// Waits until `done`, at most ten seconds.
fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn readers_see_the_last_publication_and_its_age() {
    let (clock, hand) = Clock::manual(1 << 40);
    let guard = PeerGuard::with_clock(Config::default(), clock).unwrap();
    let publisher = Publisher::new(&guard);
    let first = publisher.latest();
    guard.record_failure(&peer(1));
    hand.advance(Duration::from_millis(1500));
    assert_eq!((first.totals().total_peers, first.number()), (0, 0));
    assert_eq!(publisher.latest().age(), Duration::from_millis(1500));
    publisher.publish_now();
    let second = publisher.latest();
    assert_eq!((second.totals().total_peers, second.number(), second.age()), (1, 1, Duration::ZERO));
    assert_eq!(second.peer(&peer(1)).map(|peer| peer.failed_syncs), Some(1));
    assert!(second.peer(&peer(2)).is_none());
    // Who holds a publication keeps it whole.
    assert_eq!(first.totals().total_peers, 0);
}

#[test]
fn a_publication_carries_the_newest_events_and_drains_none() {
    let guard = PeerGuard::new(Config::default()).unwrap();
    for n in 0..300 {
        guard.ban(&peer(n), None, 0).unwrap();
    }
    let published = Publisher::new(&guard).latest();
    assert_eq!(published.events().len(), 256);
    assert_eq!(published.events().last().map(|event| event.peer), Some(peer(299)));
    assert_eq!(guard.drain_events(1000).len(), 300);
}

#[test]
fn the_interval_thread_publishes_until_it_is_dropped() {
    let guard = PeerGuard::new(Config::default()).unwrap();
    let publisher = Publisher::new(&guard);
    assert!(publisher.start(Duration::ZERO).is_err());
    let publishing = publisher.start(Duration::from_millis(10)).unwrap();
    guard.record_failure(&peer(1));
    until("the thread publishes", || publisher.latest().totals().total_peers == 1);
    drop(publishing);
    let last = publisher.latest().number();
    thread::sleep(Duration::from_millis(60));
    assert_eq!(publisher.latest().number(), last);
    // A long interval does not hold up the drop.
    let publishing = publisher.start(Duration::from_secs(3600)).unwrap();
    let start = Instant::now();
    drop(publishing);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn counters_never_fall_while_peers_are_evicted() {
    let config = Config { max_peers: 64, ..Config::default() };
    let guard = PeerGuard::new(config).unwrap();
    let publisher = Publisher::new(&guard);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 0..2u64 {
            let (guard, stop) = (&guard, &stop);
            scope.spawn(move || {
                let mut n = worker;
                while !stop.load(Ordering::Relaxed) {
                    let traffic = Traffic { sent: 10, received: 20 };
                    let _ = guard.report(&peer(n % 1000), Outcome::SyncSuccess, None, traffic);
                    n += 2;
                }
            });
        }
        let mut before = publisher.latest();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) || before.totals().evictions < 1000 {
            assert!(start.elapsed() < Duration::from_secs(30), "nothing is evicted");
            let now = publisher.publish_now();
            let (a, b) = (before.totals(), now.totals());
            assert!(b.uploaded >= a.uploaded && b.downloaded >= a.downloaded);
            assert!(b.evictions >= a.evictions && b.records_made >= a.records_made && b.trips >= a.trips);
            assert_eq!(b.closed + b.open + b.half_open, b.total_peers);
            assert!(b.total_peers <= b.capacity);
            before = now;
        }
        stop.store(true, Ordering::Relaxed);
    });
    let end = publisher.publish_now();
    assert_eq!(end.totals().downloaded, end.totals().uploaded * 2);
}
