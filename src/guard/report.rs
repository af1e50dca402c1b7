//! Reports: how a permit ends, and reports without one.

use super::ticket::{Hold, Ticket};
use super::{Inner, PeerGuard, stripe_of};
use crate::counters::Total;
use crate::decision::{Recorded, Traffic};
use crate::id::PeerId;
use crate::peer::report::{Report, Standing};
use crate::reputation::outcome::{Effect, Outcome};
use crate::sync::Ordering;
use crate::table::Tenancy;
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
    /// Records a plain success (see [`crate::peer::plain`]) by the recent time. Else nothing is done, and the recent time
    /// comes back if it was read.
    #[inline(always)]
    fn report_plainly(
        &self,
        slot: u32,
        life: Option<u32>,
        report: &Report,
        standing: Standing,
    ) -> Result<Recorded, Option<u64>> {
        let record = self.table.record(slot);
        // Relaxed: a hint, before the clock is asked.
        if report.outcome.effect() == Effect::Failure || !record.gate.load(Ordering::Relaxed).admits() {
            return Err(None);
        }
        let recent = self.clock.recent();
        record.report_plainly(report, standing, life, recent, &self.rules).ok_or(Some(recent))
    }

    /// Reports on a record that the caller holds.
    #[inline(always)]
    pub(super) fn report_to(&self, slot: u32, report: &Report, standing: Standing) -> Recorded {
        self.report_plainly(slot, None, report, standing)
            .unwrap_or_else(|recent| self.report_held(slot, report, standing, recent))
    }

    /// As [`Self::report_to`], where the report is not plain.
    ///
    /// Success of a peer that is closed and was never banned needs no more than the second; failures take the exact time.
    fn report_held(&self, slot: u32, report: &Report, standing: Standing, recent: Option<u64>) -> Recorded {
        // A gate that changed since makes the recent time a few milliseconds too early, no more.
        self.report_at(slot, report, standing, recent.unwrap_or_else(|| self.clock.now()))
    }

    fn report_at(&self, slot: u32, report: &Report, standing: Standing, now: u64) -> Recorded {
        self.table.record(slot).report(report, standing, self.table.rate(slot), &self.site(slot, now))
    }

    /// Reports on the record of a tenancy that the caller has seen; `None` when it has gone.
    #[inline(always)]
    fn report_seen(&self, tenancy: Tenancy, id: &PeerId, report: &Report, standing: Standing) -> Option<Recorded> {
        match self.report_plainly(tenancy.slot, Some(tenancy.life), report, standing) {
            Ok(recorded) => Some(recorded),
            Err(recent) => self.report_pinned(tenancy, id, report, standing, recent),
        }
    }

    fn report_pinned(
        &self,
        tenancy: Tenancy,
        id: &PeerId,
        report: &Report,
        standing: Standing,
        recent: Option<u64>,
    ) -> Option<Recorded> {
        let pin = self.table.pin(tenancy, id)?;
        Some(self.report_held(pin.slot(), report, standing, recent))
    }

    /// Reports on whatever record the key has now, making one for an outcome that has an effect.
    pub(super) fn report_by_key(&self, id: &PeerId, report: &Report, standing: Standing) -> Recorded {
        if let Some((tenancy, _)) = self.table.find(id)
            && let Some(recorded) = self.report_seen(tenancy, id, report, standing)
        {
            return recorded;
        }
        // It may have been evicted, and come back, between the look-up and the pin.
        if let Some(pin) = self.table.pin_found(id) {
            return self.report_held(pin.slot(), report, standing, None);
        }
        if report.outcome.effect() == Effect::None && report.traffic.is_none() {
            return Recorded::Ignored;
        }
        self.report_first(id, report, standing)
    }

    #[cold]
    fn report_first(&self, id: &PeerId, report: &Report, standing: Standing) -> Recorded {
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
        self.counters.add(stripe_of(id) as usize, Total::UploadedBytes, traffic.sent);
        self.counters.add(stripe_of(id) as usize, Total::DownloadedBytes, traffic.received);
        Recorded::Untracked
    }

    /// Ends a permit with a report.
    #[inline(always)]
    pub(super) fn finish(&self, ticket: &Ticket, mut report: Report) -> Recorded {
        let granted = ticket.traffic();
        report.traffic.sent = report.traffic.sent.saturating_add(granted.sent);
        report.traffic.received = report.traffic.received.saturating_add(granted.received);
        match ticket.hold {
            Hold::Lent(slot) => self.report_to(slot, &report, ticket.standing()),
            Hold::Kept(slot) => {
                let recorded = self.report_to(slot, &report, ticket.standing());
                self.table.unpin(slot);
                recorded
            }
            Hold::Seen(tenancy) => self
                .report_seen(tenancy, &ticket.id, &report, ticket.standing())
                // Evicted since: whatever record the key has now is of another life.
                .unwrap_or_else(|| self.report_by_key(&ticket.id, &report, Standing::Lost)),
            Hold::Unknown => self.report_by_key(&ticket.id, &report, ticket.standing()),
            Hold::Untracked => self.carry_untracked(&ticket.id, &report.traffic),
        }
    }

    /// Ends a permit without one: bytes are counted, a probe slot goes back.
    pub(super) fn abandon(&self, ticket: &Ticket) {
        if ticket.bytes == 0 && !ticket.probe {
            if let Hold::Kept(slot) = ticket.hold {
                self.table.unpin(slot);
            }
            return;
        }
        let _neutral = self.finish(ticket, Report::new(Outcome::Cancelled, None, Traffic::NONE));
    }
}
