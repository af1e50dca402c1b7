//! Whom to sync with: nobody at half the initial score, wherever that half lies.

use peerguard::{Clock, Config, Outcome, PeerGuard, PeerId, Tier, Traffic};

const PEER: PeerId = PeerId::new([9; 32]);

/// Scores are kept in 2^-25 points: the half of every other score here is rounded up.
#[test]
fn a_peer_on_probation_after_a_ban_is_no_candidate() {
    for tenths in 1..1_000 {
        let (clock, hand) = Clock::manual(1 << 50);
        let mut config = Config { max_peers: 4, ..Config::default() };
        config.reputation.initial_score = f64::from(tenths) / 10.0;
        let guard = PeerGuard::with_clock(config, clock).unwrap();
        let _counted = guard.report(&PEER, Outcome::Fatal, None, Traffic::NONE);
        hand.advance(guard.view(&PEER).unwrap().ban.unwrap().remaining.unwrap());
        let view = guard.view(&PEER).unwrap();
        assert_eq!((view.tier, view.ban), (Tier::Probation, None));
        for listed in [guard.sync_candidates(1), guard.snapshot().sync_candidates(1)] {
            assert!(listed.is_empty(), "{} is listed where the initial score is {tenths} / 10", view.score);
        }
    }
}
