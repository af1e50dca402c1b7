//! Peer ids for the tests of the table: random ones, and families that an attacker might choose.

#![allow(dead_code, reason = "each test file uses some of them")]

use peerguard::PeerId;

/// SplitMix64 (Steele et al., OOPSLA 2014): `mix` is a bijection, so different numbers give different words.
pub fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn from_words(words: [u64; 4]) -> PeerId {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    PeerId::new(bytes)
}

/// The `n`th id of a class, as public keys look. All ids of all classes below 2^16 differ for `n` below 2^48.
pub fn random(class: u16, n: u64) -> PeerId {
    let seed = u64::from(class) << 48 | n;
    from_words([mix(seed), mix(seed ^ 0x5555_5555_5555_5555), mix(!seed), mix(seed.rotate_left(32))])
}

/// A set of ids that have something in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Nothing.
    Random,
    /// The first 24 bytes; the others are random.
    SameFirst24,
    /// The last 24 bytes; the others are random.
    SameLast24,
    /// The first 24 bytes; the others count.
    CountAtTheEnd,
    /// The last 24 bytes; the others count.
    CountAtTheFront,
    /// All but two bytes, far from each other.
    TwoBytes,
    /// Few different bytes: each is 0 or 255, and the last 16 are 0.
    ZerosAndOnes,
    /// The same 64 bits four times.
    FourTimesTheSame,
    /// All but one, two or three bits.
    FewBits,
    /// All but the top bit of each of 16 bytes, in all combinations.
    TopBits,
}

impl Family {
    pub const ALL: [Self; 10] = [
        Self::Random,
        Self::SameFirst24,
        Self::SameLast24,
        Self::CountAtTheEnd,
        Self::CountAtTheFront,
        Self::TwoBytes,
        Self::ZerosAndOnes,
        Self::FourTimesTheSame,
        Self::FewBits,
        Self::TopBits,
    ];

    /// The first `n` ids of the family; at most 2^16.
    pub fn ids(self, n: usize) -> Vec<PeerId> {
        assert!(n <= 1 << 16, "the families are this large");
        let ids: Vec<PeerId> = match self {
            Self::FewBits => few_bits().take(n).collect(),
            _ => (0..n as u64).map(|k| self.id(k)).collect(),
        };
        assert_eq!(ids.len(), n);
        ids
    }

    fn id(self, k: u64) -> PeerId {
        let base = 0x0123_4567_89ab_cdef;
        let mut bytes = [0; 32];
        match self {
            Self::Random | Self::FewBits => return random(77, k),
            Self::SameFirst24 => return from_words([base, !base, base, mix(k)]),
            Self::SameLast24 => return from_words([mix(k), base, !base, base]),
            Self::CountAtTheEnd => return from_words([base, !base, base, k]),
            Self::CountAtTheFront => return from_words([k, base, !base, base]),
            Self::FourTimesTheSame => return from_words([mix(k); 4]),
            Self::TwoBytes => (bytes[3], bytes[29]) = (k as u8, (k >> 8) as u8),
            Self::ZerosAndOnes => (0..16).for_each(|bit| bytes[bit] = if k >> bit & 1 == 1 { 255 } else { 0 }),
            Self::TopBits => (0..16).for_each(|bit| bytes[2 * bit] = ((k >> bit & 1) as u8) << 7),
        }
        PeerId::new(bytes)
    }
}

/// One id, and all that differ from it in one bit, in two, and in three.
fn few_bits() -> impl Iterator<Item = PeerId> {
    let flipped = |bits: &[usize]| {
        let mut bytes = [0xa5; 32];
        bits.iter().for_each(|bit| bytes[bit / 8] ^= 1 << (bit % 8));
        PeerId::new(bytes)
    };
    let one = (0..256).map(move |a| flipped(&[a]));
    let two = (0..256).flat_map(move |a| (0..a).map(move |b| flipped(&[a, b])));
    let three = (0..256).flat_map(move |a| (0..a).flat_map(move |b| (0..b).map(move |c| flipped(&[a, b, c]))));
    std::iter::once(flipped(&[])).chain(one).chain(two).chain(three)
}
