//! A ban freezes the score: what is shown under one ban is shown until its end.

use std::time::Duration;

use peerguard::{Clock, Config, Outcome, PeerGuard, PeerId, Traffic};

use crate::play;

const ID: PeerId = PeerId::new([5; 32]);

#[test]
fn a_report_that_overlaps_an_operators_ban_does_not_move_the_frozen_score() {
    play("report x operator's ban", || {
        let (clock, _hand) = Clock::manual(1 << 44);
        let guard = PeerGuard::with_clock(Config { max_peers: 2, event_capacity: 1, ..Config::default() }, clock).unwrap();
        let reporter = guard.clone();
        let thread = shuttle::thread::spawn(move || reporter.report(&ID, Outcome::Timeout, None, Traffic::NONE));
        guard.ban(&ID, None, 1).unwrap();
        let shown = guard.view(&ID).unwrap().score;
        let _recorded = thread.join().unwrap();
        assert_eq!(guard.view(&ID).unwrap().score, shown, "the score under the ban has moved");
    });
}

#[test]
fn a_view_shows_no_score_of_the_ban_before() {
    play("view x second ban", || {
        let (clock, hand) = Clock::manual(1 << 44);
        let mut config = Config { max_peers: 2, event_capacity: 1, ..Config::default() };
        config.reputation.ban_duration = Some(Duration::from_secs(1));
        let probation = config.reputation.initial_score / 2.0;
        let guard = PeerGuard::with_clock(config, clock).unwrap();
        guard.report(&ID, Outcome::Fatal, None, Traffic::NONE);
        hand.advance(Duration::from_secs(2));
        let reporter = guard.clone();
        let thread = shuttle::thread::spawn(move || reporter.report(&ID, Outcome::Fatal, None, Traffic::NONE));
        let shown = guard.view(&ID).unwrap().score;
        let _recorded = thread.join().unwrap();
        assert!((shown - probation).abs() < 0.01, "after a ban, and under the next, half the initial score: {shown}");
    });
}
