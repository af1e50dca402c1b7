//! The peers of a snapshot, one after the other.

use std::iter::FusedIterator;
use std::slice;

use super::Snapshot;
use crate::peer::view::PeerView;
use crate::table::{AHEAD, ask_for_all};

/// The peers of a [`Snapshot`], in the order of their ids. Skipping makes no views.
#[derive(Clone)]
#[must_use = "views are made when they are asked for"]
pub struct Peers<'s> {
    snapshot: &'s Snapshot,
    places: slice::Iter<'s, u32>,
}

impl<'s> Peers<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        Self { snapshot, places: snapshot.by_id().iter() }
    }
}

impl Iterator for Peers<'_> {
    type Item = PeerView;

    fn next(&mut self) -> Option<PeerView> {
        // Where the next peer by id lies in the copy, no processor guesses.
        if let Some(&later) = self.places.as_slice().get(AHEAD) {
            ask_for_all(&self.snapshot.capture.words[later as usize]);
        }
        self.places.next().map(|&place| self.snapshot.view(place))
    }

    fn nth(&mut self, n: usize) -> Option<PeerView> {
        self.places.nth(n).map(|&place| self.snapshot.view(place))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }

    fn count(self) -> usize {
        self.places.len()
    }
}

impl DoubleEndedIterator for Peers<'_> {
    fn next_back(&mut self) -> Option<PeerView> {
        self.places.next_back().map(|&place| self.snapshot.view(place))
    }
}

impl ExactSizeIterator for Peers<'_> {}
impl FusedIterator for Peers<'_> {}

impl std::fmt::Debug for Peers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Peers").field(&self.len()).finish()
    }
}
