//! Byte takes by key, through the guard: without a pin, against an eviction that gives the bucket to another peer.

use std::sync::Arc;
use std::time::Duration;

use super::explore::{WHOLE, explore, race};
use super::stage::{START, config, id};
use crate::clock::Clock;
use crate::guard::PeerGuard;
use crate::id::PeerId;
use crate::token_bucket::Direction;

const A: u64 = 1;
const B: u64 = 2;
/// Bytes per second, and so in a burst.
const PEER: u64 = 2_000;
const GLOBAL: u64 = 10_000;

/// A guard with room for one peer, which is A, owes 100 bytes, and has a score at the top, where a success leaves it.
fn guard() -> Arc<PeerGuard> {
    let mut config = config();
    config.reputation.max_score = 51.0;
    config.max_peers = 1;
    config.event_capacity = 2;
    config.bandwidth.per_peer_upload_bps = PEER;
    config.bandwidth.upload_limit_bps = GLOBAL;
    config.bandwidth.refill_interval = Duration::from_millis(100);
    let (clock, _) = Clock::manual(START);
    let guard = PeerGuard::with_clock(config, clock).expect("a valid configuration");
    assert!(take(&guard, A, 100, 0), "full buckets give 100 bytes");
    assert!(guard.record_success(&id(A), None).is_ok(), "a success to the top");
    Arc::new(guard)
}

/// Takes bytes and gives some back; whether they were granted.
fn take(guard: &PeerGuard, peer: u64, bytes: u64, back: u64) -> bool {
    let Ok(mut permit) = guard.admit_bytes(&id(peer), Direction::Upload, bytes) else { return false };
    permit.refund(back);
    // A permit that is leaked: what it would report at its end is another model's.
    std::mem::forget(permit);
    true
}

/// The peer that has the record, and what its bucket owes.
fn tenant(guard: &PeerGuard) -> (PeerId, u64) {
    let image = guard.inner.table.image(0).expect("there is a record");
    let burst = 1_000_000_000 << 10;
    let debt = image.bucket(Direction::Upload).debt(START, burst);
    (image.id, (u128::from(debt) * u128::from(PEER) / u128::from(burst)) as u64)
}

/// What a take by A and one by B, of 600 bytes, have left: A's of 600 or, refunded, of none.
fn check(guard: &PeerGuard, refunded: u64) {
    let (peer, owed) = tenant(guard);
    let totals = guard.get_summary();
    let available = totals.upload_available.expect("there is a limit");
    assert_eq!(GLOBAL - available, 100 + 1_200 - refunded, "everybody's bucket is charged for each take, exactly");
    if totals.untracked == 0 {
        let expected = match peer == id(B) {
            true => &[600][..],
            // Its own record from before, or one that it made anew.
            false => &[700 - refunded, 600 - refunded],
        };
        assert!(expected.contains(&owed), "a peer's bucket is charged for its own takes only: {owed}");
    }
}

#[test]
fn a_take_without_a_pin_charges_its_own_peer() {
    explore("take by key x evict and insert", 17400, WHOLE, |turn| {
        let guard = guard();
        let (a, b) = race(turn, &guard, |guard| take(guard, A, 600, 0), |guard| take(guard, B, 600, 0));
        assert!(a && b, "there is enough for both");
        check(&guard, 0);
    });
}

#[test]
fn a_refund_never_fills_the_next_tenants_bucket() {
    explore("refund by key x evict and insert", 17430, WHOLE, |turn| {
        let guard = guard();
        let (a, b) = race(turn, &guard, |guard| take(guard, A, 600, 600), |guard| take(guard, B, 600, 0));
        assert!(a && b, "there is enough for both");
        check(&guard, 600);
    });
}

#[test]
fn a_success_by_key_is_its_own_peers() {
    explore("admit, success by key x first report of another", 29660, WHOLE, |turn| {
        let guard = guard();
        let (_, _) = race(
            turn,
            &guard,
            |guard| guard.admit(&id(A)).expect("a closed peer").success(None),
            |guard| guard.record_failure(&id(B)),
        );
        let snapshot = guard.snapshot();
        let [peer] = &snapshot.peers().collect::<Vec<_>>()[..] else { panic!("one slot, one record") };
        let counts = (peer.successful_syncs, peer.failed_syncs);
        // A's own record from before, or one that it made anew.
        let expected = if peer.id == id(B) { &[(0, 1)][..] } else { &[(2, 0), (1, 0)] };
        assert!(expected.contains(&counts), "the record that is there holds its own peer's outcome: {counts:?}");
    });
}

#[test]
fn an_undone_take_gives_the_next_tenant_nothing() {
    explore("take by key x evict and insert, held", 12300, WHOLE, |turn| {
        let guard = guard();
        let (_, b) = race(
            turn,
            &guard,
            |guard| take(guard, A, 600, 0),
            |guard| {
                // Held for good, so that B's bucket is there to be looked at.
                let peer = std::mem::ManuallyDrop::new(guard.peer(&id(B)));
                let granted = peer.admit_bytes(Direction::Upload, 600).map(std::mem::forget).is_ok();
                peer.is_tracked() && granted
            },
        );
        if b {
            let (peer, owed) = tenant(&guard);
            assert_eq!(peer, id(B), "a record that is held stays");
            // More where A's take has met B's bucket and could not be undone without giving.
            assert!(owed == 600 || owed == 1_200, "what B has taken is owed: {owed}");
        }
    });
}
