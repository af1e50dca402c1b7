//! Reports against operators.

use super::explore::{FULL, explore, race};
use super::stage::{One, SECOND, START, config};
use crate::breaker::gate::{Generation, Phase};
use crate::breaker::transition::Asker;
use crate::breaker::{BreakerState, Forced};
use crate::decision::{Reason, Recorded};
use crate::peer::report::Standing;
use crate::reputation::outcome::Outcome;

const FIRST: Standing = Standing::Permit(Generation::FIRST);

#[test]
fn a_forced_gate_survives_a_trip() {
    explore("force open x failure that trips", 80, FULL, |turn| {
        let one = One::new(&config());
        one.report(Outcome::Timeout, FIRST, START);
        let (failure, ()) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| one.record.force(Forced::Open, None, &one.books.site(START)),
        );
        assert_eq!(one.gate().forced, Forced::Open, "a trip never takes the operator's override away");
        let later = START + 100 * SECOND;
        let refusal = one.admit(Asker::Permit, later).expect_err("forced open refuses whatever the time");
        assert_eq!(refusal.reason, Reason::ForcedOpen);
        let tripped = failure == Recorded::Counted && one.gate().generation == Generation::FIRST.next().next();
        let forced = one.gate().generation == Generation::FIRST.next();
        assert!(tripped || forced, "each transition takes the next generation");
    });
}

#[test]
fn a_reset_is_not_undone_by_a_trip_of_the_period_before() {
    explore("reset x failure that trips", 330, FULL, |turn| {
        let one = One::new(&config());
        one.report(Outcome::Timeout, FIRST, START);
        let (failure, ()) = race(
            turn,
            &one,
            |one| one.report(Outcome::SyncFailure, FIRST, START),
            |one| one.record.reset(None, &one.books.site(START)),
        );
        let gate = one.gate();
        assert!(matches!(gate.phase, Phase::Closed { .. }), "after a reset only new failures open the breaker");
        assert_eq!(one.failures(START), 0, "the failure of the period before does not count in the new one");
        assert!(matches!(failure, Recorded::Counted | Recorded::Stale), "it counted before the reset or came too late");
    });
}

#[test]
fn a_probe_and_a_reset() {
    explore("reset x failed probe", 210, FULL, |turn| {
        let (one, _) = One::opened(&config());
        let permit = one.admit(Asker::Permit, START + 11 * SECOND).unwrap();
        let (_, ()) = race(
            turn,
            &one,
            move |one| one.report(Outcome::SyncFailure, Standing::Probe(permit.generation), START + 11 * SECOND),
            |one| one.record.reset(None, &one.books.site(START + 11 * SECOND)),
        );
        assert_eq!(one.gate().state(), BreakerState::Closed, "the reset comes after the failure or makes it stale");
    });
}
