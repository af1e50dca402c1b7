//! Reports: how a permit ends, and reports without one.

use super::ticket::{Hold, Ticket};
use super::{Inner, PeerGuard, stripe_of};
use crate::breaker::gate::Generation;
use crate::counters::Total;
use crate::decision::{Recorded, Traffic};
use crate::id::PeerId;
use crate::peer::plain::More;
use crate::peer::record::Record;
use crate::peer::report::{Report, Standing};
use crate::reputation::outcome::{Effect, Outcome};
use crate::table::{Found, Tenancy, ask_for_counts};
use crate::token_bucket::Direction;
use std::time::Duration;

impl PeerGuard {
    /// Reports what happened, without a permit.
    ///
    /// In a closed period it counts as any report. In half-open it counts only while a probe of
    /// [`should_communicate`](Self::should_communicate) is out, and gives that back.
    pub fn report(&self, peer: &PeerId, outcome: Outcome, latency: Option<Duration>, traffic: Traffic) -> Recorded {
        self.inner.report_by_key(peer, &Report::new(outcome, latency, traffic), Standing::Call)
    }
}

impl Report {
    #[inline]
    pub(super) fn new(outcome: Outcome, latency: Option<Duration>, traffic: Traffic) -> Self {
        Self { outcome, latency: latency.map(|latency| latency.as_secs_f64() * 1e3), traffic }
    }
}

impl Inner {
    /// Records a plain report (see [`crate::peer::plain`]) by the recent time. `moved`: bytes that go one way. `permit`: the
    /// generation of its permit, if it has one. `read`: the recent time, if it has been read before. Else nothing is done,
    /// and the recent time comes back if it is enough.
    #[inline(always)]
    fn report_plainly(
        &self,
        record: &Record,
        life: u32,
        report: &Report,
        moved: Option<(Direction, u64)>,
        permit: Option<Generation>,
        read: Option<u64>,
    ) -> Result<Recorded, Option<u64>> {
        let effect = report.outcome.effect();
        let counts = |&(_, bytes): &_| effect == Effect::Success || effect == Effect::None && bytes != 0;
        let moved = moved.filter(counts).ok_or(None)?;
        if self.rules.rate.is_some() {
            return Err(None);
        }
        // They come while the clock is asked.
        ask_for_counts(record);
        let recent = read.unwrap_or_else(|| self.clock.recent());
        record
            .report_plainly(report, moved, permit, life, recent, &self.rules)
            .map_err(|more| (more == More::Words || self.rough.is_exact()).then_some(recent))
    }

    /// Reports on a record that the caller holds, without a permit.
    #[inline]
    pub(super) fn report_to(&self, tenancy: Tenancy, record: &Record, report: &Report) -> Recorded {
        self.report_plainly(record, tenancy.life, report, report.traffic.one_way(), None, None).unwrap_or_else(
            |recent| {
                // A copy, so that it need not lie in memory where the report is plain.
                let report = *report;
                self.report_held(tenancy.slot, &report, Standing::Call, recent)
            },
        )
    }

    /// Reports on a record that the caller holds. `recent`: the recent time, if it has been read; that is enough for the
    /// success of a peer that is closed and was never banned, and a gate that changed since makes it a few milliseconds too
    /// early, no more.
    fn report_held(&self, slot: u32, report: &Report, standing: Standing, recent: Option<u64>) -> Recorded {
        self.report_at(slot, report, standing, recent.unwrap_or_else(|| self.clock.now()))
    }

    fn report_at(&self, slot: u32, report: &Report, standing: Standing, now: u64) -> Recorded {
        self.table.record(slot).report(report, standing, self.table.beside(slot), &self.site(slot, now))
    }

    /// Reports on whatever record the key has now, making one for an outcome that has an effect.
    #[inline]
    pub(super) fn report_by_key(&self, id: &PeerId, report: &Report, standing: Standing) -> Recorded {
        let permit = match standing {
            Standing::Call => None,
            Standing::Permit(generation) => Some(generation),
            Standing::Probe(_) | Standing::Lost => return self.report_pinned(id, None, report, standing, None),
        };
        let found = self.table.find(id);
        let Some(Found { tenancy, record, .. }) = found else { return self.report_first(id, report, standing) };
        self.report_plainly(record, tenancy.life, report, report.traffic.one_way(), permit, None)
            .unwrap_or_else(|recent| self.report_pinned(id, Some(tenancy), report, standing, recent))
    }

    /// Reports under a pin. `seen`: where the record was a moment ago.
    #[cold]
    #[inline(never)]
    fn report_pinned(
        &self,
        id: &PeerId,
        seen: Option<Tenancy>,
        report: &Report,
        standing: Standing,
        recent: Option<u64>,
    ) -> Recorded {
        match seen.and_then(|tenancy| self.table.pin(tenancy, id)).or_else(|| self.table.pin_found(id)) {
            Some(pin) => self.report_held(pin.slot(), report, standing, recent),
            None => self.report_first(id, report, standing),
        }
    }

    /// A report on a peer that has no record.
    #[cold]
    fn report_first(&self, id: &PeerId, report: &Report, standing: Standing) -> Recorded {
        if report.outcome.effect() == Effect::None && report.traffic.is_none() {
            return Recorded::Ignored;
        }
        let site = self.site(stripe_of(id), self.clock.now());
        match self.table.pin_or_insert(id, &site) {
            Ok(pin) => self.report_at(pin.slot(), report, standing, site.now),
            Err(_) => {
                self.counters.add(stripe_of(id) as usize, Total::Untracked, 1);
                self.carry_untracked(id, &report.traffic)
            }
        }
    }

    fn carry_untracked(&self, id: &PeerId, traffic: &Traffic) -> Recorded {
        self.counters.add_bytes(stripe_of(id) as usize, [traffic.sent, traffic.received]);
        Recorded::Untracked
    }

    /// The record of a permit whose report may be plain.
    #[inline(always)]
    pub(super) fn plain_record(&self, ticket: &Ticket) -> Option<&Record> {
        let plain = matches!(ticket.hold, Hold::Seen | Hold::Lent) && !ticket.probe;
        plain.then(|| self.table.record(ticket.tenancy.slot))
    }

    /// Ends a permit with a report. `record`: as from [`Self::plain_record`].
    #[inline(always)]
    pub(super) fn finish(&self, record: Option<&Record>, ticket: &Ticket, report: Report) -> Recorded {
        self.finish_at(record, ticket, report, None)
    }

    /// As [`Self::finish`]. `read`: as for [`Self::report_plainly`].
    #[inline(always)]
    pub(super) fn finish_at(
        &self,
        record: Option<&Record>,
        ticket: &Ticket,
        report: Report,
        read: Option<u64>,
    ) -> Recorded {
        // A life comes again after 2^20 tenancies of its slot; the key tells. What is lent is pinned.
        let known = record.filter(|record| ticket.hold == Hold::Lent || record.holds(&ticket.id.words()));
        let recent = if let Some(record) = known {
            let granted = || (ticket.direction, ticket.bytes);
            let moved = if report.traffic.is_none() { Some(granted()) } else { ticket.traffic(&report).one_way() };
            match self.report_plainly(record, ticket.tenancy.life, &report, moved, Some(ticket.generation), read) {
                Ok(recorded) => return recorded,
                Err(recent) => recent,
            }
        } else {
            None
        };
        // Copies, so that neither has to lie in memory where the report is plain.
        let (ticket, report) = (*ticket, report);
        self.finish_slowly(&ticket, report, recent)
    }

    #[cold]
    #[inline(never)]
    fn finish_slowly(&self, ticket: &Ticket, report: Report, recent: Option<u64>) -> Recorded {
        let report = &Report { traffic: ticket.traffic(&report), ..report };
        match ticket.hold {
            Hold::Lent => self.report_held(ticket.tenancy.slot, report, ticket.standing(), recent),
            Hold::Kept => {
                let pin = self.table.kept(ticket.tenancy);
                self.report_held(pin.slot(), report, ticket.standing(), recent)
            }
            Hold::Seen => match self.table.pin(ticket.tenancy, &ticket.id) {
                Some(pin) => self.report_held(pin.slot(), report, ticket.standing(), recent),
                // Evicted since: whatever record the key has now is of another life.
                None => self.report_by_key(&ticket.id, report, Standing::Lost),
            },
            Hold::Unknown => self.report_by_key(&ticket.id, report, ticket.standing()),
            Hold::Untracked => self.carry_untracked(&ticket.id, &report.traffic),
        }
    }

    /// Ends a permit without one: bytes are counted, a probe slot goes back.
    #[inline(never)]
    pub(super) fn abandon(&self, ticket: &Ticket) {
        if ticket.bytes == 0 && !ticket.probe {
            if ticket.hold == Hold::Kept {
                self.table.unpin(ticket.tenancy.slot);
            }
            return;
        }
        let record = self.plain_record(ticket);
        let _neutral = self.finish(record, ticket, Report::new(Outcome::Cancelled, None, Traffic::NONE));
    }
}
