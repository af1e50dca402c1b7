//! A rival that refuses nothing would be fast for the wrong reason: each must really limit, break, score and ban.

use super::conventional::Conventional;
use super::one_entry::OneEntry;
use super::three_maps::ThreeMaps;
use super::{FAILURE_THRESHOLD, Gate, Limits};

const AMPLE: u64 = 64_000_000_000;
const ONE: [u8; 32] = [1; 32];
const TWO: [u8; 32] = [2; 32];

fn each(limits: Limits, check: impl Fn(&str, &dyn Gate)) {
    check("three maps", &ThreeMaps::new(limits));
    check("one entry", &OneEntry::new(limits));
    check("conventional", &Conventional::new(limits));
}

#[test]
fn the_per_peer_limit_stops_one_peer_only() {
    let limits = Limits { global: AMPLE, per_peer: 1_024 };
    each(limits, |name, gate| {
        assert!(gate.admit(&ONE, 1_024), "{name}: a full bucket gives its burst");
        assert!(!gate.admit(&ONE, 1_024), "{name}: an empty bucket refuses");
        assert!(gate.admit(&TWO, 1_024), "{name}: another peer has its own");
    });
}

#[test]
fn the_global_limit_stops_all() {
    let limits = Limits { global: 1_024, per_peer: AMPLE };
    each(limits, |name, gate| {
        assert!(gate.admit(&ONE, 1_024), "{name}: a full bucket gives its burst");
        assert!(!gate.admit(&TWO, 1_024), "{name}: the burst is shared");
    });
}

#[test]
fn failures_in_a_row_open_the_breaker_and_a_success_between_them_does_not() {
    let limits = Limits { global: AMPLE, per_peer: AMPLE };
    each(limits, |name, gate| {
        for _ in 0..FAILURE_THRESHOLD - 1 {
            gate.failure(&ONE);
        }
        gate.success(&ONE, Some(20.0));
        gate.failure(&ONE);
        assert!(gate.admit(&ONE, 256), "{name}: a success starts the row anew");
        for _ in 0..FAILURE_THRESHOLD {
            gate.failure(&TWO);
        }
        assert!(!gate.admit(&TWO, 256), "{name}: the threshold opens");
        assert!(!gate.admit(&TWO, 0), "{name}: for calls without bytes too");
    });
}

#[test]
fn a_score_of_zero_bans() {
    let limits = Limits { global: AMPLE, per_peer: AMPLE };
    each(limits, |name, gate| {
        // One success in four keeps the breaker closed; each round costs 13 points.
        for _ in 0..4 {
            gate.failure(&ONE);
            gate.failure(&ONE);
            gate.failure(&ONE);
            gate.success(&ONE, Some(20.0));
        }
        assert!(!gate.admit(&ONE, 256), "{name}: banned");
    });
}
