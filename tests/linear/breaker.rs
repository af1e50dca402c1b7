//! A peer's breaker as one object.
//!
//! A ban is no part of it, and a report under a ban is neutral to the breaker. So where a ban may have been in force, a
//! report that says it was ignored may have been neutral, and a `false` of `should_communicate` may have come from the ban.
//!
//! One thing is not promised (DESIGN.md): the failure that fills the window of a period which an operator ends at the same
//! time may count there without opening the breaker.

use peerguard::{Forced, PeerView, Reason, Recorded, Rejection};

use crate::linear::fact::{Events, Fact, Shown};
use crate::linear::history::{Entry, History};
use crate::linear::search::{Object, Op};
use crate::linear::standing::may_be_banned;
use crate::reference::breaker::{Breaker, Effect, Phase, Slot, Source};
use crate::reference::compare::duration;
use crate::reference::guard::effect;
use crate::reference::rules::Rules;

#[derive(Debug)]
pub enum Atom {
    Admit(Slot, Result<Shown, Rejection>),
    Refuse,
    /// Admitted a caller that was told nothing else.
    Plain,
    Report(Source, Effect, Option<Recorded>),
    /// A failure that would open the breaker, in a period that an operator is ending.
    Lapse(Source),
    Check(Option<Rejection>),
    View(Box<PeerView>),
    Quiet(Option<Box<PeerView>>, Events),
    Force(Forced),
    Reset,
}

#[derive(Clone, Debug)]
pub struct State {
    breaker: Breaker,
    events: [u32; 4],
}

pub struct BreakerOf<'a> {
    pub rules: &'a Rules,
}

/// The calls of one key, as the breaker sees them.
pub fn ops(history: &History, key: usize) -> Vec<Vec<Op<Atom>>> {
    history.ops(|entry| if entry.key == key { ways(history, entry) } else { Vec::new() })
}

fn ways(history: &History, entry: &Entry) -> Vec<Vec<Atom>> {
    let banned = || may_be_banned(history, entry);
    let one = |atom| vec![vec![atom]];
    match &entry.fact {
        Fact::Admit { answer: Err(no), .. } | Fact::Check(Some(no)) if no.reason == Reason::Banned => Vec::new(),
        Fact::Admit { slot, answer } => one(Atom::Admit(*slot, *answer)),
        Fact::Asked(true) => one(Atom::Plain),
        Fact::Asked(false) if banned() => vec![vec![], vec![Atom::Refuse]],
        Fact::Asked(false) => one(Atom::Refuse),
        Fact::Report { source, outcome, recorded } => {
            let effect = effect(*outcome).unwrap_or(Effect::Neutral);
            let mut ways = one(Atom::Report(*source, effect, *recorded));
            if effect != Effect::Neutral && banned() {
                ways.push(vec![Atom::Report(*source, Effect::Neutral, *recorded)]);
            }
            if effect == Effect::Failure && *recorded == Some(Recorded::Counted) && overlaps_operator(history, entry) {
                ways.push(vec![Atom::Lapse(*source)]);
            }
            ways
        }
        Fact::Check(no) => one(Atom::Check(*no)),
        Fact::View(Some(view)) => one(Atom::View(view.clone())),
        Fact::Quiet { view, events, .. } => one(Atom::Quiet(view.clone(), *events)),
        Fact::Force(forced) => one(Atom::Force(*forced)),
        Fact::Reset(true) => one(Atom::Reset),
        Fact::Reset(false) | Fact::View(None) | Fact::IsBanned(_) | Fact::Ban { .. } | Fact::Unban(_) => Vec::new(),
        // The histories of bytes have no breakers that open.
        Fact::Take { .. } | Fact::Try { .. } | Fact::Refund { .. } => Vec::new(),
    }
}

fn overlaps_operator(history: &History, entry: &Entry) -> bool {
    history.overlapped_by(entry, |fact| matches!(fact, Fact::Reset(true) | Fact::Force(Forced::Open | Forced::Closed)))
}

pub fn start(now: u64) -> State {
    State { breaker: Breaker::new(now), events: [0; 4] }
}

fn rejection((reason, wait): (Reason, Option<i128>)) -> Rejection {
    Rejection { reason, retry_after: wait.map(duration) }
}

impl BreakerOf<'_> {
    /// What a view shows of the gate, which is one word.
    fn shows(&self, view: &PeerView, state: &State, now: u64) -> bool {
        let seen = state.breaker.seen(now, self.rules);
        (view.state, view.forced, view.generation) == (seen.state, state.breaker.forced, seen.generation)
            && u32::from(view.backoff_level) == seen.level
            && view.open_remaining == seen.open_remaining.map(duration)
            && u32::from(view.probes_out) == seen.probes_out
            && u32::from(view.probe_successes) == seen.probe_successes
    }
}

impl Object for BreakerOf<'_> {
    type State = State;
    type Atom = Atom;

    fn apply(&self, state: &State, atom: &Atom, now: u64, next: &mut Vec<State>) {
        let rules = self.rules;
        let refusal = state.breaker.refusal(now, rules).map(rejection);
        let refuses = refusal.filter(|_| state.breaker.forced != Forced::Observe);
        let mut events = Vec::new();
        let mut after = state.clone();
        let possible = match atom {
            Atom::Admit(_, Err(no)) => refuses == Some(*no),
            Atom::Refuse => refuses.is_some(),
            Atom::Admit(slot, Ok(shown)) => {
                let probe = refuses.is_none() && after.breaker.admit(now, *slot, rules, &mut events);
                let given = Shown { generation: after.breaker.generation, probe };
                refuses.is_none() && given == *shown
            }
            Atom::Plain => {
                let _probe = refuses.is_none() && after.breaker.admit(now, Slot::Plain, rules, &mut events);
                refuses.is_none()
            }
            Atom::Report(source, effect, recorded) => {
                let answer = after.breaker.report(now, *source, *effect, rules, &mut events);
                recorded.is_none_or(|recorded| recorded == answer)
            }
            Atom::Lapse(source) => {
                let mut opened = state.breaker.clone();
                let recorded = opened.report(now, *source, Effect::Failure, rules, &mut Vec::new());
                let closed = matches!(state.breaker.phase, Phase::Closed);
                recorded == Recorded::Counted && closed && matches!(opened.phase, Phase::Open { .. })
            }
            Atom::Check(no) => refuses == *no,
            Atom::View(view) => self.shows(view, state, now),
            Atom::Quiet(None, events) => events.of_breaker() == state.events,
            Atom::Quiet(Some(view), events) => {
                let failures = state.breaker.seen(now, rules).failures;
                self.shows(view, state, now)
                    && view.failures_in_window == failures
                    && events.of_breaker() == state.events
            }
            Atom::Force(forced) => {
                after.breaker.force(now, *forced, rules, &mut events);
                true
            }
            Atom::Reset => {
                after.breaker.reset(now, rules, &mut events);
                true
            }
        };
        if possible {
            let mut happened = Events::default();
            events.into_iter().for_each(|kind| happened.count(kind));
            after.events.iter_mut().zip(happened.of_breaker()).for_each(|(sum, n)| *sum += n);
            next.push(after);
        }
    }
}
