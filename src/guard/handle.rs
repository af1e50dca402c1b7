//! A pinned peer.

use std::fmt;
use std::time::Duration;

use super::bytes::Want;
use super::ticket::{Hold, Ticket};
use super::{Inner, Pass, PeerGuard, Permit};
use crate::breaker::Forced;
use crate::breaker::transition::Asker;
use crate::decision::{Recorded, Rejection, Traffic};
use crate::id::PeerId;
use crate::peer::record::Record;
use crate::peer::report::Report;
use crate::reputation::outcome::Outcome;
use crate::sync::Ordering;
use crate::table::{Pin, Tenancy};
use crate::token_bucket::Direction;

/// One peer's record, held for as long as a connection lives: no hashing, no look-up, and the record is not evicted.
///
/// Cloning holds it once more. When no record could be made (the table is full of pinned peers and operators' settings), or
/// 2^19 handles hold it already, the calls go by key, and the handle allocates its id: see [`Peer::is_tracked`].
pub struct Peer {
    /// `NONE` where there is no record. It lies first, and the whole is small, so that many handles stay in the cache.
    tenancy: Tenancy,
    pub(super) guard: PeerGuard,
    /// Where there is no record, in which it stands otherwise.
    id: Option<Box<PeerId>>,
}

impl PeerGuard {
    /// The peer's record, made if there is none, and held until the handle is dropped.
    #[must_use]
    pub fn peer(&self, peer: &PeerId) -> Peer {
        let (tenancy, id) = match self.inner.hold(peer) {
            Some(tenancy) => (tenancy, None),
            None => (Tenancy::NONE, Some(Box::new(*peer))),
        };
        Peer { tenancy, guard: self.clone(), id }
    }
}

impl Inner {
    fn hold(&self, id: &PeerId) -> Option<Tenancy> {
        let site = self.site(super::stripe_of(id), self.clock.now());
        self.table.pin_or_insert(id, &site).ok().and_then(Pin::keep)
    }
}

impl Peer {
    /// Whose record it is: a copy, four loads.
    #[must_use]
    #[inline]
    pub fn id(&self) -> PeerId {
        match &self.id {
            None => self.guard.inner.table.record(self.tenancy.slot).id(),
            Some(id) => **id,
        }
    }

    /// The guard that the record belongs to.
    #[must_use]
    pub fn guard(&self) -> &PeerGuard {
        &self.guard
    }

    /// Whether there is a record.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        self.record().is_some()
    }

    #[inline(always)]
    fn record(&self) -> Option<&Record> {
        self.guard.inner.table.get(self.tenancy)
    }

    /// The tenancy, where there is a record.
    #[inline(always)]
    pub(super) fn tenancy(&self) -> Option<Tenancy> {
        self.record().map(|_| self.tenancy)
    }

    /// Would [`Self::admit`] pass now? Takes nothing and counts nothing. One load for a closed peer.
    ///
    /// # Errors
    /// The first rule that would refuse.
    #[inline(always)]
    pub fn check(&self) -> Result<(), Rejection> {
        let Some(record) = self.record() else { return self.check_slow() };
        // Acquire: pairs with the AcqRel CAS of every transition.
        let gate = record.gate.load(Ordering::Acquire);
        if gate.admits() {
            return Ok(());
        }
        self.check_slow()
    }

    #[cold]
    #[inline(never)]
    fn check_slow(&self) -> Result<(), Rejection> {
        let inner = &self.guard.inner;
        let held = || self.tenancy().map(|tenancy| inner.table.image_of_held(tenancy.slot));
        let Some(image) = held().or_else(|| inner.table.image_of(&self.id())) else {
            return inner.newcomer_refusal(&self.id()).map_or(Ok(()), Err);
        };
        let observed = image.gate.gate().forced == Forced::Observe;
        inner.refusal(&image, inner.clock.now()).filter(|_| !observed).map_or(Ok(()), Err)
    }

    /// As [`PeerGuard::admit`].
    ///
    /// # Errors
    /// As for [`PeerGuard::admit`].
    #[inline(always)]
    pub fn admit(&self) -> Result<Permit<'_>, Rejection> {
        let (inner, tenancy) = (&*self.guard.inner, self.tenancy);
        let Some(record) = self.record() else {
            let id = self.id();
            return Ok(inner.permit(self.admit_by_key(&id)?.unpacked(&id)));
        };
        // Acquire: pairs with the AcqRel CAS of every transition.
        let gate = record.gate.load(Ordering::Acquire);
        if gate.admits() {
            let ticket = Ticket::plain(&PeerId::NOBODY, Hold::Lent, tenancy, gate.generation());
            return Ok(Pass::lent(inner, Some(record), ticket));
        }
        match self.admit_slow(tenancy) {
            Ok(ticket) => Ok(inner.permit(ticket.unpacked(&PeerId::NOBODY))),
            Err(rejection) => Err(rejection),
        }
    }

    #[cold]
    #[inline(never)]
    fn admit_slow(&self, tenancy: Tenancy) -> Result<Ticket, Rejection> {
        let inner = &self.guard.inner;
        let site = inner.site(tenancy.slot, inner.clock.now());
        let admitted = inner.table.record(tenancy.slot).admit(Asker::Permit, None, &site);
        let admitted = admitted.map_err(|rejection| inner.denied(tenancy.slot, rejection, None))?;
        Ok(Ticket::lent(tenancy, Direction::Upload, &admitted))
    }

    /// As [`PeerGuard::admit_bytes`].
    ///
    /// # Errors
    /// As for [`PeerGuard::admit_bytes`].
    #[inline(always)]
    pub fn admit_bytes(&self, direction: Direction, bytes: u64) -> Result<Permit<'_>, Rejection> {
        if bytes == 0 {
            return self.admit();
        }
        self.take(Want { direction, bytes, up_to: false, gate: true })
    }

    /// As [`PeerGuard::grant_up_to`].
    ///
    /// # Errors
    /// As for [`PeerGuard::grant_up_to`].
    pub fn grant_up_to(&self, direction: Direction, want: u64) -> Result<Permit<'_>, Rejection> {
        if want == 0 {
            return self.admit();
        }
        self.take(Want { direction, bytes: want, up_to: true, gate: true })
    }

    #[inline(always)]
    fn take(&self, want: Want) -> Result<Permit<'_>, Rejection> {
        let inner = &self.guard.inner;
        match self.record() {
            Some(record) => inner.take_lent(self.tenancy, record, want),
            None => {
                let id = self.id();
                Ok(inner.permit(self.take_by_key(&id, want.unpacked())?.unpacked(&id)))
            }
        }
    }

    /// As [`PeerGuard::report`].
    #[inline]
    pub fn report(&self, outcome: Outcome, latency: Option<Duration>, traffic: Traffic) -> Recorded {
        match self.record() {
            Some(record) => self.guard.inner.report_to(self.tenancy, record, &Report::new(outcome, latency, traffic)),
            None => self.report_by_key(outcome, latency, traffic),
        }
    }

    #[cold]
    #[inline(never)]
    fn admit_by_key(&self, id: &PeerId) -> Result<Ticket, Rejection> {
        self.guard.admit(id).map(Pass::into_ticket)
    }

    #[cold]
    #[inline(never)]
    fn take_by_key(&self, id: &PeerId, want: Want) -> Result<Ticket, Rejection> {
        self.guard.inner.take(id, want).map(Pass::into_ticket)
    }

    #[cold]
    #[inline(never)]
    fn report_by_key(&self, outcome: Outcome, latency: Option<Duration>, traffic: Traffic) -> Recorded {
        self.guard.report(&self.id(), outcome, latency, traffic)
    }
}

impl Clone for Peer {
    fn clone(&self) -> Self {
        self.guard.peer(&self.id())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(tenancy) = self.tenancy() {
            self.guard.inner.table.unpin(tenancy.slot);
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id()).field("tracked", &self.is_tracked()).finish()
    }
}
