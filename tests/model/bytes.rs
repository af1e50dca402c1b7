//! The model's byte limits: both buckets or neither.

use peerguard::{Direction, Limits, PeerId, Reason};

use crate::reference::breaker::Slot;
use crate::reference::bucket::{Bucket, Fit, Terms};
use crate::reference::guard::{Model, ModelPermit, Refusal};

/// Bytes that a permit holds.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    pub direction: Direction,
    /// What the peer's and the guard's bucket were charged for the bytes that are left.
    charges: [i128; 2],
}

/// Bytes that are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub direction: Direction,
    pub bytes: u64,
}

impl Model {
    /// The guard's buckets that were unlimited start full; all others stand as they are.
    pub fn update_limits(&mut self, now: u64, limits: Limits) {
        for direction in Direction::ALL {
            if self.global_terms(direction).is_none() {
                self.global[direction as usize] = Bucket::full(now);
            }
        }
        self.limits = limits;
    }

    pub fn global_terms(&self, direction: Direction) -> Option<Terms> {
        let rate = match direction {
            Direction::Upload => self.limits.upload,
            Direction::Download => self.limits.download,
        };
        Terms::new(rate, self.refill_ns)
    }

    pub fn peer_terms(&self, id: &PeerId, direction: Direction) -> Option<Terms> {
        let own = self.peers.get(id).map(|peer| peer.own_limits).unwrap_or_default();
        let rate = match direction {
            Direction::Upload => own.upload.unwrap_or(self.limits.per_peer_upload),
            Direction::Download => own.download.unwrap_or(self.limits.per_peer_download),
        };
        Terms::new(rate, self.refill_ns)
    }

    /// The peer's bucket; a newcomer's is full.
    pub fn peer_bucket(&self, now: u64, id: &PeerId, direction: Direction) -> Bucket {
        self.peers.get(id).map_or(Bucket::full(now), |peer| peer.buckets[direction as usize])
    }

    /// The byte rules: the peer's bucket, then the guard's.
    pub fn byte_refusal(&self, now: u64, id: &PeerId, request: Request) -> Option<Refusal> {
        if request.bytes == 0 {
            return None;
        }
        let Request { direction, bytes } = request;
        let own = self.peer_terms(id, direction);
        let all = self.global_terms(direction);
        let scopes = [
            (self.peer_bucket(now, id, direction), own, Reason::PeerBytes, Reason::PeerExceedsBurst),
            (self.global[direction as usize], all, Reason::GlobalBytes, Reason::GlobalExceedsBurst),
        ];
        for (bucket, terms, short, exceeds) in scopes {
            let Some(terms) = terms else { continue };
            match bucket.fit(now, bytes, &terms) {
                Fit::Fits => {}
                Fit::Later(units) => return Some(Refusal { reason: short, wait: Some((units + 1023) / 1024) }),
                Fit::Never => return Some(Refusal { reason: exceeds, wait: None }),
            }
        }
        None
    }

    /// The most bytes that both buckets would give now.
    pub fn room(&self, now: u64, id: &PeerId, direction: Direction) -> u64 {
        let own = self.peer_terms(id, direction).map(|terms| self.peer_bucket(now, id, direction).room(now, &terms));
        own.unwrap_or(u64::MAX).min(self.global_room(now, direction).unwrap_or(u64::MAX))
    }

    /// As `room`, of the guard's bucket alone; `None` = unlimited.
    pub fn global_room(&self, now: u64, direction: Direction) -> Option<u64> {
        self.global_terms(direction).map(|terms| self.global[direction as usize].room(now, &terms))
    }

    /// Charges both buckets, or neither.
    pub fn take(&mut self, now: u64, id: PeerId, request: Request, fits: bool) -> Take {
        let Request { direction, bytes } = request;
        let index = direction as usize;
        let mut take = Take { direction, charges: [0; 2] };
        self.record(now, id).see(now);
        if !fits {
            return take;
        }
        if let Some(terms) = self.peer_terms(&id, direction) {
            take.charges[0] = self.record(now, id).buckets[index].take(now, bytes, &terms);
        }
        if let Some(terms) = self.global_terms(direction) {
            take.charges[1] = self.global[index].take(now, bytes, &terms);
        }
        take
    }

    pub fn grant_up_to(&mut self, now: u64, id: PeerId, request: Request) -> Result<ModelPermit, Refusal> {
        if request.bytes == 0 {
            return self.admit(now, id, Slot::Permit, None);
        }
        let bytes = match self.room(now, &id, request.direction) {
            0 if self.observed(&id) => request.bytes,
            room => room.clamp(1, request.bytes),
        };
        self.admit(now, id, Slot::Permit, Some(Request { bytes, ..request }))
    }

    /// Bytes only: neither ban nor breaker is asked.
    pub fn try_bytes(&mut self, now: u64, id: PeerId, request: Request) -> bool {
        if request.bytes == 0 {
            return true;
        }
        let refusal = self.byte_refusal(now, &id, request);
        if let Some(refusal) = refusal {
            if !self.observed(&id) {
                self.count_denial(refusal.reason, Some(request.direction));
                return false;
            }
            self.totals.would_deny += 1;
        }
        self.take(now, id, request, refusal.is_none());
        self.moved(id, request.direction, request.bytes);
        true
    }

    pub fn moved(&mut self, id: PeerId, direction: Direction, bytes: u64) {
        if let Some(peer) = self.peers.get_mut(&id) {
            add(&mut peer.bytes[direction as usize], bytes);
        }
    }

    pub fn refund(&mut self, permit: &mut ModelPermit, bytes: u64) -> u64 {
        let bytes = bytes.min(permit.bytes);
        let Some(take) = permit.take.as_mut().filter(|_| bytes > 0) else {
            return 0;
        };
        let left = permit.bytes - bytes;
        let [own, all] = take.charges.map(|charge| {
            // The share of the bytes that are kept, rounded up, stays charged.
            (charge * i128::from(left) + i128::from(permit.bytes) - 1) / i128::from(permit.bytes)
        });
        let index = take.direction as usize;
        if let Some(peer) = self.peers.get_mut(&permit.id) {
            peer.buckets[index].give_back(take.charges[0] - own);
        }
        self.global[index].give_back(take.charges[1] - all);
        take.charges = [own, all];
        permit.bytes = left;
        bytes
    }
}

/// Sums saturate.
fn add(sum: &mut u64, n: u64) {
    *sum = sum.saturating_add(n).min(i64::MAX as u64);
}
