//! `peerguard_exporter_options`.

use std::ffi::c_char;
use std::net::SocketAddr;
use std::time::Duration;

use super::boundary::boundary;
use super::config::PEERGUARD_NONE;
use super::memory::{Place, Plain, Row, read, read_text};
use super::status::{Answer, Failure};

/// No peer has series of its own in the metrics.
pub const PEERGUARD_SERIES_NONE: u32 = 0;
/// The worst of those in trouble.
pub const PEERGUARD_SERIES_WORST: u32 = 1;
/// Those with the highest scores.
pub const PEERGUARD_SERIES_TOP: u32 = 2;
/// Every peer: with 100,000 peers that is 400,000 series.
pub const PEERGUARD_SERIES_ALL: u32 = 3;

/// What an exporter does. Fill it with `peerguard_exporter_options_init`, then change what you like.
///
/// The texts end with a 0, are UTF-8 of at most 4,096 bytes, are read during the call only, and may be NULL.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct peerguard_exporter_options {
    /// sizeof(peerguard_exporter_options), set by `peerguard_exporter_options_init`.
    pub struct_size: usize,
    /// Where to serve HTTP, such as "127.0.0.1:9100" or "[::1]:0"; port 0 takes a free one. NULL: nowhere (NULL).
    pub address: *const c_char,
    /// What a reader must send as `Authorization: Bearer`; needed where the address is not a loopback one (NULL).
    pub token: *const c_char,
    /// What an operator must send to change something; without it nothing can be changed over HTTP (NULL).
    pub operator_token: *const c_char,
    /// Names by which the server is reached besides localhost and addresses, separated by commas (NULL).
    pub hosts: *const c_char,
    /// Nanoseconds between two snapshots: 1 ms to 1 h; PEERGUARD_NONE = only by `peerguard_exporter_publish` (1 s).
    pub interval: u64,
    /// A client must have sent its request, and an answer must move, within this time: 1 ms to 1 h (4 s).
    pub timeout: u64,
    /// `/healthz` says 503 when the snapshot is older: 1 ms to 1 h (30 s).
    pub stale_after: u64,
    /// Largest body of a request, in bytes: at most 2^30 (2^20).
    pub max_body: u64,
    /// Most peers with series of their own (100).
    pub series_limit: u64,
    /// PEERGUARD_SERIES_...: which peers have series of their own (worst).
    pub series: u32,
    /// Most connections at once: 1 to 2^20 (4096), and never more than half of the descriptors that the process may open.
    pub max_connections: u32,
}

// SAFETY: integers and addresses; an address is not followed before the caller has vouched for it.
unsafe impl Plain for peerguard_exporter_options {}

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3600 * SECOND;
const MILLISECOND: u64 = 1_000_000;
/// Longest text of an option.
const LONGEST: usize = 4096;

/// Which peers have series of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Series {
    None,
    Worst(usize),
    Top(usize),
    All,
}

/// The options in Rust.
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "read by exporters only"))]
pub(super) struct Options {
    pub(super) address: Option<SocketAddr>,
    pub(super) token: Option<String>,
    pub(super) operator_token: Option<String>,
    pub(super) hosts: Vec<String>,
    pub(super) interval: Option<Duration>,
    pub(super) timeout: Duration,
    pub(super) stale_after: Duration,
    pub(super) max_body: usize,
    pub(super) max_connections: usize,
    pub(super) series: Series,
}

/// Why there can be no exporter with some options.
pub(super) struct Wrong {
    failure: Failure,
    /// Which option, and what it must be; empty where it is not about one.
    why: &'static str,
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self { failure, why: "" }
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        wrong.failure
    }
}

impl peerguard_exporter_options {
    /// # Safety
    /// Its texts are NULL or end with a 0.
    pub(super) unsafe fn to_options(self) -> Result<Options, Wrong> {
        if self.struct_size != size_of::<Self>() {
            return Err(Failure::StructSize.into());
        }
        let wrong = |failure, why| Wrong { failure, why };
        let text = |text, why| {
            // SAFETY: by this function's own contract.
            unsafe { read_text(text, LONGEST) }.map_err(|failure| wrong(failure, why))
        };
        let within = |nanos, why| {
            let fits = (MILLISECOND..=HOUR).contains(&nanos);
            fits.then(|| Duration::from_nanos(nanos)).ok_or(wrong(Failure::Config, why))
        };
        let holds = |fits: bool, failure, why| if fits { Ok(()) } else { Err(wrong(failure, why)) };
        let most = usize::try_from(self.series_limit).unwrap_or(usize::MAX);
        let series = match self.series {
            PEERGUARD_SERIES_NONE => Series::None,
            PEERGUARD_SERIES_WORST => Series::Worst(most),
            PEERGUARD_SERIES_TOP => Series::Top(most),
            PEERGUARD_SERIES_ALL => Series::All,
            _ => return Err(wrong(Failure::Enum, "series must be 0 to 3")),
        };
        holds(self.max_body <= 1 << 30, Failure::Config, "max_body must be at most 2^30")?;
        let connections = (1..=1 << 20).contains(&self.max_connections);
        holds(connections, Failure::Config, "max_connections must be 1 to 2^20")?;
        let address = text(self.address, "address must be UTF-8 of at most 4096 bytes")?;
        let address = address.map(|address| {
            let numeric = wrong(Failure::Text, "address must be a numeric address with a port, such as 127.0.0.1:9100");
            address.parse::<SocketAddr>().map_err(|_| numeric)
        });
        let address = address.transpose()?;
        let token = text(self.token, "token must be UTF-8 of at most 4096 bytes")?
            .filter(|token| !token.as_bytes().trim_ascii().is_empty());
        let open = address.is_some_and(|address| !address.ip().is_loopback());
        holds(!open || token.is_some(), Failure::Token, "token must be set where address is not a loopback one")?;
        let hosts = text(self.hosts, "hosts must be UTF-8 of at most 4096 bytes")?.unwrap_or_default();
        let interval = match self.interval {
            PEERGUARD_NONE => None,
            nanos => Some(within(nanos, "interval must be 1 ms to 1 h, or PEERGUARD_NONE")?),
        };
        Ok(Options {
            address,
            token,
            operator_token: text(self.operator_token, "operator_token must be UTF-8 of at most 4096 bytes")?,
            hosts: hosts.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
            interval,
            timeout: within(self.timeout, "timeout must be 1 ms to 1 h")?,
            stale_after: within(self.stale_after, "stale_after must be 1 ms to 1 h")?,
            max_body: self.max_body as usize,
            max_connections: self.max_connections as usize,
            series,
        })
    }
}

/// Tells whether an exporter can be made with some options, and if not, which is wrong and what it must be. Whether the address
/// can be had is not asked.
///
/// `message`: `capacity` bytes for the text, cut to fit and ended by a 0; empty if all is well. May be NULL. Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_CONFIG, _TEXT, _ENUM, _TOKEN; PEERGUARD_ERR_LENGTH, also for a text that is too long;
/// PEERGUARD_ERR_NULL, _ALIGNMENT, _STRUCT_SIZE, and then nothing is written.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_exporter_options_check(
    options: *const peerguard_exporter_options,
    message: *mut c_char,
    capacity: usize,
) -> i32 {
    boundary(|| {
        // SAFETY: `options` points to options, and `message` to `capacity` bytes, as the header says.
        let (options, message) = unsafe { (read(options)?, Row::optional(message.cast::<u8>(), capacity)?) };
        // SAFETY: its texts are NULL or end with a 0, as the header says.
        let verdict = unsafe { options.to_options() };
        let why = verdict.as_ref().err().map_or("", |wrong| wrong.why);
        if verdict.is_ok() || !why.is_empty() {
            message.put_text(why);
        }
        verdict?;
        Ok(Answer::Yes)
    })
}

/// Writes the default options.
///
/// `struct_size`: sizeof(peerguard_exporter_options). Any thread.
///
/// Returns PEERGUARD_OK; PEERGUARD_ERR_NULL, _ALIGNMENT; PEERGUARD_ERR_STRUCT_SIZE if header and library do not match, and
/// nothing is written.
///
/// # Safety
/// See above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peerguard_exporter_options_init(
    options: *mut peerguard_exporter_options,
    struct_size: usize,
) -> i32 {
    boundary(|| {
        // SAFETY: the pointer points to options, as the header says.
        let place = unsafe { Place::new(options)? };
        if struct_size != size_of::<peerguard_exporter_options>() {
            return Err(Failure::StructSize);
        }
        let no_text = std::ptr::null();
        place.put(peerguard_exporter_options {
            struct_size,
            address: no_text,
            token: no_text,
            operator_token: no_text,
            hosts: no_text,
            interval: SECOND,
            timeout: 4 * SECOND,
            stale_after: 30 * SECOND,
            max_body: 1 << 20,
            series_limit: 100,
            series: PEERGUARD_SERIES_WORST,
            max_connections: 4096,
        });
        Ok(Answer::Yes)
    })
}
