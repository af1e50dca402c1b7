//! A peer's score and ban as one object.

use std::time::Duration;

use peerguard::{BanReason, Outcome, PeerView, Reason, Recorded, Weights};

use crate::linear::fact::{Events, Fact};
use crate::linear::history::{Entry, History};
use crate::linear::search::{Object, Op};
use crate::reference::breaker::Effect;
use crate::reference::compare::duration;
use crate::reference::guard::{effect, weight};
use crate::reference::reputation::{Crossing, Rules, SCORE_SLACK, Standing};

#[derive(Debug)]
pub enum Atom {
    /// The gate let pass, or refused by a later rule.
    NotBanned,
    Banned(Option<Duration>),
    BannedSomehow,
    /// `true`: it counted for the breaker, which it does only outside a ban.
    Report(Outcome, bool),
    IsBanned(bool),
    /// Score of a view; its ban and offences, which come from another word.
    Score(Box<PeerView>),
    Ban(Box<PeerView>),
    Quiet(Option<Box<PeerView>>, Events),
    Impose(Option<Duration>, u8),
    /// A ban that is in force before the score is closed to reports that had begun (DESIGN.md says so) …
    ImposeOpenly(Option<Duration>, u8),
    /// … and the end of this.
    Seal,
    Unban(bool),
    Reset,
}

#[derive(Clone, Debug)]
pub struct State {
    standing: Standing,
    events: [u32; 3],
    /// Bans of operators that a report may still overtake.
    open: u32,
}

pub struct StandingOf<'a> {
    pub rules: &'a Rules,
    pub weights: &'a Weights,
}

/// Whether a ban may have been in force when a call returned: there was one, and a call that may impose it had begun.
pub fn may_be_banned(history: &History, entry: &Entry) -> bool {
    let was_banned = history.threads.iter().flatten().any(|other| match &other.fact {
        Fact::Quiet { events, .. } => other.key == entry.key && events.banned_earned + events.banned_operator > 0,
        _ => false,
    });
    was_banned && history.begun_before(entry.key, entry.returned, may_ban)
}

fn may_ban(fact: &Fact) -> bool {
    match fact {
        Fact::Ban { .. } => true,
        Fact::Report { outcome, .. } => effect(*outcome) == Some(Effect::Failure),
        _ => false,
    }
}

pub fn ops(history: &History, key: usize) -> Vec<Vec<Op<Atom>>> {
    history.ops(|entry| if entry.key == key { ways(history, entry) } else { Vec::new() })
}

fn ways(history: &History, entry: &Entry) -> Vec<Vec<Atom>> {
    // An observed peer is let pass, banned or not.
    let observed = || {
        history.begun_before(entry.key, entry.returned, |fact| matches!(fact, Fact::Force(peerguard::Forced::Observe)))
    };
    let one = |atom| vec![vec![atom]];
    match &entry.fact {
        Fact::Admit { answer: Err(no), .. } | Fact::Check(Some(no)) if no.reason == Reason::Banned => {
            one(Atom::Banned(no.retry_after))
        }
        Fact::Admit { answer: Ok(_), .. } | Fact::Check(None) | Fact::Asked(true) if observed() => Vec::new(),
        Fact::Admit { .. } | Fact::Check(_) | Fact::Asked(true) => one(Atom::NotBanned),
        Fact::Asked(false) => vec![vec![], vec![Atom::BannedSomehow]],
        Fact::Report { outcome, .. } if effect(*outcome).is_none() => Vec::new(),
        Fact::Report { outcome, recorded, .. } => one(Atom::Report(*outcome, *recorded == Some(Recorded::Counted))),
        Fact::IsBanned(banned) => one(Atom::IsBanned(*banned)),
        // Two words, read in no promised order.
        Fact::View(Some(view)) => vec![
            vec![Atom::Score(view.clone()), Atom::Ban(view.clone())],
            vec![Atom::Ban(view.clone()), Atom::Score(view.clone())],
        ],
        Fact::Quiet { view, events, .. } => one(Atom::Quiet(view.clone(), *events)),
        Fact::Ban { length, code } => {
            vec![vec![Atom::Impose(*length, *code)], vec![Atom::ImposeOpenly(*length, *code), Atom::Seal]]
        }
        Fact::Unban(lifted) => one(Atom::Unban(*lifted)),
        Fact::Reset(true) => one(Atom::Reset),
        Fact::Reset(false) | Fact::View(None) | Fact::Force(_) => Vec::new(),
        Fact::Take { .. } | Fact::Try { .. } | Fact::Refund { .. } => Vec::new(),
    }
}

pub fn start(now: u64, rules: &Rules) -> State {
    State { standing: Standing::new(now, rules), events: [0; 3], open: 0 }
}

impl StandingOf<'_> {
    fn shows_score(&self, view: &PeerView, standing: &Standing, now: u64) -> bool {
        (view.score - standing.score(now, self.rules).points).abs() <= SCORE_SLACK
    }

    fn shows_ban(&self, view: &PeerView, standing: &Standing, now: u64) -> bool {
        let shown = view.ban.map(|ban| (ban.origin, ban.reason, ban.remaining));
        let ban = standing.ban(now).map(|ban| (ban.origin, ban.reason, ban.remaining(now).map(duration)));
        shown == ban && u32::from(view.offences) == standing.offences(now, self.rules)
    }

    /// A report: once if it is certain whether the score reaches its bound, else both ways.
    fn report(&self, state: &State, outcome: Outcome, now: u64, next: &mut Vec<State>) {
        let mut after = state.clone();
        let crossing = after.standing.weigh(now, weight(self.weights, outcome), self.rules);
        let ban = |mut after: State| {
            let reason = if outcome == Outcome::Fatal { BanReason::Fatal } else { BanReason::LowScore };
            after.standing.earn_ban(now, reason, self.rules);
            after.events[0] += 1;
            after
        };
        if crossing == Crossing::Banned || outcome == Outcome::Fatal {
            next.push(ban(after));
        } else {
            if crossing == Crossing::Edge {
                next.push(ban(after.clone()));
            }
            next.push(after);
        }
    }
}

impl Object for StandingOf<'_> {
    type State = State;
    type Atom = Atom;

    fn apply(&self, state: &State, atom: &Atom, now: u64, next: &mut Vec<State>) {
        let ban = state.standing.ban(now);
        let mut after = state.clone();
        let possible = match atom {
            Atom::NotBanned => ban.is_none(),
            Atom::BannedSomehow => ban.is_some(),
            Atom::Banned(wait) => ban.is_some_and(|ban| ban.remaining(now).map(duration) == *wait),
            Atom::IsBanned(banned) => ban.is_some() == *banned,
            Atom::Report(_, counted) if ban.is_some() && !(*counted && state.open > 0) => !counted,
            Atom::Report(outcome, _) => return self.report(state, *outcome, now, next),
            Atom::Score(view) => self.shows_score(view, &state.standing, now),
            Atom::Ban(view) => self.shows_ban(view, &state.standing, now),
            Atom::Quiet(view, events) => {
                let ([earned, operator, unbanned], counted) = (events.of_standing(), state.events);
                // One that overlapped an earned ban may be told though it never stood (DESIGN.md).
                (earned, unbanned) == (counted[0], counted[2])
                    && operator >= counted[1]
                    && view.as_ref().is_none_or(|view| {
                        self.shows_score(view, &state.standing, now) && self.shows_ban(view, &state.standing, now)
                    })
            }
            Atom::Seal => {
                after.open -= 1;
                true
            }
            // A ban that takes over from another has nothing to close.
            Atom::ImposeOpenly(..) if ban.is_some() => false,
            Atom::Impose(length, code) | Atom::ImposeOpenly(length, code) => {
                after.open += u32::from(matches!(atom, Atom::ImposeOpenly(..)));
                let length = length.map(|length| (length.as_nanos() as i128).max(1));
                after.events[1] += u32::from(after.standing.operator_ban(now, length, *code, self.rules));
                true
            }
            Atom::Unban(lifted) => {
                after.events[2] += u32::from(*lifted);
                after.standing.unban(now) == *lifted
            }
            Atom::Reset => {
                after.standing.reset(now, self.rules);
                true
            }
        };
        if possible {
            next.push(after);
        }
    }
}
