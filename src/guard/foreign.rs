//! What the C ABI needs of the facade: permits without a pin, and the address of a gate.

use super::ticket::{Hold, Ticket};
use super::{Inner, Pass, Peer, PeerGuard};
use crate::decision::{Recorded, Traffic};
use crate::peer::report::Report;
use crate::reputation::outcome::Outcome;
use crate::table::Tenancy;
use std::time::Duration;

impl Pass<&PeerGuard> {
    /// The ticket, for which the caller is now responsible.
    #[inline]
    pub(crate) fn into_ticket(self) -> Ticket {
        let ticket = self.ticket;
        std::mem::forget(self);
        ticket
    }
}

impl Inner {
    /// Ends a permit.
    #[inline]
    pub(crate) fn end(
        &self,
        ticket: &Ticket,
        outcome: Outcome,
        latency: Option<Duration>,
        traffic: Traffic,
    ) -> Recorded {
        self.finish(ticket, Report::new(outcome, latency, traffic))
    }

    /// Ends a permit without a result.
    pub(crate) fn cancel(&self, ticket: &Ticket) {
        self.abandon(ticket);
    }

    /// As `Pass::refund`.
    pub(crate) fn give_back(&self, ticket: &mut Ticket, n: u64) -> u64 {
        self.refund(ticket, n)
    }
}

impl Peer {
    /// The ticket of a permit that this peer gave: while the peer is held, so is the record.
    #[inline]
    pub(crate) fn lend(&self, mut ticket: Ticket) -> Ticket {
        if ticket.hold == Hold::Seen && self.tenancy == Some(ticket.tenancy) {
            ticket.hold = Hold::Lent;
        }
        ticket
    }

    /// A ticket as [`Peer::admit`] gives it to a closed peer, in the period of this number.
    #[inline]
    pub(crate) fn ticket_of(&self, generation: crate::breaker::gate::Generation) -> Ticket {
        let hold = if self.tenancy.is_some() { Hold::Lent } else { Hold::Unknown };
        Ticket::plain(&self.id, hold, self.tenancy.unwrap_or(Tenancy::NONE), generation)
    }

    /// Where the gate word stands; it stays there while any handle of the guard lives.
    pub(crate) fn gate_word(&self) -> Option<*const u64> {
        self.tenancy.and_then(|tenancy| self.guard.inner.table.record(tenancy.slot).gate.address())
    }
}
