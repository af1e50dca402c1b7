//! Peer identity: 32 bytes, as a rule a public key.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A peer's identity: 32 bytes, printed and parsed as 64 hex digits.
///
/// Ids of another length (libp2p multihashes, enode records, addresses) are brought to 32 bytes by [`PeerId::digest`],
/// never silently.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// Wraps 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes exactly 32 bytes.
    ///
    /// # Errors
    /// [`PeerIdError::Length`] for any other number of bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, PeerIdError> {
        bytes.try_into().map(Self).map_err(|_| PeerIdError::Length { found: bytes.len(), expected: 32 })
    }

    /// The SHA-256 digest of an id of any length, as a peer id.
    #[must_use]
    pub fn digest(id: &[u8]) -> Self {
        Self(Sha256::digest(id).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Stands where an id is not looked at.
    pub(crate) const NOBODY: Self = Self([0; 32]);

    /// The id as four words, for hashing and comparing.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 4] {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(self.0.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    pub(crate) fn from_words(words: [u64; 4]) -> Self {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *chunk = word.to_le_bytes();
        }
        Self(bytes)
    }
}

impl From<[u8; 32]> for PeerId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    /// Parses 64 hex digits of either case, without a prefix.
    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        if let Some(position) = text.bytes().position(|byte| !byte.is_ascii_hexdigit()) {
            return Err(PeerIdError::NotHex { position });
        }
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(PeerIdError::Length { found: digits.len(), expected: 64 });
        }
        let mut id = [0; 32];
        for (byte, [high, low]) in id.iter_mut().zip(digits.as_chunks::<2>().0) {
            *byte = hex_value(*high) << 4 | hex_value(*low);
        }
        Ok(Self(id))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PeerId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The value of an ASCII hex digit.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Why bytes or text are not a peer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerIdError {
    /// Neither 32 bytes nor 64 hex digits.
    Length {
        /// Bytes (or digits) given.
        found: usize,
        /// Bytes (or digits) needed.
        expected: usize,
    },
    /// A byte of the text that is not a hex digit.
    NotHex {
        /// Its place in the text, in bytes from 0.
        position: usize,
    },
}

impl fmt::Display for PeerIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, expected } => write!(f, "a peer id of length {found}, where {expected} is needed"),
            Self::NotHex { position } => write!(f, "no hex digit at byte {position} of the peer id"),
        }
    }
}

impl std::error::Error for PeerIdError {}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_survives_text_and_words(bytes: [u8; 32]) {
            let id = PeerId::new(bytes);
            prop_assert_eq!(id.to_string().parse::<PeerId>().unwrap(), id);
            prop_assert_eq!(id.to_string().to_uppercase().parse::<PeerId>().unwrap(), id);
            prop_assert_eq!(PeerId::from_words(id.words()), id);
        }
    }

    #[test]
    fn bad_text_tells_what_is_wrong() {
        let digits = "ab".repeat(32);
        assert_eq!(digits[..63].parse::<PeerId>(), Err(PeerIdError::Length { found: 63, expected: 64 }));
        assert_eq!(
            format!("{}g{}", &digits[..9], &digits[10..]).parse::<PeerId>(),
            Err(PeerIdError::NotHex { position: 9 })
        );
        assert_eq!(PeerId::from_slice(&[0; 33]), Err(PeerIdError::Length { found: 33, expected: 32 }));
    }

    #[test]
    fn a_digest_is_sha256() {
        assert!(PeerId::digest(b"abc").to_string().starts_with("ba7816bf8f01cfea"));
    }
}
