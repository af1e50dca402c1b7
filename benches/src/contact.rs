//! First contact and eviction: what a peer costs that nobody knew.

use peerguard::{PeerGuard, PeerId};

use crate::measure::processor_time;
use crate::ours;
use crate::plan::{CONVENTIONAL, OURS_BY_KEY, RIVAL_A, RIVAL_B};
use crate::rivals::conventional::Conventional;
use crate::rivals::one_entry::OneEntry;
use crate::rivals::three_maps::ThreeMaps;
use crate::rivals::{Gate, Limits};
use crate::subject::LIMIT;
use crate::workload::{Key, Rng, Skew, Workload, random_key};

/// Newcomers of one round.
pub const NEWCOMERS: usize = 1 << 15;

/// Nanoseconds per newcomer, one figure per round.
pub struct Contact {
    pub operation: &'static str,
    pub name: &'static str,
    pub rounds: Vec<f64>,
}

pub fn measure(rounds: usize) -> Vec<Contact> {
    let newcomers = Workload::new(NEWCOMERS, Skew::Uniform, 0).peers;
    let limits = Limits { global: LIMIT, per_peer: LIMIT };
    let mut contacts = [
        ("first contact", OURS_BY_KEY),
        ("first contact", RIVAL_A),
        ("first contact", RIVAL_B),
        ("first contact", CONVENTIONAL),
        ("eviction", OURS_BY_KEY),
    ]
    .map(|(operation, name)| Contact { operation, name, rounds: Vec::new() });
    let mut rng = Rng::new(2);
    for round in 0..=rounds {
        let empty = ours::guard(2 * NEWCOMERS);
        let record = |guard: &PeerGuard, key: &Key| {
            let _ = guard.record_success(&PeerId::new(*key), None);
        };
        let full = ours::guard(NEWCOMERS);
        (0..2 * NEWCOMERS).for_each(|_| record(&full, &random_key(&mut rng)));
        let strangers: Vec<Key> = (0..NEWCOMERS).map(|_| random_key(&mut rng)).collect();
        let (a, b, c) = (ThreeMaps::new(limits), OneEntry::new(limits), Conventional::new(limits));
        let figures = [
            per_newcomer(&newcomers, |key| record(&empty, key)),
            per_newcomer(&newcomers, |key| a.success(key, None)),
            per_newcomer(&newcomers, |key| b.success(key, None)),
            per_newcomer(&newcomers, |key| c.success(key, None)),
            per_newcomer(&strangers, |key| record(&full, key)),
        ];
        for (contact, figure) in contacts.iter_mut().zip(figures) {
            // The first round is not counted.
            if round > 0 {
                contact.rounds.push(figure);
            }
        }
    }
    contacts.into()
}

fn per_newcomer(keys: &[Key], meet: impl Fn(&Key)) -> f64 {
    let start = processor_time();
    keys.iter().for_each(meet);
    (processor_time() - start).as_nanos() as f64 / keys.len() as f64
}
