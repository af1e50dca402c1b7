//! The permit.

use std::fmt;
use std::time::Duration;

use super::ticket::{Hold, Ticket};
use super::{Inner, PeerGuard};
use crate::decision::{Recorded, Traffic};
use crate::id::PeerId;
use crate::peer::record::Record;
use crate::peer::report::Report;
use crate::reputation::outcome::Outcome;
use crate::token_bucket::Direction;

/// Leave to talk to a peer once: what [`PeerGuard::admit`] gives. It is reported once, or dropped, which is neutral: a probe
/// slot goes back, granted bytes count as moved.
///
/// It carries the breaker's period: what it reports in a later one touches counters and reputation, not the breaker. A
/// permit with a probe keeps its peer's record from being evicted; so does one that is leaked.
#[must_use = "a permit that is dropped reports nothing"]
#[repr(C)]
pub struct Pass<G: Holder> {
    pub(super) ticket: Ticket,
    holder: G,
}

/// A permit that borrows its guard.
pub type Permit<'g> = Pass<Lent<'g>>;

/// A permit that keeps its guard alive.
pub type OwnedPermit = Pass<PeerGuard>;

/// How a permit holds its guard: it borrows it, or keeps it alive.
pub trait Holder: Sized + sealed::End {}

impl Holder for Lent<'_> {}
impl Holder for PeerGuard {}

/// What a [`Permit`] borrows: the guard, and the peer's record where there is one.
#[derive(Clone, Copy)]
pub struct Lent<'g> {
    inner: &'g Inner,
    record: Option<&'g Record>,
}

mod sealed {
    use super::{Inner, Pass, Recorded, Report};

    #[allow(private_interfaces)] // Nobody outside can call it.
    pub trait End: Sized {
        fn inner(&self) -> &Inner;

        /// Reports, in place of the permit's own end.
        fn end(pass: Pass<Self>, report: Report) -> Recorded
        where
            Self: super::Holder;
    }
}

#[allow(private_interfaces)]
impl sealed::End for Lent<'_> {
    #[inline(always)]
    fn inner(&self) -> &Inner {
        self.inner
    }

    /// The permit is taken apart first: so it need not lie in memory when it is reported where it was given.
    #[inline(always)]
    fn end(pass: Pass<Self>, report: Report) -> Recorded {
        let Lent { inner, record } = pass.holder;
        inner.finish(record, &pass.into_ticket(), report)
    }
}

#[allow(private_interfaces)]
impl sealed::End for PeerGuard {
    #[inline]
    fn inner(&self) -> &Inner {
        &self.inner
    }

    #[inline]
    fn end(mut pass: Pass<Self>, report: Report) -> Recorded {
        let ticket = pass.ticket;
        pass.ticket.disarm();
        let inner = &pass.holder.inner;
        inner.finish(inner.plain_record(&ticket), &ticket, report)
    }
}

impl<'g> Permit<'g> {
    /// `record`: as from [`Inner::plain_record`].
    #[inline(always)]
    pub(super) fn lent(inner: &'g Inner, record: Option<&'g Record>, ticket: Ticket) -> Self {
        Self { holder: Lent { inner, record }, ticket }
    }

    /// The ticket, for which the caller is now responsible.
    #[inline(always)]
    pub(crate) fn into_ticket(self) -> Ticket {
        let ticket = self.ticket;
        std::mem::forget(self);
        ticket
    }
}

impl OwnedPermit {
    pub(super) fn owned(guard: PeerGuard, ticket: Ticket) -> Self {
        Self { holder: guard, ticket }
    }
}

impl Inner {
    /// The permit of a ticket. Inline, so that the caller need not make one on the fast path in memory too.
    #[inline(always)]
    pub(super) fn permit(&self, ticket: Ticket) -> Permit<'_> {
        Pass::lent(self, self.plain_record(&ticket), ticket)
    }
}

impl<G: Holder> Pass<G> {
    /// Reports a sync that went well.
    #[inline]
    pub fn success(self, latency: Option<Duration>) -> Recorded {
        self.end(Outcome::SyncSuccess, latency, Traffic::NONE)
    }

    /// Reports a sync that failed.
    #[inline]
    pub fn failure(self) -> Recorded {
        self.end(Outcome::SyncFailure, None, Traffic::NONE)
    }

    /// Reports any outcome, with its latency and with bytes that were moved beyond those of the permit.
    #[inline]
    pub fn record(self, outcome: Outcome, latency: Option<Duration>, traffic: Traffic) -> Recorded {
        self.end(outcome, latency, traffic)
    }

    /// Inlined, so that each way of reporting is compiled for its outcome.
    #[inline(always)]
    fn end(self, outcome: Outcome, latency: Option<Duration>, traffic: Traffic) -> Recorded {
        G::end(self, Report::new(outcome, latency, traffic))
    }

    /// Gives up to `n` of the granted bytes back, to the buckets that were charged and at the rates of then; never above
    /// full. Returns how many were given back.
    pub fn refund(&mut self, n: u64) -> u64 {
        self.holder.inner().refund(&mut self.ticket, n)
    }

    /// Asks for the memory that the report will change, and does not wait for it: for those who report many permits in a row,
    /// some permits ahead of each report.
    #[inline]
    pub fn prefetch(&self) {
        if matches!(self.ticket.hold, Hold::Seen | Hold::Lent | Hold::Kept) {
            self.holder.inner().table.ask_for_record(self.ticket.tenancy.slot);
        }
    }

    /// Bytes granted and not refunded.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.ticket.bytes
    }

    /// Which way the granted bytes go.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        (self.ticket.bytes != 0).then_some(self.ticket.direction)
    }

    /// Whose permit it is: a copy, at most four loads.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        match self.ticket.hold {
            Hold::Lent => self.holder.inner().table.record(self.ticket.tenancy.slot).id(),
            _ => self.ticket.id,
        }
    }

    /// Whether it probes a half-open breaker.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.ticket.probe
    }

    /// The breaker's period that it was given in.
    #[must_use]
    pub fn generation(&self) -> u16 {
        self.ticket.generation.number()
    }
}

impl<G: Holder> Drop for Pass<G> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.ticket.is_armed() {
            // A copy, so that a permit that is reported need not lie in memory.
            let ticket = self.ticket;
            self.holder.inner().abandon(&ticket);
        }
    }
}

impl<G: Holder> fmt::Debug for Pass<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("peer", &self.peer())
            .field("generation", &self.generation())
            .field("probe", &self.ticket.probe)
            .field("bytes", &self.ticket.bytes)
            .finish()
    }
}
