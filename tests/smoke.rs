//! The face of the crate, used as the README shows it.

use std::time::Duration;

use peerguard::{Clock, Config, Direction, Outcome, PeerGuard, PeerId, Reason, Recorded, Traffic};

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
