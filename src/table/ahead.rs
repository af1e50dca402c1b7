//! Look-ups of many peers at a time, each in steps between which its memory comes.

use super::memory::prefetch;
use super::{Found, Place, Table, Tenancy, ask_for_counts};
use crate::id::PeerId;

/// How far a look-up has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Approach {
    place: Place,
    /// Where the peer's key was seen, if it is at home.
    seen: Option<u32>,
}

impl Table {
    /// First step: asks for the keys at the peer's home.
    #[inline]
    pub(crate) fn set_out(&self, id: &PeerId) -> Approach {
        let place = self.place(&id.words());
        self.home(&place).into_iter().for_each(prefetch);
        Approach { place, seen: None }
    }

    /// Second step: asks for the rest of a record that is at home, and else for the groups that know where it is.
    #[inline]
    pub(crate) fn look_home(&self, id: &PeerId, approach: &mut Approach) {
        let words = id.words();
        let holds = |slot: &u32| self.records.get(*slot as usize).is_some_and(|record| record.holds(&words));
        // Nothing is certain yet: the last step validates.
        approach.seen = (approach.place.home..).take(2).find(holds);
        match approach.seen {
            Some(slot) => ask_for_counts(self.record(slot)),
            None => approach.place.groups.iter().for_each(|&group| prefetch(&self.groups[group])),
        }
    }

    /// Third step: asks for the records that may be the peer's, if it was not at home.
    #[inline]
    pub(crate) fn look_further(&self, approach: &Approach) {
        let Approach { place, seen: None } = approach else { return };
        let entries = place.groups.iter().flat_map(|&group| self.groups[group].matching(place.tag));
        entries.for_each(|entry| self.ask_for_record(entry.tenancy().slot));
    }

    /// Last step: as [`Table::find`].
    #[inline]
    pub(crate) fn arrive(&self, id: &PeerId, approach: &Approach) -> Option<Found<'_>> {
        let words = id.words();
        self.find_where_seen(&words, approach).or_else(|| self.find_at(&words, &approach.place))
    }

    #[inline]
    fn find_where_seen(&self, words: &[u64; 4], approach: &Approach) -> Option<Found<'_>> {
        let slot = approach.seen?;
        let life = self.record(slot).tenant()?;
        self.examine(Tenancy { slot, life }, words)
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use crate::{Config, PeerGuard};

    #[test]
    fn most_peers_are_at_home_and_all_are_found() {
        let at_home = |peers: u64, max_peers: usize| {
            let guard = PeerGuard::new(Config { max_peers, ..Config::default() }).unwrap();
            let table = &guard.inner.table;
            let ids: Vec<PeerId> = (0..peers).map(|n| PeerId::digest(&n.to_le_bytes())).collect();
            for id in &ids {
                let _ = guard.record_success(id, None);
            }
            // Of as many peers as slots a few find their groups full.
            let met: Vec<&PeerId> = ids.iter().filter(|id| guard.view(id).is_some()).collect();
            let approaches = met.iter().map(|id| {
                let mut approach = table.set_out(id);
                table.look_home(id, &mut approach);
                table.look_further(&approach);
                let found = table.find(id).map(|found| found.tenancy);
                assert!(found.is_some() && table.arrive(id, &approach).map(|found| found.tenancy) == found);
                assert!(approach.seen.is_none_or(|slot| found.is_some_and(|tenancy| tenancy.slot == slot)));
                usize::from(approach.seen.is_some())
            });
            approaches.sum::<usize>() as f64 / met.len() as f64
        };
        assert!(at_home(10_000, 20_000) > 0.86, "in a half full table");
        assert!(at_home(20_000, 20_001) > 0.6, "in a full one");
        assert!(at_home(1_000, 100_000) > 0.99);
        assert!(at_home(3, 3) > 0.0);
    }
}
