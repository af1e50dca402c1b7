//! What an operator does to a peer.

use std::time::Duration;

use super::{Inner, PeerGuard};
use crate::breaker::Forced;
use crate::clock::ticks;
use crate::config::PeerLimits;
use crate::error::Error;
use crate::id::PeerId;
use crate::table::Pin;

impl PeerGuard {
    /// Bans a peer for `duration`, `None` = until unbanned. Under a ban that is in force the later end holds. `code` is the
    /// operator's own reason.
    ///
    /// The record is not evicted while the ban is in force.
    ///
    /// # Errors
    /// [`Error::TableFull`] when no record can be made for the peer.
    pub fn ban(&self, peer: &PeerId, duration: Option<Duration>, code: u8) -> Result<(), Error> {
        let (pin, now) = self.inner.record_of(peer)?;
        let ticks = duration.map(|duration| ticks(duration).max(1));
        pin.record().ban_by_operator(ticks, code, &self.inner.site(pin.slot(), now));
        Ok(())
    }

    /// Lifts every ban of a peer and sets its initial score; offences stay. `false` when no ban was in force.
    pub fn unban(&self, peer: &PeerId) -> bool {
        let pin = self.inner.table.pin_found(peer);
        pin.is_some_and(|pin| pin.record().unban(&self.inner.site(pin.slot(), self.inner.clock.now())))
    }

    /// Whether a ban is in force.
    #[must_use]
    pub fn is_banned(&self, peer: &PeerId) -> bool {
        match self.inner.table.find(peer) {
            Some(found) if !found.gate.was_banned() => false,
            Some(_) => {
                let pin = self.inner.table.pin_found(peer);
                pin.is_some_and(|pin| {
                    let site = self.inner.site(pin.slot(), self.inner.clock.now());
                    pin.record().ban_in_force(&site).is_some()
                })
            }
            None => false,
        }
    }

    /// Refuses the peer until [`Self::reset`], in a new period of its breaker.
    ///
    /// # Errors
    /// [`Error::TableFull`] when no record can be made for the peer.
    pub fn force_open(&self, peer: &PeerId) -> Result<(), Error> {
        self.force(peer, Forced::Open)
    }

    /// Has the breaker admit the peer whatever happens until [`Self::reset`], in a new period of it. Bans and byte limits
    /// stay.
    ///
    /// # Errors
    /// [`Error::TableFull`] when no record can be made for the peer.
    pub fn force_closed(&self, peer: &PeerId) -> Result<(), Error> {
        self.force(peer, Forced::Closed)
    }

    /// Computes and shows everything but refuses the peer nothing until [`Self::reset`]; what would have been refused is
    /// counted.
    ///
    /// # Errors
    /// [`Error::TableFull`] when no record can be made for the peer.
    pub fn observe(&self, peer: &PeerId) -> Result<(), Error> {
        self.force(peer, Forced::Observe)
    }

    /// Breaker, ban, score and offences as of a new peer; counters and own limits stay. `false` when there is no record.
    pub fn reset(&self, peer: &PeerId) -> bool {
        let Some(pin) = self.inner.table.pin_found(peer) else { return false };
        let site = self.inner.site(pin.slot(), self.inner.clock.now());
        pin.record().reset(self.inner.table.beside(pin.slot()).rate, &site);
        true
    }

    /// Gives a peer byte limits of its own, from now on; the buckets keep their used share. A record with own limits is not
    /// evicted.
    ///
    /// # Errors
    /// A limit that is out of its range, or [`Error::TableFull`] when no record can be made for the peer.
    pub fn set_peer_limits(&self, peer: &PeerId, limits: PeerLimits) -> Result<(), Error> {
        limits.validate()?;
        let (pin, _) = self.inner.record_of(peer)?;
        pin.record().set_limits(self.inner.table.limits(pin.slot()), limits);
        Ok(())
    }

    fn force(&self, peer: &PeerId, forced: Forced) -> Result<(), Error> {
        let (pin, now) = self.inner.record_of(peer)?;
        pin.record().force(forced, self.inner.table.beside(pin.slot()).rate, &self.inner.site(pin.slot(), now));
        Ok(())
    }
}

impl Inner {
    /// The peer's record, made if there is none, and the time.
    fn record_of(&self, id: &PeerId) -> Result<(Pin<'_>, u64), Error> {
        let now = self.clock.now();
        let pin = self.table.pin_or_insert(id, &self.site(super::stripe_of(id), now)).map_err(|_| Error::TableFull)?;
        Ok((pin, now))
    }
}
