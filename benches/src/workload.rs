//! Who is asked for, and in which order: the same stream for every subject of a scenario.

use std::hint::black_box;
use std::ops::Range;

use peerguard::PeerId;

/// A peer's identity as a node holds it: 32 bytes.
pub type Key = [u8; 32];

/// How often each peer turns up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skew {
    /// Every peer equally often: the stream is a chain of fresh permutations.
    Uniform,
    /// Zipf's law with exponent 0.99, the usual model of "few talk a lot".
    Zipf,
}

impl Skew {
    pub fn name(self) -> &'static str {
        match self {
            Skew::Uniform => "uniform",
            Skew::Zipf => "zipf 0.99",
        }
    }
}

/// SplitMix64: the order must be the same in every run, so its seed is fixed.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..n`, by the multiply-shift reduction (its bias is below n / 2^64).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.draw()) * n as u128) >> 64) as usize
    }

    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// The peers of a scenario and the stream in which they are asked for.
pub struct Workload {
    /// Every peer once.
    pub peers: Vec<Key>,
    /// Positions in `peers`, in the order of the stream.
    pub order: Vec<u32>,
    /// The same stream as whole ids: a message brings its sender's id along, so reading it is no cache miss. Rivals
    /// take the bytes of the same ids.
    pub ids: Vec<PeerId>,
}

impl Workload {
    /// `peers` random keys and a stream of at least `least` operations over them.
    pub fn new(peers: usize, skew: Skew, least: usize) -> Self {
        let mut rng = Rng::new(0x7065_6572 ^ peers as u64);
        let peers: Vec<Key> = (0..peers).map(|_| random_key(&mut rng)).collect();
        let order = match skew {
            Skew::Uniform => permutations(peers.len(), least, &mut rng),
            Skew::Zipf => zipf(peers.len(), least, &mut rng),
        };
        let ids = order.iter().map(|&i| PeerId::new(peers[i as usize])).collect();
        Workload { peers, order, ids }
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Reads the positions of a stretch. Most contenders take their stream from `ids`; the few that take it from `order`
    /// would find that in the cache or not by who of them ran before.
    pub fn touch_order(&self, stretch: Range<usize>) {
        black_box(self.order[stretch].iter().map(|&at| u64::from(at)).sum::<u64>());
    }

    /// The stream's parts for `threads` threads: each has a run of the peers to itself, so that neither a peer nor, but
    /// for the seam, a pair of neighbouring lines is shared. Fewer peers than threads are shared by all.
    pub fn shares(&self, threads: usize) -> Vec<Workload> {
        let each = self.peers.len().div_ceil(threads);
        let mine = |thread: usize| {
            let theirs = |&i: &u32| self.peers.len() < threads || i as usize / each == thread;
            let order: Vec<u32> = self.order.iter().copied().filter(theirs).collect();
            let ids = order.iter().map(|&i| PeerId::new(self.peers[i as usize])).collect();
            Workload { peers: self.peers.clone(), order, ids }
        };
        (0..threads).map(mine).collect()
    }
}

pub fn random_key(rng: &mut Rng) -> Key {
    let mut key = [0; 32];
    for word in key.chunks_exact_mut(8) {
        word.copy_from_slice(&rng.draw().to_le_bytes());
    }
    key
}

fn permutations(peers: usize, least: usize, rng: &mut Rng) -> Vec<u32> {
    let mut once: Vec<u32> = (0..peers as u32).collect();
    let mut order = Vec::with_capacity(least + peers);
    while order.len() < least {
        rng.shuffle(&mut once);
        order.extend_from_slice(&once);
    }
    order
}

fn zipf(peers: usize, least: usize, rng: &mut Rng) -> Vec<u32> {
    let mut total = 0.0;
    let cumulative: Vec<f64> = (1..=peers)
        .map(|rank| {
            total += (rank as f64).powf(-0.99);
            total
        })
        .collect();
    (0..least)
        .map(|_| {
            let at = rng.unit() * total;
            cumulative.partition_point(|&c| c < at).min(peers - 1) as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_stream_names_every_peer_equally_often() {
        let load = Workload::new(100, Skew::Uniform, 950);
        assert_eq!(load.len(), 1_000);
        let mut seen = [0; 100];
        for &i in &load.order {
            seen[i as usize] += 1;
        }
        assert_eq!(seen, [10; 100]);
    }

    #[test]
    fn zipf_gives_the_first_rank_its_share() {
        let load = Workload::new(1_000, Skew::Zipf, 100_000);
        let first = load.order.iter().filter(|&&i| i == 0).count() as f64 / 100_000.0;
        let harmonic: f64 = (1..=1_000).map(|r| f64::from(r).powf(-0.99)).sum();
        assert!((first - 1.0 / harmonic).abs() < 0.01, "{first}");
    }

    #[test]
    fn the_shares_of_two_threads_are_disjoint_and_complete() {
        let load = Workload::new(1_000, Skew::Uniform, 10_000);
        let [a, b] = &load.shares(2)[..] else { panic!("two shares") };
        assert_eq!(a.len() + b.len(), load.len());
        assert!(a.order.iter().all(|&i| i < 500) && b.order.iter().all(|&i| i >= 500));
    }

    #[test]
    fn a_single_peer_is_shared_by_all_threads() {
        let load = Workload::new(1, Skew::Uniform, 100);
        assert!(load.shares(2).iter().all(|share| share.len() == 100));
    }
}
