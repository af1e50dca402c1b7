//! Scores and bans of one record: the loops round the transitions of [`crate::reputation`].

use super::Site;
use super::record::Record;
use crate::breaker::gate::GateWord;
use crate::event::EventKind;
use crate::reputation::ban::BanWord;
use crate::reputation::outcome::Outcome;
use crate::reputation::score::{Pending, ScoreWord};
use crate::reputation::{Ban, BanOrigin};
use crate::sync::Ordering;

impl Record {
    /// Applies an outcome to the score; `false`, and nothing done, under a ban. `standing`: the words as they were just read.
    #[inline(always)]
    pub(super) fn weigh(&self, outcome: Outcome, mut standing: (BanWord, ScoreWord), site: &Site<'_>) -> bool {
        loop {
            let (ban, score) = standing;
            if score.is_pending() {
                self.settle(score, site);
                standing = self.standing();
                continue;
            }
            if ban.in_force(site.now) {
                return false;
            }
            let next = score.after(outcome, ban, site.now, &site.rules.reputation);
            if next == score {
                return true;
            }
            if next.is_pending() {
                // Before the mark: from the mark on every check looks here.
                self.ask_ban_word();
            }
            // AcqRel: pairs with the Acquire loads of `standing`; a pending ban is published with its moment.
            if self.score.swap_if(score, next, Ordering::AcqRel, Ordering::Relaxed) {
                if next.is_pending() {
                    self.settle(next, site);
                }
                return true;
            }
            standing = self.standing();
        }
    }

    /// The words that a weight goes by.
    #[inline(always)]
    pub(super) fn standing(&self) -> (BanWord, ScoreWord) {
        // Acquire, both: pair with the AcqRel CASes below. The score is read before the ban: an earned ban changes the score
        // word before the ban word, so a CAS on a score that was read first fails if such a ban has come between. A score
        // computed under a ban word that an operator has replaced since carries the older period, and is void.
        let score = self.score.load(Ordering::Acquire);
        (self.ban.load(Ordering::Acquire), score)
    }

    /// Completes an earned ban: whoever meets the mark in the score word writes the ban word and takes the mark off.
    #[cold]
    fn settle(&self, score: ScoreWord, site: &Site<'_>) {
        let Some(pending) = score.pending(site.now) else { return };
        loop {
            // Acquire: pairs with the CAS below, of another helper.
            let ban = self.ban.load(Ordering::Acquire);
            // The mark, read after the ban word, still stands: so the ban word was read before the mark was taken off, and
            // no later ban of this peer can have been earned yet. Acquire: keeps the two loads in this order for the CAS.
            if self.score.load(Ordering::Acquire) != score {
                return;
            }
            if ban.turn() != pending.turn || self.write_earned(ban, &pending, site) {
                break;
            }
        }
        // AcqRel: pairs with the loads in `standing`. A failure means that another helper has done it.
        self.score.swap_if_strong(score, score.settled(&pending), Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Writes an earned ban over `ban`; `false` when the ban word has changed.
    fn write_earned(&self, ban: BanWord, pending: &Pending, site: &Site<'_>) -> bool {
        let next = ban.earned(pending.fatal, pending.moment, &site.rules.reputation);
        // AcqRel: pairs with the Acquire loads of the ban word; from here on the ban is in force.
        let written = self.ban.swap_if_strong(ban, next, Ordering::AcqRel, Ordering::Relaxed);
        if written {
            site.events.push(site.now, self.id(), EventKind::Banned(BanOrigin::Earned));
        }
        written
    }

    /// Makes checks look at the ban word, from before the first ban is written to it.
    fn ask_ban_word(&self) {
        // Relaxed is enough to skip; the RMW is AcqRel, so that a check that sees a gate written later sees the bit too.
        if !self.gate.load(Ordering::Relaxed).was_banned() {
            self.gate.or_bits(GateWord::BANNED, Ordering::AcqRel);
        }
    }

    /// The ban in force.
    pub(crate) fn ban_in_force(&self, site: &Site<'_>) -> Option<Ban> {
        // Acquire: pairs with the CAS that marks the score.
        let score = self.score.load(Ordering::Acquire);
        if score.is_pending() {
            self.settle(score, site);
        }
        // Acquire: pairs with the CAS that wrote the ban.
        self.ban.load(Ordering::Acquire).ban(site.now)
    }

    /// An operator's ban; `ticks` `None` = until unbanned.
    pub(crate) fn ban_by_operator(&self, ticks: Option<u64>, code: u8, site: &Site<'_>) {
        let params = &site.rules.reputation;
        self.ask_ban_word();
        loop {
            let (ban, score) = self.standing();
            if score.is_pending() {
                self.settle(score, site);
                continue;
            }
            if !ban.in_force(site.now) {
                // The score is frozen as it stands now, and never lags the ban word by more than this one period.
                let frozen = score.decayed(ban, site.now, params);
                if !self.score.swap_if_strong(score, frozen, Ordering::AcqRel, Ordering::Relaxed) {
                    continue;
                }
            }
            let next = ban.by_operator(ticks, code, site.now, params);
            // AcqRel: as in `write_earned`.
            if self.ban.swap_if_strong(ban, next, Ordering::AcqRel, Ordering::Relaxed) {
                if !ban.in_force(site.now) || next.end() != ban.end() {
                    site.events.push(site.now, self.id(), EventKind::Banned(BanOrigin::Operator));
                }
                if !ban.in_force(site.now) {
                    self.seal(ban.period(), site);
                }
                return;
            }
        }
    }

    /// Ends the writes to a score of the period before a ban that has been written: a report that looked at both words before
    /// the ban finds another score, and looks again.
    fn seal(&self, period: u8, site: &Site<'_>) {
        loop {
            // Acquire: as in `standing`.
            let score = self.score.load(Ordering::Acquire);
            if score.is_pending() {
                self.settle(score, site);
            } else if score.period() != period
                // AcqRel: pairs with the loads in `standing`.
                || self.score.swap_if_strong(score, score.sealed(), Ordering::AcqRel, Ordering::Relaxed)
            {
                return;
            }
        }
    }

    /// Lifts every ban; the score is the initial one from now on. `false` when no ban was in force.
    pub(crate) fn unban(&self, site: &Site<'_>) -> bool {
        loop {
            if self.ban_in_force(site).is_none() {
                return false;
            }
            // Acquire: as in `standing`.
            let ban = self.ban.load(Ordering::Acquire);
            let Some(lifted) = ban.lifted(site.now) else { continue };
            // AcqRel: as in `write_earned`. The score word is void from here on, and follows from the ban word.
            if self.ban.swap_if_strong(ban, lifted, Ordering::AcqRel, Ordering::Relaxed) {
                site.events.push(site.now, self.id(), EventKind::Unbanned);
                return true;
            }
        }
    }

    /// Lifts every ban, forgets the offences and sets the initial score.
    pub(super) fn absolve(&self, site: &Site<'_>) {
        loop {
            let (ban, score) = self.standing();
            if score.is_pending() {
                self.settle(score, site);
                continue;
            }
            let lifted = ban.reset(site.now);
            // AcqRel: as in `write_earned`.
            if !self.ban.swap_if_strong(ban, lifted, Ordering::AcqRel, Ordering::Relaxed) {
                continue;
            }
            // The score word is of before the ban, and void without it, as in `unban`; a report may have begun the next one.
            if ban.in_force(site.now) && score.period() != ban.period() {
                return;
            }
            let initial = ScoreWord::reset(lifted, &site.rules.reputation, site.now);
            // AcqRel: pairs with the loads in `standing`.
            if self.score.swap_if_strong(score, initial, Ordering::AcqRel, Ordering::Relaxed) {
                return;
            }
        }
    }
}
