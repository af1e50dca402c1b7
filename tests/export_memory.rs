//! What a publication costs, and what its readers may hold: counted by the allocator, with 100,000 peers.

#![allow(unsafe_code, reason = "an allocator that counts has to be an allocator")]

mod web;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_graphql::futures_util::{FutureExt, StreamExt};
use peerguard::export::graphql::schema;
use peerguard::http::{HttpOptions, serve};
use peerguard::{Config, PeerGuard, PeerId, Publisher};

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

fn taken(bytes: usize) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    LIVE.fetch_add(bytes as u64, Ordering::Relaxed);
}

fn given_back(bytes: usize) {
    LIVE.fetch_sub(bytes as u64, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's duties are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        given_back(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time: what is counted is the process' own.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn live() -> u64 {
    LIVE.load(Ordering::Relaxed)
}

const PEERS: u64 = 100_000;
const MIB: u64 = 1 << 20;

fn guard() -> PeerGuard {
    let guard = PeerGuard::new(Config { max_peers: 2 * PEERS as usize, ..Config::default() }).unwrap();
    for n in 0..PEERS {
        guard.record_success(&PeerId::digest(&n.to_le_bytes()), Some(20.0)).unwrap();
    }
    guard
}

#[test]
fn a_publication_allocates_a_few_times_and_leaves_one_snapshot() {
    let _turn = turn();
    let publisher = Publisher::new(&guard());
    let (calls, before) = (CALLS.load(Ordering::Relaxed), live());
    let start = Instant::now();
    let old = publisher.latest();
    publisher.publish_now();
    let took = start.elapsed();
    let calls = CALLS.load(Ordering::Relaxed) - calls;
    assert_eq!(publisher.latest().totals().total_peers, PEERS);
    let one = live().saturating_sub(before) / MIB;
    println!("{PEERS} peers: published in {took:?} with {calls} allocations, {one} MiB a snapshot");
    drop(old);
    assert!(calls < 100, "{calls} allocations");
    for _ in 0..5 {
        publisher.publish_now();
    }
    assert!(live() <= before + MIB, "{} MiB before, {} MiB after", before / MIB, live() / MIB);
}

/// A subscription lasts; it must not keep the snapshot that was the latest when it began.
#[test]
fn subscriptions_hold_no_snapshot() {
    let _turn = turn();
    let publisher = Publisher::new(&guard());
    let schema = schema(&publisher);
    let before = live();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut subscriptions = Vec::new();
    runtime.block_on(async {
        for _ in 0..10 {
            let mut stream = schema.execute_stream("subscription { peerEvents { lost } }").boxed();
            assert!(stream.next().now_or_never().is_none(), "nothing has happened");
            subscriptions.push(stream);
            publisher.publish_now();
        }
    });
    assert!(live() < before + 10 * MIB, "{} MiB before, {} MiB after", before / MIB, live() / MIB);
}

/// Readers who ask for everything and take nothing hold two answers, not one each.
#[test]
fn deaf_readers_of_the_whole_snapshot_hold_two_answers() {
    let _turn = turn();
    let publisher = Publisher::new(&guard());
    // Nobody is cut off before it has been looked at.
    let options = HttpOptions { timeout: Duration::from_secs(300), ..HttpOptions::default() };
    let serving = serve("127.0.0.1:0".parse().unwrap(), &publisher, options).unwrap();
    let whole = web::get(serving.address(), "/snapshot.json").body.len() as u64;
    let before = live();
    let deaf: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = web::connect(serving.address());
            write!(stream, "GET /snapshot.json HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            publisher.publish_now();
            stream
        })
        .collect();
    let (start, mut most) = (Instant::now(), 0);
    while most < whole || start.elapsed() < Duration::from_secs(3) {
        assert!(start.elapsed() < Duration::from_secs(120), "no answer was made: {} MiB", most / MIB);
        publisher.publish_now();
        most = most.max(live().saturating_sub(before));
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("an answer has {} MiB; 20 deaf readers held {} MiB", whole / MIB, most / MIB);
    // Each of two is made in a buffer that is somewhat larger; a publication lays its snapshot beside the last.
    assert!(most < 5 * whole, "{} MiB", most / MIB);
    drop(deaf);
}
