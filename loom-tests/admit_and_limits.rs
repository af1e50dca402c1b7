//! The gate with bytes, and a peer's own limits.

use std::sync::Arc;

use super::explore::{FULL, explore, race};
use super::stage::{One, SECOND, START, config};
use crate::breaker::gate::GateWord;
use crate::breaker::transition::Asker;
use crate::clock::Clock;
use crate::config::PeerLimits;
use crate::peer::admit::Demand;
use crate::sync::Ordering;
use crate::token_bucket::Direction;
use crate::token_bucket::bucket::{Burst, Limit};
use crate::token_bucket::rate::Rate;
use crate::token_bucket::shared::SharedBucket;

const OVER: u64 = START + 11 * SECOND;

/// A record, and the bucket of all peers.
struct Node {
    one: Arc<One>,
    global: SharedBucket,
    clock: Clock,
}

impl Node {
    fn admit(&self, bytes: u64) -> bool {
        let limit = Limit::new(Rate::new(1_000), &Burst::new(SECOND));
        let peer = Some((&self.one.record.buckets[0], limit));
        let demand = Demand { bytes, clock: &self.clock, peer, global: Some((&self.global, limit)) };
        self.one.record.admit(Asker::Permit, Some(&demand), &self.one.books.site(OVER)).is_ok()
    }

    fn owed(&self) -> [u64; 2] {
        let limit = Limit::new(Rate::new(1_000), &Burst::new(SECOND));
        let peer = self.one.record.buckets[0].paid_at().debt(OVER, limit.burst);
        [peer, self.global.debt(OVER, limit.burst)].map(|debt| limit.rate.bytes_within(debt))
    }
}

#[test]
fn the_loser_of_the_last_probe_owes_no_bytes() {
    explore("two byte requests for one probe", 470, FULL, |turn| {
        let (one, _) = One::opened(&config());
        let clock = Clock::manual(OVER).0;
        let global = SharedBucket::new(Rate::new(1_000), &Burst::new(SECOND), 1, clock.clone());
        let node = Arc::new(Node { one, global, clock });
        let (a, b) = race(turn, &node, |node| node.admit(300), |node| node.admit(400));
        assert!(!(a && b), "there is one probe");
        // Both fit the buckets together, so bytes refuse nobody.
        assert!(a || b, "and one of them takes it");
        let expected = if a { 300 } else { 400 };
        assert_eq!(node.owed(), [expected; 2], "only who was admitted owes, in both buckets");
    });
}

/// The limit that a take meets.
fn limit(one: &One, word: GateWord) -> Rate {
    let inherited = Rate::new(1);
    if word.limited() { one.beside().limits.rate(Direction::Upload, inherited) } else { inherited }
}

#[test]
fn who_sees_that_a_peer_has_limits_sees_them() {
    explore("own limits x take", 9, FULL, |turn| {
        let one = One::new(&config());
        let ((), rate) = race(
            turn,
            &one,
            |one| one.record.set_limits(one.beside().limits, PeerLimits { upload: Some(5), download: Some(7) }),
            |one| {
                let word = one.record.gate.load(Ordering::Acquire);
                (word.limited(), limit(one, word))
            },
        );
        let expected = if rate.0 { Rate::new(5) } else { Rate::new(1) };
        assert_eq!(rate.1, expected, "the gate's bit publishes the limits");
    });
}

#[test]
fn own_limits_that_are_shown_are_applied() {
    explore("own limits x own limits taken away", 1430, FULL, |turn| {
        let one = One::new(&config());
        let ((), ()) = race(
            turn,
            &one,
            |one| one.record.set_limits(one.beside().limits, PeerLimits { upload: Some(5), download: None }),
            |one| one.record.set_limits(one.beside().limits, PeerLimits { upload: None, download: None }),
        );
        let shown = one.beside().limits.get().upload;
        let word = one.record.gate.load(Ordering::Acquire);
        let applied = limit(&one, word);
        assert_eq!(applied, shown.map_or(Rate::new(1), Rate::new), "what a view shows is what a take meets");
        assert_eq!(word.limited(), shown.is_some(), "a record without limits may be evicted");
    });
}
