//! The keyed hash of the table.
//!
//! Multilinear hashing over 128 bits (Lemire and Kaser, "Strongly universal string hashing is fast", 2014): the sum of the
//! key's four words, each times a random 128-bit number, plus another, of which the upper 64 bits are kept. For any two
//! keys all pairs of hashes are equally likely, so ids that somebody chose without knowing the guard's random numbers fall
//! as ids drawn at random do. A mix follows that maps the 64 bits one to one, so the bound stays: without it, ids that count
//! would stand in arithmetic progressions, which an unlucky guard spreads unevenly. The table gives nothing away that would
//! let them be learnt: no output is in its order.

use super::slots::HOME;

/// Where a key may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The two groups: one in the first half of all, one in the second.
    pub(super) groups: [usize; 2],
    /// The first of the slots in which its record most likely lies.
    pub(super) home: u32,
    /// Never 0.
    pub(super) tag: u16,
}

pub(super) struct Hasher {
    factors: [u128; 4],
    offset: u128,
}

impl Hasher {
    /// `keys`: random numbers.
    pub(super) fn new(keys: [u64; 9]) -> Self {
        let wide = |i: usize| u128::from(keys[2 * i]) << 64 | u128::from(keys[2 * i + 1]);
        Self { factors: [wide(0), wide(1), wide(2), wide(3)], offset: u128::from(keys[8]) << 64 }
    }

    #[inline]
    fn hash(&self, words: &[u64; 4]) -> u64 {
        let product = |i: usize| self.factors[i].wrapping_mul(words[i].into());
        // In pairs, so that no addition waits for more than two before it.
        let pairs = [product(0).wrapping_add(product(1)), product(2).wrapping_add(product(3))];
        let sum = (pairs[0].wrapping_add(self.offset).wrapping_add(pairs[1]) >> 64) as u64;
        let mixed = (sum ^ (sum >> 32)).wrapping_mul(0x9fb2_1c65_1e98_df25);
        mixed ^ (mixed >> 32)
    }

    /// The key's groups out of `groups` (at least 2), its tag, and its home out of `homes`: 24, 24 and 16 bits of the hash,
    /// and the upper 32 once more.
    #[inline]
    pub(super) fn place(&self, words: &[u64; 4], groups: usize, homes: usize) -> Place {
        let hash = self.hash(words);
        let half = groups / 2;
        let first = (((hash >> 40) * half as u64) >> 24) as usize;
        let second = half + ((((hash >> 16) & 0xff_ffff) * (groups - half) as u64) >> 24) as usize;
        let home = HOME as u32 * (((hash >> 32) * homes as u64) >> 32) as u32;
        Place { groups: [first, second], home, tag: (hash as u16).max(1) }
    }
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn ids_that_differ_in_few_bits_spread_evenly() {
        let hasher =
            Hasher::new([11, 22, 33, 44, 55, 66, 77, 88, 99].map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let mut loads = vec![0u32; 64];
        for n in 0..64_000u64 {
            let place = hasher.place(&[7, 7, 7, n], 64, 1);
            assert!(place.groups[0] < 32 && (32..64).contains(&place.groups[1]) && place.tag != 0);
            loads[place.groups[0]] += 1;
            loads[place.groups[1]] += 1;
        }
        assert!(loads.iter().all(|load| (1700..2300).contains(load)), "{loads:?}");
    }

    #[test]
    fn every_group_of_an_odd_number_is_used() {
        let hasher = Hasher::new(std::array::from_fn(|i| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        for groups in [2, 3, 5] {
            let used: std::collections::BTreeSet<usize> =
                (0..1_000).flat_map(|n| hasher.place(&[n, 0, 0, 0], groups, 1).groups).collect();
            assert_eq!(used, (0..groups).collect());
        }
    }
}
