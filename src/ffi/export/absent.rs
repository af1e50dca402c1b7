//! A library without exporters.

use std::net::SocketAddr;

use crate::PeerGuard;
use crate::ffi::export_options::Options;
use crate::ffi::exporter::{Form, Role};
use crate::ffi::status::Failure;

/// There is none.
pub(in crate::ffi) enum Exporting {}

impl Exporting {
    pub(in crate::ffi) fn new(_: &PeerGuard, _: Options, _: impl FnOnce(i32)) -> Result<Self, Failure> {
        Err(Failure::Unsupported)
    }

    pub(in crate::ffi) fn address(&self) -> Option<SocketAddr> {
        match *self {}
    }

    pub(in crate::ffi) fn publish(&self) {
        match *self {}
    }

    pub(in crate::ffi) fn metrics(&self, _: Form) -> String {
        match *self {}
    }

    pub(in crate::ffi) fn query(&self, _: &[u8], _: Role) -> Result<Vec<u8>, Failure> {
        match *self {}
    }

    pub(in crate::ffi) fn snapshot(&self) -> Vec<u8> {
        match *self {}
    }
}

pub(in crate::ffi) fn negotiated(_: Option<&str>) -> Result<Form, Failure> {
    Err(Failure::Unsupported)
}

#[cfg(test)]
mod tests {
    use crate::ffi::export_options::{peerguard_exporter_options, peerguard_exporter_options_init};
    use crate::ffi::exporter::{peerguard_exporter_free, peerguard_exporter_new, peerguard_metrics_negotiate};
    use crate::ffi::guard::GUARDS;
    use crate::ffi::status::{
        PEERGUARD_ERR_HANDLE, PEERGUARD_ERR_STRUCT_SIZE, PEERGUARD_ERR_UNSUPPORTED, PEERGUARD_OK,
    };
    use crate::{Config, PeerGuard};

    #[test]
    fn a_library_without_exporters_says_so() {
        let guard = GUARDS.insert(PeerGuard::new(Config { max_peers: 10, ..Config::default() }).unwrap()).unwrap();
        // SAFETY: integers and addresses, for which all bits 0 is a value.
        let mut options: peerguard_exporter_options = unsafe { std::mem::zeroed() };
        let (mut exporter, mut format) = (7, 7);
        // SAFETY: each pointer points to what the function asks for.
        unsafe {
            let size = size_of_val(&options);
            assert_eq!(
                peerguard_exporter_new(guard, &raw const options, &raw mut exporter, std::ptr::null_mut()),
                PEERGUARD_ERR_STRUCT_SIZE
            );
            assert_eq!(peerguard_exporter_options_init(&raw mut options, size), PEERGUARD_OK);
            assert_eq!(
                peerguard_exporter_new(guard, &raw const options, &raw mut exporter, std::ptr::null_mut()),
                PEERGUARD_ERR_UNSUPPORTED
            );
            assert_eq!(peerguard_metrics_negotiate(std::ptr::null(), 0, &raw mut format), PEERGUARD_ERR_UNSUPPORTED);
        }
        assert_eq!((exporter, format), (7, 7));
        assert_eq!(peerguard_exporter_free(exporter), PEERGUARD_ERR_HANDLE);
        drop(GUARDS.remove(guard));
    }
}
