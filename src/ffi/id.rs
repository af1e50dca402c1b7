//! Peer ids.

use std::ffi::c_char;

use super::boundary::boundary;
use super::memory::{Place, Plain, Row, Span};
use super::status::{Answer, Failure};
use crate::PeerId;

/// Bytes of a peer id's text, with the 0 at its end.
pub const PEERGUARD_ID_TEXT: usize = 65;

/// A peer's identity: 32 bytes, as a rule a public key.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_id {
    /// The bytes.
    pub bytes: [u8; 32],
}

// SAFETY: bytes only.
unsafe impl Plain for peerguard_id {}

impl From<peerguard_id> for PeerId {
    #[inline]
    fn from(id: peerguard_id) -> Self {
        Self::new(id.bytes)
    }
}

impl From<PeerId> for peerguard_id {
    #[inline]
    fn from(id: PeerId) -> Self {
        Self { bytes: *id.as_bytes() }
    }
}

/// The id that a call is about, where it stands: to copy it first would cost more than the look-up, for its bytes would be
/// read as words right after they had been written.
///
/// # Safety
/// A pointer that is not NULL points to an id that nobody writes while what is returned is used.
#[inline(always)]
pub(super) unsafe fn read_id<'a>(id: *const peerguard_id) -> Result<&'a PeerId, Failure> {
    // SAFETY: by this function's own contract; a `PeerId` is 32 bytes, as an id is.
    unsafe { id.cast::<PeerId>().as_ref() }.ok_or(Failure::Null)
}

impl Span<peerguard_id> {
    /// The ids where they stand.
    ///
    /// # Safety
    /// Nobody writes them while what is returned is used.
    pub(super) unsafe fn peers<'a>(self) -> &'a [PeerId] {
        if self.length() == 0 {
            return &[];
        }
        // SAFETY: by the contract of `Span::new`; a `PeerId` is 32 bytes, as an id is.
        unsafe { std::slice::from_raw_parts(self.pointer().cast(), self.length()) }
    }
}

/// Makes a peer id of an id of any length: its SHA-256 digest. For libp2p multihashes, enode records, addresses.
///
/// `data`: `length` bytes; may be NULL if `length` is 0. Any thread; about 100 ns.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _LENGTH.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_id_digest(data: *const u8, length: usize, id: *mut peerguard_id) -> i32 {
    boundary(|| {
        // SAFETY: `data` points to `length` bytes, and `id` to an id, as the header says.
        let (data, id) = unsafe { (Span::new(data, length)?, Place::new(id)?) };
        let bytes: Vec<u8> = data.iter().collect();
        id.put(PeerId::digest(&bytes).into());
        Ok(Answer::Yes)
    })
}

/// Reads a peer id from 64 hex digits of either case.
///
/// `text`: `length` bytes, without an end mark. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _LENGTH; PEERGUARD_ERR_TEXT if it is not 64 hex digits, and `id` is as before.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_id_parse(text: *const c_char, length: usize, id: *mut peerguard_id) -> i32 {
    boundary(|| {
        // SAFETY: `text` points to `length` bytes, and `id` to an id, as the header says.
        let (text, id) = unsafe { (Span::new(text.cast::<u8>(), length)?, Place::new(id)?) };
        if length != 64 {
            return Err(Failure::Text);
        }
        let bytes: Vec<u8> = text.iter().collect();
        let text = std::str::from_utf8(&bytes).map_err(|_| Failure::Text)?;
        let parsed: PeerId = text.parse().map_err(|_| Failure::Text)?;
        id.put(parsed.into());
        Ok(Answer::Yes)
    })
}

/// Writes a peer id as 64 hex digits and a 0.
///
/// `text`: `capacity` bytes, at least PEERGUARD_ID_TEXT. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _LENGTH.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_id_format(id: *const peerguard_id, text: *mut c_char, capacity: usize) -> i32 {
    boundary(|| {
        // SAFETY: `id` points to an id, and `text` to `capacity` bytes, as the header says.
        let (id, text) = unsafe { (read_id(id)?, Row::new(text.cast::<u8>(), capacity)?) };
        if capacity < PEERGUARD_ID_TEXT {
            return Err(Failure::Length);
        }
        text.fill(id.to_string().bytes().chain([0]));
        Ok(Answer::Yes)
    })
}
