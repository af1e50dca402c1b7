//! The ring of events.

use std::sync::Arc;

use super::explore::{BOUNDED, FULL, explore, race, race3};
use super::stage::id;
use crate::event::EventKind;
use crate::event::drain::Drain;
use crate::event::ring::{Entry, Ring};

fn push(ring: &Ring, n: u64) {
    ring.push(n, id(n), EventKind::ProbesLost(n as u8));
}

fn is_whole(entry: &Entry) -> bool {
    entry.peer == id(entry.at) && entry.kind == EventKind::ProbesLost(entry.at as u8)
}

#[test]
fn a_reader_sees_no_mixture_while_a_writer_laps_it() {
    explore("ring: writer laps reader", 3150, BOUNDED, |turn| {
        let ring = Arc::new(Ring::new(1));
        push(&ring, 1);
        let ((), (entries, next, lost)) = race(turn, &ring, |ring| push(ring, 2), |ring| ring.read_from(0, 4));
        assert!(entries.iter().all(is_whole), "an event is read whole or not at all: {entries:?}");
        assert_eq!(entries.len() as u64 + lost, next, "each event up to the cursor was read or is told to be lost");
        let (rest, end, more) = ring.read_from(next, 4);
        assert_eq!(entries.len() as u64 + lost + rest.len() as u64 + more, end, "none is counted twice");
        assert_eq!(end, 2, "the reader comes to the end once writers are quiet");
    });
}

#[test]
fn two_writers_of_one_place() {
    explore("ring: writer laps writer", 60, FULL, |turn| {
        let ring = Arc::new(Ring::new(1));
        let ((), ()) = race(turn, &ring, |ring| push(ring, 1), |ring| push(ring, 2));
        let (entries, _, _) = ring.read_from(0, 4);
        assert!(entries.len() <= 1, "a ring of one place keeps one event");
        assert!(entries.iter().all(is_whole), "and that one is whole: {entries:?}");
        push(&ring, 3);
        let (entries, next, _) = ring.read_from(0, 4);
        assert!(entries.len() == 1 && entries[0].at == 3, "a place is never left claimed: {entries:?}");
        assert_eq!(next, 3);
    });
}

#[test]
fn two_writers_and_a_reader() {
    explore("ring: two writers x reader", 880, BOUNDED, |turn| {
        let ring = Arc::new(Ring::new(2));
        let ((), (entries, next, lost), ()) =
            race3(turn, &ring, |ring| push(ring, 1), |ring| ring.read_from(0, 4), |ring| push(ring, 2));
        assert!(entries.iter().all(is_whole), "an event is read whole or not at all: {entries:?}");
        let (rest, end, more) = ring.read_from(next, 4);
        let read = entries.len() as u64 + rest.len() as u64;
        assert_eq!((end, read + lost + more), (2, 2), "each event is read once or counted as lost once");
    });
}

#[test]
fn a_slow_writer_loses_no_event() {
    explore("ring with room: two writers x reader", 670, BOUNDED, |turn| {
        let ring = Arc::new(Ring::new(4));
        let ((), (entries, next, lost), ()) =
            race3(turn, &ring, |ring| push(ring, 1), |ring| ring.read_from(0, 4), |ring| push(ring, 2));
        let (rest, end, more) = ring.read_from(next, 4);
        let mut read: Vec<u64> = entries.iter().chain(&rest).map(|entry| entry.at).collect();
        read.sort_unstable();
        assert_eq!((read, end, lost + more), (vec![1, 2], 2, 0), "each event is read, whoever was the first to write");
    });
}

#[test]
fn a_lost_event_is_counted_once() {
    explore("drain: drain x count of the lost", 28, FULL, |turn| {
        let events = Arc::new((Ring::new(1), Drain::new()));
        push(&events.0, 1);
        push(&events.0, 2);
        let (drained, lost) =
            race(turn, &events, |(ring, drain)| drain.take(ring, 4), |(ring, drain)| drain.lost(ring));
        assert!(drained.len() == 1 && lost <= 1, "one of two events is lost: {lost}");
        assert_eq!(events.1.lost(&events.0), 1, "and in the end it is counted");
    });
}

#[test]
fn two_drains_share_the_events() {
    explore("drain: drain x drain", 33, BOUNDED, |turn| {
        let events = Arc::new((Ring::new(2), Drain::new()));
        (1..4).for_each(|n| push(&events.0, n));
        let (one, other) =
            race(turn, &events, |(ring, drain)| drain.take(ring, 1), |(ring, drain)| drain.take(ring, 1));
        let mut numbers: Vec<u64> = one.iter().chain(&other).map(|entry| entry.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2], "each event goes to one of them");
        assert_eq!(events.1.lost(&events.0), 1, "the first was overwritten");
    });
}
