//! What exporters cost the hot path: the tail of `admit` over 100,000 peers in a second without them, and in one in which
//! snapshots are published, the metrics scraped and a summary queried, as a monitoring system does, through the server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use peerguard::http::{HttpOptions, serve};
use peerguard::{PeerGuard, Publisher};
use quanta::Clock;

use crate::passes::lively_guard;
use crate::results::Scrape;
use crate::workload::{Skew, Workload};

pub const PEERS: usize = 100_000;
const SECOND: Duration = Duration::from_secs(1);
const QUERY: &str = r#"{"query":"{ getCircuitBreakerSummary { totalPeers closed open halfOpen } }"}"#;

/// Rounds of two seconds; which of the two comes first changes with the rounds.
pub fn measure(rounds: usize) -> io::Result<Scrape> {
    let load = Workload::new(PEERS, Skew::Uniform, 1 << 20);
    let guard = lively_guard(&load.peers);
    let mut seen = Scrape { quiet: Vec::new(), scraped: Vec::new() };
    for round in 0..rounds {
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                seen.quiet.push(p99(&guard, &load));
            } else {
                seen.scraped.push(while_scraped(&guard, &load)?);
            }
        }
    }
    Ok(seen)
}

fn while_scraped(guard: &PeerGuard, load: &Workload) -> io::Result<f64> {
    let publisher = Publisher::new(guard);
    let serving = serve(SocketAddr::from(([127, 0, 0, 1], 0)), &publisher, HttpOptions::default())?;
    let address = serving.address();
    let publishing = publisher.start(SECOND)?;
    let p99 = thread::scope(|scope| {
        let reader = scope.spawn(move || {
            thread::sleep(SECOND / 4);
            get(address, "GET /metrics HTTP/1.1", "")?;
            get(address, "POST /graphql HTTP/1.1\r\nContent-Type: application/json", QUERY)
        });
        let p99 = p99(guard, load);
        reader.join().expect("the reader panicked").map(|()| p99)
    });
    drop(publishing);
    drop(serving);
    p99
}

/// A request whose answer must be 200.
fn get(address: SocketAddr, head: &str, body: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(stream, "{head}\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(io::Error::other(format!("{head}: {}", String::from_utf8_lossy(&answer)))),
    }
}

/// Admits for a second, each call timed by itself.
fn p99(guard: &PeerGuard, load: &Workload) -> f64 {
    let clock = Clock::new();
    let mut seen = Histogram::<u64>::new_with_max(10_000_000_000, 3).expect("three digits over ten seconds");
    let begin = Instant::now();
    for chunk in load.ids.chunks(1024).cycle() {
        if begin.elapsed() >= SECOND {
            break;
        }
        for id in chunk {
            let start = clock.raw();
            let admitted = guard.admit(id);
            let end = clock.raw();
            drop(std::hint::black_box(admitted));
            seen.saturating_record(clock.delta_as_nanos(start, end));
        }
    }
    seen.value_at_percentile(99.0) as f64
}
