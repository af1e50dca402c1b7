//! What the hot path is made of, each by itself: the hash, a look-up that finds nothing and one that finds, the gate of a
//! held peer, and the clocks.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use peerguard::{Clock, PeerId};
use peerguard_benches::floors::full::coarse_now;
use peerguard_benches::floors::hash::KeyedHash;
use peerguard_benches::ours;
use peerguard_benches::workload::{Skew, Workload};

const PEERS: usize = 1_000;

fn small(c: &mut Criterion) {
    let load = Workload::new(PEERS, Skew::Uniform, 1 << 16);
    let strangers = Workload::new(PEERS + 1, Skew::Uniform, 1 << 16);
    let guard = ours::guard(2 * PEERS);
    load.peers.iter().for_each(|&key| {
        let _ = guard.record_success(&PeerId::new(key), None);
    });
    let mut known = load.ids.iter().cycle();
    let mut unknown = strangers.ids.iter().cycle();
    let mut next = || known.next().expect("an endless stream");

    let hash = KeyedHash::random();
    c.bench_function("a keyed hash of 32 bytes", |b| b.iter(|| black_box(hash.of(next().as_bytes()))));
    c.bench_function("admit, no record: hash and index", |b| {
        b.iter(|| black_box(guard.admit(unknown.next().expect("an endless stream")).is_ok()));
    });
    c.bench_function("admit, closed: hash, index, record", |b| b.iter(|| black_box(guard.admit(next()).is_ok())));

    let handles: Vec<_> = load.peers.iter().map(|&key| guard.peer(&PeerId::new(key))).collect();
    let mut held = load.order.iter().map(|&at| &handles[at as usize]).cycle();
    c.bench_function("check of a held peer: the gate", |b| {
        b.iter(|| black_box(held.next().expect("an endless stream").check().is_ok()));
    });

    let clock = Clock::system();
    c.bench_function("the guard's clock, exact", |b| b.iter(|| black_box(clock.now())));
    c.bench_function("the kernel's coarse clock", |b| b.iter(|| black_box(coarse_now())));
    c.bench_function("Instant::now", |b| b.iter(|| black_box(std::time::Instant::now())));
}

criterion_group!(benches, small);
criterion_main!(benches);
