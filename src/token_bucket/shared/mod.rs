//! The bucket of all peers, which all cores take from.
//!
//! It is one word, as any bucket, until two takes at the recent time collide on it. Then an eighth of the burst is **lent**:
//! set aside in equal shares, and each thread takes from the share of its own, a word that hardly anybody else touches. A
//! share that runs out is renewed from the bucket. What is lent is **recalled** when somebody would be refused for want of
//! it, when the bucket is more than half used, and when one thread alone renews: so a bucket near its limit, and one with a
//! single user, is the plain word again.
//!
//! ```text
//!  63                                                         1   0
//! +-------------------------------------------------------------+------+
//! | time at which all is paid for, in 2^-10 ns, modulo 2^63     | lent |
//! +-------------------------------------------------------------+------+
//! ```
//!
//! # Why no more is admitted
//! While its word says *lent*, a bucket counts as owing at least all that its shares can hold (the *floor*), even when it has
//! been idle: so what the bucket and the shares have together is never more than a burst. It grows with time only, and only
//! in the bucket: lending, renewing and recalling take from the one what they put into the other. The CAS that charges the
//! bucket for the shares also puts the floor up; the one that gives back what they held also takes it down, and writes it into
//! the time, so that the bucket is not fuller than it was a moment before.
//!
//! Time must not pay for what is taken later. A take may be booked by a time that has passed, since it could have come then;
//! what goes to a share may be taken at any time to come. So a share is closed, then the clock is read, then it is renewed or
//! recalled; and one thread at a time does so.
//!
//! What can be lost is time's gift: while the bucket is full to its floor, shares that are partly used are not filled. A
//! caller who then asks for all of it at once waits for at most an eighth of the burst. And a refund that finds the shares
//! closed for the moment, and the bucket at its floor, has found it full.
//!
//! # Memory ordering
//! All that concerns the bucket is in its word. A share is filled with Release after the bucket was charged for it, and taken
//! from with Acquire: so whoever has taken from a share meets that charge when it comes to the bucket.

mod lend;
#[cfg(all(test, not(peerguard_loom)))]
mod tests;
mod words;

use crossbeam_utils::CachePadded;

use super::bucket::{Burst, Limit, Rough, Short, Taken};
use super::rate::{Rate, SECOND};
use super::setting::Setting;
use crate::clock::Clock;
use crate::sync::{Ordering, Word, thread_number};
pub(crate) use words::Account;
use words::{Lending, Renewals, Share};

/// What is lent, as a part of the burst.
const LENT: u64 = 8;
/// Most shares; more would only be more to recall.
#[cfg(not(peerguard_loom))]
const MOST_SHARES: usize = 64;
/// Two under loom: a thread's own, and one more.
#[cfg(peerguard_loom)]
const MOST_SHARES: usize = 2;

/// How a take at a roughly known time will go.
#[derive(Clone, Copy)]
pub(crate) enum Offer {
    /// From the bucket.
    Whole(Taken<Account>),
    /// From a share.
    Share,
}

/// What all threads write.
struct Common {
    account: Word<Account>,
    lending: Word<Lending>,
    renewals: Word<Renewals>,
    /// The last clock reading by which something was renewed or recalled.
    booked: Word<u64>,
}

pub(crate) struct SharedBucket {
    clock: Clock,
    limit: Setting,
    /// Units in a full share; 0 where nothing is ever lent.
    share: u64,
    /// The longest time that a bucket may be in debt, in units.
    most: u64,
    /// A power of two of them.
    shares: Box<[CachePadded<Word<Share>>]>,
    common: CachePadded<Common>,
}

impl SharedBucket {
    /// A full bucket. `threads`: how many may be at work at once.
    pub(crate) fn new(rate: Rate, burst: &Burst, threads: usize, clock: Clock) -> Self {
        // Twice as many as threads, so that fewer have one together.
        let shares = (2 * threads).next_power_of_two().min(MOST_SHARES);
        let share = if threads == 1 { 0 } else { burst.units() / LENT / shares as u64 };
        let common = Common {
            account: Word::new(Account::full(clock.now())),
            lending: Word::new(Lending::CLOSED),
            renewals: Word::new(Renewals::NONE),
            booked: Word::new(0),
        };
        Self {
            clock,
            limit: Setting::new(rate),
            share,
            most: burst.units().max(SECOND),
            shares: (0..shares).map(|_| CachePadded::new(Word::new(Share::NONE))).collect(),
            common: CachePadded::new(common),
        }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.limit.rate()
    }

    /// What `bytes` cost, see [`Setting::cost`].
    #[inline(always)]
    pub(crate) fn cost(&self, bytes: u64) -> u64 {
        self.limit.cost(bytes)
    }

    /// Changes the limit. A bucket that was unlimited starts full.
    pub(crate) fn set_rate(&self, rate: Rate) {
        self.recall();
        if self.rate().is_unlimited() {
            self.fill();
        }
        self.limit.set(rate);
    }

    fn fill(&self) {
        loop {
            let before = self.account();
            if self.carry_out(Taken { before, after: before.owing(0, self.clock.now()) }) {
                return;
            }
        }
    }

    /// The bucket's word. Relaxed: see the text of this file.
    #[inline(always)]
    pub(crate) fn account(&self) -> Account {
        self.common.account.load(Ordering::Relaxed)
    }

    /// Changes the word, unless someone has changed it since `taken` was worked out.
    #[inline(always)]
    fn carry_out(&self, Taken { before, after }: Taken<Account>) -> bool {
        // Relaxed: as in `account`.
        self.common.account.swap_if_strong(before, after, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// What is owed at `now`, in units, at most `burst`; what shares hold and would give back is not owed.
    pub(crate) fn debt(&self, now: u64, burst: u64) -> u64 {
        let account = self.account();
        // Relaxed, both: who takes looks again.
        let open = self.common.lending.load(Ordering::Relaxed) == Lending::OPEN;
        let held = || self.shares.iter().map(|share| share.load(Ordering::Relaxed).held()).sum::<u64>();
        let held = if open { held() } else { 0 };
        account.debt(now, burst).max(self.floor(account)).saturating_sub(held)
    }

    /// How a take of `cost` units would go at a roughly known time, see [`super::bucket::PaidAt::take_at_about`].
    #[inline(always)]
    pub(crate) fn offer(&self, cost: u64, now: u64, rough: &Rough) -> Option<Offer> {
        let before = self.account();
        if before.is_lent() {
            return Some(Offer::Share);
        }
        let owed = rough.fit(before.ahead(now), cost)?;
        Some(Offer::Whole(Taken { before, after: before.owing(owed, now) }))
    }

    /// Carries out what was offered; `false`, and nothing done, where only the exact time can tell.
    #[inline(always)]
    pub(crate) fn accept(&self, offer: Offer, cost: u64, now: u64, rough: &Rough) -> bool {
        match offer {
            Offer::Whole(taken) => self.carry_out(taken) || self.take_contended(cost, now, rough),
            Offer::Share => self.take_own(cost, now, rough),
        }
    }

    /// Another thread takes at the same time.
    #[cold]
    #[inline(never)]
    fn take_contended(&self, cost: u64, now: u64, rough: &Rough) -> bool {
        self.lend(now, rough);
        self.take_own(cost, now, rough)
    }

    #[inline(never)]
    fn take_own(&self, cost: u64, now: u64, rough: &Rough) -> bool {
        self.take_as(thread_number(), cost, now, rough)
    }

    /// Takes at a roughly known time from a thread's share, or else from the bucket.
    #[inline]
    pub(crate) fn take_as(&self, thread: usize, cost: u64, now: u64, rough: &Rough) -> bool {
        let word = self.share_of(thread);
        loop {
            // Relaxed: the CAS decides.
            let share = word.load(Ordering::Relaxed);
            if !share.is_open() || cost > self.share {
                return self.take_whole(cost, 0, now, rough);
            }
            let Some(left) = share.held().checked_sub(cost) else { return self.renew(thread, cost, now, rough) };
            // AcqRel: pairs with the Release that filled the share, and with the exchange that closes it: a clock reading that
            // follows is not of before this take, even if the clock is a word in memory.
            if word.swap_if(share, share.with(left), Ordering::AcqRel, Ordering::Relaxed) {
                return true;
            }
        }
    }

    /// Takes from the bucket at a roughly known time, if it has `spare` units more.
    fn take_whole(&self, cost: u64, spare: u64, now: u64, rough: &Rough) -> bool {
        loop {
            let before = self.account();
            let rough = rough.above(self.floor(before));
            let Some(owed) = rough.fit(before.ahead(now), cost + spare) else { return false };
            if self.carry_out(Taken { before, after: before.owing(owed - spare, now) }) {
                return true;
            }
        }
    }

    /// Takes `cost` units at `now`, or tells why not and changes nothing.
    ///
    /// What is lent is recalled before it is missed. What others have renewed or recalled meanwhile is booked by a later clock
    /// reading than `now`, and would look like debt: then the clock is asked again before anything is refused.
    pub(crate) fn take(&self, cost: u64, mut now: u64, limit: &Limit) -> Result<Taken<Account>, Short> {
        let mut asked = false;
        loop {
            let before = self.account();
            let debt = before.debt(now, limit.burst).max(self.floor(before));
            let owed = match limit.fit(debt, cost) {
                Ok(owed) => owed,
                Err(Short::For(_)) if before.is_lent() && (self.recall() || self.account() != before) => continue,
                Err(Short::For(_)) if !asked && self.was_booked_after(now) => {
                    (asked, now) = (true, self.clock.now());
                    continue;
                }
                Err(short) => return Err(short),
            };
            let taken = Taken { before, after: before.owing(owed, now) };
            if self.carry_out(taken) {
                return Ok(taken);
            }
        }
    }

    /// Undoes a take whose request was refused elsewhere: as [`super::bucket::Bucket::undo`].
    pub(crate) fn undo(&self, taken: Taken<Account>, cost: u64) {
        if !self.carry_out(Taken { before: taken.after, after: taken.before }) {
            self.undo_part(taken, cost);
        }
    }

    /// Undoes a part of a take, `cost` units, as far as time has not paid for it.
    pub(crate) fn undo_part(&self, taken: Taken<Account>, cost: u64) {
        if cost == 0 {
            return;
        }
        loop {
            let before = self.account();
            // After the word, and the loop ends, as in `Bucket::undo`.
            let unpaid = taken.after.unpaid(cost, self.floor(taken.after), self.clock.now());
            if self.carry_out(Taken { before, after: before.less(unpaid) }) {
                return;
            }
        }
    }

    /// Undoes a take of `cost` units that was carried out at a roughly known time, wherever from: as if the bucket had owed
    /// nothing before it, which was no less.
    #[cold]
    #[inline(never)]
    pub(crate) fn undo_rough(&self, cost: u64, now: u64, rough: &Rough) {
        let full = Account::full(now);
        self.undo_part(Taken { before: full, after: full.owing(rough.grain() + cost, now) }, cost);
    }

    /// Gives back `cost` units: to shares, beginning with the thread's, what they have room for, the rest to the bucket. Never
    /// above full.
    pub(crate) fn refund(&self, cost: u64) {
        self.refund_as(thread_number(), cost);
    }

    pub(crate) fn refund_as(&self, thread: usize, mut cost: u64) {
        if self.account().is_lent() {
            cost = (thread..thread + self.shares.len()).fold(cost, |rest, thread| self.put(thread, rest));
        }
        self.give_back(cost);
    }

    /// Gives back units to the bucket.
    fn give_back(&self, cost: u64) {
        // Relaxed: as in `account`.
        self.common.account.add_bits((cost << 1).wrapping_neg(), Ordering::Relaxed);
    }

    /// What the bucket owes at least.
    fn floor(&self, account: Account) -> u64 {
        if account.is_lent() { self.lent() } else { 0 }
    }

    /// Units in all shares when they are full.
    fn lent(&self) -> u64 {
        self.share * self.shares.len() as u64
    }

    fn share_of(&self, thread: usize) -> &Word<Share> {
        &self.shares[thread & (self.shares.len() - 1)]
    }
}
