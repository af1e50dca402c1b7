//! Byte buckets.

use std::sync::Arc;

use super::explore::{BOUNDED, FULL, explore, race, race3};
use super::stage::START;
use crate::clock::Clock;
use crate::decision::{Reason, Rejection};
use crate::peer::admit::{Charge, Demand, Held};
use crate::sync::{AtomicU64, Ordering, Word};
use crate::token_bucket::bucket::{Bucket, Burst, Limit};
use crate::token_bucket::rate::Rate;
use crate::token_bucket::setting::Setting;
use crate::token_bucket::shared::SharedBucket;

const SECOND: u64 = 1_000_000_000;
const LATER: u64 = START + SECOND / 2;

/// 1000 bytes per second, a burst of a second.
fn limit() -> Limit {
    Limit::new(Rate::new(1_000), &Burst::new(SECOND))
}

fn take(bucket: &Bucket, bytes: u64, now: u64) -> bool {
    let limit = limit();
    bucket.take(limit.rate.cost(bytes), now, &limit).is_ok()
}

/// Bytes that are owed.
fn owed(bucket: &Bucket, now: u64) -> u64 {
    limit().rate.bytes_within(bucket.paid_at().debt(now, limit().burst))
}

/// The same of the bucket of all peers.
fn owed_by_all(bucket: &SharedBucket) -> u64 {
    limit().rate.bytes_within(bucket.debt(START, limit().burst))
}

#[test]
fn takers_share_one_burst() {
    explore("take x take x take after a pause", 250, BOUNDED, |turn| {
        let bucket = Arc::new(Bucket::new(START));
        let (a, late, b) = race3(
            turn,
            &bucket,
            |bucket| take(bucket, 700, START),
            // A clock reading of half a second later, when half a burst has come back.
            |bucket| take(bucket, 500, START + SECOND / 2),
            |bucket| take(bucket, 700, START),
        );
        assert!(!(a && b), "1400 bytes are more than the burst of one moment");
        assert!(a || b || late, "a full bucket gives something");
        let taken = [(a, 700), (b, 700), (late, 500)].iter().map(|(ok, n)| if *ok { *n } else { 0 }).sum::<u64>();
        assert!(taken <= 1_500, "burst and half a second's rate bound what all of them get");
        // Half a second pays for 500 bytes of what was taken at its beginning.
        let paid = if a || b { 500 } else { 0 };
        assert_eq!(owed(&bucket, START + SECOND / 2), taken - paid, "every byte that was given is owed, none is lost");
    });
}

#[test]
fn two_takers_of_an_idle_bucket_spend_no_token_twice() {
    explore("take x take of an idle bucket", 13, FULL, |turn| {
        let bucket = Arc::new(Bucket::new(START));
        assert!(take(&bucket, 1_000, START), "a full bucket gives its burst");
        let idle = START + 10 * SECOND;
        let (a, b) = race(turn, &bucket, move |bucket| take(bucket, 600, idle), move |bucket| take(bucket, 600, idle));
        assert!(a != b, "a bucket that was idle is full once, not twice");
        assert_eq!(owed(&bucket, idle), 600, "what was given is owed");
    });
}

/// A clock that whoever asks it finds at its latest time, as a processor's is.
fn clock() -> (Clock, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(START));
    let hand = time.clone();
    // Relaxed, here and where it is set: a read-modify-write reads the last value, and the time orders nothing.
    (Clock::from_fn(move || time.fetch_add(0, Ordering::Relaxed)), hand)
}

/// A peer's bucket, and that of all peers, which has room for 1000 bytes.
struct Pair {
    peers: [Bucket; 2],
    global: SharedBucket,
    clock: Clock,
    hand: Arc<AtomicU64>,
}

impl Pair {
    fn new() -> Arc<Self> {
        let (clock, hand) = clock();
        let global = SharedBucket::new(Rate::new(1_000), &Burst::new(SECOND), 1, clock.clone());
        Arc::new(Self { peers: [Bucket::new(START), Bucket::new(START)], global, clock, hand })
    }

    fn take(&self, peer: usize, bytes: u64) -> Result<Held<'_>, Rejection> {
        let peer = Some((&self.peers[peer], limit()));
        Demand { bytes, clock: &self.clock, peer, global: Some((&self.global, limit())) }.take(START)
    }

    fn charge(&self, peer: usize, bytes: u64) -> Result<Charge, Rejection> {
        self.take(peer, bytes).map(|held| held.charge())
    }

    /// Lets time pass until half a second later.
    fn wait(&self) -> u64 {
        self.hand.fetch_add(LATER - START, Ordering::Relaxed);
        LATER
    }
}

#[test]
fn both_buckets_or_neither() {
    explore("two peers, one global bucket", 17, FULL, |turn| {
        let pair = Pair::new();
        let before = [pair.peers[0].paid_at(), pair.peers[1].paid_at()];
        let (a, b) = race(turn, &pair, |pair| pair.charge(0, 600), |pair| pair.charge(1, 600));
        assert!(a.is_ok() != b.is_ok(), "the global bucket has room for one of them");
        for (i, answer) in [a, b].into_iter().enumerate() {
            match answer {
                Ok(_) => assert_eq!(owed(&pair.peers[i], START), 600, "who was admitted owes in its own bucket too"),
                Err(no) => {
                    assert_eq!(no.reason, Reason::GlobalBytes, "the global bucket refused");
                    assert_eq!(pair.peers[i].paid_at(), before[i], "the refused one's own bucket is as it was");
                }
            }
        }
        assert_eq!(owed_by_all(&pair.global), 600, "the global bucket was charged once");
    });
}

#[test]
fn an_undone_take_keeps_another_takers_bytes() {
    explore("take undone x take of one peer", 20, FULL, |turn| {
        let pair = Pair::new();
        assert!(pair.global.take(limit().rate.cost(500), START, &limit()).is_ok(), "half of the global burst");
        let (a, b) = race(turn, &pair, |pair| pair.charge(0, 600), |pair| take(&pair.peers[0], 300, START));
        assert_eq!(a.map_err(|no| no.reason), Err(Reason::GlobalBytes), "600 bytes do not fit the global bucket");
        assert!(b, "300 and 600 bytes fit the peer's bucket together");
        assert_eq!(owed(&pair.peers[0], START), 300, "the undone take is gone and the other one stands");
        assert_eq!(owed_by_all(&pair.global), 500, "the global bucket was not touched");
    });
}

/// Without the take that is undone the bucket would have stood full, and time would have given it nothing.
#[test]
fn an_undone_take_pays_for_nobody() {
    explore("take undone late x later take of one peer", 27, FULL, |turn| {
        let pair = Pair::new();
        assert!(pair.global.take(limit().rate.cost(500), START, &limit()).is_ok(), "half of the global burst");
        let (a, b) = race(turn, &pair, |pair| pair.charge(0, 600), |pair| take(&pair.peers[0], 500, pair.wait()));
        assert!(a.is_err() && b, "600 bytes do not fit the global bucket, 500 fit the peer's after half a second");
        assert_eq!(owed(&pair.peers[0], LATER), 500, "what was taken later is owed, to the byte");
    });
}

#[test]
fn an_undone_take_from_the_bucket_of_all_peers_pays_for_nobody() {
    explore("take of all peers undone late x later take", 28, FULL, |turn| {
        let pair = Pair::new();
        let ((), b) = race(
            turn,
            &pair,
            |pair| pair.take(0, 600).iter().for_each(Held::undo),
            |pair| pair.global.take(limit().rate.cost(500), pair.wait(), &limit()).is_ok(),
        );
        assert!(b, "500 bytes fit after half a second");
        let owed = limit().rate.bytes_within(pair.global.debt(LATER, limit().burst));
        assert_eq!(owed, 500, "what was taken later is owed, to the byte");
    });
}

#[test]
fn a_refund_gives_back_once_and_exactly() {
    explore("refund x take", 20, FULL, |turn| {
        let pair = Pair::new();
        let charge = pair.charge(0, 800).unwrap();
        let (ok, ()) = race(
            turn,
            &pair,
            |pair| pair.charge(0, 500).is_ok(),
            move |pair| {
                pair.peers[0].refund(charge.peer);
                pair.global.refund(charge.global);
            },
        );
        let expected = if ok { 500 } else { 0 };
        assert_eq!(owed(&pair.peers[0], START), expected, "what was refunded is not owed, what was taken is");
        assert_eq!(owed_by_all(&pair.global), expected, "in both buckets");
    });
}

/// A bucket under a limit that changes.
struct Live {
    rate: Word<Rate>,
    bucket: Bucket,
}

impl Live {
    fn take(&self, bytes: u64) -> Option<u64> {
        let rate = self.rate.load(Ordering::Relaxed);
        let limit = Limit::new(rate, &Burst::new(SECOND));
        self.bucket.take(rate.cost(bytes), START, &limit).is_ok().then(|| rate.cost(bytes))
    }
}

#[test]
fn two_changes_of_a_limit_leave_one_of_them() {
    explore("limit change x limit change x cost", 560, FULL, |turn| {
        let setting = Arc::new(Setting::new(Rate::new(1_000)));
        let set = |rate| move |setting: &Setting| setting.set(Rate::new(rate));
        let ((), cost, ()) = race3(turn, &setting, set(2_000), |setting| setting.cost(600), set(0));
        let costs = [1_000, 2_000].map(|rate| Rate::new(rate).cost(600));
        assert!(cost == 0 || costs.contains(&cost), "a request meets one of the limits: {cost}");
        let left = setting.rate();
        assert!([Rate::new(2_000), Rate::UNLIMITED].contains(&left), "a new limit stands");
        assert_eq!(setting.cost(600), left.cost_if_limited(600), "and its own price beside it");
    });
}

#[test]
fn a_take_meets_the_old_limit_or_the_new_one() {
    explore("limit change x take x take", 210, BOUNDED, |turn| {
        let live = Arc::new(Live { rate: Word::new(Rate::new(1_000)), bucket: Bucket::new(START) });
        let (a, (), b) = race3(
            turn,
            &live,
            |live| live.take(600),
            |live| live.rate.store(Rate::new(2_000), Ordering::Relaxed),
            |live| live.take(600),
        );
        let [old, new] = [1_000, 2_000].map(|rate| Rate::new(rate).cost(600));
        for cost in [a, b].into_iter().flatten() {
            assert!(cost == old || cost == new, "a take costs what one of the two limits says");
        }
        assert!(a.is_some() || b.is_some(), "600 bytes fit either limit");
        if a == Some(old) && b == Some(old) {
            panic!("two takes at the old limit are more than its burst");
        }
        let sum: u64 = [a, b].into_iter().flatten().sum();
        let burst = Limit::new(Rate::new(1_000), &Burst::new(SECOND)).burst;
        assert_eq!(
            live.bucket.paid_at().debt(START, burst),
            sum,
            "the debt is what was charged: no share lost or doubled"
        );
        assert!(sum <= burst, "no more than a burst is owed under either limit");
    });
}
