//! The face of the crate, used as the README shows it.

use std::time::Duration;

use peerguard::{BreakerState, Clock, Config, Direction, Outcome, PeerGuard, PeerId, Reason, Recorded, Traffic};

fn peer(n: u8) -> PeerId {
    PeerId::new([n; 32])
}

#[test]
fn a_peer_fails_is_cut_off_and_comes_back() {
    let (clock, hand) = Clock::manual(1 << 40);
    let mut config = Config::default();
    config.circuit_breaker.jitter = 0.0;
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    for _ in 0..5 {
        assert_eq!(guard.admit(&peer(1)).unwrap().failure(), Recorded::Counted);
    }
    let no = guard.admit(&peer(1)).unwrap_err();
    assert_eq!(no.reason, Reason::Open);
    hand.advance(no.retry_after.unwrap());
    let (one, two) = (guard.admit(&peer(1)).unwrap(), guard.admit(&peer(1)).unwrap());
    assert!(one.is_probe() && two.is_probe());
    assert_eq!(guard.admit(&peer(1)).unwrap_err().reason, Reason::ProbesOut);
    assert_eq!(one.success(Some(Duration::from_millis(5))), Recorded::Counted);
    assert_eq!(two.success(None), Recorded::Counted);
    assert!(!guard.admit(&peer(1)).unwrap().is_probe());
    assert!(guard.admit(&peer(2)).is_ok() && guard.view(&peer(2)).is_none());
    assert_eq!(guard.drain_events(10).len(), 3);
}

/// In seconds, with the state and the back-off level: what is left of the open time.
fn open_time(guard: &PeerGuard) -> (BreakerState, u8, Option<f64>) {
    let view = guard.view(&peer(1)).unwrap();
    (view.state, view.backoff_level, view.open_remaining.map(|left| left.as_secs_f64().round()))
}

#[test]
fn the_back_off_level_is_that_of_the_last_open_time_or_while_closed_of_the_next() {
    use BreakerState::{Closed, HalfOpen, Open};
    let (clock, hand) = Clock::manual(1 << 40);
    let mut config = Config::default();
    config.circuit_breaker.jitter = 0.0;
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    let report = |outcome| guard.admit(&peer(1)).unwrap().record(outcome, None, Traffic::NONE);
    let trip = || (0..5).for_each(|_| assert_eq!(report(Outcome::Timeout), Recorded::Counted));
    let wait = || hand.advance(guard.view(&peer(1)).unwrap().open_remaining.unwrap());
    trip();
    assert_eq!(open_time(&guard), (Open, 0, Some(30.0)));
    for (level, seconds) in [(1, 60.0), (2, 120.0), (3, 240.0), (4, 300.0)] {
        wait();
        assert_eq!(open_time(&guard), (HalfOpen, level - 1, None));
        assert_eq!(report(Outcome::Timeout), Recorded::Counted);
        assert_eq!(open_time(&guard), (Open, level, Some(seconds)));
    }
    for (closed, level, seconds) in [(0, 4, 300.0), (601, 2, 120.0)] {
        wait();
        (0..2).for_each(|_| assert_eq!(report(Outcome::MessageSuccess), Recorded::Counted));
        hand.advance(Duration::from_secs(closed));
        assert_eq!(open_time(&guard), (Closed, level, None));
        trip();
        assert_eq!(open_time(&guard), (Open, level, Some(seconds)));
    }
}

#[test]
fn bytes_are_taken_together_or_not_at_all() {
    let (clock, _hand) = Clock::manual(1 << 40);
    let mut config = Config::default();
    config.bandwidth.upload_limit_bps = 1000;
    config.bandwidth.per_peer_upload_bps = 600;
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    let permit = guard.admit_bytes(&peer(1), Direction::Upload, 600).unwrap();
    let no = guard.admit_bytes(&peer(1), Direction::Upload, 1).unwrap_err();
    assert_eq!(no.reason, Reason::PeerBytes);
    let no = guard.admit_bytes(&peer(2), Direction::Upload, 500).unwrap_err();
    assert_eq!((no.reason, no.retry_after), (Reason::GlobalBytes, Some(Duration::from_millis(100))));
    assert!(guard.view(&peer(2)).is_none());
    assert_eq!(guard.admit_bytes(&peer(2), Direction::Upload, 601).unwrap_err().reason, Reason::PeerExceedsBurst);
    let mut permit = permit;
    assert_eq!(permit.refund(100), 100);
    let granted = guard.grant_up_to(&peer(2), Direction::Upload, 9999).unwrap();
    assert_eq!(granted.bytes(), 500);
    let _ = permit.record(Outcome::MessageSuccess, None, Traffic::NONE);
    drop(granted);
    assert_eq!(guard.get_summary().uploaded, 1000);
}
