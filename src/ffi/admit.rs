//! The gate: may I talk to this peer now?

use super::boundary::boundary;
use super::guard::{GUARDS, peerguard_guard};
use super::id::{peerguard_id, read_id};
use super::memory::Place;
use super::permit::{direction, peerguard_permit, peerguard_rejection};
use super::status::{Answer, Failure, Outcome};
use crate::guard::{Inner, Permit};
use crate::{PeerId, Rejection};

/// Where an admit puts its answer.
#[derive(Clone, Copy)]
pub(super) struct Reply {
    permit: Place<peerguard_permit>,
    rejection: Place<peerguard_rejection>,
}

impl Reply {
    /// # Safety
    /// `permit` points to a permit, and `rejection`, unless NULL, to a rejection, until the call returns.
    #[inline(always)]
    pub(super) unsafe fn new(
        permit: *mut peerguard_permit,
        rejection: *mut peerguard_rejection,
    ) -> Result<Self, Failure> {
        // SAFETY: by this function's own contract.
        unsafe { Ok(Self { permit: Place::new(permit)?, rejection: Place::optional(rejection)? }) }
    }

    pub(super) fn at(permit: Place<peerguard_permit>, rejection: Place<peerguard_rejection>) -> Self {
        Self { permit, rejection }
    }

    #[inline(always)]
    pub(super) fn give(self, answer: Result<Permit<'_>, Rejection>, id: &PeerId, owner: u64, inner: &Inner) -> Answer {
        match answer {
            Ok(permit) => {
                self.permit.give(permit, id, owner, inner);
                Answer::Yes
            }
            Err(no) => self.refuse(no),
        }
    }

    #[cold]
    fn refuse(self, no: Rejection) -> Answer {
        self.permit.put(peerguard_permit::EMPTY);
        self.rejection.put(no.into());
        Answer::No
    }
}

/// # Safety
/// `id` points to an id; for the other two see [`Reply::new`].
#[inline(always)]
unsafe fn ask(
    guard: peerguard_guard,
    id: *const peerguard_id,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
    admit: impl for<'g> FnOnce(&'g crate::PeerGuard, &PeerId) -> Result<Permit<'g>, Rejection>,
) -> Outcome {
    // SAFETY: by this function's own contract.
    let (id, reply) = unsafe { (read_id(id)?, Reply::new(permit, rejection)?) };
    let held = GUARDS.hold(guard)?;
    Ok(reply.give(admit(&held, id), id, guard, &held.inner))
}

/// May I talk to this peer now?
///
/// Asks ban and breaker. An unknown peer is admitted and no record is made. `permit` receives the permit, to be ended with
/// `peerguard_report` or `peerguard_cancel`; on no it is emptied. `rejection`, which may be NULL, is written on no only. Any
/// thread, lock-free; a closed peer costs a look-up and no clock read.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO; PEERGUARD_ERR_NULL, _ALIGNMENT, _HANDLE, _FREED, _REENTRANT, and then nothing is
/// written or counted.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_admit(
    guard: peerguard_guard,
    id: *const peerguard_id,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
) -> i32 {
    // SAFETY: the pointers point to what the header says.
    boundary(|| unsafe { ask(guard, id, permit, rejection, |guard, id| guard.admit(id)) })
}

/// May I move so many bytes to or from this peer now?
///
/// As `peerguard_admit`, and takes the bytes from the peer's bucket and from that of all peers, or from neither.
/// `direction`: PEERGUARD_UPLOAD or PEERGUARD_DOWNLOAD. The bytes are counted as moved when the permit ends. 0 bytes is
/// `peerguard_admit`. Where threads collide on the limit of all peers, up to an eighth of its burst may be set aside for them,
/// and a request that needs it be refused; no more is ever let through.
///
/// Returns as `peerguard_admit`; PEERGUARD_ERR_ENUM.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_admit_bytes(
    guard: peerguard_guard,
    id: *const peerguard_id,
    direction: u32,
    bytes: u64,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
) -> i32 {
    boundary(|| {
        let way = self::direction(direction)?;
        // SAFETY: the pointers point to what the header says.
        unsafe { ask(guard, id, permit, rejection, |guard, id| guard.admit_bytes(id, way, bytes)) }
    })
}

/// As `peerguard_admit_bytes`, for as many bytes as both buckets have now, from 1 to `want`: see `bytes` of the permit.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_grant_up_to(
    guard: peerguard_guard,
    id: *const peerguard_id,
    direction: u32,
    want: u64,
    permit: *mut peerguard_permit,
    rejection: *mut peerguard_rejection,
) -> i32 {
    boundary(|| {
        let way = self::direction(direction)?;
        // SAFETY: the pointers point to what the header says.
        unsafe { ask(guard, id, permit, rejection, |guard, id| guard.grant_up_to(id, way, want)) }
    })
}
