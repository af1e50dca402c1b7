//! A guard under the calls that an input asks for, and what must hold of everything it shows.

use peerguard::{Direction, Limits, ManualClock, Outcome, PeerGuard, PeerLimits, Traffic};

use super::reader::Reader;

/// Calls of one input.
const MOST: usize = 200;

pub fn play(guard: &PeerGuard, hand: &ManualClock, r: &mut Reader<'_>) {
    for _ in 0..MOST {
        if r.is_empty() {
            break;
        }
        call(guard, hand, r);
    }
    check(guard);
}

fn direction(r: &mut Reader<'_>) -> Direction {
    Direction::ALL[usize::from(r.below(2))]
}

fn call(guard: &PeerGuard, hand: &ManualClock, r: &mut Reader<'_>) {
    let id = r.id();
    match r.below(16) {
        0 => hand.advance(r.duration()),
        1 => hand.step_back(r.duration()),
        2..=3 => {
            let admitted = if r.bool() { guard.admit(&id) } else { guard.grant_up_to(&id, direction(r), r.u64()) };
            if let Ok(mut permit) = admitted {
                let _given = permit.refund(r.u64());
                let outcome = Outcome::ALL[usize::from(r.below(10))];
                let _recorded = permit.record(outcome, r.option(Reader::duration), Traffic::NONE);
            }
        }
        4 => {
            if let Ok(mut permit) = guard.admit_bytes(&id, direction(r), r.u64()) {
                let before = permit.bytes();
                assert_eq!(permit.refund(before), before);
            }
        }
        5..=7 => {
            let outcome = Outcome::ALL[usize::from(r.below(10))];
            let traffic = Traffic { sent: r.u64(), received: r.u64() };
            let _recorded = guard.report(&id, outcome, r.option(Reader::duration), traffic);
        }
        8 => {
            let latency = r.f64();
            let recorded = guard.record_success(&id, Some(latency));
            assert_eq!(recorded.is_err(), !latency.is_finite() || latency < 0.0, "{latency}");
        }
        9 => {
            let _taken = guard.try_upload(&id, r.u64()) | guard.try_download(&id, r.u64());
        }
        10 => {
            let _banned = guard.ban(&id, r.option(Reader::duration), r.u8());
        }
        11 => {
            let _lifted = guard.unban(&id) | guard.reset(&id);
        }
        12 => {
            let _done = [guard.force_open(&id), guard.force_closed(&id), guard.observe(&id)];
        }
        13 => {
            let limits = PeerLimits { upload: r.option(Reader::u64), download: r.option(Reader::u64) };
            let _set = guard.set_peer_limits(&id, limits);
        }
        14 => {
            let [upload, download, per_peer_upload, per_peer_download] = [r.u64(), r.u64(), r.u64(), r.u64()];
            let _set = guard.update_limits(Limits { upload, download, per_peer_upload, per_peer_download });
        }
        _ => {
            let _asked = guard.should_communicate(&id);
            let _handle = guard.peer(&id).check();
        }
    }
}

/// Everything that is shown is in its range.
fn check(guard: &PeerGuard) {
    let snapshot = guard.snapshot();
    let totals = snapshot.totals();
    assert_eq!(totals.closed + totals.open + totals.half_open, totals.total_peers);
    assert!(totals.total_peers <= totals.capacity);
    assert!(totals.avg_score.is_finite() && totals.avg_reliability.is_finite());
    let most = guard.config().reputation.max_score;
    for peer in snapshot.peers() {
        assert!((0.0..=most).contains(&peer.score), "{peer:?}");
        assert!((0.0..=1.0).contains(&peer.reliability), "{peer:?}");
        assert!((0.0..=1.0).contains(&peer.upload_used) && (0.0..=1.0).contains(&peer.download_used), "{peer:?}");
        assert!(peer.latency_ms.is_none_or(|ms| ms.is_finite() && ms >= 0.0), "{peer:?}");
        let explained = guard.explain(&peer.id);
        assert_eq!(guard.is_banned(&peer.id), peer.ban.is_some(), "{explained:?}");
    }
    assert!(snapshot.top_peers(5).len() <= 5 && snapshot.sync_candidates(5).len() <= 5);
    let _events = guard.drain_events(usize::MAX);
}
