//! A node on loopback, guarded by peerguard: real sockets, good and bad peers, and a live table.
//!
//! ```sh
//! cargo run --release --example node -- --seconds 20
//! ```
//!
//! Where to read on: `node.rs` is what a real node would have, and the only file that most readers
//! need. `serve.rs` is its other half, for peers that dial it. `peers.rs` makes the world it lives in,
//! `wire.rs` is their language; `ledger.rs`, `table.rs` and `summary.rs` tell what happened.

mod args;
mod dashboard;
mod ledger;
mod node;
mod peers;
mod port;
mod schedule;
mod screen;
mod serve;
mod summary;
mod table;
mod wire;

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use peerguard::{BandwidthConfig, CircuitBreakerConfig, Config, PeerGuard, ReputationConfig};
use signal_hook::consts::{SIGINT, SIGTERM};

use args::{Args, Command};
use dashboard::Dashboard;
use ledger::Ledger;
use node::{ANNOUNCE_EVERY, Node};
use peers::Neighbour;
use port::Port;
use schedule::Schedule;
use screen::Screen;
use summary::Summary;
use table::{Row, Scene};

fn main() -> ExitCode {
    let args = match args::parse(std::env::args().skip(1)) {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\nnode --help says what it takes");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The defaults, with times short enough to watch and the limits that were asked for.
fn config(args: &Args) -> Config {
    Config {
        max_peers: 1024,
        circuit_breaker: CircuitBreakerConfig {
            recovery_timeout: Duration::from_secs(2),
            max_open_time: Duration::from_secs(8),
            ..CircuitBreakerConfig::default()
        },
        reputation: ReputationConfig {
            ban_duration: Some(Duration::from_secs(5)),
            max_ban_duration: Duration::from_secs(20),
            ..ReputationConfig::default()
        },
        // More than an equal share for each, so that the many use up the whole; not so much that a few can take it.
        bandwidth: BandwidthConfig {
            download_limit_bps: args.download,
            upload_limit_bps: args.upload,
            per_peer_download_bps: a_share(args.download, args.peers),
            per_peer_upload_bps: a_share(args.upload, args.peers),
            ..BandwidthConfig::default()
        },
        ..Config::default()
    }
}

/// A peer's own limit beside the node's: three times an equal share.
fn a_share(limit: u64, peers: usize) -> u64 {
    limit * 3 / peers as u64
}

/// Runs the node; whether all that the summary judges was as promised.
fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let guard = PeerGuard::new(config(args))?;
    let dashboard = args.http.map(|address| Dashboard::open(address, &guard)).transpose()?;
    let heading = heading(args, dashboard.as_ref());
    let door = Port::reserve()?;
    let listener = door.listen()?;
    let neighbours = peers::start(args.peers, args.seed, door.addr())?;
    let truths = neighbours.iter().map(|neighbour| neighbour.truth.clone());
    let ledger = Ledger::new(truths, guard.config().circuit_breaker.clone());
    let book = neighbours.iter().map(|neighbour| (neighbour.id, neighbour.addr)).collect();
    let node = Node::new(guard, ledger, book);
    let schedule = Schedule::new(neighbours.len(), ANNOUNCE_EVERY);
    let inbound = AtomicUsize::new(0);

    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone())?;
    }
    let mut screen = Screen::new(args.plain);
    let began = Instant::now();
    let (watched, measured) = thread::scope(|scope| {
        node.run(scope, &schedule);
        scope.spawn(|| serve::serve(&node, &listener, &inbound, scope));
        let watched = watch(args, &heading, &node, &neighbours, &mut screen, &interrupted);
        // The buckets before the meters: so nothing is missed that moves between the two readings.
        let left = node.guard.get_summary();
        let measured =
            [node.ledger.down.measure(left.download_available), node.ledger.up.measure(left.upload_available)];
        node.stop();
        (watched, measured)
    });
    watched?;
    let summary = Summary::new(&node, &neighbours, began.elapsed(), measured);
    let mut lines = vec![String::new()];
    lines.extend(table::table(&rows(&node, &neighbours).iter().collect::<Vec<_>>(), &screen));
    lines.extend(summary.lines());
    screen.print(&lines)?;
    Ok(summary.all_kept())
}

/// Shows each second, until the time is over or Ctrl-C.
fn watch(
    args: &Args,
    heading: &str,
    node: &Node,
    neighbours: &[Neighbour],
    screen: &mut Screen,
    interrupted: &AtomicBool,
) -> std::io::Result<()> {
    let began = Instant::now();
    if !screen.is_terminal() {
        screen.print(&[heading.to_owned(), String::new()])?;
    }
    let mut news = Vec::new();
    let mut moved = [0; 2];
    for second in 1.. {
        let next = began + Duration::from_secs(second);
        while Instant::now() < next {
            // Relaxed: the flag carries nothing but itself.
            if interrupted.load(Ordering::Relaxed) {
                return Ok(());
            }
            let left = next.saturating_duration_since(Instant::now());
            thread::sleep(left.min(Duration::from_millis(50)));
        }
        let elapsed = began.elapsed();
        let fresh = happened(node, neighbours, began);
        let pulse = pulse(node, elapsed, &mut moved);
        if screen.is_terminal() {
            news.extend(fresh);
            news.drain(..news.len().saturating_sub(table::NEWS));
            let scene =
                Scene { heading, elapsed, length: args.seconds, rows: rows(node, neighbours), pulse, news: &news };
            let lines = scene.lines(screen);
            screen.draw(&lines)?;
        } else {
            let mut lines = fresh;
            lines.push(pulse);
            screen.print(&lines)?;
        }
        if args.seconds.is_some_and(|length| elapsed >= length) {
            return Ok(());
        }
    }
    Ok(())
}

/// What one is looking at.
fn heading(args: &Args, dashboard: Option<&Dashboard>) -> String {
    let [download, upload] = [args.download, args.upload].map(table::bytes);
    let [peer_download, peer_upload] = [args.download, args.upload].map(|rate| table::bytes(a_share(rate, args.peers)));
    let at = dashboard.map(|dashboard| format!("{} · ", dashboard.url())).unwrap_or_default();
    format!(
        "{at}A node and {} peers on loopback, seed {}; limits {download}/s in, {upload}/s out; \
         per peer {peer_download}/s, {peer_upload}/s",
        args.peers, args.seed,
    )
}

/// The guard's events since the last call.
fn happened(node: &Node, neighbours: &[Neighbour], began: Instant) -> Vec<String> {
    let events = node.guard.drain_events(usize::MAX);
    let now = std::time::SystemTime::now();
    let line = |event: &peerguard::Event| {
        let who = &neighbours[node.index_of(&event.peer)?];
        let age = now.duration_since(event.at).unwrap_or_default();
        let view = node.guard.view(&event.peer);
        Some(table::event_line(began.elapsed(), age, event, who, view.as_ref()))
    };
    events.iter().filter_map(line).collect()
}

/// The last second in a sentence; `before` is what the meters read at its beginning.
fn pulse(node: &Node, elapsed: Duration, before: &mut [u64; 2]) -> String {
    let moved = [node.ledger.down.moved(), node.ledger.up.moved()];
    let [down, up] = [moved[0] - before[0], moved[1] - before[1]];
    *before = moved;
    let totals = node.guard.get_summary();
    let saved: u64 = node.ledger.accounts().map(|account| account.saved_while_dead).sum();
    format!(
        "{:>4} s  {} closed, {} half_open, {} open, {} banned; {} in, {} out; {saved} attempts saved",
        elapsed.as_secs(),
        totals.closed,
        totals.half_open,
        totals.open,
        totals.banned,
        table::bytes(down),
        table::bytes(up),
    )
}

fn rows(node: &Node, neighbours: &[Neighbour]) -> Vec<Row> {
    let snapshot = node.guard.snapshot();
    let views: HashMap<_, _> = snapshot.peers().map(|view| (view.id, view)).collect();
    let row = |(index, neighbour): (usize, &Neighbour)| {
        Row::new(neighbour, views.get(&neighbour.id), &node.ledger.account(index))
    };
    neighbours.iter().enumerate().map(row).collect()
}
