//! Opening by failure rate.

use std::sync::Arc;

use super::explore::{BOUNDED, FULL, explore, race};
use super::stage::{One, START, config};
use crate::breaker::BreakerState;
use crate::breaker::gate::Generation;
use crate::breaker::rate::{Counted, RateThreshold, RateWindow};
use crate::config::{Config, FailureRate};
use crate::counters::Total;
use crate::decision::Recorded;
use crate::event::EventKind;
use crate::peer::report::Standing;
use crate::reputation::outcome::Outcome;

const FIRST: Standing = Standing::Permit(Generation::FIRST);
/// Half of at least two calls.
const HALF: RateThreshold = RateThreshold { rate: 0.5, min_calls: 2 };

/// One call in slice `now`.
fn call(window: &RateWindow, now: u64, failed: bool) -> Counted {
    window.call(Generation::FIRST, now, false, failed, &HALF)
}

#[test]
fn two_failers_of_one_slice_reach_the_rate_once() {
    explore("rate: two failers of one slice", 130, FULL, |turn| {
        let window = Arc::new(RateWindow::new());
        let (a, b) = race(turn, &window, |window| call(window, 4, true), |window| call(window, 4, true));
        let mut answers = [a, b];
        answers.sort_unstable_by_key(|answer| *answer == Counted::Reached);
        assert_eq!(answers, [Counted::Added, Counted::Reached], "the second failure reaches the rate, whichever it is");
        assert_eq!(window.image().counts(Generation::FIRST, 4), (2, 2), "no call is lost");
        assert_eq!(call(&window, 4, false), Counted::Full, "whoever comes later finds the rate reached");
    });
}

#[test]
fn two_failers_of_neighbouring_slices_reach_the_rate_together() {
    explore("rate: two failers of two slices", 110, FULL, |turn| {
        let window = Arc::new(RateWindow::new());
        let (a, b) = race(turn, &window, |window| call(window, 4, true), |window| call(window, 5, true));
        assert!(
            [a, b].contains(&Counted::Reached),
            "two failures of two calls are half, whoever counts them: {a:?} {b:?}"
        );
        assert!(![a, b].contains(&Counted::Full), "and both are counted");
        assert_eq!(window.image().counts(Generation::FIRST, 5), (2, 2));
        assert_eq!(call(&window, 5, false), Counted::Full, "whoever comes later finds the rate reached");
    });
}

#[test]
fn a_slice_that_begins_anew_loses_no_call() {
    explore("rate: success x failure in a slice of a window before", 90, FULL, |turn| {
        let window = Arc::new(RateWindow::new());
        for _ in 0..2 {
            call(&window, 4, false);
        }
        // Slice 12 takes the word of slice 4, which has left the window.
        let (_, failed) = race(turn, &window, |window| call(window, 12, false), |window| call(window, 12, true));
        assert_eq!(
            window.image().counts(Generation::FIRST, 12),
            (2, 1),
            "the old slice is gone, and both calls are in"
        );
        assert!(failed != Counted::Full, "nothing had reached the rate before");
    });
}

fn by_rate() -> Config {
    let mut config = config();
    config.circuit_breaker.failure_threshold = 31;
    config.circuit_breaker.failure_rate = Some(FailureRate { rate: 0.5, min_calls: 2 });
    config
}

#[test]
fn two_failers_trip_by_rate_once() {
    explore("two failers trip by rate", 1500, BOUNDED, |turn| {
        let one = One::new(&by_rate());
        one.report(Outcome::SyncSuccess, FIRST, START);
        let (a, b) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| one.report(Outcome::MessageFailure, FIRST, START),
        );
        assert_eq!(one.gate().state(), BreakerState::Open, "half of the calls have failed");
        assert_eq!(one.gate().generation, Generation::FIRST.next(), "two failers make one transition");
        assert_eq!(one.books.happened(), [EventKind::Opened], "one trip is one event");
        assert_eq!(one.books.total(Total::Trips), 1, "one trip is counted once");
        assert!([a, b].contains(&Recorded::Counted), "the failure that trips counts");
        assert!([a, b].contains(&Recorded::Stale), "the failure after the trip is of an earlier period");
    });
}

#[test]
fn a_report_that_meets_a_reached_rate_completes_the_trip() {
    explore("trip by rate x report", 790, BOUNDED, |turn| {
        let one = One::new(&by_rate());
        one.report(Outcome::SyncSuccess, FIRST, START);
        let (failure, (success, state)) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| {
                let success = one.report(Outcome::SyncSuccess, FIRST, START);
                (success, one.gate().state())
            },
        );
        match success {
            Recorded::Counted => {}
            Recorded::Stale => assert_eq!(state, BreakerState::Open, "after a stale report its reporter sees why"),
            other => panic!("a success of the closed period is counted or stale, not {other:?}"),
        }
        assert_eq!(failure, Recorded::Counted, "the failure counts in either order");
        // One failure of two calls, or of three.
        let tripped = one.gate().state() == BreakerState::Open;
        assert_eq!(tripped, one.books.total(Total::Trips) == 1, "a trip is counted once");
        if success == Recorded::Stale {
            assert!(tripped, "only a trip makes the success stale");
        }
    });
}
