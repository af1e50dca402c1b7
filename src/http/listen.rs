//! Accepts connections and bounds what each may cost: their number, the time for a head, its size, the time for an answer
//! to move.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::HttpOptions;
use super::socket::Socket;

/// Largest head of a request.
const MAX_HEAD: usize = 16 * 1024;
/// Most header lines.
const MAX_HEADERS: usize = 64;
/// How long a client may go on sending after it has been refused.
const PATIENCE: Duration = Duration::from_secs(2);

macro_rules! last_words {
    ($status:literal, $text:literal) => {
        concat!("HTTP/1.1 ", $status, "\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n", $text)
    };
}

/// The last words to a client that did not send a request in time, and to one that comes when there are too many.
const TOO_SLOW: &str = last_words!("408 Request Timeout", "the request did not come in time\n");
const TOO_MANY: &str = last_words!("503 Service Unavailable", "too many connections\n");

/// Serves until `stopped` is told or dropped.
pub(super) async fn listen(
    listener: TcpListener,
    router: Router,
    options: &HttpOptions,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    // Without a timer the header timeout would be ignored.
    http.timer(TokioTimer::new()).header_read_timeout(options.timeout).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
    let most = most_connections(options);
    let places = Arc::new(Semaphore::new(most));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        let Ok((stream, _)) = accepted else {
            // No descriptor is free, or the client has gone again: others may go on meanwhile.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            Socket::new(stream).say(TOO_MANY);
            continue;
        };
        let (mut http, router, stall) = (http.clone(), router.clone(), options.timeout);
        // Who keeps a connection for long must not have them all: of the second half each is for one request.
        let free = places.available_permits();
        http.keep_alive(free != 0 && free >= most / 2);
        tokio::spawn(async move {
            connection(stream, &http, router, stall).await;
            drop(place);
        });
    }
}

/// Most connections at once.
pub(super) fn most_connections(options: &HttpOptions) -> usize {
    options.max_connections.min(half_of_the_descriptors())
}

/// Clients of this server must not take the descriptors that the node needs for its peers.
fn half_of_the_descriptors() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.map_or(usize::MAX, |most| usize::try_from(most / 2).unwrap_or(usize::MAX)).clamp(1, Semaphore::MAX_PERMITS)
}

async fn connection(stream: TcpStream, http: &http1::Builder, router: Router, stall: Duration) {
    let socket = Socket::new(stream);
    let served = http.serve_connection(socket.io(stall), TowerToHyperService::new(router)).await;
    if served.is_err_and(|error| error.is_timeout()) {
        socket.say(TOO_SLOW);
    }
    socket.close(PATIENCE).await;
}
