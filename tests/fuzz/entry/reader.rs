//! Values out of the bytes of an input; zeros when they have run out.

use std::time::Duration;

use peerguard::PeerId;

pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { left: data }
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let n = N.min(self.left.len());
        bytes[..n].copy_from_slice(&self.left[..n]);
        self.left = &self.left[n..];
        bytes
    }

    pub fn u8(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    /// Below `n`.
    pub fn below(&mut self, n: u8) -> u8 {
        self.u8() % n
    }

    pub fn bool(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    /// Any number; each size in bits is as likely.
    pub fn u64(&mut self) -> u64 {
        let shift = self.below(64);
        u64::from_le_bytes(self.bytes()) >> shift
    }

    /// Any bits: infinities and NaN too.
    pub fn f64(&mut self) -> f64 {
        f64::from_le_bytes(self.bytes())
    }

    pub fn duration(&mut self) -> Duration {
        match self.below(4) {
            0 => Duration::new(self.u64(), self.u32() % 1_000_000_000),
            1 => Duration::from_secs(self.u64()),
            _ => Duration::from_nanos(self.u64()),
        }
    }

    pub fn option<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| value(self))
    }

    /// One of a few peers.
    pub fn id(&mut self) -> PeerId {
        PeerId::new([self.below(12); 32])
    }
}
