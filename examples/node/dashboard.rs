//! What an operator sees of the node while it runs: page, metrics, queries and JSON at one address.

use std::error::Error;
use std::net::SocketAddr;

use peerguard::PeerGuard;

#[cfg(feature = "http")]
pub struct Dashboard {
    serving: peerguard::http::Serving,
    _publishing: peerguard::Publishing,
}

#[cfg(feature = "http")]
impl Dashboard {
    /// Serves what `guard` knows at `address`, with a snapshot each half second, until it is dropped.
    pub fn open(address: SocketAddr, guard: &PeerGuard) -> Result<Self, Box<dyn Error>> {
        let publisher = peerguard::Publisher::new(guard);
        let _publishing = publisher.start(std::time::Duration::from_millis(500))?;
        let serving = peerguard::http::serve(address, &publisher, peerguard::http::HttpOptions::default())?;
        Ok(Self { serving, _publishing })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/", self.serving.address())
    }
}

#[cfg(not(feature = "http"))]
pub struct Dashboard(std::convert::Infallible);

#[cfg(not(feature = "http"))]
impl Dashboard {
    pub fn open(_: SocketAddr, _: &PeerGuard) -> Result<Self, Box<dyn Error>> {
        Err("--http needs the feature: cargo run --release --features http --example node -- --http ADDR".into())
    }

    pub fn url(&self) -> String {
        match self.0 {}
    }
}
