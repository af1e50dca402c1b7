//! Texts of any length: made by one call, read into the caller's memory, freed.
//!
//! A text is a handle rather than a buffer of the caller's to be filled, because what it says has happened: a query that
//! changed something must not be sent again because its answer did not fit.

use std::ffi::c_char;

use super::boundary::boundary;
use super::memory::{Place, Row};
use super::registry::{Kind, Registry};
use super::status::Answer;

/// A text that a call made. 0 is never one.
pub type peerguard_text = u64;

crate::sync::global! {
    pub(super) static TEXTS: Registry<Vec<u8>> = Registry::new(Kind::Text);
}

/// Tells how many bytes a text has. It ends without a 0.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_text_length(text: peerguard_text, length: *mut usize) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a size, as the header says.
        let length = unsafe { Place::new(length)? };
        length.put(TEXTS.hold(text)?.len());
        Ok(Answer::Yes)
    })
}

/// Reads a text from byte number `first` (0 is the first) on.
///
/// `bytes`: `capacity` bytes. `written` receives how many were put there: fewer than `capacity` at the end; no 0 is added.
/// Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _LENGTH, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_text_read(
    text: peerguard_text,
    first: usize,
    bytes: *mut c_char,
    capacity: usize,
    written: *mut usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (bytes, written) = unsafe { (Row::new(bytes.cast::<u8>(), capacity)?, Place::new(written)?) };
        let held = TEXTS.hold(text)?;
        written.put(bytes.fill(held.iter().skip(first).copied()));
        Ok(Answer::Yes)
    })
}

/// Frees a text, when calls on it that other threads are making have returned.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_text_free(text: peerguard_text) -> i32 {
    boundary(|| {
        drop(TEXTS.remove(text)?);
        Ok(Answer::Yes)
    })
}
