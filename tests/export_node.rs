//! The running example, as its user meets it: the original queries over HTTP, unchanged, and its metrics, each compared with
//! the snapshot of the same publication.

mod promtool;
mod queries;
mod running_node;
mod web;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use queries::PEER;
use running_node::RunningNode;
use serde_json::{Value, json};
use web::{get, query};

/// The data of an answer, and the snapshot that it was read from.
fn answer(node: SocketAddr, text: &str) -> (Value, Value) {
    // A publication may come between the two requests; not each time.
    for _ in 0..20 {
        let answer = query(node, text).json();
        assert!(answer["errors"].is_null(), "{answer}");
        let read = &answer["extensions"]["snapshot"];
        let snapshot = get(node, "/snapshot.json").json();
        if snapshot["number"] == read["number"] {
            assert_eq!(snapshot["taken_at"], read["takenAt"]);
            assert!(read["ageMs"].as_f64().unwrap() < 10_000.0 && read["ageMs"].as_f64() >= Some(0.0), "{read}");
            return (answer["data"].clone(), snapshot);
        }
    }
    panic!("never the same publication");
}

fn breakers(snapshot: &Value) -> Value {
    let totals = &snapshot["totals"];
    let counted = |state: &str| {
        let peers = snapshot["peers"].as_array().unwrap();
        let count = peers.iter().filter(|peer| peer["state"] == state).count();
        assert_eq!(totals[state], count);
        count
    };
    json!({"totalPeers": totals["total_peers"], "closed": counted("closed"), "open": counted("open"),
        "halfOpen": counted("half_open")})
}

fn reputations(snapshot: &Value) -> Value {
    let totals = &snapshot["totals"];
    json!({"totalPeers": totals["total_peers"], "bannedPeers": totals["banned"], "avgScore": totals["avg_score"],
        "avgReliability": totals["avg_reliability"]})
}

fn peer<'a>(snapshot: &'a Value, id: &Value) -> &'a Value {
    let peers = snapshot["peers"].as_array().unwrap();
    peers.iter().find(|peer| peer["id"] == *id).unwrap_or_else(|| panic!("{id} has no record"))
}

#[test]
fn the_original_queries_answer_with_the_guards_own_values() {
    let node = RunningNode::start();
    let at = node.address;
    // The first trips and the first sync with that peer take a few seconds.
    let start = Instant::now();
    loop {
        let snapshot = get(at, "/snapshot.json").json();
        let synced = |peer: &Value| peer["id"] == PEER && peer["bytes_received"].as_u64() > Some(0);
        if snapshot["peers"].as_array().unwrap().iter().any(synced) && snapshot["totals"]["open"].as_u64() >= Some(1) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nothing happens: {}", snapshot["totals"]);
        thread::sleep(Duration::from_millis(200));
    }

    let (data, snapshot) = answer(at, queries::BREAKERS);
    assert_eq!(data["getCircuitBreakerSummary"], breakers(&snapshot));

    let (data, snapshot) = answer(at, queries::BREAKER);
    let known = peer(&snapshot, &json!(PEER));
    assert_eq!(data["getCircuitBreakerState"], json!({"peerId": PEER, "state": known["state"]}));

    let (data, snapshot) = answer(at, queries::REPUTATIONS);
    assert_eq!(data["getReputationSummary"], reputations(&snapshot));

    let (data, snapshot) = answer(at, queries::REPUTATION);
    let known = peer(&snapshot, &json!(PEER));
    assert!(
        known["ban"].is_null() && known["bytes_received"].as_u64() > Some(0),
        "a healthy peer that was synced with"
    );
    let expected = json!({"peerId": PEER, "score": known["score"], "successfulSyncs": known["successful_syncs"],
        "failedSyncs": known["failed_syncs"], "successfulMessages": known["successful_messages"],
        "failedMessages": known["failed_messages"], "avgLatencyMs": known["latency_ms"],
        "bytesReceived": known["bytes_received"], "bytesSent": known["bytes_sent"], "reliability": known["reliability"],
        "isBanned": false, "banReason": null, "firstSeen": known["first_seen"], "lastSeen": known["last_seen"]});
    assert_eq!(data["getPeerReputation"], expected);

    let (data, snapshot) = answer(at, queries::TOP_PEERS);
    let listed = data["getTopPeersByReputation"].as_array().unwrap();
    for one in listed {
        let known = peer(&snapshot, &one["peerId"]);
        let expected = json!({"peerId": known["id"], "score": known["score"], "reliability": known["reliability"],
            "avgLatencyMs": known["latency_ms"]});
        assert_eq!(*one, expected);
    }
    let score = |peer: &Value| peer["score"].as_f64().unwrap();
    let unbanned = snapshot["peers"].as_array().unwrap().iter().filter(|peer| peer["ban"].is_null());
    let mut best: Vec<f64> = unbanned.map(score).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    best.truncate(10);
    assert_eq!(listed.iter().map(score).collect::<Vec<_>>(), best);

    let (data, snapshot) = answer(at, queries::BANDWIDTH);
    let totals = &snapshot["totals"];
    let expected = json!({"totalUploaded": totals["uploaded"], "totalDownloaded": totals["downloaded"],
        "uploadAvailable": totals["upload_available"], "downloadAvailable": totals["download_available"],
        "uploadLimitBps": 4 << 20, "downloadLimitBps": 8 << 20});
    assert_eq!(data["getBandwidthStats"], expected);
    assert!(totals["downloaded"].as_u64() > Some(0), "{totals}");

    let (data, snapshot) = answer(at, queries::SUMMARY);
    let totals = &snapshot["totals"];
    let expected = json!({"circuitBreaker": breakers(&snapshot), "reputation": reputations(&snapshot),
        "bandwidth": {"totalUploaded": totals["uploaded"], "totalDownloaded": totals["downloaded"],
            "uploadLimitBps": totals["upload_limit"], "downloadLimitBps": totals["download_limit"]}});
    assert_eq!(data["getNetworkResilienceSummary"], expected);

    let metrics = get(at, "/metrics").text();
    promtool::check_metrics(&metrics);
    assert!(metrics.contains("\ncircuit_breaker_state{peer=\""), "{metrics}");
    for path in ["/", "/graphql", "/healthz", "/live.json"] {
        assert_eq!(get(at, path).status, 200, "{path}");
    }
}
