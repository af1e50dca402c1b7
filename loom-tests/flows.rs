//! Plain successes and byte counts, which carry no pin.

use std::sync::Arc;

use super::explore::{BOUNDED, FULL, explore, race, race3};
use super::stage::{LIFE, Many, One, START, config, id};
use crate::config::Config;
use crate::counters::Total;
use crate::decision::{Recorded, Traffic};
use crate::peer::Rules;
use crate::peer::bytes;
use crate::peer::record::Record;
use crate::peer::report::{Report, Standing};
use crate::peer::view::Wall;
use crate::reputation::outcome::Outcome;
use crate::sync::Ordering;
use crate::table::Tenancy;
use crate::token_bucket::Direction;
use crate::token_bucket::rate::Rate;

const A: u64 = 1;
const B: u64 = 2;

/// A configuration in which a success leaves the score where it is, as it does at the highest.
fn plain() -> Config {
    let mut config = config();
    config.reputation.weights.sync_success = 0.0;
    config
}

/// Reports a success with a latency and 300 bytes, if it is plain.
fn succeed(record: &Record, life: u32, rules: &Rules) -> Option<Recorded> {
    let traffic = Traffic { sent: 300, received: 0 };
    let report = Report { outcome: Outcome::SyncSuccess, latency: Some(12.0), traffic };
    let plain = record.plain(report.outcome, (Direction::Upload, report.traffic.sent), None, rules)?;
    record.report_plainly(plain, &report, life, START)
}

/// Bytes that a record has sent.
fn sent(record: &Record) -> u64 {
    bytes::sum(record.bytes[0].load(Ordering::Relaxed), record.flow[0].load(Ordering::Relaxed).bytes())
}

fn seen(many: &Many) -> Tenancy {
    many.table.find(&id(A)).expect("there is a record").0
}

#[test]
fn a_plain_success_is_counted_for_its_own_peer() {
    explore("plain success x evict and insert", 640, FULL, |turn| {
        let many = Many::by(&plain(), 1);
        assert!(many.meet(&id(A)));
        let Tenancy { slot, life } = seen(&many);
        let (inserted, recorded) = race(
            turn,
            &many,
            |many| many.report(&id(B), Outcome::SyncFailure),
            move |many| succeed(many.table.record(slot), life, &many.books.rules),
        );
        assert!(inserted, "nobody holds the record");
        assert!(recorded.is_none_or(|recorded| recorded == Recorded::Counted));
        assert_eq!(many.tenants(), [(id(B), 0, 1)], "the next tenant has its own outcome and no other");
        let record = many.table.record(slot);
        assert_eq!(sent(record), 0, "and its own bytes");
        assert_eq!(record.latency.load(Ordering::Relaxed).get(), None, "and its own latency");
        let written_down = many.books.total(Total::UploadedBytes);
        assert_eq!(written_down, if recorded.is_some() { 300 } else { 0 }, "every byte that was counted is kept, once");
    });
}

#[test]
fn a_plain_success_never_goes_by_the_next_tenants_words() {
    explore("success of an open peer x evict and insert", 370, FULL, |turn| {
        let many = Many::by(&plain(), 1);
        for _ in 0..2 {
            assert!(many.report(&id(A), Outcome::Timeout));
        }
        let Tenancy { slot, life } = seen(&many);
        let (inserted, recorded) = race(
            turn,
            &many,
            |many| many.meet(&id(B)),
            move |many| succeed(many.table.record(slot), life, &many.books.rules),
        );
        assert!(inserted, "nobody holds the record");
        assert_eq!(recorded, None, "a success of a peer whose breaker is open is not plain, whoever came after it");
    });
}

#[test]
fn bytes_of_two_peers_add_up() {
    explore("byte counts x evict and insert", 80, FULL, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        let Tenancy { slot, life } = seen(&many);
        let count = move |many: &Many, n| many.table.record(slot).count_bytes_plainly(Direction::Upload, n, life);
        let (_, counted) =
            race(turn, &many, |many| many.meet(&id(B)), move |many| [count(many, 100), count(many, 200)]);
        let expected = u64::from(counted[0]) * 100 + u64::from(counted[1]) * 200;
        assert_eq!(many.books.total(Total::UploadedBytes), expected, "what was counted before the eviction is kept");
        assert_eq!(sent(many.table.record(slot)), 0, "and nothing is counted for the next tenant");
        assert!(counted[0] || !counted[1], "a life that has ended does not come back");
    });
}

/// A record whose flow is more than half full.
fn crowded() -> Arc<One> {
    let one = One::new(&plain());
    assert!(one.record.count_bytes_plainly(Direction::Upload, CROWD, LIFE));
    assert!(one.record.flow[0].load(Ordering::Relaxed).is_crowded());
    one
}

const CROWD: u64 = 600 << 20;

/// Empties the flow, as every report under a pin does first.
fn spill(one: &One) -> Recorded {
    one.report(Outcome::SyncFailure, Standing::Call, START)
}

fn sync_successes(one: &One) -> u64 {
    let lately: u64 = one.record.flow.iter().map(|flow| flow.load(Ordering::Relaxed).sync_successes()).sum();
    lately + one.record.sync_successes.load(Ordering::Relaxed)
}

#[test]
fn a_flow_that_is_emptied_loses_nothing() {
    explore("plain success x flow emptied", 60, FULL, |turn| {
        let one = crowded();
        let (plainly, _) = race(turn, &one, |one| succeed(&one.record, LIFE, &one.books.rules), spill);
        let counted = u64::from(plainly.is_some());
        assert_eq!(sent(&one.record), CROWD + 300 * counted, "every byte is in one of the two words");
        assert_eq!(sync_successes(&one), counted, "and every success");
    });
}

/// Bytes that a view shows.
fn shown(one: &One) -> u64 {
    let wall = Wall { now: START, time: std::time::UNIX_EPOCH };
    one.record.image(None, &one.own).view(&wall, [Rate::UNLIMITED; 2], &one.books.rules).bytes_sent
}

#[test]
fn a_flow_is_emptied_once() {
    explore("flow emptied x flow emptied x reader", 4000, BOUNDED, |turn| {
        let one = crowded();
        let ((), shown, ()) = race3(turn, &one, |one| one.record.empty_flow(), shown, |one| one.record.empty_flow());
        assert!(shown <= CROWD, "a reader may miss what is carried over, and never sees it twice: {shown}");
        assert_eq!(sent(&one.record), CROWD, "what two have emptied is counted once");
    });
}
