//! A keyed hash of 32 bytes: four 64 by 64 to 128 bit products under a random key, folded.

use crate::workload::Key;

pub struct KeyedHash([u64; 8]);

impl KeyedHash {
    pub fn random() -> Self {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).expect("the system's random source");
        let mut words = [0; 8];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        }
        KeyedHash(words)
    }

    #[inline]
    pub fn of(&self, key: &Key) -> u64 {
        let k = &self.0;
        let word = |i: usize| {
            let bytes: [u8; 8] = key[i * 8..i * 8 + 8].try_into().expect("eight bytes");
            u64::from_le_bytes(bytes)
        };
        let product = |i: usize| {
            let wide = u128::from(word(i).wrapping_add(k[i])) * u128::from(k[i + 4] | 1);
            (wide as u64) ^ ((wide >> 64) as u64)
        };
        product(0).wrapping_add(product(1)).wrapping_add(product(2)).wrapping_add(product(3))
    }
}
