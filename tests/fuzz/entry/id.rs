//! The parser of peer ids, from text and from bytes.

use peerguard::{PeerId, PeerIdError};

pub fn run(data: &[u8]) {
    match PeerId::from_slice(data) {
        Ok(id) => assert_eq!(id.as_bytes()[..], *data),
        Err(error) => {
            assert_ne!(data.len(), 32);
            assert!(matches!(error, PeerIdError::Length { found, expected: 32 } if found == data.len()), "{error}");
        }
    }
    assert_eq!(PeerId::digest(data), PeerId::digest(data));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let well_formed = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.parse::<PeerId>() {
        Ok(id) => {
            assert!(well_formed, "{text:?} was taken");
            assert_eq!(id.to_string(), text.to_ascii_lowercase());
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        Err(error) => {
            assert!(!well_formed, "{text:?}: {error}");
            if let PeerIdError::NotHex { position } = error {
                assert!(!text.as_bytes()[position].is_ascii_hexdigit(), "{text:?}: {error}");
            }
            assert!(!error.to_string().is_empty());
        }
    }
}
