//! The clock's cell: the last exact reading and its tick.

use std::sync::Arc;

use super::explore::{BOUNDED, FULL, explore, race, race3};
use crate::clock::Coarse;

#[test]
fn a_new_tick_never_shows_the_reading_of_an_old_one() {
    explore("clock: two readers of a new tick", 60, FULL, |turn| {
        let cell = Arc::new(Coarse::new());
        assert_eq!(cell.read_by(4, || 5), 5, "the first reading of a tick is exact");
        assert_eq!(cell.read_by(4, || 6), 5, "and is lent to the next reader");
        let (a, b) = race(turn, &cell, |cell| cell.read_by(8, || 9), |cell| cell.read_by(8, || 10));
        for time in [a, b] {
            assert!(time == 9 || time == 10, "a reading is of the tick that the coarse clock says: {time}");
        }
        let lent = cell.read_by(8, || 11);
        assert!(lent == 9 || lent == 10, "one of the two has published its reading: {lent}");
    });
}

#[test]
fn a_writer_that_was_held_up_lends_its_time_to_nobody() {
    explore("clock: held-up writer x two readers", 5600, BOUNDED, |turn| {
        let cell = Arc::new(Coarse::new());
        let (held_up, (first, second), other) = race3(
            turn,
            &cell,
            // It has read both clocks at tick 6, and goes on now.
            |cell| cell.read_by(6, || 7),
            |cell| (cell.read_by(8, || 9), cell.read_by(8, || 10)),
            |cell| cell.read_by(8, || 11),
        );
        assert_eq!(held_up, 7, "its own time is what it read");
        assert!(
            first >= 9 && second >= 9 && other >= 9,
            "at tick 8 no time of tick 6 is shown: {first} {second} {other}"
        );
        assert!(second >= first, "and the time of one thread does not go back: {first} {second}");
    });
}
