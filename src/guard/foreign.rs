//! What the C ABI needs of the facade: permits without a pin, and where gates lie.

use super::ticket::{Hold, Ticket};
use super::{Inner, Peer};
use crate::decision::{Recorded, Traffic};
use crate::id::PeerId;
use crate::peer::meta::Meta;
use crate::peer::record::Record;
use crate::peer::report::Report;
use crate::reputation::outcome::Outcome;
use crate::table::Tenancy;

impl Inner {
    /// Ends a permit. The latency is in milliseconds, finite and not negative.
    #[inline(always)]
    pub(crate) fn end(&self, ticket: &Ticket, outcome: Outcome, latency: Option<f64>, traffic: Traffic) -> Recorded {
        self.finish(self.plain_record(ticket), ticket, Report { outcome, latency, traffic })
    }

    /// As [`Self::end`], by a recent time that has been read for several.
    #[inline(always)]
    pub(crate) fn end_at(
        &self,
        recent: u64,
        ticket: &Ticket,
        outcome: Outcome,
        latency: Option<f64>,
        traffic: Traffic,
    ) -> Recorded {
        self.finish_at(self.plain_record(ticket), ticket, Report { outcome, latency, traffic }, Some(recent))
    }

    /// The time by which plain reports are recorded.
    pub(crate) fn recent(&self) -> u64 {
        self.clock.recent()
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

/// Where the records lie and how they are laid out.
pub(crate) struct Slab {
    pub(crate) first: *const Record,
    pub(crate) count: usize,
    pub(crate) stride: usize,
    pub(crate) meta: usize,
    pub(crate) key: usize,
    pub(crate) gate: usize,
    pub(crate) tenant_mask: u64,
    pub(crate) life_mask: u64,
    pub(crate) live: u64,
}

impl Inner {
    /// The slab that the table keeps as long as it lives.
    pub(crate) fn slab(&self) -> Slab {
        let [meta, key, gate] = Record::OFFSETS;
        Slab {
            first: self.table.record(0),
            count: self.table.capacity(),
            stride: size_of::<Record>(),
            meta,
            key,
            gate,
            tenant_mask: Meta::TENANT,
            life_mask: Meta::LIFE,
            live: Meta::LIVE_BITS,
        }
    }
}

impl Peer {
    /// The ticket of a permit that this peer gave: while the peer is held, so is the record.
    #[inline(always)]
    pub(crate) fn lend(&self, mut ticket: Ticket) -> Ticket {
        if ticket.hold == Hold::Seen && self.tenancy() == Some(ticket.tenancy) {
            ticket.hold = Hold::Lent;
        }
        ticket
    }

    /// A ticket as [`Peer::admit`] gives it to a closed peer, in the period of this number.
    #[inline(always)]
    pub(crate) fn ticket_of(&self, generation: crate::breaker::gate::Generation) -> Ticket {
        match self.tenancy() {
            Some(tenancy) => Ticket::plain(&PeerId::NOBODY, Hold::Lent, tenancy, generation),
            None => Ticket::plain(&self.id(), Hold::Unknown, Tenancy::NONE, generation),
        }
    }

    /// Where the gate word stands; it stays there while any handle of the guard lives.
    pub(crate) fn gate_word(&self) -> Option<*const u64> {
        self.tenancy().and_then(|tenancy| self.guard.inner.table.record(tenancy.slot).gate.address())
    }
}
