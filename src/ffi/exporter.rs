//! Exporters: metrics, queries and the snapshot as text, and a server for all of these and a page.

use std::ffi::c_char;

use super::boundary::boundary;
use super::export::{Exporting, negotiated};
use super::export_options::peerguard_exporter_options;
use super::guard::{GUARDS, peerguard_guard};
use super::memory::{Place, Row, Span, read};
use super::registry::{Kind, Registry};
use super::status::{Answer, Failure};
use super::text_handle::{TEXTS, peerguard_text};

/// What tells others how a guard's peers fare. 0 is never one.
pub type peerguard_exporter = u64;

crate::sync::global! {
    static EXPORTERS: Registry<Exporting> = Registry::new(Kind::Exporter);
}

/// Prometheus' classic text, version 0.0.4.
pub const PEERGUARD_METRICS_CLASSIC: u32 = 0;
/// OpenMetrics 1.0.0.
pub const PEERGUARD_METRICS_OPENMETRICS: u32 = 1;

/// The request may only read.
pub const PEERGUARD_ROLE_READER: u32 = 0;
/// The request may also ban, unban, force, reset and change limits.
pub const PEERGUARD_ROLE_OPERATOR: u32 = 1;

/// Bytes of the longest address, with the 0 at its end.
pub const PEERGUARD_ADDRESS_TEXT: usize = 64;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Operator,
}

/// A form of the metrics' text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Classic,
    OpenMetrics,
}

/// Makes an exporter: takes a first snapshot, starts a thread that takes the next ones, and serves HTTP on another thread if
/// `options` has an address. Then the page is at `/`, the metrics at `/metrics`, GraphQL at `/graphql` (POST), everything as
/// JSON at `/snapshot.json`, the health at `/healthz`.
///
/// On a loopback address everyone on the machine may read; any other address needs a token. Nothing can be changed over
/// HTTP without the operator's token. `exporter` receives the handle; free it with `peerguard_exporter_free`. It keeps the
/// guard's memory and works on when the guard is freed. `system_error` receives the system's error number with
/// PEERGUARD_ERR_SYSTEM (0 if it gave none); may be NULL. Any thread; about 100 ns for each peer.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_UNSUPPORTED if the library was built without exporters; PEERGUARD_ERR_SYSTEM if the
/// address cannot be had or a thread was not given; PEERGUARD_ERR_TOKEN for an address that needs a token;
/// PEERGUARD_ERR_TEXT for one that is none and for a text that is not UTF-8; PEERGUARD_ERR_CONFIG for a number out of its
/// range; PEERGUARD_ERR_ENUM, _LENGTH (a text of more than 4,096 bytes), _STRUCT_SIZE, _NULL, _ALIGNMENT, _TOO_MANY,
/// _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_exporter_new(
    guard: peerguard_guard,
    options: *const peerguard_exporter_options,
    exporter: *mut peerguard_exporter,
    system_error: *mut i32,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says, and those in the options to texts.
        let (options, place) = unsafe { (read(options)?.to_options()?, Place::new(exporter)?) };
        // SAFETY: as above.
        let system_error = unsafe { Place::optional(system_error)? };
        // The guard is let go before the threads start: an exporter may take long to make.
        let guard = crate::PeerGuard::clone(&*GUARDS.hold(guard)?);
        let made = Exporting::new(&guard, options, |number| system_error.put(number))?;
        place.put(EXPORTERS.insert(made)?);
        Ok(Answer::Yes)
    })
}

/// Frees an exporter, when calls on it that other threads are making have returned: stops its server, whose connections are
/// cut, and its threads, and waits for their end, which takes milliseconds. Afterwards no thread of the library's calls the
/// guard's clock.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_exporter_free(exporter: peerguard_exporter) -> i32 {
    boundary(|| {
        let _stopped = EXPORTERS.remove(exporter)?;
        Ok(Answer::Yes)
    })
}

/// Tells where an exporter serves, such as "127.0.0.1:9100" or "[::1]:9100", ended by a 0: with the port that port 0 found.
///
/// `text`: `capacity` bytes, at least PEERGUARD_ADDRESS_TEXT. Any thread.
///
/// Returns PEERGUARD_OK, PEERGUARD_NO if it does not serve, and `text` is empty; PEERGUARD_ERR_NULL, _LENGTH, _HANDLE,
/// _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_exporter_address(
    exporter: peerguard_exporter,
    text: *mut c_char,
    capacity: usize,
) -> i32 {
    boundary(|| {
        // SAFETY: `text` points to `capacity` bytes, as the header says.
        let text = unsafe { Row::new(text.cast::<u8>(), capacity)? };
        if capacity < PEERGUARD_ADDRESS_TEXT {
            return Err(Failure::Length);
        }
        let address = EXPORTERS.hold(exporter)?.address();
        let bytes = address.map(|address| address.to_string()).unwrap_or_default();
        // An IPv6 address with a scope and a port has at most 58 bytes.
        text.fill(bytes.bytes().take(PEERGUARD_ADDRESS_TEXT - 1).chain([0]));
        Ok(address.is_some().into())
    })
}

/// Takes a snapshot and publishes it now: what is read from now on is at least as new. For an exporter whose `interval` is
/// PEERGUARD_NONE, or a reader that cannot wait for the next one. Any thread; about 100 ns for each peer.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_HANDLE, _FREED, _REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_exporter_publish(exporter: peerguard_exporter) -> i32 {
    boundary(|| {
        EXPORTERS.hold(exporter)?.publish();
        Ok(Answer::Yes)
    })
}

/// Writes the metrics of the latest snapshot for Prometheus.
///
/// `format`: PEERGUARD_METRICS_CLASSIC or PEERGUARD_METRICS_OPENMETRICS. `text` receives the handle of the text; read it with
/// `peerguard_text_read`, free it with `peerguard_text_free`. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_ENUM, _NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_exporter_metrics(
    exporter: peerguard_exporter,
    format: u32,
    text: *mut peerguard_text,
) -> i32 {
    boundary(|| {
        let form = match format {
            PEERGUARD_METRICS_CLASSIC => Form::Classic,
            PEERGUARD_METRICS_OPENMETRICS => Form::OpenMetrics,
            _ => return Err(Failure::Enum),
        };
        // SAFETY: the pointer points to a handle, as the header says.
        let place = unsafe { Place::new(text)? };
        let written = EXPORTERS.hold(exporter)?.metrics(form);
        place.put(TEXTS.insert(written.into_bytes())?);
        Ok(Answer::Yes)
    })
}

/// Carries out a GraphQL request against the latest snapshot.
///
/// `request`: `length` bytes of JSON, {"query": ..., "variables": ..., "operationName": ...}. `role`:
/// PEERGUARD_ROLE_READER, or PEERGUARD_ROLE_OPERATOR for a request that may change something. `text` receives the handle of
/// the answer, {"data": ..., "errors": ...}, also for a request that GraphQL refuses; see `peerguard_exporter_metrics`. Any
/// thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_TEXT if the request is not such JSON; PEERGUARD_ERR_ENUM, _NULL, _LENGTH, _ALIGNMENT,
/// _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_exporter_query(
    exporter: peerguard_exporter,
    request: *const c_char,
    length: usize,
    role: u32,
    text: *mut peerguard_text,
) -> i32 {
    boundary(|| {
        let role = match role {
            PEERGUARD_ROLE_READER => Role::Reader,
            PEERGUARD_ROLE_OPERATOR => Role::Operator,
            _ => return Err(Failure::Enum),
        };
        // SAFETY: the pointers point to what the header says.
        let (request, place) = unsafe { (Span::new(request.cast::<u8>(), length)?, Place::new(text)?) };
        let request: Vec<u8> = request.iter().collect();
        let answer = EXPORTERS.hold(exporter)?.query(&request, role)?;
        place.put(TEXTS.insert(answer)?);
        Ok(Answer::Yes)
    })
}

/// Writes the latest snapshot as JSON: totals and every peer, as `/snapshot.json` serves it.
///
/// `text` receives the handle of the text; see `peerguard_exporter_metrics`. Any thread; about 1 KB for each peer.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT, _TOO_MANY, _HANDLE, _FREED, _REENTRANT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_exporter_snapshot(exporter: peerguard_exporter, text: *mut peerguard_text) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to a handle, as the header says.
        let place = unsafe { Place::new(text)? };
        let written = EXPORTERS.hold(exporter)?.snapshot();
        place.put(TEXTS.insert(written)?);
        Ok(Answer::Yes)
    })
}

/// Tells which form of the metrics a scraper asks for by its `Accept` header, for a node with a server of its own.
///
/// `accept`: `length` bytes; NULL and 0 if there is no such header. `format` receives PEERGUARD_METRICS_OPENMETRICS if it is
/// preferred to plain text, else PEERGUARD_METRICS_CLASSIC. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_UNSUPPORTED if the library was built without exporters; PEERGUARD_ERR_NULL, _LENGTH,
/// _ALIGNMENT.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_metrics_negotiate(accept: *const c_char, length: usize, format: *mut u32) -> i32 {
    boundary(|| {
        // SAFETY: the pointers point to what the header says.
        let (accept, format) = unsafe { (Span::new(accept.cast::<u8>(), length)?, Place::new(format)?) };
        let accept: Vec<u8> = accept.iter().collect();
        // What is no text asks for nothing.
        format.put(match negotiated(std::str::from_utf8(&accept).ok())? {
            Form::Classic => PEERGUARD_METRICS_CLASSIC,
            Form::OpenMetrics => PEERGUARD_METRICS_OPENMETRICS,
        });
        Ok(Answer::Yes)
    })
}

/// The `Content-Type` of a form of the metrics; that of the classic text for a number that is none. Static memory. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn peerguard_metrics_content_type(format: u32) -> *const c_char {
    // Nothing in here could panic.
    let text = match format {
        PEERGUARD_METRICS_OPENMETRICS => c"application/openmetrics-text; version=1.0.0; charset=utf-8",
        _ => c"text/plain; version=0.0.4; charset=utf-8",
    };
    text.as_ptr()
}
