//! Plain successes and byte counts, which carry no pin.

use std::sync::Arc;

use super::explore::{BOUNDED, FULL, explore, race, race3};
use super::stage::{LIFE, Many, One, SECOND, START, config, id};
use crate::config::Config;
use crate::counters::Total;
use crate::counters::bytes;
use crate::decision::{Recorded, Traffic};
use crate::peer::Rules;
use crate::peer::record::Record;
use crate::peer::report::{Report, Standing};
use crate::peer::tally::Tally;
use crate::peer::view::Wall;
use crate::reputation::outcome::Outcome;
use crate::reputation::score::ScoreWord;
use crate::sync::Ordering;
use crate::table::Tenancy;
use crate::token_bucket::Direction;
use crate::token_bucket::rate::Rate;

const A: u64 = 1;
const B: u64 = 2;

/// A configuration in which a newcomer's score is at the top, where a success leaves it: no guard takes it, but rules do.
fn plain() -> Config {
    let mut config = config();
    config.reputation.max_score = config.reputation.initial_score;
    config
}

/// Reports a success with a latency and 300 bytes, if it is plain.
fn succeed(record: &Record, life: u32, rules: &Rules) -> Option<Recorded> {
    succeed_at(record, life, rules, START)
}

fn succeed_at(record: &Record, life: u32, rules: &Rules, now: u64) -> Option<Recorded> {
    let traffic = Traffic { sent: 300, received: 0 };
    let report = Report { outcome: Outcome::SyncSuccess, latency: Some(12.0), traffic };
    record.report_plainly(&report, (Direction::Upload, report.traffic.sent), None, life, now, rules).ok()
}

/// Bytes that a record has sent.
fn sent(record: &Record, tally: &Tally) -> u64 {
    bytes::sum(tally.bytes[0].load(Ordering::Relaxed), record.flow[0].load(Ordering::Relaxed).bytes())
}

fn seen(many: &Many) -> Tenancy {
    many.table.find(&id(A)).expect("there is a record").tenancy
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
        assert_eq!(sent(record, many.table.tally(slot)), 0, "and its own bytes");
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

/// A score that a success has brought to the top; a newcomer's stands below it.
fn at_the_top() -> Config {
    let mut config = config();
    config.reputation.max_score = 52.0;
    config
}

/// In a later second than the words', so that a success stamps the score anew.
const LATER: u64 = START + 5 * SECOND;

#[test]
fn a_score_is_kept_at_the_top_for_its_own_peer() {
    explore("success in a later second x evict and insert", 520, FULL, |turn| {
        let many = Many::by(&at_the_top(), 1);
        assert!(many.report(&id(A), Outcome::SyncSuccess));
        let Tenancy { slot, life } = seen(&many);
        let (inserted, recorded) = race(
            turn,
            &many,
            |many| many.meet(&id(B)),
            move |many| succeed_at(many.table.record(slot), life, &many.books.rules, LATER),
        );
        assert!(inserted, "nobody holds the record");
        assert!(recorded.is_none_or(|recorded| recorded == Recorded::Counted));
        assert_eq!(many.tenants(), [(id(B), 0, 0)], "the next tenant has no outcome");
        let score = many.table.record(slot).score.load(Ordering::Relaxed);
        let newcomers = ScoreWord::new(&many.books.rules.reputation, START);
        assert_eq!(score, newcomers, "and the score of a newcomer");
    });
}

#[test]
fn a_ban_outlasts_a_score_that_is_kept_at_the_top() {
    explore("success in a later second x fatal", 230, FULL, |turn| {
        let one = One::new(&at_the_top());
        assert_eq!(one.report(Outcome::SyncSuccess, Standing::Call, START), Recorded::Counted);
        let (_, _) = race(
            turn,
            &one,
            |one| one.report(Outcome::Fatal, Standing::Call, LATER),
            |one| succeed_at(&one.record, LIFE, &one.books.rules, LATER),
        );
        assert!(one.is_banned(LATER), "the ban stands, whoever stamped the score");
        assert_eq!(one.offences(LATER), 1, "as one offence");
    });
}

#[test]
fn an_operators_ban_freezes_a_score_that_is_kept_at_the_top() {
    explore("success in a later second x operator's ban", 70, FULL, |turn| {
        let one = One::new(&at_the_top());
        assert_eq!(one.report(Outcome::SyncSuccess, Standing::Call, START), Recorded::Counted);
        let ((), _) = race(
            turn,
            &one,
            |one| one.record.ban_by_operator(None, 7, &one.books.site(LATER)),
            |one| succeed_at(&one.record, LIFE, &one.books.rules, LATER),
        );
        assert!(one.is_banned(LATER), "the ban stands");
        let score = one.score(LATER);
        assert!((51.9..=52.0).contains(&score), "the score is frozen with the success or without: {score}");
        let word = one.record.score.load(Ordering::Relaxed);
        assert!(!word.is_at_top(LATER, &one.books.rules.reputation), "and no success finds it where it stood");
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
        assert_eq!(
            sent(many.table.record(slot), many.table.tally(slot)),
            0,
            "and nothing is counted for the next tenant"
        );
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
        assert_eq!(
            sent(&one.record, one.beside().tally),
            CROWD + 300 * counted,
            "every byte is in one of the two words"
        );
        assert_eq!(sync_successes(&one), counted, "and every success");
    });
}

/// Bytes that a view shows.
fn shown(one: &One) -> u64 {
    let wall = Wall { now: START, time: std::time::UNIX_EPOCH };
    one.record.image(one.beside()).view(&wall, [Rate::UNLIMITED; 2], &one.books.rules).bytes_sent
}

#[test]
fn a_flow_is_emptied_once() {
    explore("flow emptied x flow emptied x reader", 4000, BOUNDED, |turn| {
        let one = crowded();
        let ((), shown, ()) = race3(
            turn,
            &one,
            |one| one.record.empty_flow(one.beside().tally),
            shown,
            |one| one.record.empty_flow(one.beside().tally),
        );
        assert!(shown <= CROWD, "a reader may miss what is carried over, and never sees it twice: {shown}");
        assert_eq!(sent(&one.record, one.beside().tally), CROWD, "what two have emptied is counted once");
    });
}
