//! The lists of best peers next to the model's order.

use std::cmp::Ordering;

use peerguard::{BreakerState, Forced, PeerId};

use crate::reference::guard::Model;
use crate::reference::peer::ModelPeer;
use crate::reference::reputation::SCORE_SLACK;

/// A peer's place in a list: smaller comes first.
#[derive(Clone, Copy, Debug)]
struct Key {
    id: PeerId,
    last: bool,
    merit: f64,
    exact: bool,
    first_seen: u64,
}

impl Key {
    /// `None` when rounding alone decides.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        let by_merit = other.merit.partial_cmp(&self.merit).expect("merits are numbers");
        let exact = self.exact && other.exact;
        if self.last == other.last && !exact && (self.merit - other.merit).abs() <= 2.0 * SCORE_SLACK {
            return None;
        }
        let ties = self.first_seen.cmp(&other.first_seen).then(self.id.cmp(&other.id));
        Some(self.last.cmp(&other.last).then(by_merit).then(ties))
    }
}

fn list(guard: &[PeerId], keys: &[Key], edges: &[Key], n: usize) -> Result<(), String> {
    let fail =
        |what: &str| Err(format!("{what}: the guard lists {guard:?}, the model has {keys:?} and perhaps {edges:?}"));
    let place = |id: &PeerId| keys.iter().chain(edges).find(|key| key.id == *id);
    let mut listed = Vec::new();
    for id in guard {
        let Some(key) = place(id) else { return fail("one that should not be listed") };
        listed.push(key);
    }
    if listed.windows(2).any(|pair| pair[0].compare(pair[1]) == Some(Ordering::Greater)) {
        return fail("order");
    }
    if guard.len() > n || guard.len() < keys.len().min(n) {
        return fail("length");
    }
    let Some(last) = listed.last().filter(|_| n > 0) else { return Ok(()) };
    let left_out = keys.iter().filter(|key| !guard.contains(&key.id));
    if left_out.clone().any(|key| key.compare(last) == Some(Ordering::Less)) {
        return fail("a better one is left out");
    }
    Ok(())
}

fn unbanned(model: &Model, now: u64) -> impl Iterator<Item = (PeerId, &ModelPeer)> {
    model.peers.iter().filter(move |(_, peer)| peer.standing.ban(now).is_none()).map(|(id, peer)| (*id, peer))
}

pub fn top_peers(guard: &[(PeerId, f64)], model: &Model, n: usize, now: u64) -> Result<(), String> {
    let ids: Vec<PeerId> = guard.iter().map(|(id, _)| *id).collect();
    let keys: Vec<Key> = unbanned(model, now)
        .map(|(id, peer)| {
            let score = peer.standing.score(now, &model.reputation);
            Key { id, last: false, merit: score.points, exact: score.exact, first_seen: peer.first_seen }
        })
        .collect();
    for (id, score) in guard {
        let Some(peer) = model.peers.get(id) else { continue };
        let expected = peer.standing.score(now, &model.reputation).points;
        if (score - expected).abs() > SCORE_SLACK {
            return Err(format!("listed score {score}, not {expected}"));
        }
    }
    list(&ids, &keys, &[], n)
}

pub fn sync_candidates(guard: &[PeerId], model: &Model, n: usize, now: u64) -> Result<(), String> {
    let mut keys = Vec::new();
    let mut edges = Vec::new();
    for (id, peer) in unbanned(model, now) {
        let score = peer.standing.score(now, &model.reputation);
        let bonus = peer.latency_ms.map_or(0.0, |ms| (1000.0 / ms).min(10.0));
        let merit = score.points + model.latency_weight * bonus;
        let exact = score.exact && peer.latency_ms.is_none();
        let key = Key { id, last: false, merit, exact, first_seen: peer.first_seen };
        let seen = peer.breaker.seen(now, &model.breaker);
        let above = score.points - model.reputation.initial / 2.0;
        match seen.state {
            BreakerState::Closed if !score.exact && above.abs() <= SCORE_SLACK => edges.push(key),
            BreakerState::Closed if above > 0.0 => keys.push(key),
            BreakerState::HalfOpen
                if seen.probes_out < model.breaker.max_probes || peer.breaker.forced == Forced::Observe =>
            {
                keys.push(Key { last: true, ..key });
            }
            _ => {}
        }
    }
    list(guard, &keys, &edges, n)
}
