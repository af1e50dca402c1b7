//! Byte limits: a token bucket in one word.
//!
//! The bucket is the generic cell rate algorithm (ITU-T I.371; also the scheme of the `governor` crate): instead of tokens
//! it keeps the time at which all that was taken will have been paid for. What lies between now and that time is the
//! *debt*; a request fits while debt and its cost stay within the burst. The debt is time, so a change of the rate keeps
//! each bucket's used share without touching it, and nothing has to be refilled.
//!
//! Times are in units of 2^-10 ns, so that a byte at 100 GB/s (10 units) is not lost in rounding; costs are rounded up, so
//! that no rounding ever admits more. The unit wraps after 208 days, see [`bucket`].

pub(crate) mod bucket;
mod price;
pub(crate) mod rate;
pub(crate) mod setting;
pub(crate) mod shared;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the peer.
    Upload,
    /// From the peer.
    Download,
}

impl Direction {
    /// Both directions, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Upload, Self::Download];

    /// `upload` or `download`: the words of the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
        }
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
