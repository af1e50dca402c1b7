//! Closed to open.

use super::explore::{FULL, explore, race};
use super::stage::{One, START, config};
use crate::breaker::BreakerState;
use crate::breaker::gate::Generation;
use crate::counters::Total;
use crate::decision::Recorded;
use crate::event::EventKind;
use crate::peer::report::Standing;
use crate::reputation::outcome::Outcome;

const FIRST: Standing = Standing::Permit(Generation::FIRST);

#[test]
fn two_failers_trip_once() {
    explore("two failers trip once", 480, FULL, |turn| {
        let one = One::new(&config());
        one.report(Outcome::Timeout, FIRST, START);
        let (a, b) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| one.report(Outcome::MessageFailure, FIRST, START),
        );
        let gate = one.gate();
        assert_eq!(gate.state(), BreakerState::Open, "the second failure of the window opens the breaker");
        assert_eq!(gate.generation, Generation::FIRST.next(), "two failers make one transition");
        assert_eq!(one.books.happened(), [EventKind::Opened], "one trip is one event");
        assert_eq!(one.books.total(Total::Trips), 1, "one trip is counted once");
        let answers = [a, b];
        assert!(answers.contains(&Recorded::Counted), "the failure that trips counts");
        assert!(answers.contains(&Recorded::Stale), "the failure after the trip is of an earlier period");
        assert_eq!(one.score(START), 50.0 - 1.0 - 5.0 - 1.0, "the score takes every failure, stale or not");
    });
}

#[test]
fn two_failers_reach_the_threshold_together() {
    explore("two failers reach the threshold together", 40, FULL, |turn| {
        let one = One::new(&config());
        let (a, b) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| one.report(Outcome::MessageFailure, FIRST, START),
        );
        assert_eq!((a, b), (Recorded::Counted, Recorded::Counted), "both failures are of the closed period");
        assert_eq!(one.gate().state(), BreakerState::Open, "neither failure is lost");
        assert_eq!(one.gate().generation, Generation::FIRST.next(), "they make one transition");
        assert_eq!(one.books.happened(), [EventKind::Opened], "one trip is one event");
    });
}

#[test]
fn a_success_comes_before_the_trip_or_is_stale() {
    explore("success x failure that trips", 260, FULL, |turn| {
        let one = One::new(&config());
        one.report(Outcome::Timeout, FIRST, START);
        let (failure, success) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| one.report(Outcome::SyncSuccess, FIRST, START),
        );
        assert_eq!(failure, Recorded::Counted, "the failure counts in either order");
        match success {
            Recorded::Counted => {
                assert_eq!(one.gate().state(), BreakerState::Closed, "a success that counts empties the window");
                assert!(one.failures(START) <= 1, "only the failure after the success is left");
                assert_eq!(one.books.total(Total::Trips), 0, "nothing tripped");
            }
            Recorded::Stale => {
                assert_eq!(one.gate().state(), BreakerState::Open, "only a trip makes the success stale")
            }
            other => panic!("a success of the closed period is counted or stale, not {other:?}"),
        }
    });
}

#[test]
fn whoever_sees_the_window_full_completes_the_trip() {
    explore("trip x report without a permit", 490, FULL, |turn| {
        let one = One::new(&config());
        one.report(Outcome::Timeout, FIRST, START);
        let (_, (call, state)) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| {
                let call = one.report(Outcome::MessageFailure, Standing::Call, START);
                (call, one.gate().state())
            },
        );
        assert_eq!(state, BreakerState::Open, "after its own report no reporter sees the breaker closed");
        assert!(call == Recorded::Counted || call == Recorded::Ignored, "it trips or comes too late: {call:?}");
        assert_eq!(one.books.total(Total::Trips), 1, "one trip");
    });
}
