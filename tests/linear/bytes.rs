//! All byte buckets of an upload as one object: each peer's, and the one that they share.
//!
//! A request holds bytes of the peer's bucket and then asks the shared one, and undoes what it holds when that refuses: what
//! time has paid for meanwhile does not come back. A newcomer's request asks in the other order, since it has no bucket yet.
//! Others may come between. Each may have held the peer's bytes once before: what failed by the recent time is asked again by
//! the exact.
//!
//! The shared bucket lends an eighth of its burst to threads that collide on it, and may have so much less than one that does
//! not; so a refusal, and what is left, may be owed to bytes that were lent. An admission never is.

use std::collections::BTreeMap;
use std::time::Duration;

use peerguard::{Reason, Rejection};

use crate::linear::fact::Fact;
use crate::linear::history::{Entry, History, KEYS};
use crate::linear::search::{Object, Op};
use crate::reference::bucket::{Bucket, Fit, Terms};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whose {
    Peer(usize),
    All,
}

#[derive(Debug)]
pub enum Atom {
    Take(Whose, u64),
    /// A take that the same request undoes later. Requests are told apart by when they were called.
    Hold(Whose, u64, u64),
    Undo(Whose, u64, u64),
    /// Refused, with the wait where it was told.
    Short(Whose, u64, Option<Duration>),
    Never(Whose, u64),
    Give(Whose, i128),
    /// The used share of the peer's bucket, and the bytes left in the shared one, with nobody at work.
    Used(Whose, f64),
    Left(Whose, u64),
}

#[derive(Clone, Debug)]
pub struct State {
    peers: [Bucket; KEYS],
    all: Bucket,
    /// What requests hold: each one's number, and the bucket as its take left it.
    held: BTreeMap<u64, Bucket>,
}

pub struct Buckets {
    pub peer: Terms,
    pub all: Terms,
}

pub fn ops(history: &History) -> Vec<Vec<Op<Atom>>> {
    history.ops(|entry| {
        let mut ways = ways(entry);
        let sees = |fact: &Fact| match fact {
            Fact::Take { answer, .. } => answer.is_err(),
            Fact::Try { taken, .. } => !taken,
            Fact::Refund { bytes, .. } => *bytes != 0,
            _ => false,
        };
        if history.times(entry).len() == 1 && !history.overlapped_by(entry, sees) {
            // Nobody was there to see what was held and given back at once: no time has passed, nobody was refused, and no refund
            // found the bucket full without it.
            ways.retain(|way| !matches!(way[..], [Atom::Hold(..), Atom::Undo(..), ..]));
        }
        ways
    })
}

fn ways(entry: &Entry) -> Vec<Vec<Atom>> {
    use Atom::{Give, Never, Short, Take};
    let peer = Whose::Peer(entry.key);
    let all = Whose::All;
    let hold = |whose, bytes| Atom::Hold(whose, bytes, entry.called);
    let undo = |whose, bytes| Atom::Undo(whose, bytes, entry.called);
    let short = |reason, bytes, wait| match reason {
        Reason::PeerBytes => vec![
            vec![Short(peer, bytes, wait)],
            vec![hold(peer, bytes), undo(peer, bytes), Short(peer, bytes, wait)],
            vec![hold(all, bytes), Short(peer, bytes, wait), undo(all, bytes)],
        ],
        Reason::GlobalBytes => vec![
            vec![hold(peer, bytes), Short(all, bytes, wait), undo(peer, bytes)],
            vec![hold(peer, bytes), undo(peer, bytes), hold(peer, bytes), Short(all, bytes, wait), undo(peer, bytes)],
            // A newcomer's bucket is asked when there is one.
            vec![Short(all, bytes, wait)],
        ],
        _ => Vec::new(),
    };
    let never = |bytes| {
        let twice = vec![hold(peer, bytes), undo(peer, bytes), hold(peer, bytes), Never(all, bytes), undo(peer, bytes)];
        vec![vec![Never(all, bytes)], vec![hold(peer, bytes), Never(all, bytes), undo(peer, bytes)], twice]
    };
    match &entry.fact {
        Fact::Take { bytes, answer: Ok(()) } | Fact::Try { bytes, taken: true } => {
            let again = vec![hold(peer, *bytes), undo(peer, *bytes), Take(peer, *bytes), Take(all, *bytes)];
            vec![vec![Take(peer, *bytes), Take(all, *bytes)], vec![Take(all, *bytes), Take(peer, *bytes)], again]
        }
        Fact::Take { bytes, answer: Err(no) } => match no {
            Rejection { reason: Reason::PeerExceedsBurst, .. } => vec![vec![Never(peer, *bytes)]],
            Rejection { reason: Reason::GlobalExceedsBurst, .. } => never(*bytes),
            Rejection { reason, retry_after } => short(*reason, *bytes, *retry_after),
        },
        Fact::Try { bytes, taken: false } => {
            let mut ways = short(Reason::PeerBytes, *bytes, None);
            ways.extend(short(Reason::GlobalBytes, *bytes, None));
            ways.push(vec![Never(peer, *bytes)]);
            ways.extend(never(*bytes));
            ways
        }
        Fact::Refund { back: [own, shared], .. } => {
            vec![vec![Give(all, *shared), Give(peer, *own)], vec![Give(peer, *own), Give(all, *shared)]]
        }
        Fact::Quiet { view: Some(view), all_left: Some(left), .. } => {
            vec![vec![Atom::Used(peer, view.upload_used), Atom::Left(all, *left)]]
        }
        _ => Vec::new(),
    }
}

pub fn start(now: u64) -> State {
    State { peers: [Bucket::full(now); KEYS], all: Bucket::full(now), held: BTreeMap::new() }
}

impl Buckets {
    fn of<'s>(&self, whose: Whose, state: &'s mut State) -> (&'s mut Bucket, &Terms) {
        match whose {
            Whose::Peer(key) => (&mut state.peers[key], &self.peer),
            Whose::All => (&mut state.all, &self.all),
        }
    }
}

/// What a bucket may lack, in units: the one of all peers may have lent it to threads that used it before time could fill it
/// again. It never has more than it should.
fn missing(whose: Whose, terms: &Terms) -> i128 {
    if whose == Whose::All { terms.lent() } else { 0 }
}

impl Object for Buckets {
    type State = State;
    type Atom = Atom;

    fn apply(&self, state: &State, atom: &Atom, now: u64, next: &mut Vec<State>) {
        let mut after = state.clone();
        let possible = match *atom {
            Atom::Take(whose, bytes) | Atom::Hold(whose, bytes, _) => {
                let (bucket, terms) = self.of(whose, &mut after);
                let fits = bucket.fit(now, bytes, terms) == Fit::Fits;
                bucket.take(now, bytes, terms);
                if let Atom::Hold(_, _, request) = *atom {
                    let left = *bucket;
                    after.held.insert(request, left);
                }
                fits
            }
            Atom::Undo(whose, bytes, request) => {
                let left = after.held.remove(&request).expect("what is undone was held");
                let (bucket, terms) = self.of(whose, &mut after);
                bucket.undo(&left, now, bytes, terms);
                true
            }
            Atom::Short(whose, bytes, wait) => {
                let (bucket, terms) = self.of(whose, &mut after);
                let told = |(least, most): (i128, i128)| {
                    let nanos = |units| (units + 1023) / 1024;
                    wait.is_none_or(|wait| (nanos(least)..=nanos(most)).contains(&(wait.as_nanos() as i128)))
                };
                bucket.short_by(now, bytes, missing(whose, terms), terms).is_some_and(told)
            }
            Atom::Never(whose, bytes) => {
                let (bucket, terms) = self.of(whose, &mut after);
                bucket.fit(now, bytes, terms) == Fit::Never
            }
            Atom::Give(whose, units) => {
                self.of(whose, &mut after).0.give_back(units);
                true
            }
            Atom::Used(whose, used) => {
                let (bucket, terms) = self.of(whose, &mut after);
                (bucket.used(now, terms) - used).abs() < 1e-12
            }
            Atom::Left(whose, left) => {
                let (bucket, terms) = self.of(whose, &mut after);
                let room = bucket.room(now, terms);
                let missing = terms.bytes_of(missing(whose, terms));
                (room.saturating_sub(missing)..=room).contains(&left)
            }
        };
        if possible {
            next.push(after);
        }
    }
}
