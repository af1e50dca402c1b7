//! Many peers at a time: the memory of all is asked for before the first is looked at.
//!
//! In a table that is larger than the caches a look-up waits for a record, and for an index line if the record is not at home.
//! A batch asks for what the next peers have at home first, then for the index lines of those who are not there, then for
//! their records, and decides only then, so that these waits overlap.

use super::{Inner, PeerGuard, Permit};
use crate::decision::Rejection;
use crate::id::PeerId;
use crate::table::Approach;

/// Peers whose memory is asked for together: a core waits for about so many lines at once.
const AHEAD: usize = 16;

impl PeerGuard {
    /// [`Self::admit`] for each of `peers`, in their order, as the iterator is advanced.
    ///
    /// The memory of 16 peers is asked for at a time: in a table larger than the processor's caches a batch takes a fraction of
    /// the time of single calls, in a small one it takes a little more. Allocates nothing.
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
        AdmitBatch { guard: self, peers, next: 0, ahead: [Approach::default(); AHEAD] }
    }
}

/// The answers to [`PeerGuard::admit_batch`].
#[must_use = "peers are asked as the iterator is advanced"]
#[derive(Debug)]
pub struct AdmitBatch<'a> {
    guard: &'a PeerGuard,
    peers: &'a [PeerId],
    next: usize,
    /// Of the peer `next` and those after it, up to a whole number of rounds.
    ahead: [Approach; AHEAD],
}

impl<'a> Iterator for AdmitBatch<'a> {
    type Item = Result<Permit<'a>, Rejection>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let peer = self.peers.get(self.next)?;
        let turn = self.next % AHEAD;
        if turn == 0 {
            self.guard.inner.ask_ahead(&self.peers[self.next..], &mut self.ahead);
        }
        self.next += 1;
        let inner = &self.guard.inner;
        let found = inner.table.arrive(peer, &self.ahead[turn]);
        Some(inner.admit_found(peer, found))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.peers.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for AdmitBatch<'_> {}

impl Inner {
    fn ask_ahead(&self, peers: &[PeerId], ahead: &mut [Approach; AHEAD]) {
        let table = &self.table;
        ahead.iter_mut().zip(peers).for_each(|(approach, peer)| *approach = table.set_out(peer));
        ahead.iter_mut().zip(peers).for_each(|(approach, peer)| table.look_home(peer, approach));
        ahead.iter().zip(peers).for_each(|(approach, _)| table.look_further(approach));
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
