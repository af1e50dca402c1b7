//! Handles of the C border: free against use, free against free, and handles that are stale.
//!
//! `membarrier` is modelled by what it stands for: a full fence on either side.

use std::sync::Arc;

use super::explore::{FULL, SHALLOW, explore, race, race3};
use crate::ffi::registry::{Kind, Registry};
use crate::ffi::seat::leave;
use crate::ffi::status::Failure;
use crate::sync::{Ordering, Word};

loom::lazy_static! {
    static ref OBJECTS: Registry<Object> = Registry::new(Kind::Guard);
}

/// An object that tells whether it has been dropped, and that a use leaves its mark on.
struct Object {
    number: u64,
    life: Arc<Word<u64>>,
    used: Word<u64>,
}

impl Object {
    fn new(number: u64) -> (Self, Arc<Word<u64>>) {
        let life = Arc::new(Word::new(1));
        (Self { number, life: life.clone(), used: Word::new(0) }, life)
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.life.store(0, Ordering::Relaxed);
    }
}

fn insert(number: u64) -> u64 {
    OBJECTS.insert(Object::new(number).0).expect("there is room")
}

/// Uses a handle: the object's number, unless it has gone.
fn use_it(handle: u64) -> Result<u64, Failure> {
    let object = OBJECTS.hold(handle)?;
    assert_eq!(object.life.load(Ordering::Relaxed), 1, "an object in use has not been dropped");
    // Relaxed: that the one who frees it sees this is the registry's to see to.
    object.used.store(1, Ordering::Relaxed);
    assert_eq!(object.life.load(Ordering::Relaxed), 1, "nor is it dropped before the use has ended");
    Ok(object.number)
}

/// Frees a handle: whether the object had been used.
fn free(handle: u64) -> Result<bool, Failure> {
    OBJECTS.remove(handle).map(|object| object.used.load(Ordering::Relaxed) == 1)
}

#[test]
fn no_object_is_dropped_under_a_use() {
    explore("handle: free x use", 120, FULL, |turn| {
        let handle = insert(7);
        let (freed, used) = race(turn, &Arc::new(()), move |()| free(handle), move |()| use_it(handle));
        assert!(
            used == Ok(7) || used == Err(Failure::Freed),
            "a use has the object or is told that it is freed: {used:?}"
        );
        assert_eq!(freed, Ok(used.is_ok()), "a free succeeds, and comes after every use that succeeded");
        assert_eq!(use_it(handle), Err(Failure::Freed), "use after free is answered with a code");
        assert_eq!(free(handle), Err(Failure::Freed), "and so is a second free");
    });
}

#[test]
fn of_two_frees_one_succeeds() {
    explore("handle: free x free", 70, FULL, |turn| {
        let handle = insert(7);
        let (a, b) = race(turn, &Arc::new(()), move |()| free(handle), move |()| free(handle));
        assert!(a != b, "one of them has freed it: {a:?} {b:?}");
        for answer in [a, b] {
            assert!(answer == Ok(false) || answer == Err(Failure::Freed), "the other is told so: {answer:?}");
        }
    });
}

#[test]
fn a_stale_handle_never_reaches_the_next_object() {
    explore("handle: use x free and slot used again", 160, FULL, |turn| {
        let first = insert(1);
        let (second, used) = race(
            turn,
            &Arc::new(()),
            move |()| {
                assert!(free(first).is_ok());
                insert(2)
            },
            move |()| use_it(first),
        );
        assert!(used == Ok(1) || used == Err(Failure::Freed), "a handle is of its own object or of none: {used:?}");
        assert_eq!(use_it(second), Ok(2), "the object that came after is there");
        assert_eq!(first as u32, second as u32, "in the same slot");
    });
}

#[test]
fn a_free_waits_for_every_seat() {
    explore("handle: free x use x use", 1900, SHALLOW, |turn| {
        let handle = insert(7);
        let (a, freed, b) =
            race3(turn, &Arc::new(()), move |()| use_it(handle), move |()| free(handle), move |()| use_it(handle));
        assert_eq!(freed, Ok(a.is_ok() || b.is_ok()), "the free comes after every use that succeeded");
    });
}

#[test]
fn a_seat_is_handed_on_with_nothing_in_use() {
    explore("handle: seat left x seat taken x free", 2900, SHALLOW, |turn| {
        let handle = insert(7);
        let use_and_leave = move |_: &()| {
            let used = use_it(handle);
            leave();
            used
        };
        // Whoever comes second may sit on the seat of the first.
        let (first, freed, second) = race3(turn, &Arc::new(()), use_and_leave, move |()| free(handle), use_and_leave);
        assert_eq!(freed, Ok(first.is_ok() || second.is_ok()), "the free sees the uses of either");
    });
}
