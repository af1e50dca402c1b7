//! Version, and words for numbers.

use std::ffi::{CStr, c_char};

use super::event::{
    PEERGUARD_EVENT_BANNED, PEERGUARD_EVENT_CLOSED, PEERGUARD_EVENT_EVICTED, PEERGUARD_EVENT_FORCED,
    PEERGUARD_EVENT_HALF_OPENED, PEERGUARD_EVENT_OPENED, PEERGUARD_EVENT_PROBES_LOST, PEERGUARD_EVENT_RESET,
    PEERGUARD_EVENT_UNBANNED,
};
use super::permit::{
    PEERGUARD_REASON_BANNED, PEERGUARD_REASON_FORCED_OPEN, PEERGUARD_REASON_GLOBAL_BYTES,
    PEERGUARD_REASON_GLOBAL_EXCEEDS_BURST, PEERGUARD_REASON_NONE, PEERGUARD_REASON_OPEN, PEERGUARD_REASON_PEER_BYTES,
    PEERGUARD_REASON_PEER_EXCEEDS_BURST, PEERGUARD_REASON_PROBES_OUT, PEERGUARD_REASON_TABLE_FULL,
};
use super::status::{
    PEERGUARD_ERR_ALIGNMENT, PEERGUARD_ERR_CONFIG, PEERGUARD_ERR_ENUM, PEERGUARD_ERR_FREED, PEERGUARD_ERR_HANDLE,
    PEERGUARD_ERR_LATENCY, PEERGUARD_ERR_LENGTH, PEERGUARD_ERR_NULL, PEERGUARD_ERR_PANIC, PEERGUARD_ERR_PERMIT,
    PEERGUARD_ERR_REENTRANT, PEERGUARD_ERR_SPENT, PEERGUARD_ERR_STRUCT_SIZE, PEERGUARD_ERR_SYSTEM,
    PEERGUARD_ERR_TABLE_FULL, PEERGUARD_ERR_TEXT, PEERGUARD_ERR_TOKEN, PEERGUARD_ERR_TOO_MANY,
    PEERGUARD_ERR_UNSUPPORTED, PEERGUARD_ERR_UNTRACKED, PEERGUARD_NO, PEERGUARD_OK,
};

/// Version of this interface. A library whose number differs from the header's must not be used with it.
pub const PEERGUARD_ABI_VERSION: u32 = 1;

// The functions of this file only pick a constant; there is nothing in them that could panic.

/// PEERGUARD_ABI_VERSION of the library that is running. Compare it with the header's. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_abi_version() -> u32 {
    PEERGUARD_ABI_VERSION
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// Version of the library that is running, such as "0.1.0". Static memory: never free it. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_version() -> *const c_char {
    VERSION.as_ptr()
}

/// What a call's return value means, in English; "unknown code" for a number that is none. Static memory. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_status_text(status: i32) -> *const c_char {
    let text = match status {
        PEERGUARD_OK => c"ok",
        PEERGUARD_NO => c"no",
        PEERGUARD_ERR_NULL => c"a pointer is NULL",
        PEERGUARD_ERR_ALIGNMENT => c"a pointer is not aligned",
        PEERGUARD_ERR_HANDLE => c"not a handle of this kind",
        PEERGUARD_ERR_FREED => c"the handle was freed",
        PEERGUARD_ERR_STRUCT_SIZE => c"unknown struct_size",
        PEERGUARD_ERR_LENGTH => c"a length is out of range",
        PEERGUARD_ERR_ENUM => c"unknown enumerator",
        PEERGUARD_ERR_CONFIG => c"a configured value is out of its range",
        PEERGUARD_ERR_LATENCY => c"a latency must be finite and not negative",
        PEERGUARD_ERR_TABLE_FULL => c"no place in the table can be freed for this peer",
        PEERGUARD_ERR_SPENT => c"the permit has ended",
        PEERGUARD_ERR_PERMIT => c"not a permit of this guard or peer",
        PEERGUARD_ERR_UNTRACKED => c"the peer has no record",
        PEERGUARD_ERR_REENTRANT => c"a call inside a call",
        PEERGUARD_ERR_PANIC => c"a bug in the library was met",
        PEERGUARD_ERR_TOO_MANY => c"too many handles",
        PEERGUARD_ERR_TEXT => c"the text is not what it should be",
        PEERGUARD_ERR_UNSUPPORTED => c"the library was built without this",
        PEERGUARD_ERR_SYSTEM => c"the system refused",
        PEERGUARD_ERR_TOKEN => c"an address that is not a loopback one needs a token",
        _ => c"unknown code",
    };
    text.as_ptr()
}

/// The word for a PEERGUARD_REASON_..., as in the metrics; "unknown" for a number that is none. Static memory. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_reason_text(reason: u32) -> *const c_char {
    let text = match reason {
        PEERGUARD_REASON_NONE => c"none",
        PEERGUARD_REASON_BANNED => c"banned",
        PEERGUARD_REASON_FORCED_OPEN => c"forced_open",
        PEERGUARD_REASON_OPEN => c"open",
        PEERGUARD_REASON_PROBES_OUT => c"probes_out",
        PEERGUARD_REASON_PEER_BYTES => c"peer_bytes",
        PEERGUARD_REASON_PEER_EXCEEDS_BURST => c"peer_exceeds_burst",
        PEERGUARD_REASON_GLOBAL_BYTES => c"global_bytes",
        PEERGUARD_REASON_GLOBAL_EXCEEDS_BURST => c"global_exceeds_burst",
        PEERGUARD_REASON_TABLE_FULL => c"table_full",
        _ => c"unknown",
    };
    text.as_ptr()
}

/// The word for a PEERGUARD_EVENT_...; "unknown" for a number that is none. Static memory. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_event_text(kind: u32) -> *const c_char {
    let text = match kind {
        PEERGUARD_EVENT_OPENED => c"opened",
        PEERGUARD_EVENT_HALF_OPENED => c"half_opened",
        PEERGUARD_EVENT_CLOSED => c"closed",
        PEERGUARD_EVENT_PROBES_LOST => c"probes_lost",
        PEERGUARD_EVENT_FORCED => c"forced",
        PEERGUARD_EVENT_RESET => c"reset",
        PEERGUARD_EVENT_BANNED => c"banned",
        PEERGUARD_EVENT_UNBANNED => c"unbanned",
        PEERGUARD_EVENT_EVICTED => c"evicted",
        _ => c"unknown",
    };
    text.as_ptr()
}

#[cfg(all(test, not(peerguard_loom)))]
mod tests {
    use super::*;
    use crate::Reason;

    #[test]
    fn reasons_are_called_as_in_rust() {
        for reason in Reason::ALL {
            // SAFETY: a static text.
            let text = unsafe { CStr::from_ptr(peerguard_reason_text(super::super::permit::reason_number(reason))) };
            assert_eq!(text.to_str(), Ok(reason.as_str()));
        }
    }
}
