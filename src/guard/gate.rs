//! `admit`: may I talk to this peer now?

use super::ticket::{Hold, Ticket};
use super::{Inner, OwnedPermit, Pass, PeerGuard, Permit, stripe_of};
use crate::breaker::gate::Generation;
use crate::breaker::transition::Asker;
use crate::config::Newcomers;
use crate::counters::Total;
use crate::decision::{Reason, Rejection};
use crate::id::PeerId;
use crate::peer::admit::Admitted;
use crate::table::{Found, Pin, Tenancy};
use crate::token_bucket::Direction;

impl PeerGuard {
    /// May I talk to this peer now?
    ///
    /// Asks ban and breaker. A peer without a record is admitted and none is made. Closed peers cost a look-up and no clock
    /// read.
    ///
    /// # Errors
    /// The first rule that refuses. A refusal changes nothing but its counter.
    #[inline(always)]
    pub fn admit(&self, peer: &PeerId) -> Result<Permit<'_>, Rejection> {
        self.inner.admit(peer)
    }

    /// As [`Self::admit`], with a permit that keeps the guard alive and can be moved to another task.
    ///
    /// # Errors
    /// As for [`Self::admit`].
    pub fn admit_owned(&self, peer: &PeerId) -> Result<OwnedPermit, Rejection> {
        self.inner.admit(peer).map(|permit| Pass::owned(self.clone(), permit.into_ticket()))
    }
}

impl Inner {
    #[inline(always)]
    fn admit(&self, id: &PeerId) -> Result<Permit<'_>, Rejection> {
        self.admit_found(id, self.table.find(id))
    }

    /// `found`: what the table has of the peer.
    #[inline(always)]
    pub(super) fn admit_found<'a>(&'a self, id: &PeerId, found: Option<Found<'a>>) -> Result<Permit<'a>, Rejection> {
        if let Some(Found { tenancy, record, gate }) = found
            && gate.admits()
        {
            return Ok(Pass::lent(self, Some(record), Ticket::plain(id, Hold::Seen, tenancy, gate.generation())));
        }
        match self.admit_slow(id, found.map(|found| found.tenancy)) {
            Ok(ticket) => Ok(self.permit(ticket.unpacked(id))),
            Err(rejection) => Err(rejection),
        }
    }

    /// A newcomer, or a peer whose gate needs a closer look, under a pin.
    #[cold]
    #[inline(never)]
    fn admit_slow(&self, id: &PeerId, seen: Option<Tenancy>) -> Result<Ticket, Rejection> {
        let pin = seen.and_then(|tenancy| self.table.pin(tenancy, id).or_else(|| self.table.pin_found(id)));
        let Some(pin) = pin else { return self.admit_unknown(id) };
        let admitted = self.admit_pinned(&pin, Asker::Permit)?;
        Ok(Ticket::pinned(id, pin, Direction::Upload, &admitted))
    }

    pub(super) fn admit_pinned(&self, pin: &Pin<'_>, asker: Asker) -> Result<Admitted, Rejection> {
        let site = self.site(pin.slot(), self.clock.now());
        pin.record().admit(asker, None, &site).map_err(|rejection| self.denied(pin.slot(), rejection, None))
    }

    /// A newcomer. Nothing is made: a record comes with the first outcome or the first bytes.
    pub(super) fn admit_unknown(&self, id: &PeerId) -> Result<Ticket, Rejection> {
        if self.newcomer_refusal(id).is_some() {
            return Err(self.no_room(id));
        }
        Ok(Ticket::plain(id, Hold::Unknown, Tenancy::NONE, Generation::FIRST))
    }

    /// Why a peer without a record would be refused now: no record can be made for it, and the configuration asks for one.
    #[inline]
    pub(super) fn newcomer_refusal(&self, id: &PeerId) -> Option<Rejection> {
        let refused = self.config.newcomers == Newcomers::Refuse && !self.has_room(id);
        refused.then(|| Rejection::for_good(Reason::TableFull))
    }

    #[cold]
    #[inline(never)]
    fn has_room(&self, id: &PeerId) -> bool {
        self.table.has_room(id, &self.site(stripe_of(id), self.clock.now()))
    }

    /// The refusal of a newcomer that no record can be made for, counted.
    pub(super) fn no_room(&self, id: &PeerId) -> Rejection {
        self.counters.add(stripe_of(id) as usize, Total::Untracked, 1);
        self.denied(stripe_of(id), Rejection::for_good(Reason::TableFull), None)
    }

    /// Counts a refusal.
    #[cold]
    pub(super) fn denied(&self, stripe: u32, rejection: Rejection, direction: Option<Direction>) -> Rejection {
        let stripe = stripe as usize;
        self.counters.denied(stripe, rejection.reason);
        let peer = match rejection.reason {
            Reason::PeerBytes | Reason::PeerExceedsBurst => true,
            Reason::GlobalBytes | Reason::GlobalExceedsBurst => false,
            _ => return rejection,
        };
        let total = match (direction, peer) {
            (None, _) => return rejection,
            (Some(Direction::Upload), true) => Total::ThrottledUploadPeer,
            (Some(Direction::Upload), false) => Total::ThrottledUploadGlobal,
            (Some(Direction::Download), true) => Total::ThrottledDownloadPeer,
            (Some(Direction::Download), false) => Total::ThrottledDownloadGlobal,
        };
        self.counters.add(stripe, total, 1);
        rejection
    }
}
