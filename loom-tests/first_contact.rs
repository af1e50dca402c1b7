//! First contact, eviction, and those who hold a record meanwhile.

use super::explore::{BOUNDED, FULL, SHALLOW, explore, race, race3};
use super::stage::{Many, START, id};
use crate::breaker::Forced;
use crate::config::PeerLimits;
use crate::reputation::outcome::Outcome;
use crate::sync::Ordering;
use crate::table::{Pin, Tenancy};

const A: u64 = 1;
const B: u64 = 2;

fn tenancy_of(many: &Many, peer: u64) -> Option<Tenancy> {
    many.table.find(&id(peer)).map(|found| found.tenancy)
}

fn hinted(many: &Many, peer: u64) -> Option<Tenancy> {
    many.table.find_hinted(&id(peer)).map(|found| found.tenancy)
}

fn is_banned(many: &Many, peer: u64) -> bool {
    let site = many.books.site(START);
    many.table.pin_found(&id(peer)).is_some_and(|pin| pin.record().ban_in_force(&site).is_some())
}

#[test]
fn two_first_reports_of_one_peer_make_one_record() {
    explore("two first reports of one new peer", 2370, FULL, |turn| {
        let many = Many::new(2);
        let (a, b) = race(
            turn,
            &many,
            |many| many.report(&id(A), Outcome::SyncSuccess),
            |many| many.report(&id(A), Outcome::SyncFailure),
        );
        assert!(a && b, "there is room");
        assert_eq!(many.tenants(), [(id(A), 1, 1)], "one key has one record, and both outcomes are in it");
    });
}

#[test]
fn two_newcomers_for_one_slot() {
    explore("two newcomers for one slot", 1020, FULL, |turn| {
        let many = Many::new(1);
        let (a, b) = race(
            turn,
            &many,
            |many| many.report(&id(A), Outcome::SyncSuccess),
            |many| many.report(&id(B), Outcome::SyncFailure),
        );
        assert!(a || b, "the slot goes to one of them");
        let tenants = many.tenants();
        let own = [(id(A), 1, 0), (id(B), 0, 1)];
        assert!(
            tenants.len() == 1 && own.contains(&tenants[0]),
            "the record holds its own peer's outcome only: {tenants:?}"
        );
    });
}

#[test]
fn no_outcome_is_credited_to_the_next_tenant() {
    explore("insert x evict x report", 130, FULL, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        let seen = tenancy_of(&many, A).unwrap();
        let (inserted, credited) = race(
            turn,
            &many,
            |many| many.report(&id(B), Outcome::SyncFailure),
            // As a permit does that has seen the record and reports later.
            move |many| match many.table.pin(seen, &id(A)) {
                Some(pin) => {
                    pin.record().sync_successes.add(1, Ordering::Relaxed);
                    true
                }
                None => false,
            },
        );
        assert!(inserted || credited, "the record is pinned or it goes");
        let expected = if inserted { (id(B), 0, 1) } else { (id(A), u64::from(credited), 0) };
        assert_eq!(many.tenants(), [expected], "the outcome of one peer is not in the record of another");
    });
}

#[test]
fn a_check_never_sees_the_next_tenants_gate() {
    explore("check x evict and insert", 460, FULL, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        let ((), found) = race(
            turn,
            &many,
            |many| {
                let site = many.books.site(START);
                let pin = many.table.pin_or_insert(&id(B), &site).ok().expect("an idle record goes");
                pin.record().force(Forced::Open, None, &site);
            },
            |many| many.table.find(&id(A)).map(|found| found.gate),
        );
        if let Some(gate) = found {
            assert!(gate.admits(), "a check of a peer that may pass never reads another's forced gate");
        }
        assert_eq!(many.tenants().len(), 1, "one slot, one record");
        assert!(tenancy_of(&many, A).is_none() && tenancy_of(&many, B).is_some(), "the newcomer has taken the place");
    });
}

#[test]
fn a_check_finds_a_newcomer_with_its_own_gate() {
    explore("check of a newcomer x evict and insert", 60, FULL, |turn| {
        let many = Many::new(1);
        for _ in 0..2 {
            assert!(many.report(&id(A), Outcome::Timeout));
        }
        let (inserted, found) =
            race(turn, &many, |many| many.meet(&id(B)), |many| many.table.find(&id(B)).map(|found| found.gate));
        assert!(inserted, "an idle record goes");
        assert!(
            found.is_none_or(|gate| gate.admits()),
            "a newcomer's check never reads the open gate of who was there"
        );
    });
}

#[test]
fn a_check_by_hint_never_sees_the_next_tenants_gate() {
    explore("check by hint x evict and insert", 750, SHALLOW, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        let ((), found) = race(
            turn,
            &many,
            |many| {
                let site = many.books.site(START);
                let pin = many.table.pin_or_insert(&id(B), &site).ok().expect("an idle record goes");
                pin.record().force(Forced::Open, None, &site);
            },
            |many| many.table.find_hinted(&id(A)).map(|found| found.gate),
        );
        if let Some(gate) = found {
            assert!(gate.admits(), "a check of a peer that may pass never reads another's forced gate");
        }
        assert!(hinted(&many, A).is_none(), "who has gone is not found");
        assert_eq!(hinted(&many, B), tenancy_of(&many, B), "the newcomer is found by its hint");
    });
}

#[test]
fn who_has_a_record_is_found_by_its_hint() {
    explore("check by hint x first contact of another", 140, BOUNDED, |turn| {
        let many = Many::new(2);
        assert!(many.meet(&id(A)));
        let (made, found) = race(turn, &many, |many| many.meet(&id(B)), |many| hinted(many, A));
        assert!(made && found.is_some(), "a first contact hides nobody");
        assert_eq!(hinted(&many, B), tenancy_of(&many, B), "and is found when it is over");
    });
}

#[test]
fn an_operators_ban_survives_an_eviction_that_has_judged() {
    explore("operator's ban x eviction", 10250, BOUNDED, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        let (banned, _) = race(
            turn,
            &many,
            |many| {
                let site = many.books.site(START);
                let Ok(pin) = many.table.pin_or_insert(&id(A), &site) else { return false };
                pin.record().ban_by_operator(None, 7, &site);
                true
            },
            |many| many.meet(&id(B)),
        );
        if banned {
            assert!(is_banned(&many, A), "an operator's ban that was accepted is in force, whoever came meanwhile");
        }
        assert_eq!(many.tenants().len(), 1, "one slot, one record");
    });
}

#[test]
fn own_limits_survive_an_eviction_that_has_judged() {
    explore("own limits x eviction", 9950, BOUNDED, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        let (limited, _) = race(
            turn,
            &many,
            |many| {
                let Ok(pin) = many.table.pin_or_insert(&id(A), &many.books.site(START)) else { return false };
                // Unlike a ban this makes no event, whose fence would publish it: only the unpin does.
                pin.record().set_limits(many.table.limits(pin.slot()), PeerLimits { upload: Some(5), download: None });
                true
            },
            |many| many.meet(&id(B)),
        );
        if limited {
            assert!(tenancy_of(&many, A).is_some(), "a record with an operator's limits does not go");
        }
    });
}

#[test]
fn a_pinned_record_stays() {
    explore("pinned record x evict", 19, FULL, |turn| {
        let many = Many::new(1);
        let held =
            many.table.pin_or_insert(&id(A), &many.books.site(START)).ok().and_then(Pin::keep).expect("there is room");
        let ((), inserted) = race(
            turn,
            &many,
            move |many| {
                many.table.record(held.slot).sync_successes.add(1, Ordering::Relaxed);
                many.table.unpin(held.slot);
            },
            |many| many.report(&id(B), Outcome::SyncFailure),
        );
        let expected = if inserted { (id(B), 0, 1) } else { (id(A), 1, 0) };
        assert_eq!(many.tenants(), [expected], "what was written under the pin is in its record, or went with it");
    });
}

#[test]
fn a_second_pin_keeps_the_record_when_the_first_is_given_back() {
    explore("unpin x pin x evict", 3280, BOUNDED, |turn| {
        let many = Many::new(1);
        let held =
            many.table.pin_or_insert(&id(A), &many.books.site(START)).ok().and_then(Pin::keep).expect("there is room");
        let ((), inserted, pinned) = race3(
            turn,
            &many,
            move |many| many.table.unpin(held.slot),
            |many| many.meet(&id(B)),
            |many| many.table.pin_found(&id(A)).and_then(Pin::keep),
        );
        if pinned.is_some() {
            assert!(tenancy_of(&many, A).is_some(), "a record that was found and pinned is still there");
            assert!(!inserted, "and nobody has got its place");
        }
    });
}

#[test]
fn a_peer_with_as_many_pins_as_fit_gets_no_second_record() {
    explore("last pin given back x first contact", 210, FULL, |turn| {
        let many = Many::new(2);
        let pin = |many: &Many| many.table.pin_or_insert(&id(A), &many.books.site(START)).ok().and_then(Pin::keep);
        // As many as fit under loom.
        let [held, ..] = [(); 3].map(|()| pin(&many).expect("so many pins fit"));
        assert_eq!(pin(&many), None, "one more does not");
        let ((), pinned) = race(turn, &many, move |many| many.table.unpin(held.slot), pin);
        assert_eq!(many.tenants().len(), 1, "a peer whose record cannot be pinned has one record all the same");
        assert!(pinned.is_none_or(|pinned| pinned == held), "and a pin is on that one");
        assert_eq!(pin(&many).is_some(), pinned.is_none(), "the pin that was given back can be taken, once");
    });
}
