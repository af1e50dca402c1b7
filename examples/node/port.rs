//! A port that stays ours while nobody listens on it.
//!
//! A peer that is gone must answer "connection refused" for as long as it is gone. Were its port
//! merely closed, the kernel could hand it to another program or to one of the node's own outgoing
//! connections, which might then even connect to itself. So a second socket stays bound to the
//! address, without listening: dialling it is refused, and nobody else gets it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket, sockopt};

pub struct Port {
    addr: SocketAddr,
    _reserved: OwnedFd,
}

impl Port {
    /// Takes a free port of the loopback interface.
    pub fn reserve() -> io::Result<Self> {
        let reserved = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let addr = SocketAddr::try_from(getsockname(&reserved)?)?;
        let _reserved = reserved;
        Ok(Self { addr, _reserved })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Starts listening; dropping the listener makes the port refuse again.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.addr)?;
        listen(&socket, 128)?;
        Ok(TcpListener::from(socket))
    }
}

/// A socket bound to `addr`, sharing it with the one that reserves it.
fn bound(addr: SocketAddr) -> io::Result<OwnedFd> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &addr)?;
    Ok(socket)
}

/// The next connection, or `None` when none came in time.
pub fn accept_within(listener: &TcpListener, wait: Duration) -> io::Result<Option<TcpStream>> {
    let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    match poll(&mut fds, Some(&wait)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(None),
        Ok(_) => listener.accept().map(|(stream, _)| Some(stream)),
        Err(error) => Err(error.into()),
    }
}
