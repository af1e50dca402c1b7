//! Ids that somebody chose: they fall as random ones do, and no output tells where they fell.
//!
//! Each guard draws its own hash keys, so everything is asked of several guards.

mod ids;

use std::collections::HashSet;
use std::time::Duration;

use ids::{Family, mix};
use peerguard::{Clock, Config, Outcome, PeerGuard, PeerId, PeerView, Traffic};

const CAPACITY: usize = 1 << 16;
/// 4,096 keys for each of the 16 shards.
const KEYS: usize = 1 << 16;
const GUARDS: usize = 8;

fn guard(max_peers: usize) -> PeerGuard {
    let (clock, _hand) = Clock::manual(1 << 40);
    PeerGuard::with_clock(Config { max_peers, ..Config::default() }, clock).unwrap()
}

/// How the keys of one family stand in a full table.
#[derive(Clone, Copy, Debug)]
struct Probes {
    longest: usize,
    mean: f64,
    kept: usize,
}

fn probes(keys: &[PeerId]) -> Probes {
    let guard = guard(CAPACITY);
    for key in keys {
        let _counted = guard.report(key, Outcome::SyncSuccess, None, Traffic::NONE);
    }
    let kept: Vec<_> = keys.iter().filter(|key| guard.view(key).is_some()).collect();
    let lengths: Vec<_> = kept.iter().map(|key| guard.dump_place(key).0).collect();
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    Probes { longest: lengths.into_iter().max().unwrap(), mean, kept: kept.len() }
}

#[test]
fn chosen_ids_are_found_as_fast_as_random_ones() {
    let random_keys = Family::Random.ids(KEYS);
    let random: Vec<Probes> = (0..GUARDS).map(|_| probes(&random_keys)).collect();
    let mean = random.iter().map(|probes| probes.mean).sum::<f64>() / GUARDS as f64;
    let kept = random.iter().map(|probes| probes.kept).min().unwrap();
    let longest = random.iter().map(|probes| probes.longest).max().unwrap();
    assert!(longest <= 3 + 14, "a check looks at two control words, at an index word, and at worst at all: {random:?}");
    assert!(kept * 1000 >= CAPACITY * 995, "a table of the right size holds nearly all: {random:?}");
    for family in Family::ALL {
        let keys = family.ids(KEYS);
        for _ in 0..GUARDS {
            let chosen = probes(&keys);
            assert!(chosen.longest <= longest, "{family:?}: {chosen:?}, random {random:?}");
            assert!((chosen.mean / mean - 1.0).abs() < 0.03, "{family:?}: {chosen:?}, random {random:?}");
            assert!(chosen.kept * 1000 >= kept * 998, "{family:?}: {chosen:?}, random {random:?}");
        }
    }
}

/// Largest load of a shard over the mean.
fn imbalance(guard: &PeerGuard, keys: &[PeerId]) -> f64 {
    let mut loads = Vec::new();
    for key in keys {
        let (_, own, shards) = guard.dump_place(key);
        loads.resize(shards, 0u32);
        own.into_iter().for_each(|shard| loads[shard] += 1);
    }
    assert!(keys.len() >= 4096 * loads.len(), "the figure is for 4,096 keys a shard");
    f64::from(loads.iter().copied().max().unwrap()) * loads.len() as f64 / (2 * keys.len()) as f64
}

#[test]
fn chosen_ids_load_all_shards_alike() {
    for family in Family::ALL {
        let keys = family.ids(KEYS);
        for n in 0..10 * GUARDS {
            let imbalance = imbalance(&guard(20_000), &keys);
            assert!(imbalance <= 1.10, "{family:?}, guard {n}: max/mean {imbalance}");
        }
    }
}

/// The ids of everything that lists peers.
fn outputs(guard: &PeerGuard) -> Vec<Vec<PeerId>> {
    let ids = |peers: Vec<PeerView>| peers.iter().map(|peer| peer.id).collect::<Vec<_>>();
    let snapshot = guard.snapshot();
    let mut outputs = vec![ids(snapshot.peers.clone())];
    for n in [0, 1, 10, 333, 1000, usize::MAX] {
        outputs.push(ids(snapshot.top_peers(n)));
        outputs.push(ids(snapshot.sync_candidates(n)));
        outputs.push(ids(guard.top_peers(n)));
        outputs.push(ids(guard.sync_candidates(n)));
        outputs.push(guard.get_top_peers(n).into_iter().map(|(id, _)| id).collect());
        outputs.push(guard.get_sync_candidates(n));
    }
    outputs
}

/// A guard that knows these peers; they differ in outcomes of which there are few, so that most orders are ties.
fn knowing(peers: &[PeerId]) -> PeerGuard {
    let (clock, hand) = Clock::manual(1 << 40);
    let guard = PeerGuard::with_clock(Config { max_peers: 8192, ..Config::default() }, clock).unwrap();
    for peer in peers {
        let kind = peer.as_bytes()[5] % 4;
        let outcome = if kind == 0 { Outcome::MessageSuccess } else { Outcome::SyncSuccess };
        let _counted = guard.report(peer, outcome, Some(Duration::from_millis(200)), Traffic::NONE);
        if kind == 1 {
            for _ in 0..5 {
                let _counted = guard.report(peer, Outcome::Timeout, None, Traffic::NONE);
            }
        }
    }
    // The breakers of a quarter of them are half-open by now.
    hand.advance(Duration::from_secs(40));
    guard
}

#[test]
fn no_output_is_in_the_order_of_the_table() {
    let peers: Vec<PeerId> = (0..2000).map(|n| ids::random(3, n)).collect();
    let mut shuffled = peers.clone();
    shuffled.sort_by_key(|peer| mix(u64::from_le_bytes(peer.as_bytes()[..8].try_into().unwrap())));
    let expected = outputs(&knowing(&peers));
    assert_eq!(expected[0].len(), peers.len());
    assert!(expected[0].is_sorted(), "a snapshot is in the order of the ids");
    let (top, candidates) = (&expected[expected.len() - 6], &expected[expected.len() - 5]);
    assert_eq!((top.len(), candidates.len()), (peers.len(), peers.len()));
    // Other hash keys, and another order of coming: what is said of the same peers is the same.
    for order in [&peers, &shuffled] {
        assert!(outputs(&knowing(order)) == expected, "an output depends on the table");
    }
}

#[test]
fn the_families_are_what_they_say() {
    for family in Family::ALL {
        let keys = family.ids(KEYS);
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), KEYS, "{family:?} repeats an id");
    }
    let same = |family: Family, part: std::ops::Range<usize>| {
        let keys = family.ids(1000);
        keys.iter().all(|key| key.as_bytes()[part.clone()] == keys[0].as_bytes()[part.clone()])
    };
    assert!(same(Family::SameFirst24, 0..24) && same(Family::CountAtTheEnd, 0..24));
    assert!(same(Family::SameLast24, 8..32) && same(Family::CountAtTheFront, 8..32));
}
