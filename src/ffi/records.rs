//! Where the records lie: for bindings to which a call costs more than the look-up.

use std::ffi::c_void;

use super::boundary::boundary;
use super::guard::{GUARDS, peerguard_guard};
use super::memory::{Growing, Place, Plain};
use super::status::Answer;

/// How to find a peer's gate word again without a call, once its slot is known: what `peerguard_records_of` tells.
///
/// Record number `slot` begins at `first` + `slot` * `stride`; `slot` is below `count`. All its words have 8 bytes, are
/// aligned, and may be loaded atomically (acquire), never written. To ask for a peer whose permit bore that `slot` once
/// (with `hold` PEERGUARD_HOLD_SEEN):
///
/// 1. Load meta. If (meta & `tenant_mask`) differs from (meta & `life_mask`) + `live`, nobody is there.
/// 2. Load the four words of the key: the id's bytes 0 to 7, then 8 to 15 and so on, least significant byte first. Load the
///    gate word.
/// 3. Load meta again. If (meta & `tenant_mask`) has changed, the slot has changed hands.
///
/// If the key is the peer's, and (gate & PEERGUARD_GATE_CLOSED_MASK) is 0, `peerguard_admit` would give a permit with these
/// fields, and the binding may make it up and report it: `owner` the guard's handle, `id`, `slot`, `life` = meta & `life_mask`,
/// `generation` from the gate word (see PEERGUARD_GATE_GENERATION_SHIFT), `state` 1, `hold` PEERGUARD_HOLD_SEEN, all else 0.
/// In every other case: call `peerguard_admit`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_records {
    /// sizeof(peerguard_records): set it before the call.
    pub struct_size: usize,
    /// Address of record 0.
    pub first: *const c_void,
    /// Number of records.
    pub count: u64,
    /// Bytes from one record to the next.
    pub stride: u64,
    /// Offset of the meta word in a record.
    pub meta: u64,
    /// Offset of the first word of the key.
    pub key: u64,
    /// Offset of the gate word.
    pub gate: u64,
    /// See step 1.
    pub tenant_mask: u64,
    /// See step 1.
    pub life_mask: u64,
    /// See step 1.
    pub live: u64,
}

// SAFETY: integers and an address, which nobody here follows.
unsafe impl Plain for peerguard_records {}
// SAFETY: it begins with `struct_size`.
unsafe impl Growing for peerguard_records {}

/// Tells where a guard's records lie: see `peerguard_records`. They stay there, whoever has them, until the last handle of
/// the guard and the last of its peers are freed: who loads must keep one. Any thread.
///
/// `records`: set its `struct_size` first.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_records_of(guard: peerguard_guard, records: *mut peerguard_records) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to records, as the header says.
        let place = unsafe { Place::growing(records)? };
        let slab = GUARDS.hold(guard)?.inner.slab();
        place.put(peerguard_records {
            struct_size: size_of::<peerguard_records>(),
            first: slab.first.cast(),
            count: slab.count as u64,
            stride: slab.stride as u64,
            meta: slab.meta as u64,
            key: slab.key as u64,
            gate: slab.gate as u64,
            tenant_mask: slab.tenant_mask,
            life_mask: slab.life_mask,
            live: slab.live,
        });
        Ok(Answer::Yes)
    })
}
