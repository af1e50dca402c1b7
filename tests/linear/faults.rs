//! The guard under test, and the guard with a fault planted: what the search has to be able to catch.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use peerguard::{Outcome, Peer, PeerGuard, PeerId, PeerView, Permit, Reason, Recorded, Rejection, Traffic};

use crate::linear::fact::Shown;
use crate::linear::history::KEYS;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Refuses once more after the state that refused has gone.
    EarlierRefusal,
    /// A view shows what the last one was to show.
    EarlierView,
    /// `is_banned` answers as it should have the last time.
    EarlierBan,
    /// One in four reports is answered and not made.
    LostReport,
    /// When all probes are out, lets one more pass.
    SpareProbe,
    /// A refund is answered and not made.
    KeptRefund,
    /// A take that the shared bucket refuses keeps the peer's bytes: as if it had been taken twice.
    DoubleTake,
}

impl Fault {
    pub const OF_PEERS: [Self; 5] =
        [Self::EarlierRefusal, Self::EarlierView, Self::EarlierBan, Self::LostReport, Self::SpareProbe];
    pub const OF_BYTES: [Self; 2] = [Self::KeptRefund, Self::DoubleTake];
}

/// What was answered last, by key.
#[derive(Default)]
struct Last {
    refusal: [Option<Rejection>; KEYS],
    view: [Option<Box<PeerView>>; KEYS],
    banned: [bool; KEYS],
}

pub struct Subject {
    pub guard: PeerGuard,
    pub ids: [PeerId; KEYS],
    pub handles: Option<[Peer; KEYS]>,
    fault: Fault,
    last: Mutex<Last>,
    reports: AtomicU64,
}

impl Subject {
    pub fn new(guard: PeerGuard, with_handles: bool, fault: Fault) -> Self {
        let ids = std::array::from_fn(|n| PeerId::new([n as u8 + 1; 32]));
        let handles = with_handles.then(|| ids.map(|id| guard.peer(&id)));
        Self { guard, ids, handles, fault, last: Mutex::default(), reports: AtomicU64::new(0) }
    }

    /// By the handle where there is one and the caller wants it.
    fn handle(&self, key: usize, by_handle: bool) -> Option<&Peer> {
        self.handles.as_ref().filter(|_| by_handle).map(|handles| &handles[key])
    }

    /// `Ok(None)`: an admission that gave no permit, by a fault.
    pub fn admit(&self, key: usize, by_handle: bool) -> (Result<Shown, Rejection>, Option<Permit<'_>>) {
        let answer = match self.handle(key, by_handle) {
            Some(peer) => peer.admit(),
            None => self.guard.admit(&self.ids[key]),
        };
        if self.fault == Fault::EarlierRefusal {
            let last = &mut self.last.lock().unwrap().refusal[key];
            let earlier = std::mem::replace(last, answer.as_ref().err().copied());
            if let (Ok(_), Some(no)) = (&answer, earlier) {
                return (Err(no), None);
            }
        }
        match answer {
            Ok(permit) => (Ok(Shown { generation: permit.generation(), probe: permit.is_probe() }), Some(permit)),
            Err(no) if self.fault == Fault::SpareProbe && no.reason == Reason::ProbesOut => {
                let generation = self.guard.view(&self.ids[key]).map_or(0, |view| view.generation);
                (Ok(Shown { generation, probe: true }), None)
            }
            Err(no) => (Err(no), None),
        }
    }

    pub fn report(&self, key: usize, by_handle: bool, outcome: Outcome) -> Recorded {
        if self.fault == Fault::LostReport && self.reports.fetch_add(1, Ordering::Relaxed).is_multiple_of(4) {
            return if self.guard.is_banned(&self.ids[key]) { Recorded::Ignored } else { Recorded::Counted };
        }
        match self.handle(key, by_handle) {
            Some(peer) => peer.report(outcome, None, Traffic::NONE),
            None => self.guard.report(&self.ids[key], outcome, None, Traffic::NONE),
        }
    }

    pub fn view(&self, key: usize) -> Option<Box<PeerView>> {
        let view = self.guard.view(&self.ids[key]).map(Box::new);
        if self.fault == Fault::EarlierView && view.is_some() {
            let earlier = std::mem::replace(&mut self.last.lock().unwrap().view[key], view.clone());
            return earlier.or(view);
        }
        view
    }

    pub fn is_banned(&self, key: usize) -> bool {
        let banned = self.guard.is_banned(&self.ids[key]);
        if self.fault == Fault::EarlierBan {
            return std::mem::replace(&mut self.last.lock().unwrap().banned[key], banned);
        }
        banned
    }

    pub fn take(&self, key: usize, by_handle: bool, bytes: u64) -> Result<Permit<'_>, Rejection> {
        let direction = peerguard::Direction::Upload;
        let take = || match self.handle(key, by_handle) {
            Some(peer) => peer.admit_bytes(direction, bytes),
            None => self.guard.admit_bytes(&self.ids[key], direction, bytes),
        };
        if self.fault == Fault::DoubleTake && self.reports.fetch_add(1, Ordering::Relaxed).is_multiple_of(4) {
            let once = take();
            return take().and(once);
        }
        take()
    }

    pub fn refund(&self, permit: &mut Permit<'_>, bytes: u64) {
        if self.fault != Fault::KeptRefund {
            permit.refund(bytes);
        }
    }
}
