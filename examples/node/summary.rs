//! The closing summary: what the guard promised, beside what was seen.

use std::fmt::Display;
use std::time::Duration;

use peerguard::{Direction, Snapshot};

use crate::ledger::{Measured, Recovery, Tally, Trip};
use crate::node::Node;
use crate::peers::{Behaviour, Neighbour};
use crate::table::bytes;

/// A revived peer is used again within this many times the open time then in force.
const RECOVERY_FACTOR: f64 = 1.2;
/// How far the measured throughput may be from the limit.
const TOLERANCE: f64 = 0.02;
/// Throughput over less than this is shown, but not judged.
const LEAST_WINDOW: Duration = Duration::from_secs(5);

/// One line: what is claimed, what was seen, and whether that is as promised (`None`: not judged).
struct Fact {
    name: &'static str,
    seen: String,
    kept: Option<bool>,
}

pub struct Summary {
    heading: String,
    facts: Vec<Fact>,
}

impl Summary {
    /// Takes stock after `elapsed`, when the node's workers have ended.
    pub fn new(node: &Node, neighbours: &[Neighbour], elapsed: Duration, [down, up]: [Option<Measured>; 2]) -> Self {
        let breaker = &node.guard.config().circuit_breaker;
        let limits = &node.guard.config().bandwidth;
        let snapshot = node.guard.snapshot();
        let accounts = || node.ledger.accounts();
        let trips = accounts().flat_map(|account| account.trips.clone());
        let (dead, others): (Vec<_>, Vec<_>) = trips.partition(|trip| trip.was_dead);
        let recovered = accounts().flat_map(|account| account.recoveries.clone()).collect();
        let waiting = accounts().filter_map(|account| account.revival()).collect();
        let facts = vec![
            cut_off("dead peers cut off", &dead, breaker.failure_threshold),
            cut_off("other peers cut off", &others, breaker.failure_threshold),
            saved(
                accounts().map(|account| account.saved_while_dead).sum(),
                accounts().map(|account| account.made_while_dead).sum(),
            ),
            time_to_trip(&dead),
            time_to_recover(recovered, waiting),
            throughput("download", down, limits.download_limit_bps),
            throughput("upload", up, limits.upload_limit_bps),
            greedy(node, neighbours, &snapshot, elapsed),
            garbage(node, &snapshot),
            books(node, &snapshot),
        ];
        let heading = format!("Summary after {:.0} s with {} peers", elapsed.as_secs_f64(), neighbours.len());
        Self { heading, facts }
    }

    /// Nothing that was seen breaks a promise.
    pub fn all_kept(&self) -> bool {
        self.facts.iter().all(|fact| fact.kept != Some(false))
    }

    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new(), self.heading.clone()];
        for fact in &self.facts {
            let mark = match fact.kept {
                Some(true) => "kept  ",
                Some(false) => "BROKEN",
                None => "-     ",
            };
            lines.push(format!("  {mark}  {:<20}  {}", fact.name, fact.seen));
        }
        lines
    }
}

fn cut_off(name: &'static str, trips: &[Trip], threshold: u32) -> Fact {
    let attempts = trips.iter().map(|trip| trip.attempts);
    let (Some(least), Some(most)) = (attempts.clone().min(), attempts.max()) else {
        return Fact { name, seen: "none".into(), kept: None };
    };
    let after = match least == most {
        true => least.to_string(),
        false => format!("{least} to {most}"),
    };
    let times = plural(trips.len(), "time", "times");
    Fact {
        name,
        seen: format!("{times}, each after {after} attempts (failure_threshold {threshold})"),
        kept: Some(least == threshold && most == threshold),
    }
}

fn saved(saved: u64, made: u64) -> Fact {
    let all = saved + made;
    let share = 100.0 * saved as f64 / all.max(1) as f64;
    Fact {
        name: "attempts saved",
        seen: format!("{saved} of {all} at dead peers were refused at the gate ({share:.0} %), {made} made"),
        kept: None,
    }
}

fn time_to_trip(dead: &[Trip]) -> Fact {
    let seen = match dead.iter().map(|trip| trip.took).max() {
        None => "no dead peer was cut off in this time".into(),
        Some(most) => {
            let mean = dead.iter().map(|trip| trip.took).sum::<Duration>() / dead.len() as u32;
            format!("{} on average, {} at most, from the first failed attempt", seconds(mean), seconds(most))
        }
    };
    Fact { name: "time to trip", seen, kept: None }
}

fn time_to_recover(mut recovered: Vec<Recovery>, waiting: Vec<Recovery>) -> Fact {
    let name = "time to recover";
    let is_late = |recovery: &Recovery| factor(recovery) > RECOVERY_FACTOR;
    // One that waits longer than it should is as good as seen; the others may still be in time.
    let (late, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_late);
    recovered.extend(late);
    let still = match waiting.len() {
        0 => String::new(),
        n => format!("; {n} more back, not yet due"),
    };
    let worst = recovered.iter().max_by(|a, b| factor(a).total_cmp(&factor(b)));
    let Some(worst) = worst else {
        let seen = format!("no peer was cut off, revived and used again{still}");
        return Fact { name, seen, kept: None };
    };
    let in_time = recovered.iter().filter(|recovery| !is_late(recovery)).count();
    Fact {
        name,
        seen: format!(
            "{in_time} of {} used again within {RECOVERY_FACTOR} x the open time in force; \
             worst {:.2} x ({} of {}){still}",
            recovered.len(),
            factor(worst),
            seconds(worst.waited),
            seconds(worst.open_time),
        ),
        kept: Some(in_time == recovered.len()),
    }
}

fn factor(recovery: &Recovery) -> f64 {
    recovery.waited.as_secs_f64() / recovery.open_time.as_secs_f64()
}

/// Payload bytes that went through the sockets from the moment at which the global bucket first
/// refused: its initial burst is over then. On a machine that stood still for a moment bytes are left
/// unspent, which the guard would have granted.
fn throughput(name: &'static str, measured: Option<Measured>, limit: u64) -> Fact {
    let Some(Measured { moved, over, unspent }) = measured.filter(|measured| !measured.over.is_zero()) else {
        let seen = format!("the limit of {}/s was never reached", bytes(limit));
        return Fact { name, seen, kept: None };
    };
    let off = |bytes: u64| bytes as f64 / over.as_secs_f64() / limit as f64 - 1.0;
    let above = off(moved) > TOLERANCE;
    let below = off(moved + unspent) < -TOLERANCE;
    // A full bucket, which holds a second's worth, had no room for more.
    let judged = over >= LEAST_WINDOW && !(below && unspent >= limit);
    Fact {
        name,
        seen: format!(
            "{:.3} MiB/s of payload, limit {:.3} MiB/s ({:+.2} %), over {:.1} s after the first burst; {:.3} MiB unspent",
            moved as f64 / over.as_secs_f64() / f64::from(1 << 20),
            limit as f64 / f64::from(1 << 20),
            100.0 * off(moved),
            over.as_secs_f64(),
            unspent as f64 / f64::from(1 << 20),
        ),
        kept: judged.then_some(!above && !below),
    }
}

fn greedy(node: &Node, neighbours: &[Neighbour], snapshot: &Snapshot, elapsed: Duration) -> Fact {
    let limits = &node.guard.config().bandwidth;
    let burst = limits.refill_interval.as_secs_f64() * 10.0;
    let allowed = |rate: u64| rate as f64 * (burst + elapsed.as_secs_f64());
    let is_greedy = |id| {
        let who = neighbours.iter().find(|neighbour| neighbour.id == id);
        who.is_some_and(|neighbour| neighbour.behaviour == Behaviour::Greedy)
    };
    let greedy: Vec<_> = snapshot.peers().filter(|view| is_greedy(view.id)).collect();
    let most = greedy
        .iter()
        .flat_map(|view| {
            [
                view.bytes_sent as f64 / allowed(limits.per_peer_upload_bps),
                view.bytes_received as f64 / allowed(limits.per_peer_download_bps),
            ]
        })
        .fold(0.0, f64::max);
    let share = |part: u64, meter: Direction| 100.0 * part as f64 / node.meter(meter).moved().max(1) as f64;
    Fact {
        name: "greedy peers",
        seen: format!(
            "{} took {:.0} % of the upload and {:.0} % of the download, each at most {:.1} % of what its own limit allows",
            greedy.len(),
            share(greedy.iter().map(|view| view.bytes_sent).sum(), Direction::Upload),
            share(greedy.iter().map(|view| view.bytes_received).sum(), Direction::Download),
            100.0 * most,
        ),
        kept: Some(most <= 1.0),
    }
}

/// Every answer that was no answer has to stand in the guard's records as a protocol violation.
fn garbage(node: &Node, snapshot: &Snapshot) -> Fact {
    let found = node.ledger.accounts().fold(Tally::default(), |all, one| all.merge(&one.garbage));
    let violations: u64 = snapshot.peers().map(|view| view.protocol_violations).sum();
    let seen = match found.total() {
        0 => "none came".into(),
        _ => format!("{}: {violations} protocol violations", found.in_words()),
    };
    Fact { name: "garbage found", seen, kept: Some(violations == found.total()) }
}

fn books(node: &Node, snapshot: &Snapshot) -> Fact {
    let sockets = [node.ledger.down.moved(), node.ledger.up.moved()];
    let guard = [snapshot.totals().downloaded, snapshot.totals().uploaded];
    let seen = match sockets == guard {
        true => format!("{} in, {} out: in the guard's books as on the sockets", sockets[0], sockets[1]),
        false => format!("the guard counted {guard:?} bytes in and out, the sockets {sockets:?}"),
    };
    Fact { name: "bytes", seen, kept: Some(sockets == guard) }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn plural(n: usize, one: impl Display, many: impl Display) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}
