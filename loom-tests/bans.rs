//! Bans: earned and given, lifted, seen.

use super::explore::{BOUNDED, FULL, SHALLOW, explore, race, race3};
use super::stage::{One, SECOND, START, config};
use crate::breaker::transition::Asker;
use crate::decision::{Reason, Recorded};
use crate::event::EventKind;
use crate::peer::report::Standing;
use crate::peer::view::Wall;
use crate::reputation::BanOrigin;
use crate::reputation::outcome::Outcome;
use crate::sync::{Ordering, fence};
use crate::token_bucket::rate::Rate;

const HOUR: u64 = 3600 * SECOND;

/// Counted, and not taken for an outcome under a ban.
fn fatal(one: &One) -> bool {
    one.report(Outcome::Fatal, Standing::Call, START) == Recorded::Counted
}

fn bans(one: &One) -> usize {
    one.books.happened().iter().filter(|kind| matches!(kind, EventKind::Banned(BanOrigin::Earned))).count()
}

#[test]
fn two_fatal_outcomes_are_one_ban() {
    explore("two fatal outcomes", 1530, BOUNDED, |turn| {
        let one = One::new(&config());
        let (a, b) = race(turn, &one, fatal, fatal);
        assert!(one.is_banned(START), "a fatal outcome bans");
        assert_eq!(u8::from(a) + u8::from(b), 1, "the second of two fatal outcomes is under the ban of the first");
        assert_eq!(one.offences(START), 1, "one ban is one offence");
        assert_eq!(bans(&one), 1, "one ban is one event");
        assert!(!one.is_banned(START + 2 * HOUR), "the first ban lasts an hour, not two");
    });
}

#[test]
fn a_ban_earned_after_an_unban_is_not_lost() {
    explore("fatal x fatal and unban", 2480, BOUNDED, |turn| {
        let one = One::new(&config());
        let (a, (b, lifted)) = race(turn, &one, fatal, |one| {
            let b = fatal(one);
            (b, one.record.unban(&one.books.site(START)))
        });
        assert!(lifted, "after a fatal outcome there is a ban to lift");
        let earned = u8::from(a) + u8::from(b);
        assert_eq!(usize::from(earned), bans(&one), "each fatal outcome that counts makes its ban");
        assert_eq!(one.offences(START), earned, "and is an offence");
        if a && b {
            assert!(one.is_banned(START), "the second ban was earned after the first was lifted, and stands");
        }
    });
}

#[test]
fn an_outcome_under_an_earned_ban_is_neutral() {
    explore("earned ban x success", 700, FULL, |turn| {
        let one = One::new(&config());
        let (banned, success) = race(turn, &one, fatal, |one| one.report(Outcome::SyncSuccess, Standing::Call, START));
        assert!(banned, "the only fatal outcome counts");
        assert!(one.is_banned(START), "the ban stands");
        let expected = if success == Recorded::Counted { 52.0 } else { 50.0 };
        assert_eq!(one.score(START), expected, "the score is frozen with the success in it if and only if it counted");
        let ended = one.score(START + HOUR + 2 * SECOND);
        assert!((ended - 25.0).abs() < 0.01, "after the ban the score is on probation: {ended}");
    });
}

#[test]
fn the_change_that_reaches_the_minimum_bans_once() {
    explore("two outcomes that reach the minimum", 280, FULL, |turn| {
        let mut config = config();
        config.circuit_breaker.failure_threshold = 31;
        let one = One::new(&config);
        for _ in 0..4 {
            one.report(Outcome::ProtocolViolation, Standing::Call, START);
        }
        assert_eq!(one.score(START), 10.0);
        let (a, b) = race(
            turn,
            &one,
            |one| one.report(Outcome::ProtocolViolation, Standing::Call, START),
            |one| one.report(Outcome::SyncFailure, Standing::Call, START),
        );
        assert!(one.is_banned(START), "ten points and then some are gone, whoever comes first");
        assert_eq!(bans(&one), 1, "one ban");
        assert_eq!(a, Recorded::Counted, "the violation counts in either order");
        let after = one.score(START);
        assert_eq!(after, 0.0, "the score is frozen at the minimum");
        assert!(matches!(b, Recorded::Counted | Recorded::Ignored), "the other one is before the ban or under it");
    });
}

#[test]
fn the_later_end_of_an_earned_and_an_operators_ban_holds() {
    explore("earned ban x operator's ban", 1060, FULL, |turn| {
        let one = One::new(&config());
        let (_, ()) = race(turn, &one, fatal, |one| one.record.ban_by_operator(None, 7, &one.books.site(START)));
        assert!(one.is_banned(START + 100_000 * HOUR), "a ban for ever is not replaced by one of an hour");
        let again = one.record.unban(&one.books.site(START));
        assert!(again && !one.is_banned(START), "unban lifts both");
        assert_eq!(one.score(START), 50.0, "and sets the initial score");
    });
}

#[test]
fn earned_ban_operators_ban_and_a_report() {
    explore("earned ban x operator's ban x success", 10270, SHALLOW, |turn| {
        let one = One::new(&config());
        let (earned, (), success) = race3(
            turn,
            &one,
            fatal,
            |one| one.record.ban_by_operator(None, 7, &one.books.site(START)),
            |one| one.report(Outcome::SyncSuccess, Standing::Call, START),
        );
        assert!(one.is_banned(START + 100_000 * HOUR), "the operator's ban stands whatever else happened");
        assert_eq!(one.offences(START), u8::from(earned), "an earned ban is one offence, once");
        let expected = if success == Recorded::Counted { 52.0 } else { 50.0 };
        assert_eq!(one.score(START), expected, "a success that counted is in the frozen score, another is not");
    });
}

#[test]
fn an_unban_lifts_what_came_before_it() {
    explore("unban x success", 31, FULL, |turn| {
        let one = One::new(&config());
        one.record.ban_by_operator(None, 7, &one.books.site(START));
        let (lifted, success) = race(
            turn,
            &one,
            |one| one.record.unban(&one.books.site(START)),
            |one| one.report(Outcome::SyncSuccess, Standing::Call, START),
        );
        assert!(lifted, "a ban was in force");
        let expected = if success == Recorded::Counted { 52.0 } else { 50.0 };
        assert_eq!(one.score(START), expected, "the success is on top of the initial score, or was under the ban");
    });
}

#[test]
fn an_unban_and_a_second_ban() {
    explore("unban x operator's ban", 60, FULL, |turn| {
        let one = One::new(&config());
        one.record.ban_by_operator(Some(100), 7, &one.books.site(START));
        let (lifted, ()) = race(
            turn,
            &one,
            |one| one.record.unban(&one.books.site(START)),
            |one| one.record.ban_by_operator(None, 8, &one.books.site(START)),
        );
        assert!(lifted, "a ban was in force all the time");
        let events = one.books.happened();
        let given = events.iter().filter(|kind| **kind == EventKind::Banned(BanOrigin::Operator)).count();
        assert_eq!((given, events.len()), (2, 3), "each ban and the unban took effect once: {events:?}");
        let later = START + 100_000 * HOUR;
        assert_eq!(one.is_banned(START), one.is_banned(later), "what stands is the second ban, whole, or nothing");
    });
}

#[test]
fn a_check_after_a_view_of_the_ban_refuses() {
    explore("earned ban x view and check", 1610, FULL, |turn| {
        let mut config = config();
        config.circuit_breaker.failure_threshold = 31;
        let one = One::new(&config);
        for _ in 0..4 {
            one.report(Outcome::ProtocolViolation, Standing::Call, START);
        }
        let (_, (score, banned, asked)) = race(
            turn,
            &one,
            |one| one.report(Outcome::ProtocolViolation, Standing::Call, START),
            |one| {
                let wall = Wall { now: START, time: std::time::UNIX_EPOCH };
                let image = one.record.image(one.beside());
                // As the table does when it validates the image.
                fence(Ordering::Acquire);
                let view = image.view(&wall, [Rate::UNLIMITED; 2], &one.books.rules);
                (view.score, view.ban.is_some(), one.admit(Asker::Permit, START))
            },
        );
        if score == 0.0 {
            assert!(banned, "a view that shows the score that banned shows the ban");
        }
        if banned || score == 0.0 {
            let refusal = asked.expect_err("who has seen the ban is refused from then on");
            assert_eq!(refusal.reason, Reason::Banned);
        }
    });
}

#[test]
fn a_reset_lifts_the_ban_or_comes_before_it() {
    explore("reset x earned ban", 940, BOUNDED, |turn| {
        let one = One::new(&config());
        let (_, ()) = race(turn, &one, fatal, |one| one.record.reset(None, &one.books.site(START)));
        if one.is_banned(START) {
            assert_eq!(one.offences(START), 1, "a ban after the reset is the first offence");
        } else {
            assert_eq!(one.offences(START), 0, "a reset forgets the offences");
            assert_eq!(one.score(START), 50.0, "and sets the initial score");
        }
    });
}

/// Ten points at `START`, which decay towards fifty.
fn low() -> std::sync::Arc<One> {
    let mut config = config();
    config.circuit_breaker.failure_threshold = 31;
    let one = One::new(&config);
    for _ in 0..4 {
        one.report(Outcome::ProtocolViolation, Standing::Call, START);
    }
    one
}

/// What decay makes of ten points in ten hours.
fn after_ten_hours() -> f64 {
    50.0 - 40.0 * 0.99f64.powi(10)
}

#[test]
fn a_ban_freezes_the_score_as_decayed_by_then() {
    explore("earned ban x decay x success", 900, FULL, |turn| {
        let (one, now) = (low(), START + 10 * HOUR);
        let (_, success) = race(
            turn,
            &one,
            move |one| one.report(Outcome::Fatal, Standing::Call, now),
            move |one| one.report(Outcome::SyncSuccess, Standing::Call, now),
        );
        assert!(one.is_banned(now), "a fatal outcome bans");
        let expected = after_ten_hours() + if success == Recorded::Counted { 2.0 } else { 0.0 };
        for frozen in [one.score(now), one.score(now + HOUR / 2)] {
            assert!((frozen - expected).abs() < 0.01, "ten hours of decay are in the frozen score, once: {frozen}");
        }
        let ended = one.score(now + 11 * HOUR);
        let probation = 50.0 - 25.0 * 0.99f64.powi(10);
        assert!((ended - probation).abs() < 0.05, "after the ban decay begins anew at probation: {ended}");
    });
}

#[test]
fn an_operators_ban_freezes_the_score_as_decayed_by_then() {
    explore("operator's ban x decay x success", 230, FULL, |turn| {
        let (one, now) = (low(), START + 10 * HOUR);
        let ((), success) = race(
            turn,
            &one,
            move |one| one.record.ban_by_operator(None, 7, &one.books.site(now)),
            move |one| one.report(Outcome::SyncSuccess, Standing::Call, now),
        );
        let expected = after_ten_hours() + if success == Recorded::Counted { 2.0 } else { 0.0 };
        for frozen in [one.score(now), one.score(now + 100 * HOUR)] {
            assert!((frozen - expected).abs() < 0.01, "the score is frozen with ten hours of decay: {frozen}");
        }
    });
}

/// What a view shows.
fn shown_score(one: &One) -> f64 {
    let wall = Wall { now: START, time: std::time::SystemTime::UNIX_EPOCH };
    one.record.image(one.beside()).view(&wall, [Rate::UNLIMITED; 2], &one.books.rules).score
}

#[test]
fn an_operators_ban_freezes_the_score() {
    explore("operator's ban x failure", 330, FULL, |turn| {
        let one = One::new(&config());
        let (frozen, _) = race(
            turn,
            &one,
            |one| {
                one.record.ban_by_operator(None, 7, &one.books.site(START));
                shown_score(one)
            },
            |one| one.report(Outcome::SyncFailure, Standing::Call, START),
        );
        assert_eq!(shown_score(&one), frozen, "a report that looked before the ban does not move the score after it");
    });
}
