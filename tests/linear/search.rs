//! The search for a legal order.
//!
//! Depth first over how far each thread has come. A thread's next operation may be taken when no other thread's next one
//! ended before it began. Where the search has been, with the same state, it does not go again: what it remembers is a
//! fingerprint, so that two states which happen to share one could make a legal history look illegal, never the reverse.

use std::collections::HashSet;
use std::fmt::{self, Debug, Write};
use std::hash::{DefaultHasher, Hasher};

/// Something that changes by one atom after the other.
pub trait Object {
    type State: Clone + Debug;
    type Atom: Debug;

    /// Puts into `next` every state in which the object may be after `atom`, done at `now`, with the answer that it had;
    /// none if it cannot have had that answer.
    fn apply(&self, state: &Self::State, atom: &Self::Atom, now: u64, next: &mut Vec<Self::State>);
}

/// An operation: one of several ways of taking effect, each of them atoms one after the other.
#[derive(Debug)]
pub struct Op<A> {
    /// Stamps before the call and after it.
    pub called: u64,
    pub returned: u64,
    /// What the clock may have said to it.
    pub times: Vec<u64>,
    pub ways: Vec<Vec<A>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Legal,
    /// No order explains it.
    Illegal,
    /// The search was given up.
    Undecided,
}

/// How far a thread has come: operations done, and in the one begun the way and the atoms done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Place {
    op: u16,
    way: u8,
    atom: u8,
}

/// Steps after which a search is given up.
pub const MOST_STEPS: u64 = 20_000_000;

pub struct Search<'a, O: Object> {
    object: &'a O,
    threads: &'a [Vec<Op<O::Atom>>],
    tried: HashSet<(Vec<Place>, u64)>,
    pub steps: u64,
    /// Most operations that could be put in an order.
    pub deepest: usize,
}

impl<'a, O: Object> Search<'a, O> {
    pub fn new(object: &'a O, threads: &'a [Vec<Op<O::Atom>>]) -> Self {
        Self { object, threads, tried: HashSet::new(), steps: 0, deepest: 0 }
    }

    pub fn run(&mut self, start: O::State) -> Verdict {
        // An explicit stack: places, and the state there.
        let mut open = vec![(vec![Place::default(); self.threads.len()], start)];
        let mut next = Vec::new();
        while let Some((places, state)) = open.pop() {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return Verdict::Undecided;
            }
            let done: usize = places.iter().map(|place| usize::from(place.op)).sum();
            self.deepest = self.deepest.max(done);
            if self.is_end(&places) {
                return Verdict::Legal;
            }
            let first_return = self.ops_at(&places).map(|op| op.returned).min().unwrap_or(u64::MAX);
            for thread in 0..self.threads.len() {
                let place = places[thread];
                let Some(op) = self.threads[thread].get(usize::from(place.op)) else { continue };
                if op.called > first_return {
                    continue;
                }
                let ways =
                    if place.atom == 0 { 0..op.ways.len() } else { place.way.into()..usize::from(place.way) + 1 };
                // The first way is tried first: what is pushed last is.
                for way in ways.rev() {
                    self.advance((&places, &state), thread, way, &mut next);
                    for (places, state) in next.drain(..) {
                        if self.tried.insert((places.clone(), fingerprint(&state))) {
                            open.push((places, state));
                        }
                    }
                }
            }
        }
        Verdict::Illegal
    }

    fn ops_at<'s>(&'s self, places: &'s [Place]) -> impl Iterator<Item = &'a Op<O::Atom>> + 's {
        let threads = self.threads;
        places.iter().zip(threads).filter_map(|(place, ops)| ops.get(usize::from(place.op)))
    }

    fn is_end(&self, places: &[Place]) -> bool {
        self.ops_at(places).next().is_none()
    }

    /// The next atom of a thread's operation, by each time that it may have read.
    fn advance(
        &self,
        (places, state): (&[Place], &O::State),
        thread: usize,
        way: usize,
        next: &mut Vec<(Vec<Place>, O::State)>,
    ) {
        let place = places[thread];
        let op = &self.threads[thread][usize::from(place.op)];
        let atoms = &op.ways[way];
        let mut states = Vec::new();
        let done = match atoms.get(usize::from(place.atom)) {
            None => {
                states.push(state.clone());
                true
            }
            Some(atom) => {
                op.times.iter().for_each(|now| self.object.apply(state, atom, *now, &mut states));
                usize::from(place.atom) + 1 == atoms.len()
            }
        };
        let to = if done {
            Place { op: place.op + 1, way: 0, atom: 0 }
        } else {
            Place { op: place.op, way: way as u8, atom: place.atom + 1 }
        };
        for state in states {
            let mut places = places.to_vec();
            places[thread] = to;
            next.push((places, state));
        }
    }
}

/// A hash of what the state prints.
fn fingerprint(state: &impl Debug) -> u64 {
    struct Hashing(DefaultHasher);
    impl fmt::Write for Hashing {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut hashing = Hashing(DefaultHasher::new());
    write!(hashing, "{state:?}").expect("hashing does not fail");
    hashing.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register and a counter at once: enough to tell orders apart.
    struct Register;

    #[derive(Clone, Copy, Debug)]
    enum Atom {
        Write(u32),
        Read(u32),
        /// Adds one; the answer is what stood there before.
        Add(u32),
    }

    impl Object for Register {
        type State = u32;
        type Atom = Atom;

        fn apply(&self, state: &u32, atom: &Atom, _now: u64, next: &mut Vec<u32>) {
            match *atom {
                Atom::Write(value) => next.push(value),
                Atom::Read(value) if value == *state => next.push(value),
                Atom::Add(before) if before == *state => next.push(before + 1),
                Atom::Read(_) | Atom::Add(_) => {}
            }
        }
    }

    fn op(called: u64, returned: u64, atoms: &[Atom]) -> Op<Atom> {
        Op { called, returned, times: vec![0], ways: vec![atoms.to_vec()] }
    }

    fn verdict(threads: &[Vec<Op<Atom>>]) -> Verdict {
        Search::new(&Register, threads).run(0)
    }

    #[test]
    fn a_read_of_what_was_overwritten_before_it_began_is_illegal() {
        let write = || op(0, 1, &[Atom::Write(7)]);
        assert_eq!(verdict(&[vec![write()], vec![op(2, 3, &[Atom::Read(0)])]]), Verdict::Illegal);
        assert_eq!(verdict(&[vec![write()], vec![op(2, 3, &[Atom::Read(7)])]]), Verdict::Legal);
    }

    #[test]
    fn overlapping_operations_may_stand_in_either_order() {
        for seen in [0, 7] {
            assert_eq!(
                verdict(&[vec![op(0, 3, &[Atom::Write(7)])], vec![op(1, 2, &[Atom::Read(seen)])]]),
                Verdict::Legal
            );
        }
    }

    #[test]
    fn two_readers_that_see_two_writes_in_different_orders_are_illegal() {
        let threads = |first: [u32; 2], second: [u32; 2]| {
            [
                vec![op(0, 9, &[Atom::Write(1)])],
                vec![op(0, 9, &[Atom::Write(2)])],
                first.map(|seen| op(0, 9, &[Atom::Read(seen)])).into(),
                second.map(|seen| op(0, 9, &[Atom::Read(seen)])).into(),
            ]
        };
        assert_eq!(verdict(&threads([1, 2], [1, 2])), Verdict::Legal);
        assert_eq!(verdict(&threads([1, 2], [2, 1])), Verdict::Illegal);
    }

    #[test]
    fn a_lost_update_is_illegal() {
        assert_eq!(verdict(&[vec![op(0, 2, &[Atom::Add(0)])], vec![op(1, 3, &[Atom::Add(0)])]]), Verdict::Illegal);
        assert_eq!(verdict(&[vec![op(0, 2, &[Atom::Add(1)])], vec![op(1, 3, &[Atom::Add(0)])]]), Verdict::Legal);
    }

    #[test]
    fn a_threads_own_order_is_kept() {
        let threads = [vec![op(0, 9, &[Atom::Write(1)]), op(0, 9, &[Atom::Read(0)])]];
        assert_eq!(verdict(&threads), Verdict::Illegal);
    }

    #[test]
    fn others_may_come_between_the_atoms_of_one_operation() {
        let between = |seen| [vec![op(0, 9, &[Atom::Write(1), Atom::Write(0)])], vec![op(1, 2, &[Atom::Read(seen)])]];
        assert_eq!(verdict(&between(1)), Verdict::Legal);
        assert_eq!(verdict(&between(2)), Verdict::Illegal);
    }

    #[test]
    fn one_of_several_ways_is_enough_and_ways_are_not_mixed() {
        let ways = |ways: &[&[Atom]]| {
            vec![Op { called: 0, returned: 1, times: vec![0], ways: ways.iter().map(|way| way.to_vec()).collect() }]
        };
        let either = ways(&[&[Atom::Read(5)], &[Atom::Read(0), Atom::Write(2)]]);
        assert_eq!(verdict(&[either, vec![op(2, 3, &[Atom::Read(2)])]]), Verdict::Legal);
        let mixed = ways(&[&[Atom::Read(0), Atom::Read(1)], &[Atom::Write(1), Atom::Read(0)]]);
        assert_eq!(verdict(&[mixed]), Verdict::Illegal);
    }
}
