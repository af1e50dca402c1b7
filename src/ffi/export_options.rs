//! `peerguard_exporter_options`.

use std::ffi::c_char;
use std::net::SocketAddr;
use std::time::Duration;

use super::boundary::boundary;
use super::config::PEERGUARD_NONE;
use super::memory::{Place, Plain, read_text};
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
    /// A client must have sent its request, and an answer must move, within this time: 1 ms to 1 h (5 s).
    pub timeout: u64,
    /// `/healthz` says 503 when the snapshot is older: 1 ms to 1 h (30 s).
    pub stale_after: u64,
    /// Largest body of a request, in bytes: at most 2^30 (2^20).
    pub max_body: u64,
    /// Most peers with series of their own (100).
    pub series_limit: u64,
    /// PEERGUARD_SERIES_...: which peers have series of their own (worst).
    pub series: u32,
    /// Most connections at once: 1 to 2^20 (4096).
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

impl peerguard_exporter_options {
    /// # Safety
    /// Its texts are NULL or end with a 0.
    pub(super) unsafe fn to_options(self) -> Result<Options, Failure> {
        if self.struct_size != size_of::<Self>() {
            return Err(Failure::StructSize);
        }
        // SAFETY: by this function's own contract.
        let text = |text| unsafe { read_text(text, LONGEST) };
        let time = |nanos| {
            let fits = (MILLISECOND..=HOUR).contains(&nanos);
            fits.then(|| Duration::from_nanos(nanos)).ok_or(Failure::Config)
        };
        let most = usize::try_from(self.series_limit).unwrap_or(usize::MAX);
        let series = match self.series {
            PEERGUARD_SERIES_NONE => Series::None,
            PEERGUARD_SERIES_WORST => Series::Worst(most),
            PEERGUARD_SERIES_TOP => Series::Top(most),
            PEERGUARD_SERIES_ALL => Series::All,
            _ => return Err(Failure::Enum),
        };
        if self.max_body > 1 << 30 || !(1..=1 << 20).contains(&self.max_connections) {
            return Err(Failure::Config);
        }
        let address = text(self.address)?.map(|address| address.parse().map_err(|_| Failure::Text)).transpose()?;
        let token = text(self.token)?.filter(|token| !token.is_empty());
        if address.is_some_and(|address: SocketAddr| !address.ip().is_loopback()) && token.is_none() {
            return Err(Failure::Token);
        }
        let hosts = text(self.hosts)?.unwrap_or_default();
        Ok(Options {
            address,
            token,
            operator_token: text(self.operator_token)?,
            hosts: hosts.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
            interval: if self.interval == PEERGUARD_NONE { None } else { Some(time(self.interval)?) },
            timeout: time(self.timeout)?,
            stale_after: time(self.stale_after)?,
            max_body: self.max_body as usize,
            max_connections: self.max_connections as usize,
            series,
        })
    }
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
            timeout: 5 * SECOND,
            stale_after: 30 * SECOND,
            max_body: 1 << 20,
            series_limit: 100,
            series: PEERGUARD_SERIES_WORST,
            max_connections: 4096,
        });
        Ok(Answer::Yes)
    })
}
