//! Many peers at a time: the memory of the next ones is asked for while the first are looked at.
//!
//! In a table that is larger than the caches a look-up waits for an index line and then for a record. A batch asks for the
//! index lines of a peer two dozen peers ahead, for the record that they name one dozen ahead, and decides when both are there.

use super::{PeerGuard, Permit};
use crate::decision::Rejection;
use crate::id::PeerId;
use crate::table::Place;

/// Peers between one step of a look-up and its next: so many that memory comes meanwhile.
const STEP: usize = 12;
/// Peers that are on their way at one time.
const AHEAD: usize = 2 * STEP;
/// Places for them, a power of two.
const ROOM: usize = (AHEAD + 1).next_power_of_two();

impl PeerGuard {
    /// [`Self::admit`] for each of `peers`, in their order, as the iterator is advanced.
    ///
    /// The memory of the next peers is asked for meanwhile: in a table larger than the processor's caches a batch takes a
    /// fraction of the time of single calls, in a small one about the same. Allocates nothing.
    ///
    /// ```
    /// # use peerguard::{Config, PeerGuard, PeerId};
    /// # let guard = PeerGuard::new(Config::default()).unwrap();
    /// # let peers: Vec<PeerId> = (0..64u64).map(|n| PeerId::digest(&n.to_le_bytes())).collect();
    /// for (peer, answer) in peers.iter().zip(guard.admit_batch(&peers)) {
    ///     match answer {
    ///         Ok(permit) => drop(permit.success(None)),
    ///         Err(no) => println!("{peer}: {no}"),
    ///     }
    /// }
    /// ```
    pub fn admit_batch<'a>(&'a self, peers: &'a [PeerId]) -> AdmitBatch<'a> {
        AdmitBatch { guard: self, peers, next: 0, places: [Place::default(); ROOM] }
    }
}

/// The answers to [`PeerGuard::admit_batch`].
#[must_use = "peers are asked as the iterator is advanced"]
#[derive(Debug)]
pub struct AdmitBatch<'a> {
    guard: &'a PeerGuard,
    peers: &'a [PeerId],
    next: usize,
    /// Of the peer `next` and those after it, as far as they are on their way.
    places: [Place; ROOM],
}

impl<'a> Iterator for AdmitBatch<'a> {
    type Item = Result<Permit<'a>, Rejection>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let peer = self.peers.get(self.next)?;
        if self.next == 0 {
            (0..AHEAD).for_each(|i| self.go_on(i));
        }
        self.go_on(self.next + AHEAD);
        let place = &self.places[self.next % ROOM];
        self.next += 1;
        let inner = &self.guard.inner;
        Some(inner.admit_found(peer, inner.table.find_placed(peer, place)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.peers.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for AdmitBatch<'_> {}

impl AdmitBatch<'_> {
    /// Starts the look-up of peer `i`, and brings that of one before it a step further.
    #[inline]
    fn go_on(&mut self, i: usize) {
        let table = &self.guard.inner.table;
        if let Some(peer) = self.peers.get(i) {
            self.places[i % ROOM] = table.ask_for_groups(peer);
        }
        if let Some(i) = i.checked_sub(STEP)
            && i < self.peers.len()
        {
            table.ask_for_hinted(&self.places[i % ROOM]);
        }
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use crate::{Config, Reason};

    #[test]
    fn a_batch_answers_as_single_calls_do() {
        let guard = PeerGuard::new(Config { max_peers: 64, ..Config::default() }).unwrap();
        let peers: Vec<PeerId> = (0..3 * AHEAD as u64 + 5).map(|n| PeerId::digest(&n.to_le_bytes())).collect();
        for peer in peers.iter().step_by(3) {
            guard.force_open(peer).unwrap();
        }
        let batch = guard.admit_batch(&peers);
        assert_eq!(batch.len(), peers.len());
        let answers: Vec<_> = batch.map(|answer| answer.map(|permit| permit.peer()).map_err(|no| no.reason)).collect();
        let single = |(i, peer): (usize, &PeerId)| if i % 3 == 0 { Err(Reason::ForcedOpen) } else { Ok(*peer) };
        assert!(answers.into_iter().eq(peers.iter().enumerate().map(single)));
        assert_eq!(guard.admit_batch(&[]).count(), 0);
    }
}
