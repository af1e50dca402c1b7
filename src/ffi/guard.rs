//! Making and freeing guards.

use std::ffi::c_char;

use super::boundary::boundary;
use super::config::{peerguard_clock, peerguard_config};
use super::memory::{Place, Row, read};
use super::registry::{Kind, Registry};
use super::status::{Answer, Failure};
use crate::{Config, PeerGuard};

/// A guard: breaker, reputation and byte limits of every peer. 0 is never one.
pub type peerguard_guard = u64;

crate::sync::global! {
    pub(super) static GUARDS: Registry<PeerGuard> = Registry::new(Kind::Guard);
}

/// Writes the default configuration.
///
/// `struct_size`: sizeof(peerguard_config). Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT; PEERGUARD_ERR_STRUCT_SIZE if header and library do not match, and
/// nothing is written.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_config_init(config: *mut peerguard_config, struct_size: usize) -> i32 {
    // SAFETY: `config` points to a config, as the header says.
    boundary(|| unsafe { init(config, struct_size, &Config::default()) })
}

/// Writes the configuration that behaves as the original: no back-off, no jitter, bans that end only when lifted. Otherwise
/// as `peerguard_config_init`.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_config_init_classic(config: *mut peerguard_config, struct_size: usize) -> i32 {
    // SAFETY: `config` points to a config, as the header says.
    boundary(|| unsafe { init(config, struct_size, &Config::classic()) })
}

/// # Safety
/// As for `peerguard_config_init`.
unsafe fn init(place: *mut peerguard_config, struct_size: usize, config: &Config) -> Result<Answer, Failure> {
    // SAFETY: by this function's own contract.
    let place = unsafe { Place::new(place)? };
    if struct_size != size_of::<peerguard_config>() {
        return Err(Failure::StructSize);
    }
    place.put(config.into());
    Ok(Answer::Yes)
}

/// Tells whether a guard can be made from a configuration, and if not, which field is wrong and what it may be.
///
/// `message`: `capacity` bytes for the text, cut to fit and ended by a 0; empty if all is well. May be NULL. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG; PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, _ENUM, _LENGTH, and then
/// nothing is written.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_config_check(
    config: *const peerguard_config,
    message: *mut c_char,
    capacity: usize,
) -> i32 {
    boundary(|| {
        // SAFETY: `config` points to a config, and `message` to `capacity` bytes, as the header says.
        let (config, message) = unsafe { (read(config)?, Row::optional(message.cast::<u8>(), capacity)?) };
        let verdict = config.to_config()?.validate();
        let text = verdict.as_ref().err().map(ToString::to_string).unwrap_or_default();
        message.put_text(&text);
        verdict?;
        Ok(Answer::Yes)
    })
}

/// Makes a guard.
///
/// Takes all its memory now, about 200 bytes for each of `max_peers`. `clock`: the node's own, or NULL for the system's,
/// which counts the time that a machine is suspended. `guard` receives the handle; free it with `peerguard_free`. Any
/// thread; milliseconds.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG, _STRUCT_SIZE, _ENUM, _TOO_MANY; PEERGUARD_ERR_NULL (also for a clock
/// without function), _ALIGNMENT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_new(
    config: *const peerguard_config,
    clock: *const peerguard_clock,
    guard: *mut peerguard_guard,
) -> i32 {
    boundary(|| {
        // SAFETY: `config` points to a config, `guard` to a handle, and `clock`, unless NULL, to a clock, as the header says.
        let (config, guard) = unsafe { (read(config)?, Place::new(guard)?) };
        let clock = match clock.is_null() {
            true => None,
            // SAFETY: as above.
            false => Some(unsafe { read(clock)? }.to_clock()?),
        };
        let config = config.to_config()?;
        let made = match clock {
            None => PeerGuard::new(config)?,
            Some(clock) => PeerGuard::with_clock(config, clock)?,
        };
        guard.put(GUARDS.insert(made)?);
        Ok(Answer::Yes)
    })
}

/// Makes another handle of the same guard, to be freed by itself: the guard's memory lives until its last handle and its
/// last peer are freed. For bindings whose objects end at different times.
///
/// `other` receives the handle. Permits belong to the handle that gave them. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_share(guard: peerguard_guard, other: *mut peerguard_guard) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a handle, as the header says.
        let other = unsafe { Place::new(other)? };
        let shared = PeerGuard::clone(&*GUARDS.hold(guard)?);
        other.put(GUARDS.insert(shared)?);
        Ok(Answer::Yes)
    })
}

/// Frees a guard's handle.
///
/// Waits until calls on it that other threads are making have returned; calls that come later, with this handle, get
/// PEERGUARD_ERR_FREED. Of several threads that free it one succeeds. Peers and snapshots of the guard stay good until they
/// are freed themselves, and peers keep its memory. Permits that are out need nothing.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_free(guard: peerguard_guard) -> i32 {
    boundary(|| {
        drop(GUARDS.remove(guard)?);
        Ok(Answer::Yes)
    })
}
