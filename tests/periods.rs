//! Words keep the low ten bits of a breaker's period: what an old period left is not taken for one's own when they come again.

use std::time::Duration;

use peerguard::{BreakerState, Clock, Config, FailureRate, Outcome, PeerGuard, PeerId, Recorded, Traffic};

const SLICE: Duration = Duration::from_secs(3 * 3600);

/// A peer trips in one slice of the window, and in the next goes through so many cycles, of three periods each, that the
/// period after 1,024 of them looks as the first.
fn after_a_thousand_cycles(change: impl FnOnce(&mut Config)) {
    let mut config = Config { max_peers: 10, ..Config::default() };
    config.circuit_breaker.failure_window = SLICE * 8;
    config.circuit_breaker.success_threshold = 1;
    config.circuit_breaker.jitter = 0.0;
    config.circuit_breaker.backoff = false;
    change(&mut config);
    let open_time = config.circuit_breaker.recovery_timeout + Duration::from_millis(3);
    let (clock, hand) = Clock::manual(1 << 50);
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    let peer = PeerId::new([7; 32]);
    let succeed = || assert_eq!(guard.admit(&peer).unwrap().success(None), Recorded::Counted);
    let cycle = || {
        while guard.view(&peer).is_none_or(|view| view.state == BreakerState::Closed) {
            guard.report(&peer, Outcome::Timeout, None, Traffic::default());
        }
        hand.advance(open_time);
        succeed();
        assert_eq!(guard.view(&peer).unwrap().state, BreakerState::Closed);
    };
    cycle();
    hand.advance(SLICE);
    for n in 1..1100 {
        cycle();
        succeed();
        succeed();
        assert_eq!(guard.view(&peer).unwrap().state, BreakerState::Closed, "a success opened it in cycle {n}");
    }
}

#[test]
fn a_rate_of_an_old_period_does_not_open_a_new_one() {
    after_a_thousand_cycles(|config| {
        config.circuit_breaker.failure_threshold = 31;
        config.circuit_breaker.failure_rate = Some(FailureRate { rate: 0.2, min_calls: 1 });
    });
}

#[test]
fn failures_of_an_old_period_do_not_open_a_new_one() {
    after_a_thousand_cycles(|config| config.circuit_breaker.failure_threshold = 3);
}
