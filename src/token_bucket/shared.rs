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

use crossbeam_utils::CachePadded;

use super::bucket::{Burst, Limit, Rough, Short, Taken, debt};
use super::rate::{Rate, SECOND, UNIT_SHIFT};
use super::setting::Setting;
use crate::clock::{Clock, SKEW};
use crate::sync::{Field, Ordering, Word, packed, thread_number};

/// What is lent, as a part of the burst.
const LENT: u64 = 8;
/// After so many renewals in a row by one thread, shares are of no use.
const ALONE: u64 = 8;
/// Most shares; more would only be more to recall.
#[cfg(not(peerguard_loom))]
const MOST_SHARES: usize = 64;
/// Two under loom: a thread's own, and one more.
#[cfg(peerguard_loom)]
const MOST_SHARES: usize = 2;

type LentField = Field<0, 1>;
/// Halves of a unit in a nanosecond, as a shift: the lowest bit is not time.
const HALVES_SHIFT: u32 = UNIT_SHIFT + 1;

/// The bucket's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account(u64);

packed!(Account);

impl Account {
    fn full(now: u64) -> Self {
        Self(now << HALVES_SHIFT)
    }

    #[inline(always)]
    fn is_lent(self) -> bool {
        self.0 & LentField::MASK != 0
    }

    fn lent(self) -> Self {
        Self(self.0 | LentField::MASK)
    }

    /// The same time, and nothing lent.
    fn whole(self) -> Self {
        Self(self.0 & !LentField::MASK)
    }

    /// Units from now to the word's time; one that has passed is behind, unless it is more than 52 days ago.
    #[inline(always)]
    fn ahead(self, now: u64) -> i64 {
        self.0.wrapping_sub(now << HALVES_SHIFT) as i64 >> 1
    }

    /// What is owed at `now`, in units, at most `burst`.
    #[inline]
    pub(crate) fn debt(self, now: u64, burst: u64) -> u64 {
        // A time that has passed is far ahead.
        debt(self.ahead(now) as u64, burst)
    }

    /// The same bucket when it owes so many units at `now`.
    #[inline(always)]
    fn owing(self, owed: u64, now: u64) -> Self {
        Self((now << HALVES_SHIFT).wrapping_add(owed << 1) | (self.0 & LentField::MASK))
    }
}

/// Whether shares are open; for those who open and close them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lending(u64);

impl Lending {
    const CLOSED: Self = Self(0);
    /// By one thread, for which nobody waits: who finds his share closed or short takes from the bucket.
    const CHANGING: Self = Self(1);
    const OPEN: Self = Self(2);
}

packed!(Lending);

type HeldField = Field<0, 63>;
type OpenField = Field<63, 1>;

/// What a thread may take without asking the bucket, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share(u64);

impl Share {
    /// Closed, and empty.
    const NONE: Self = Self(0);

    fn open(units: u64) -> Self {
        Self(OpenField::MASK | HeldField::pack(units))
    }

    /// The same share with so many units.
    fn with(self, units: u64) -> Self {
        Self(HeldField::set(self.0, units))
    }

    #[inline(always)]
    fn is_open(self) -> bool {
        self.0 & OpenField::MASK != 0
    }

    #[inline(always)]
    fn held(self) -> u64 {
        HeldField::get(self.0)
    }
}

packed!(Share);

type TurnsField = Field<0, 32>;
type ThreadField = Field<32, 32>;

/// Who has renewed its share lately, and how often in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Renewals(u64);

impl Renewals {
    const NONE: Self = Self(0);

    fn and_of(self, thread: usize) -> Self {
        let thread = ThreadField::pack(thread as u64);
        let turns = if self.0 & ThreadField::MASK == thread { TurnsField::get(self.0) } else { 0 };
        Self(thread | TurnsField::pack(turns + 1))
    }

    fn are_of_one(self) -> bool {
        TurnsField::get(self.0) >= ALONE
    }
}

packed!(Renewals);

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

    /// Takes `cost` units at `now`, or tells why not and changes nothing. What is lent is recalled before it is missed; then the
    /// clock is asked again, since what others have renewed and recalled is booked by later readings than `now`.
    pub(crate) fn take(&self, cost: u64, mut now: u64, limit: &Limit) -> Result<Taken<Account>, Short> {
        loop {
            let before = self.account();
            let debt = before.debt(now, limit.burst).max(self.floor(before));
            let owed = match limit.fit(debt, cost) {
                Ok(owed) => owed,
                Err(Short::For(_)) if before.is_lent() && (self.recall() || self.account() != before) => {
                    now = self.clock.now();
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

    /// Undoes a take whose request was refused elsewhere: the word as it was, unless someone has used it since.
    pub(crate) fn undo(&self, taken: Taken<Account>, cost: u64) {
        if !self.carry_out(Taken { before: taken.after, after: taken.before }) {
            self.refund(cost);
        }
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
    fn renew(&self, thread: usize, cost: u64, now: u64, rough: &Rough) -> bool {
        if !self.change_lending(Lending::OPEN) {
            return self.take_whole(cost, 0, now, rough);
        }
        // AcqRel: as in `close`. Closed, so that no refund fills the room for what is on its way.
        let held = self.share_of(thread).swap(Share::NONE, Ordering::AcqRel).held();
        // Relaxed, both: a hint.
        let renewals = self.common.renewals.load(Ordering::Relaxed).and_of(thread);
        self.common.renewals.store(renewals, Ordering::Relaxed);
        let now = self.clock.now();
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
    fn put(&self, thread: usize, units: u64) -> u64 {
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
        let now = self.clock.now();
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
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;
    const THREADS: usize = 2;

    fn burst() -> Burst {
        Burst::new(SECOND)
    }

    fn bucket(now: u64) -> (SharedBucket, ManualClock) {
        let (clock, hand) = Clock::manual(now);
        (SharedBucket::new(Rate::new(1_000_000), &burst(), THREADS, clock), hand)
    }

    fn limit() -> Limit {
        Limit::new(Rate::new(1_000_000), &burst())
    }

    fn rough(grain: u64) -> Rough {
        Rough::new(grain, &burst())
    }

    fn held(bucket: &SharedBucket) -> u64 {
        bucket.shares.iter().map(|share| share.load(Ordering::Relaxed).held()).sum()
    }

    /// What the bucket and its shares have together.
    fn left(bucket: &SharedBucket, now: u64) -> u64 {
        let account = bucket.account();
        let owed = account.debt(now, burst().units()).max(bucket.floor(account));
        burst().units() - owed + held(bucket)
    }

    #[test]
    fn lending_and_recalling_takes_nothing_and_gives_nothing() {
        let (bucket, hand) = bucket(5);
        bucket.lend(5, &rough(0));
        assert_eq!((bucket.account().is_lent(), held(&bucket)), (true, burst().units() / LENT));
        assert_eq!((left(&bucket, 5), bucket.debt(5, burst().units())), (burst().units(), 0));
        // However long nobody asks.
        assert_eq!(left(&bucket, 1 << 40), burst().units());
        hand.set(1 << 40);
        assert!(bucket.recall());
        assert_eq!((bucket.account().is_lent(), held(&bucket)), (false, 0));
        assert_eq!(bucket.debt(1 << 40, burst().units()), 0);
    }

    #[test]
    fn what_is_lent_is_recalled_before_it_is_missed() {
        let (bucket, _) = bucket(0);
        bucket.lend(0, &rough(0));
        assert!(bucket.take_as(0, 77, 0, &rough(0)));
        assert!(bucket.take(burst().units() - 77, 0, &limit()).is_ok());
        assert!(!bucket.account().is_lent());
        assert_eq!(bucket.take(1 << 10, 0, &limit()).unwrap_err(), Short::For(1));
    }

    #[test]
    fn a_thread_that_is_alone_has_the_whole_bucket_again() {
        let (bucket, _) = bucket(0);
        bucket.lend(0, &rough(0));
        // Each renewal gives one share at once, and fills another.
        let takes = 2 * ALONE;
        for _ in 0..takes {
            assert!(bucket.take_as(1, bucket.share, 0, &rough(0)));
        }
        assert!(!bucket.account().is_lent());
        assert_eq!(bucket.debt(0, burst().units()), takes * bucket.share);
    }

    #[test]
    fn nothing_is_lent_from_a_bucket_that_is_half_used() {
        let (bucket, _) = bucket(0);
        bucket.take(burst().units() / 2, 0, &limit()).unwrap();
        bucket.lend(0, &rough(0));
        assert!(!bucket.account().is_lent());
    }

    #[test]
    fn a_bucket_for_one_thread_lends_nothing() {
        let bucket = SharedBucket::new(Rate::new(1_000_000), &burst(), 1, Clock::manual(0).0);
        bucket.lend(0, &rough(0));
        assert!(!bucket.account().is_lent());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take { thread: usize, exact: bool, cost: u64 },
        Refund { thread: usize },
        Lend,
        Recall,
    }

    fn wait() -> impl Strategy<Value = u64> {
        prop_oneof![4 => Just(0), 2 => 0..SECOND / 100, 2 => 0..SECOND / 4, 1 => 0..4 * SECOND]
    }

    fn step() -> impl Strategy<Value = Step> {
        // Up to a share, up to all shares, up to the burst.
        let cost = prop_oneof![1..burst().units() / 32, 1..burst().units() / 8, 1..=burst().units()];
        prop_oneof![
            8 => (0usize..4, prop::bool::weighted(0.2), cost).prop_map(|(thread, exact, cost)| Step::Take { thread, exact, cost }),
            2 => (0usize..4).prop_map(|thread| Step::Refund { thread }),
            2 => Just(Step::Lend),
            1 => Just(Step::Recall),
        ]
    }

    proptest! {
        /// Over every window at most burst and rate, across the wrap of the word too, whatever is lent meanwhile; at any moment
        /// bucket and shares have at most a burst; an exact take is refused only when they have too little.
        #[test]
        fn never_above_burst_and_rate(
            start in prop_oneof![Just(1u64 << 30), Just((1u64 << 53) - SECOND)],
            grain in prop_oneof![Just(0), Just(8_000_000u64)],
            steps in prop::collection::vec((wait(), step()), 1..200),
        ) {
            let ((bucket, hand), rough, burst) = (bucket(start), rough(grain), burst().units());
            let mut now = start;
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (wait, step) in steps {
                now += wait;
                hand.set(now);
                // As late as a recent time can be.
                let recent = now - grain;
                match step {
                    Step::Take { exact: true, cost, .. } => {
                        let enough = left(&bucket, now) >= cost;
                        let got = bucket.take(cost, now, &limit()).is_ok();
                        prop_assert_eq!(got, enough);
                        taken.extend(got.then_some((now, cost)));
                    }
                    Step::Take { thread, cost, .. } => {
                        let got = bucket.take_as(thread, cost, recent, &rough);
                        taken.extend(got.then_some((now, cost)));
                    }
                    // Only of what was taken at this very moment, so that the windows need not know.
                    Step::Refund { thread } => {
                        if let Some((_, cost)) = taken.pop_if(|(at, _)| *at == now) {
                            bucket.refund_as(thread, cost);
                        }
                    }
                    Step::Lend => bucket.lend(recent, &rough),
                    Step::Recall => drop(bucket.recall()),
                }
                prop_assert!(left(&bucket, now) <= burst);
            }
            for first in 0..taken.len() {
                let mut sum = 0;
                for (at, cost) in &taken[first..] {
                    sum += u128::from(*cost);
                    prop_assert!(sum <= u128::from(burst) + (u128::from(at - taken[first].0) << 10));
                }
            }
        }
    }
}
