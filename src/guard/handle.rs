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
use crate::peer::report::Report;
use crate::reputation::outcome::Outcome;
use crate::sync::Ordering;
use crate::table::Tenancy;
use crate::token_bucket::Direction;

/// One peer's record, held for as long as a connection lives: no hashing, no look-up, and the record is not evicted.
///
/// Cloning holds it once more. When no record could be made (the table is full of pinned peers and operators' settings) the
/// calls go by key, and the handle allocates its id: see [`Peer::is_tracked`].
pub struct Peer {
    pub(super) guard: PeerGuard,
    hold: Held,
}

/// Small, so that many handles stay in the cache: the id stands in the record.
enum Held {
    Record(Tenancy),
    /// There is none.
    Nothing(Box<PeerId>),
}

impl PeerGuard {
    /// The peer's record, made if there is none, and held until the handle is dropped.
    #[must_use]
    pub fn peer(&self, peer: &PeerId) -> Peer {
        let hold = self.inner.hold(peer).map_or_else(|| Held::Nothing(Box::new(*peer)), Held::Record);
        Peer { guard: self.clone(), hold }
    }
}

impl Inner {
    fn hold(&self, id: &PeerId) -> Option<Tenancy> {
        let site = self.site(super::stripe_of(id), self.clock.now());
        self.table.pin_or_insert(id, &site).ok().map(|pin| pin.keep())
    }
}

impl Peer {
    /// Whose record it is: a copy, four loads.
    #[must_use]
    #[inline]
    pub fn id(&self) -> PeerId {
        match &self.hold {
            Held::Record(tenancy) => self.guard.inner.table.record(tenancy.slot).id(),
            Held::Nothing(id) => **id,
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
        self.tenancy().is_some()
    }

    #[inline(always)]
    pub(super) fn tenancy(&self) -> Option<Tenancy> {
        match self.hold {
            Held::Record(tenancy) => Some(tenancy),
            Held::Nothing(_) => None,
        }
    }

    /// Would [`Self::admit`] pass now? Takes nothing and counts nothing. One load for a closed peer.
    ///
    /// # Errors
    /// The first rule that would refuse.
    #[inline(always)]
    pub fn check(&self) -> Result<(), Rejection> {
        let Some(Tenancy { slot, .. }) = self.tenancy() else { return self.check_slow() };
        let record = self.guard.inner.table.record(slot);
        // Acquire: pairs with the AcqRel CAS of every transition.
        let gate = record.gate.load(Ordering::Acquire);
        if gate.admits() {
            return Ok(());
        }
        self.check_slow()
    }

    fn check_slow(&self) -> Result<(), Rejection> {
        let inner = &self.guard.inner;
        let held = || self.tenancy().map(|tenancy| inner.table.image_of_held(tenancy.slot));
        let Some(image) = held().or_else(|| inner.table.image_of(&self.id())) else { return Ok(()) };
        let observed = image.gate.gate().forced == Forced::Observe;
        inner.refusal(&image, inner.clock.now()).filter(|_| !observed).map_or(Ok(()), Err)
    }

    /// As [`PeerGuard::admit`].
    ///
    /// # Errors
    /// As for [`PeerGuard::admit`].
    #[inline(always)]
    pub fn admit(&self) -> Result<Permit<'_>, Rejection> {
        let Some(tenancy) = self.tenancy() else { return self.guard.admit(&self.id()) };
        // Acquire: pairs with the AcqRel CAS of every transition.
        let inner = &*self.guard.inner;
        let record = inner.table.record(tenancy.slot);
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
        match self.tenancy() {
            Some(tenancy) => inner.take_lent(tenancy, want),
            None => inner.take(&self.id(), want),
        }
    }

    /// As [`PeerGuard::report`].
    #[inline]
    pub fn report(&self, outcome: Outcome, latency: Option<Duration>, traffic: Traffic) -> Recorded {
        match self.tenancy() {
            Some(tenancy) => self.guard.inner.report_to(tenancy, &Report::new(outcome, latency, traffic)),
            None => self.report_by_key(outcome, latency, traffic),
        }
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
