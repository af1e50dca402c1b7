//! The exported functions, as a C host calls them.

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::{null, null_mut};

/// `peerguard_id`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Id {
    pub bytes: [u8; 32],
}

/// Room for a `peerguard_permit`.
#[derive(Default)]
#[repr(C)]
pub struct PermitMemory([u64; 10]);

// What the linker takes from the library, which this crate depends on.
use peerguard as _;

type AdmitBytes = unsafe extern "C" fn(u64, *const Id, u32, u64, *mut PermitMemory, *mut c_void) -> i32;
type Report = unsafe extern "C" fn(u64, *mut PermitMemory, u32, u64, *const c_void, *mut u32) -> i32;

unsafe extern "C" {
    fn peerguard_config_init(config: *mut u64, struct_size: usize) -> i32;
    fn peerguard_new(config: *const u64, clock: *const c_void, guard: *mut u64) -> i32;
    fn peerguard_update_limits(guard: u64, limits: *const [u64; 4]) -> i32;
    fn peerguard_peer_open(guard: u64, id: *const Id, peer: *mut u64) -> i32;
    fn peerguard_peer_check(peer: u64, rejection: *mut c_void) -> i32;
    fn peerguard_peer_admit(peer: u64, permit: *mut PermitMemory, rejection: *mut c_void) -> i32;
    fn peerguard_peer_report(
        peer: u64,
        permit: *mut PermitMemory,
        outcome: u32,
        latency: u64,
        traffic: *const c_void,
        recorded: *mut u32,
    ) -> i32;
    fn peerguard_should_communicate(guard: u64, id: *const Id) -> i32;
    fn peerguard_admit(guard: u64, id: *const Id, permit: *mut PermitMemory, rejection: *mut c_void) -> i32;
    fn peerguard_admit_bytes(
        guard: u64,
        id: *const Id,
        direction: u32,
        bytes: u64,
        permit: *mut PermitMemory,
        rejection: *mut c_void,
    ) -> i32;
    fn peerguard_report(
        guard: u64,
        permit: *mut PermitMemory,
        outcome: u32,
        latency: u64,
        traffic: *const c_void,
        recorded: *mut u32,
    ) -> i32;
    fn peerguard_report_key(
        guard: u64,
        id: *const Id,
        outcome: u32,
        latency: u64,
        traffic: *const c_void,
        recorded: *mut u32,
    ) -> i32;
}

const MESSAGE_SUCCESS: u32 = 1;
const LATENCY: u64 = 5_000_000;
const NONE: u64 = u64::MAX;

/// Pointers that the optimiser cannot see through.
pub struct Api {
    peer_check: unsafe extern "C" fn(u64, *mut c_void) -> i32,
    peer_admit: unsafe extern "C" fn(u64, *mut PermitMemory, *mut c_void) -> i32,
    peer_report: Report,
    should_communicate: unsafe extern "C" fn(u64, *const Id) -> i32,
    admit: unsafe extern "C" fn(u64, *const Id, *mut PermitMemory, *mut c_void) -> i32,
    admit_bytes: AdmitBytes,
    report: Report,
}

fn good(answer: i32) {
    assert_eq!(answer, 0, "not PEERGUARD_OK");
}

// SAFETY, for every call: the arguments are what the header asks for; memory behind pointers is of this program and lives
// through the call.
impl Api {
    pub fn new() -> Self {
        Self {
            peer_check: black_box(peerguard_peer_check),
            peer_admit: black_box(peerguard_peer_admit),
            peer_report: black_box(peerguard_peer_report),
            should_communicate: black_box(peerguard_should_communicate),
            admit: black_box(peerguard_admit),
            admit_bytes: black_box(peerguard_admit_bytes),
            report: black_box(peerguard_report),
        }
    }

    /// A guard with limits that refuse nothing.
    pub fn guard(&self, max_peers: u64, limit: u64) -> u64 {
        let mut config = [0_u64; 64];
        // SAFETY: see above; the sizes that are refused write nothing.
        let size = (8..=512).step_by(8).find(|&size| unsafe { peerguard_config_init(config.as_mut_ptr(), size) } == 0);
        assert!(size.is_some(), "a config of at most 512 bytes");
        config[1] = max_peers;
        let mut guard = 0;
        // SAFETY: see above.
        good(unsafe { peerguard_new(config.as_ptr(), null(), &raw mut guard) });
        // SAFETY: see above.
        good(unsafe { peerguard_update_limits(guard, &raw const *&[limit, 0, limit, 0]) });
        guard
    }

    pub fn peer(&self, guard: u64, id: &Id) -> u64 {
        let mut peer = 0;
        // SAFETY: see above.
        good(unsafe { peerguard_peer_open(guard, id, &raw mut peer) });
        peer
    }

    pub fn report_key(&self, guard: u64, id: &Id) {
        // SAFETY: see above.
        good(unsafe { peerguard_report_key(guard, id, MESSAGE_SUCCESS, NONE, null(), null_mut()) });
    }

    #[inline]
    pub fn peer_check(&self, peer: u64) {
        // SAFETY: see above.
        good(unsafe { (self.peer_check)(peer, null_mut()) });
    }

    #[inline]
    pub fn peer_admit(&self, peer: u64, permit: *mut PermitMemory) {
        // SAFETY: see above.
        good(unsafe { (self.peer_admit)(peer, permit, null_mut()) });
    }

    #[inline]
    pub fn peer_report(&self, peer: u64, permit: *mut PermitMemory) {
        // SAFETY: see above.
        good(unsafe { (self.peer_report)(peer, permit, MESSAGE_SUCCESS, LATENCY, null(), null_mut()) });
    }

    #[inline]
    pub fn should_communicate(&self, guard: u64, id: &Id) {
        // SAFETY: see above.
        good(unsafe { (self.should_communicate)(guard, id) });
    }

    #[inline]
    pub fn admit(&self, guard: u64, id: &Id, permit: *mut PermitMemory) {
        // SAFETY: see above.
        good(unsafe { (self.admit)(guard, id, permit, null_mut()) });
    }

    #[inline]
    pub fn admit_bytes(&self, guard: u64, id: &Id, bytes: u64, permit: *mut PermitMemory) {
        // SAFETY: see above.
        good(unsafe { (self.admit_bytes)(guard, id, 0, bytes, permit, null_mut()) });
    }

    #[inline]
    pub fn report(&self, guard: u64, permit: *mut PermitMemory) {
        // SAFETY: see above.
        good(unsafe { (self.report)(guard, permit, MESSAGE_SUCCESS, LATENCY, null(), null_mut()) });
    }
}
