//! Shares of the bucket of all peers: lent, taken from, renewed and recalled by threads that do not wait for each other.

use std::sync::Arc;

use super::explore::{FULL, explore, race};
use super::stage::START;
use crate::clock::{Clock, ManualClock};
use crate::token_bucket::bucket::{Burst, Limit, Rough};
use crate::token_bucket::rate::Rate;
use crate::token_bucket::shared::SharedBucket;

const SECOND: u64 = 1_000_000_000;
const LATER: u64 = START + 10 * SECOND;
/// When time has paid for all that can be lent.
const PAID: u64 = LATER + SECOND / 8;

/// A second of 1000 bytes. Of two shares each is a 16th of that.
struct Shares {
    bucket: SharedBucket,
    hand: ManualClock,
    rough: Rough,
    limit: Limit,
}

impl Shares {
    fn new() -> Self {
        let burst = Burst::new(SECOND);
        let rate = Rate::new(1_000);
        let (clock, hand) = Clock::manual(START);
        let bucket = SharedBucket::new(rate, &burst, 2, clock);
        hand.set(LATER);
        Self { bucket, hand, rough: Rough::new(0, &burst), limit: Limit::new(rate, &burst) }
    }

    /// With the shares of a full bucket open.
    fn lent() -> Self {
        let shares = Self::new();
        shares.bucket.lend(START, &shares.rough);
        shares
    }

    /// Takes a part of the burst as a thread; what was taken, in units.
    fn take(&self, thread: usize, part: u64) -> u64 {
        self.take_at(LATER, thread, part)
    }

    fn take_at(&self, now: u64, thread: usize, part: u64) -> u64 {
        let cost = self.limit.burst / part;
        if self.bucket.take_as(thread, cost, now, &self.rough) { cost } else { 0 }
    }

    /// As [`Self::take`] by thread 0, from the bucket if nothing is lent.
    fn take_quickly(&self, part: u64) -> u64 {
        let cost = self.limit.burst / part;
        let offer = self.bucket.offer(cost, LATER, &self.rough);
        if offer.is_some_and(|offer| self.bucket.accept(offer, cost, LATER, &self.rough)) { cost } else { 0 }
    }

    /// As [`Self::take`], at the exact time.
    fn take_exactly(&self, now: u64, part: u64) -> u64 {
        let cost = self.limit.burst / part;
        if self.bucket.take(cost, now, &self.limit).is_ok() { cost } else { 0 }
    }

    /// Takes all that is there.
    fn take_rest(&self, now: u64) -> u64 {
        self.bucket.recall();
        let rest = self.limit.burst - self.bucket.debt(now, self.limit.burst);
        self.bucket.take(rest, now, &self.limit).expect("what is there can be taken");
        rest
    }

    /// What the bucket owes when all shares are back.
    fn owed(&self) -> u64 {
        self.bucket.recall();
        self.bucket.account().debt(LATER, self.limit.burst)
    }
}

#[test]
fn who_found_nothing_lent_takes_no_burst_beside_the_shares() {
    explore("lend, take from a share x take of a burst", 49, FULL, |turn| {
        let shares = Arc::new(Shares::new());
        let (small, whole) = race(
            turn,
            &shares,
            |shares| {
                // By a clock reading of long ago: the bucket is full again, but for the floor.
                shares.bucket.lend(START, &shares.rough);
                shares.take(1, 16)
            },
            |shares| shares.take_quickly(1),
        );
        assert!(small + whole <= shares.limit.burst, "bucket and shares give one burst together: {small} + {whole}");
        assert!(small + whole > 0, "a full bucket gives something");
    });
}

#[test]
fn a_share_is_taken_from_or_recalled() {
    explore("take from a share x recall for a burst", 74, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let (small, whole) = race(turn, &shares, |shares| shares.take(1, 32), |shares| shares.take_exactly(LATER, 1));
        assert!(small == 0 || whole == 0, "a burst is given, or a part of it is");
        assert!(small + whole > 0, "a full bucket gives something");
        assert_eq!(shares.owed(), small + whole, "what was given is owed");
    });
}

#[test]
fn a_renewal_that_meets_a_recall_loses_nothing() {
    explore("renew a share x recall for a burst", 90, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let first = shares.take(1, 16);
        let (second, most) = race(turn, &shares, |shares| shares.take(1, 32), |shares| shares.take_exactly(LATER, 1));
        assert!(most == 0, "a part of the burst has been given");
        assert!(second > 0, "there is enough");
        assert_eq!(shares.owed(), first + second, "what was given is owed");
    });
}

#[test]
fn two_threads_of_one_share_take_what_it_has() {
    explore("take from a share x the same", 13, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let (a, b) = race(turn, &shares, |shares| shares.take(1, 24), |shares| shares.take(3, 24));
        assert!(a > 0 && b > 0, "the share has one of them, the bucket the other");
        assert_eq!(shares.owed(), a + b, "what was given is owed");
    });
}

#[test]
fn two_threads_lend_once() {
    explore("lend, take from a share x the same", 120, FULL, |turn| {
        let shares = Arc::new(Shares::new());
        let lend_and_take = |shares: &Shares, thread| {
            shares.bucket.lend(LATER, &shares.rough);
            shares.take(thread, 32)
        };
        let (a, b) =
            race(turn, &shares, move |shares| lend_and_take(shares, 0), move |shares| lend_and_take(shares, 1));
        assert!(a > 0 && b > 0, "there is enough for both");
        assert_eq!(shares.owed(), a + b, "what was given is owed");
    });
}

#[test]
fn two_recalls_give_back_once() {
    explore("recall x recall", 18, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let taken = shares.take(1, 32);
        let (a, b) = race(turn, &shares, |shares| shares.bucket.recall(), |shares| shares.bucket.recall());
        assert!(a != b, "one of them recalls");
        assert_eq!(shares.owed(), taken, "what was given is owed");
    });
}

#[test]
fn a_refund_meets_a_recall() {
    explore("refund x recall for a burst", 119, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let small = shares.take(1, 32);
        let (whole, ()) = race(
            turn,
            &shares,
            |shares| shares.take_exactly(LATER, 1),
            move |shares| shares.bucket.refund_as(1, small),
        );
        let owed = shares.owed();
        assert!(owed >= whole, "what was given is owed");
        // A refund that finds the shares closed and the bucket at its floor has found it full.
        assert!(owed == whole || whole == 0 && owed == small, "what was refunded is not owed, or was lost: {owed}");
    });
}

#[test]
fn a_refund_reaches_its_share() {
    explore("refund x take from the share", 16, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let first = shares.take(1, 32);
        let (second, ()) =
            race(turn, &shares, |shares| shares.take(1, 32), move |shares| shares.bucket.refund_as(1, first));
        assert!(second > 0, "there is enough");
        assert_eq!(shares.owed(), second, "what was refunded is not owed, what was given is");
    });
}

#[test]
fn time_that_passes_during_a_recall_pays_for_nothing_taken_after_it() {
    explore("recall x time, take of a share and of a burst", 115, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let (_, taken) = race(
            turn,
            &shares,
            |shares| shares.bucket.recall(),
            |shares| {
                shares.hand.set(PAID);
                shares.take_at(PAID, 1, 16) + shares.take_exactly(PAID, 1)
            },
        );
        assert!(taken <= shares.limit.burst, "no more than a burst at one time: {taken}");
    });
}

#[test]
fn time_that_passes_during_a_renewal_pays_for_nothing_taken_after_it() {
    explore("renewal x time, takes of both shares", 64, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        assert!(shares.take(1, 512) > 0, "a little, so that the share is short of a whole one");
        let (late, taken) = race(
            turn,
            &shares,
            // By a clock reading of before.
            |shares| shares.take(1, 16),
            |shares| {
                shares.hand.set(PAID);
                shares.take_at(PAID, 1, 17) + shares.take_at(PAID, 0, 16)
            },
        );
        assert!(late > 0, "there is enough");
        let all = taken + shares.take_rest(PAID);
        assert!(all <= shares.limit.burst, "no more than a burst at one time: {all}");
    });
}

#[test]
fn a_refund_that_meets_a_renewal_makes_no_room_for_what_is_on_its_way() {
    explore("renewal x refund, time, take of a share", 240, FULL, |turn| {
        let shares = Arc::new(Shares::lent());
        let small = shares.take(1, 512);
        assert!(small > 0, "a little, so that the share is short of a whole one");
        let (late, taken) = race(
            turn,
            &shares,
            // By a clock reading of before.
            |shares| shares.take(1, 16),
            move |shares| {
                shares.bucket.refund_as(1, small);
                shares.hand.set(PAID);
                shares.take_at(PAID, 1, 16)
            },
        );
        assert!(late > 0, "there is enough");
        let all = taken + shares.take_rest(PAID);
        assert!(all <= shares.limit.burst, "no more than a burst at one time: {all}");
    });
}
