//! Everything that an operator looks at, over HTTP: metrics, queries, the snapshot as JSON, and a page.
//!
//! | path | |
//! |---|---|
//! | `/` | a page that shows how the peers fare, live; one file, nothing from elsewhere |
//! | `/metrics` | Prometheus' text; OpenMetrics for those who ask for it by `Accept` |
//! | `/graphql` | POST: queries, mutations with the operator's token; the subscription as server-sent events. GET: a query page |
//! | `/snapshot.json` | the whole snapshot |
//! | `/live.json` | what the page shows |
//! | `/healthz` | 200 while snapshots are fresh |
//!
//! [`serve`] does it all on a thread of its own; [`router`] is for a node that has a server.
//!
//! # Access
//! On a loopback address everyone on the machine may read. On any other address a token is needed. The `Host` must be an
//! address, `localhost` or a name that was configured, so that no foreign page can reach the server through a name of its
//! own. Nothing can be changed without the operator's token.

mod access;
mod graphql;
mod listen;
mod live;
mod reply;
mod router;
mod socket;
mod work;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use router::router;

use crate::export::prometheus::PeerSeries;
use crate::snapshot::Publisher;

/// How the server behaves.
#[derive(Clone)]
pub struct HttpOptions {
    /// Which peers have series of their own in `/metrics`.
    pub series: PeerSeries,
    /// What a reader must send as `Authorization: Bearer`; needed where the address is not a loopback one.
    pub token: Option<String>,
    /// What an operator must send to change something; without it there are no mutations.
    pub operator_token: Option<String>,
    /// Names by which the server is reached, besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Most connections at once, and never more than half of the descriptors that the process may open; further ones are
    /// told 503.
    pub max_connections: usize,
    /// A client must have sent a request's head, and then its body, within this time; of an answer that has to wait for its
    /// reader, 256 KiB must go in each such time. At most an hour.
    pub timeout: Duration,
    /// Largest body of a request, in bytes.
    pub max_body: usize,
    /// `/healthz` says 503 when the snapshot is older.
    pub stale_after: Duration,
}

/// Longest [`HttpOptions::timeout`].
const LONGEST: Duration = Duration::from_secs(3600);

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            series: PeerSeries::default(),
            token: None,
            operator_token: None,
            hosts: Vec::new(),
            max_connections: 4096,
            timeout: Duration::from_secs(4),
            max_body: 1 << 20,
            stale_after: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for HttpOptions {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("series", &self.series)
            .field("token", &self.token.is_some())
            .field("operator_token", &self.operator_token.is_some())
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// Serves at `address` on a thread of its own, until what is returned is dropped. Port 0 takes a free one.
///
/// The snapshots are `publisher`'s: start its interval, or publish, for them to be fresh.
///
/// # Errors
/// An address that cannot be had; an address that is not a loopback one without [`HttpOptions::token`]
/// ([`io::ErrorKind::PermissionDenied`]).
pub fn serve(address: SocketAddr, publisher: &Publisher, mut options: HttpOptions) -> io::Result<Serving> {
    // A time that the timer can tell.
    options.timeout = options.timeout.min(LONGEST);
    if !address.ip().is_loopback() && options.token.as_deref().unwrap_or_default().as_bytes().trim_ascii().is_empty() {
        let message = "an address that is not a loopback one needs a token";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_name("peerguard-work")
        .enable_io()
        .enable_time()
        .build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let publisher = publisher.clone();
    let listen = move || {
        let listening = async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            listen::listen(listener, router(&publisher, &options), &options, stopped).await;
            io::Result::Ok(())
        };
        // The listener is one that the runtime has room for: it was bound a moment ago.
        let _ = runtime.block_on(listening);
        // Connections that are open are cut, answers that have yet to be begun are not made. Those that are being made are
        // waited for: they read the guard and its clock, which may be the node's own and end with this server.
        drop(runtime);
    };
    let thread = thread::Builder::new().name("peerguard-http".into()).spawn(listen)?;
    Ok(Serving { address, stop: Some(stop), thread: Some(thread) })
}

/// A server. When dropped it stops, and waits for the answers that are being made, which takes milliseconds; no thread of its
/// own is left then.
#[must_use = "the server stops when this is dropped"]
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// The address that it listens at.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread's own panic was printed when it happened; it must not become one of a drop.
            let _ = thread.join();
        }
    }
}
