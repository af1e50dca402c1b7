//! peerguard
