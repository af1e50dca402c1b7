//! Slots that are given out.

use std::sync::Arc;

use super::explore::{FULL, explore, race3};
use crate::table::slots::Slots;

#[test]
fn each_slot_is_given_to_one_newcomer() {
    explore("three newcomers at one home x two slots", 820, FULL, |turn| {
        let slots = Arc::new(Slots::new(2, true));
        let take = |slots: &Slots| slots.take(0);
        let (a, b, c) = race3(turn, &slots, take, take, take);
        let mut given: Vec<u32> = [a, b, c].into_iter().flatten().collect();
        given.sort_unstable();
        assert_eq!(given, [0, 1], "two get one each, and one gets none");
        assert!(slots.len() == 2 && slots.iter().eq(0..2));
    });
}
