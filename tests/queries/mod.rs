//! The seven original queries, letter for letter.

#![allow(dead_code, reason = "each test file uses some of them")]

/// The peer that two of them ask for.
pub const PEER: &str = "04b754ba2a3da0970d72d08b8740fb2ad96e63cf8f8bef6b7f1ab84e5b09a7f8";

pub const BREAKERS: &str = "# Get circuit breaker summary
query {
  getCircuitBreakerSummary {
    totalPeers
    closed
    open
    halfOpen
  }
}";

pub const BREAKER: &str = r#"# Get state for a specific peer
query {
  getCircuitBreakerState(peerId: "04b754ba2a3da0970d72d08b8740fb2ad96e63cf8f8bef6b7f1ab84e5b09a7f8") {
    peerId
    state
  }
}"#;

pub const REPUTATIONS: &str = "# Get reputation summary
query {
  getReputationSummary {
    totalPeers
    bannedPeers
    avgScore
    avgReliability
  }
}";

pub const REPUTATION: &str = r#"# Get reputation for a specific peer
query {
  getPeerReputation(peerId: "04b754ba2a3da0970d72d08b8740fb2ad96e63cf8f8bef6b7f1ab84e5b09a7f8") {
    peerId
    score
    successfulSyncs
    failedSyncs
    successfulMessages
    failedMessages
    avgLatencyMs
    bytesReceived
    bytesSent
    reliability
    isBanned
    banReason
    firstSeen
    lastSeen
  }
}"#;

pub const TOP_PEERS: &str = "# Get top peers by reputation
query {
  getTopPeersByReputation(limit: 10) {
    peerId
    score
    reliability
    avgLatencyMs
  }
}";

pub const BANDWIDTH: &str = "# Get bandwidth statistics
query {
  getBandwidthStats {
    totalUploaded
    totalDownloaded
    uploadAvailable
    downloadAvailable
    uploadLimitBps
    downloadLimitBps
  }
}";

pub const SUMMARY: &str = "query {
  getNetworkResilienceSummary {
    circuitBreaker {
      totalPeers
      closed
      open
      halfOpen
    }
    reputation {
      totalPeers
      bannedPeers
      avgScore
      avgReliability
    }
    bandwidth {
      totalUploaded
      totalDownloaded
      uploadLimitBps
      downloadLimitBps
    }
  }
}";
