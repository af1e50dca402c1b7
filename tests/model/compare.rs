//! The guard's views next to the model's state.

use std::time::{Duration, SystemTime};

use peerguard::{
    BreakerState, BucketView, Direction, Explanation, Forced, PeerGuard, PeerId, PeerView, Reason, Rejection, Scopes,
    Totals,
};

use crate::reference::bucket::Terms;
use crate::reference::guard::{Model, Refusal};
use crate::reference::peer::ModelPeer;
use crate::reference::reputation::SCORE_SLACK;

/// `Err` with both sides unless they are equal.
macro_rules! same {
    ($what:expr, $guard:expr, $model:expr) => {{
        let (guard, model) = (&$guard, &$model);
        if guard != model {
            return Err(format!("{}: the guard says {guard:?}, the model {model:?}", $what));
        }
    }};
}
pub(crate) use same;

/// `Err` unless two figures lie within a slack.
pub fn near(what: &str, guard: f64, model: f64, slack: f64) -> Result<(), String> {
    if (guard - model).abs() <= slack {
        return Ok(());
    }
    Err(format!("{what}: the guard says {guard}, the model {model}"))
}

pub fn duration(ns: i128) -> Duration {
    Duration::from_nanos(u64::try_from(ns).expect("a wait is not negative and fits"))
}

/// Everything that is shown of every peer.
pub fn peers(guard: &PeerGuard, model: &Model, ids: &[PeerId], now: u64) -> Result<(), String> {
    for (number, id) in ids.iter().enumerate() {
        let view = guard.view(id);
        let Some(peer) = model.peers.get(id) else {
            same!(format!("peer {number} has a record"), view.is_some(), false);
            continue;
        };
        let view = view.ok_or(format!("peer {number} has no record"))?;
        peer_view(&view, peer, model, id, now).map_err(|what| format!("peer {number}: {what}"))?;
    }
    Ok(())
}

fn peer_view(view: &PeerView, peer: &ModelPeer, model: &Model, id: &PeerId, now: u64) -> Result<(), String> {
    same!("id", view.id, *id);
    breaker(view, peer, model, now)?;
    reputation(view, peer, model, now)?;
    counts(view, peer)?;
    same!("limits", view.limits, peer.own_limits);
    for (direction, used) in [(Direction::Upload, view.upload_used), (Direction::Download, view.download_used)] {
        let expected =
            model.peer_terms(id, direction).map_or(0.0, |terms| peer.buckets[direction as usize].used(now, &terms));
        near("used", used, expected, 1e-12)?;
    }
    same!(
        "last seen after first seen",
        lapse(view.first_seen, view.last_seen),
        i128::from(peer.last_seen) - i128::from(peer.first_seen)
    );
    Ok(())
}

fn lapse(from: SystemTime, to: SystemTime) -> i128 {
    match to.duration_since(from) {
        Ok(later) => later.as_nanos() as i128,
        Err(earlier) => -(earlier.duration().as_nanos() as i128),
    }
}

fn breaker(view: &PeerView, peer: &ModelPeer, model: &Model, now: u64) -> Result<(), String> {
    let seen = peer.breaker.seen(now, &model.breaker);
    same!("state", view.state, seen.state);
    same!("forced", view.forced, peer.breaker.forced);
    same!("generation", view.generation, seen.generation);
    same!("failures in the window", view.failures_in_window, seen.failures);
    same!(
        "calls in the window",
        view.calls_in_window,
        seen.calls.map(|(calls, failed)| (u64::from(calls), u64::from(failed)))
    );
    same!("back-off level", u32::from(view.backoff_level), seen.level);
    same!("open remaining", view.open_remaining, seen.open_remaining.map(duration));
    if view.state == BreakerState::HalfOpen {
        same!("probes out", u32::from(view.probes_out), seen.probes_out);
        same!("probe successes", u32::from(view.probe_successes), seen.probe_successes);
    }
    Ok(())
}

fn reputation(view: &PeerView, peer: &ModelPeer, model: &Model, now: u64) -> Result<(), String> {
    let (standing, rules) = (&peer.standing, &model.reputation);
    let score = standing.score(now, rules);
    if score.exact {
        same!("score", view.score, score.points);
    }
    near("score", view.score, score.points, SCORE_SLACK)?;
    if !standing.tier_on_the_edge(now, rules) {
        same!("tier", view.tier, standing.tier(now, rules));
    }
    let ban = standing.ban(now);
    same!("banned", view.ban.is_some(), ban.is_some());
    if let (Some(view), Some(ban)) = (view.ban, ban) {
        same!("ban origin", view.origin, ban.origin);
        same!("ban reason", view.reason, ban.reason);
        same!("ban remaining", view.remaining, ban.remaining(now).map(duration));
    }
    same!("offences", u32::from(view.offences), standing.offences(now, rules));
    near("reliability", view.reliability, peer.reliability(), 1e-12)?;
    same!("has a latency", view.latency_ms.is_some(), peer.latency_ms.is_some());
    let (shown, expected) = (view.latency_ms.unwrap_or(0.0), peer.latency_ms.unwrap_or(0.0));
    near("latency", shown, expected, 1e-6 * expected.abs())
}

fn counts(view: &PeerView, peer: &ModelPeer) -> Result<(), String> {
    let shown = [
        view.successful_syncs,
        view.successful_messages,
        view.failed_syncs,
        view.failed_messages,
        view.timeouts,
        view.unreachable,
        view.protocol_violations,
        view.fatal,
    ];
    same!("counts by outcome", shown, peer.counts);
    same!("bytes", [view.bytes_sent, view.bytes_received], peer.bytes);
    Ok(())
}

/// A refusal: the same reason, and the wait to the nanosecond.
pub fn rejection(what: &str, guard: Option<Rejection>, model: Option<Refusal>) -> Result<(), String> {
    let differs = || Err(format!("{what}: the guard says {guard:?}, the model {model:?}"));
    let (Some(rejection), Some(refusal)) = (guard, model) else {
        return if guard.is_none() && model.is_none() { Ok(()) } else { differs() };
    };
    let wait = rejection.retry_after.map(|wait| wait.as_nanos() as i128);
    let equal = wait == refusal.wait;
    if rejection.reason == refusal.reason && equal { Ok(()) } else { differs() }
}

/// Everything that is shown of the guard as a whole.
pub fn totals(totals: &Totals, model: &Model, now: u64) -> Result<(), String> {
    let mut states = [0; 3];
    let (mut banned, mut scores, mut reliabilities) = (0, 0.0, 0.0);
    for peer in model.peers.values() {
        states[peer.breaker.seen(now, &model.breaker).state as usize] += 1;
        banned += u64::from(peer.standing.ban(now).is_some());
        scores += peer.standing.score(now, &model.reputation).points;
        reliabilities += peer.reliability();
    }
    let peers = model.peers.len().max(1) as f64;
    same!("peers", totals.total_peers, model.peers.len() as u64);
    same!("peers by state", [totals.closed, totals.open, totals.half_open], states);
    same!("banned", totals.banned, banned);
    near("mean score", totals.avg_score, scores / peers, SCORE_SLACK)?;
    near("mean reliability", totals.avg_reliability, reliabilities / peers, 1e-12)?;
    // Sums saturate as each peer's bytes do.
    let add = |sum: u64, bytes: u64| sum.saturating_add(bytes).min(i64::MAX as u64);
    let bytes = [0, 1].map(|direction| model.peers.values().fold(0, |sum, peer| add(sum, peer.bytes[direction])));
    same!("bytes", [totals.uploaded, totals.downloaded], bytes);
    let scopes = |scopes: Scopes| [scopes.peer, scopes.global];
    let throttled = [scopes(totals.throttled_upload), scopes(totals.throttled_download)];
    same!("throttled", throttled, model.totals.throttled);
    same!("limits", [totals.upload_limit, totals.download_limit], [model.limits.upload, model.limits.download]);
    same!("upload available", totals.upload_available, model.global_room(now, Direction::Upload));
    same!("download available", totals.download_available, model.global_room(now, Direction::Download));
    same!("trips", totals.trips, model.totals.trips);
    same!("probes lost", totals.probes_lost, model.totals.probes_lost);
    same!("would deny", totals.would_deny, model.totals.would_deny);
    same!("denials", Reason::ALL.map(|reason| totals.denied(reason)), model.totals.denials);
    same!("evictions", [totals.evictions, totals.evicted_bans, totals.untracked], [0; 3]);
    same!("records made", totals.records_made, model.peers.len() as u64);
    same!("events lost", totals.events_lost, 0);
    Ok(())
}

/// What `explain` says of one peer.
pub fn explanation(explained: &Explanation, model: &Model, id: &PeerId, now: u64) -> Result<(), String> {
    let peer = model.peers.get(id);
    let refusal = model.standing_refusal(now, id);
    let observed = peer.is_some_and(|peer| peer.breaker.forced == Forced::Observe);
    let (verdict, spared) = if observed { (None, refusal) } else { (refusal, None) };
    same!("explained peer", explained.peer, *id);
    same!("explained view", explained.view.is_some(), peer.is_some());
    rejection("explained verdict", explained.verdict.err(), verdict)?;
    rejection("spared", explained.spared, spared)?;
    let score = peer.map_or(model.reputation.initial, |peer| peer.standing.score(now, &model.reputation).points);
    near("explained score", explained.score.score, score, SCORE_SLACK)?;
    near("explained initial score", explained.score.initial, model.reputation.initial, 0.0)?;
    near("remembered score", explained.score.remembered, score - model.reputation.initial, SCORE_SLACK)?;
    let bonus = peer.and_then(|peer| peer.latency_ms).map_or(0.0, |ms| (1000.0 / ms).min(10.0));
    near("latency bonus", explained.score.latency_bonus, bonus * model.latency_weight, 1e-6)?;
    for direction in Direction::ALL {
        let index = direction as usize;
        let bucket = model.peer_bucket(now, id, direction);
        let own = model.peer_terms(id, direction).map(|terms| (terms, bucket.room(now, &terms)));
        bucket_view("peer bucket", explained.peer_buckets[index], own)?;
        let all = model.global_terms(direction).map(|terms| (terms, model.global[index].room(now, &terms)));
        bucket_view("global bucket", explained.global_buckets[index], all)?;
    }
    same!("events of others", explained.events.iter().any(|event| event.peer != *id), false);
    Ok(())
}

fn bucket_view(what: &str, guard: Option<BucketView>, model: Option<(Terms, u64)>) -> Result<(), String> {
    let equal = match (guard, model) {
        (None, None) => true,
        (Some(view), Some((terms, available))) => {
            view.rate == terms.bytes_per_second() && view.burst == terms.burst_bytes() && view.available == available
        }
        _ => false,
    };
    if equal { Ok(()) } else { Err(format!("{what}: the guard says {guard:?}, the model {model:?}")) }
}
