//! Half-open: probes out, taken back, dropped; and results that come late.

use super::explore::{FULL, explore, race};
use super::stage::{One, SECOND, START, config};
use crate::breaker::BreakerState;
use crate::breaker::gate::Phase;
use crate::breaker::transition::Asker;
use crate::counters::Total;
use crate::decision::{Reason, Recorded};
use crate::event::EventKind;
use crate::peer::report::Standing;
use crate::reputation::outcome::Outcome;

/// The open time of the models is over.
const OVER: u64 = START + 11 * SECOND;
/// The lease of a probe that was admitted at `OVER` is over too.
const EXPIRED: u64 = OVER + 6 * SECOND;

fn slots_out(one: &One) -> u8 {
    match one.gate().phase {
        Phase::HalfOpen { probes, called, .. } => probes + called,
        _ => 0,
    }
}

#[test]
fn two_takers_for_the_first_probe() {
    explore("two takers for the first and only probe", 120, FULL, |turn| {
        let (one, closed) = One::opened(&config());
        let (a, b) = race(turn, &one, |one| one.admit(Asker::Permit, OVER), |one| one.admit(Asker::Permit, OVER));
        let admitted: Vec<_> = [a, b].into_iter().flatten().collect();
        assert_eq!(admitted.len(), 1, "one slot, one probe");
        assert!(admitted[0].probe, "who is admitted in half-open carries a probe");
        assert_eq!(admitted[0].generation, closed.next().next(), "opening and half-opening are one transition each");
        let refused = [a, b].into_iter().find_map(Result::err).unwrap();
        assert_eq!(refused.reason, Reason::ProbesOut, "the other is told that the probes are out");
        assert_eq!(slots_out(&one), 1, "the refused one holds no slot");
        assert_eq!(one.books.happened(), [EventKind::Opened, EventKind::HalfOpened], "half-open is announced once");
    });
}

#[test]
fn a_permit_and_a_call_for_the_last_slot() {
    explore("permit x call for the last of two slots", 17, FULL, |turn| {
        let mut config = config();
        config.circuit_breaker.half_open_max_probes = Some(2);
        let (one, _) = One::opened(&config);
        one.admit(Asker::Permit, OVER).unwrap();
        let (a, b) = race(turn, &one, |one| one.admit(Asker::Permit, OVER), |one| one.admit(Asker::Call, OVER));
        assert!(a.is_ok() != b.is_ok(), "one slot is left, and one of the two takes it");
        assert_eq!(slots_out(&one), 2, "no more probes are out than the limit");
    });
}

#[test]
fn a_report_before_the_take_back_counts_and_one_after_it_is_stale() {
    explore("report x probe timeout", 210, FULL, |turn| {
        let (one, _) = One::opened(&config());
        let permit = one.admit(Asker::Permit, OVER).unwrap();
        let (reported, asked) = race(
            turn,
            &one,
            // Its clock reading is of before the timeout.
            move |one| one.report(Outcome::SyncSuccess, Standing::Probe(permit.generation), OVER + SECOND),
            |one| one.admit(Asker::Permit, EXPIRED),
        );
        let asked = asked.expect("the slot is free, by the report or by the timeout");
        match reported {
            Recorded::Counted => {
                assert_eq!(one.gate().state(), BreakerState::Closed, "the success has closed the breaker");
                assert!(!asked.probe, "a closed breaker needs no probe");
                assert_eq!(one.books.total(Total::ProbesLost), 0, "a probe that reported is not lost");
            }
            Recorded::Stale => {
                assert!(asked.probe, "the probe was taken back and given anew");
                assert_eq!(asked.generation, permit.generation.next(), "taking back is a transition");
                assert_eq!(slots_out(&one), 1, "only the new probe is out");
                assert_eq!(one.books.total(Total::ProbesLost), 1, "the old one counts as lost, once");
            }
            other => panic!("a probe's success counts or is stale, not {other:?}"),
        }
    });
}

#[test]
fn two_askers_take_back_once() {
    explore("two askers x probe timeout", 120, FULL, |turn| {
        let (one, _) = One::opened(&config());
        let lost = one.admit(Asker::Permit, OVER).unwrap();
        let (a, b) = race(turn, &one, |one| one.admit(Asker::Permit, EXPIRED), |one| one.admit(Asker::Call, EXPIRED));
        assert!(a.is_ok() != b.is_ok(), "the slot that was taken back is given once");
        assert_eq!(one.books.total(Total::ProbesLost), 1, "one probe was lost, and is counted once");
        assert_eq!(one.gate().generation, lost.generation.next(), "taking back is one transition");
    });
}

#[test]
fn a_stale_report_does_not_touch_the_new_period() {
    explore("stale failure x probe that closes", 870, FULL, |turn| {
        let (one, closed) = One::opened(&config());
        let (probed, stale) = race(
            turn,
            &one,
            |one| {
                let permit = one.admit(Asker::Permit, OVER).unwrap();
                one.report(Outcome::SyncSuccess, Standing::Probe(permit.generation), OVER)
            },
            move |one| one.report(Outcome::MessageFailure, Standing::Permit(closed), OVER),
        );
        assert_eq!(probed, Recorded::Counted, "the probe's success counts");
        assert_eq!(stale, Recorded::Stale, "a result of the first period is stale in any later one");
        assert_eq!(one.gate().state(), BreakerState::Closed, "the stale failure re-opens nothing");
        assert_eq!(one.failures(OVER), 0, "nor does it count in the new period");
        assert_eq!(one.books.total(Total::Trips), 1, "only the first trip is counted");
    });
}

#[test]
fn a_dropped_permit_gives_its_slot_back_once() {
    explore("dropped permit x asker", 12, FULL, |turn| {
        let (one, _) = One::opened(&config());
        let permit = one.admit(Asker::Permit, OVER).unwrap();
        let (dropped, asked) = race(
            turn,
            &one,
            move |one| one.report(Outcome::Cancelled, Standing::Probe(permit.generation), OVER),
            |one| one.admit(Asker::Permit, OVER),
        );
        assert_eq!(dropped, Recorded::Ignored, "a drop is neither success nor failure");
        assert_eq!(slots_out(&one), u8::from(asked.is_ok()), "the slot is out only if the asker has it");
        assert_eq!(one.gate().generation, permit.generation, "a drop is no transition");
        if asked.is_err() {
            assert!(one.admit(Asker::Permit, OVER).is_ok(), "the slot that came back can be taken");
        }
    });
}

#[test]
fn a_drop_and_a_failure_of_two_probes() {
    explore("dropped permit x failed probe", 100, FULL, |turn| {
        let mut config = config();
        config.circuit_breaker.half_open_max_probes = Some(2);
        let (one, _) = One::opened(&config);
        let [first, second] = [(); 2].map(|()| one.admit(Asker::Permit, OVER).unwrap().generation);
        let (_, failed) = race(
            turn,
            &one,
            move |one| one.report(Outcome::Cancelled, Standing::Probe(first), OVER),
            move |one| one.report(Outcome::SyncFailure, Standing::Probe(second), OVER),
        );
        assert_eq!(failed, Recorded::Counted, "the failure counts whether the other slot is out or not");
        assert_eq!(one.gate().state(), BreakerState::Open, "one failed probe re-opens");
        assert_eq!(one.gate().generation, first.next(), "once");
    });
}
