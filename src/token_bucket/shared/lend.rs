//! How shares are lent, renewed and recalled: by one thread at a time, for which nobody waits.

use super::SharedBucket;
use super::words::{Lending, Renewals, Share};
use crate::clock::SKEW;
use crate::sync::Ordering;
use crate::token_bucket::bucket::{Rough, Taken};
use crate::token_bucket::rate::UNIT_SHIFT;

impl SharedBucket {
    /// Fills and opens the shares, if the bucket is less than half used.
    pub(crate) fn lend(&self, now: u64, rough: &Rough) {
        let half = rough.half();
        let charge = || {
            let before = self.account();
            let owed = rough.fit(before.ahead(now), self.lent() + half)?;
            Some(Taken { before, after: before.owing(owed - half, now).lent() })
        };
        if self.share == 0 || charge().is_none() || !self.change_lending(Lending::CLOSED) {
            return;
        }
        loop {
            let Some(charge) = charge() else { return self.leave_lending(Lending::CLOSED) };
            if self.carry_out(charge) {
                break;
            }
        }
        // Relaxed: a hint.
        self.common.renewals.store(Renewals::NONE, Ordering::Relaxed);
        for share in &self.shares {
            // Release: pairs with the Acquire CAS of who takes from it.
            share.store_over(Share::open(self.share), Ordering::Release);
        }
        self.leave_lending(Lending::OPEN);
    }

    /// Takes from the bucket what is asked and what fills the thread's share, while nobody else renews or recalls.
    #[cold]
    pub(super) fn renew(&self, thread: usize, cost: u64, now: u64, rough: &Rough) -> bool {
        if !self.change_lending(Lending::OPEN) {
            return self.take_whole(cost, 0, now, rough);
        }
        // AcqRel: as in `close`. Closed, so that no refund fills the room for what is on its way.
        let held = self.share_of(thread).swap(Share::NONE, Ordering::AcqRel).held();
        // Relaxed, both: a hint.
        let renewals = self.common.renewals.load(Ordering::Relaxed).and_of(thread);
        self.common.renewals.store(renewals, Ordering::Relaxed);
        let now = self.book();
        let more = !renewals.are_of_one() && self.take_whole(self.share - held + cost, rough.half(), now, rough);
        if more {
            // Release: as in `lend`.
            self.share_of(thread).store_over(Share::open(self.share), Ordering::Release);
            self.leave_lending(Lending::OPEN);
            return true;
        }
        self.close(held);
        self.take_whole(cost, 0, now, rough)
    }

    /// Puts units into a thread's share if it is open, and returns those for which it has no room.
    pub(super) fn put(&self, thread: usize, units: u64) -> u64 {
        let word = self.share_of(thread);
        loop {
            // Relaxed: the CAS decides.
            let share = word.load(Ordering::Relaxed);
            let fits = units.min(self.share - share.held());
            if !share.is_open() || fits == 0 {
                return units;
            }
            // Release: pairs with the Acquire CAS of who takes from it.
            if word.swap_if(share, share.with(share.held() + fits), Ordering::Release, Ordering::Relaxed) {
                return units - fits;
            }
        }
    }

    /// Closes the shares, if they are open and nobody else changes them.
    pub(crate) fn recall(&self) -> bool {
        let ours = self.change_lending(Lending::OPEN);
        if ours {
            self.close(0);
        }
        ours
    }

    /// Closes the shares, and gives the bucket what they hold and what the caller has in hand of one. Only for who is changing
    /// them.
    #[cold]
    fn close(&self, in_hand: u64) {
        // AcqRel: no take from a share comes after it; pairs with that of the last one.
        let held =
            in_hand + self.shares.iter().map(|share| share.swap(Share::NONE, Ordering::AcqRel).held()).sum::<u64>();
        let now = self.book();
        loop {
            let before = self.account();
            let ahead = before.ahead(now) as u64;
            // As in `debt`, but for a time that may have passed by now: the word may be further ahead of it than a burst.
            let debt = if ahead > self.most + (SKEW << UNIT_SHIFT) { 0 } else { ahead };
            let owed = debt.max(self.lent()) - held;
            if self.carry_out(Taken { before, after: before.owing(owed, now).whole() }) {
                break;
            }
        }
        self.leave_lending(Lending::CLOSED);
    }

    fn change_lending(&self, from: Lending) -> bool {
        // Acquire: pairs with the Release of the last change, which is over.
        self.common.lending.swap_if_strong(from, Lending::CHANGING, Ordering::Acquire, Ordering::Relaxed)
    }

    fn leave_lending(&self, to: Lending) {
        // Release: pairs with the Acquire of the next change.
        self.common.lending.store_over(to, Ordering::Release);
    }

    /// The exact time, for what is renewed or recalled.
    fn book(&self) -> u64 {
        let now = self.clock.now();
        // Relaxed: a hint, see `take`.
        self.common.booked.store(now, Ordering::Relaxed);
        now
    }

    /// Whether something has been renewed or recalled by a reading later than `now`.
    pub(super) fn was_booked_after(&self, now: u64) -> bool {
        // Relaxed: as in `book`.
        self.common.booked.load(Ordering::Relaxed) > now
    }
}
