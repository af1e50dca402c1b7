//! The metrics: names, labels and values, bounded series, and what Prometheus' own checker says.

mod promtool;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use peerguard::export::prometheus::{Exporter, Format, PeerSeries};
use peerguard::{
    BreakerState, Clock, Config, Limits, ManualClock, Outcome, PeerGuard, PeerId, Publisher, Reason, Traffic,
};
use prometheus::TextEncoder;

fn peer(n: u64) -> PeerId {
    PeerId::digest(&n.to_le_bytes())
}

fn guard() -> (PeerGuard, ManualClock) {
    guard_of(Config::default())
}

fn guard_of(mut config: Config) -> (PeerGuard, ManualClock) {
    let (clock, hand) = Clock::manual(1 << 40);
    config.circuit_breaker.jitter = 0.0;
    (PeerGuard::with_clock(config, clock).unwrap(), hand)
}

fn trip(guard: &PeerGuard, peer: &PeerId) {
    for _ in 0..5 {
        let _ = guard.report(peer, Outcome::MessageFailure, None, Traffic::NONE);
    }
}

fn text(guard: &PeerGuard, series: PeerSeries) -> String {
    Exporter::new(&Publisher::new(guard), series).text(Format::Text)
}

/// Series and their values.
fn series(text: &str) -> BTreeMap<String, f64> {
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line:?}")))
    };
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(sample).collect();
    let count = lines.len();
    let series: BTreeMap<_, _> = lines.into_iter().collect();
    assert_eq!(series.len(), count, "a series appears twice");
    series
}

/// A guard with something in every metric.
fn busy_guard() -> (PeerGuard, ManualClock) {
    let (guard, hand) = guard();
    let limits = Limits { upload: 1000, download: 2000, per_peer_upload: 600, per_peer_download: 0 };
    guard.update_limits(limits).unwrap();
    trip(&guard, &peer(1));
    guard.ban(&peer(2), Some(Duration::from_secs(60)), 7).unwrap();
    guard.record_success(&peer(3), Some(12.5)).unwrap();
    assert!(guard.try_upload(&peer(3), 500));
    assert!(!guard.try_upload(&peer(3), 500));
    assert!(!guard.try_upload(&peer(4), 550));
    assert!(guard.try_download(&peer(3), 1500));
    assert!(!guard.try_download(&peer(3), 1500));
    assert!(guard.admit(&peer(1)).is_err() && guard.admit(&peer(2)).is_err());
    (guard, hand)
}

#[test]
fn the_six_metrics_have_their_names_labels_and_values() {
    let (guard, _hand) = busy_guard();
    let text = text(&guard, PeerSeries::All);
    let series = series(&text);
    for (n, open) in [(1, 1.0), (2, 0.0), (3, 0.0)] {
        let id = peer(n);
        let state = |state| series[&format!("circuit_breaker_state{{peer=\"{id}\",state=\"{state}\"}}")];
        assert_eq!((state("open"), state("closed"), state("half_open")), (open, 1.0 - open, 0.0));
        let score = series[&format!("peer_reputation_score{{peer=\"{id}\"}}")];
        assert_eq!(score, guard.view(&id).unwrap().score);
    }
    let is = |name: &str, value: f64| assert_eq!(series.get(name), Some(&value), "{name}");
    is("circuit_breaker_trips_total", 1.0);
    is("peers_banned_current", 1.0);
    is("bandwidth_bytes_total{direction=\"upload\"}", 500.0);
    is("bandwidth_bytes_total{direction=\"download\"}", 1500.0);
    is("bandwidth_throttled_total{direction=\"upload\",scope=\"peer\"}", 1.0);
    is("bandwidth_throttled_total{direction=\"upload\",scope=\"global\"}", 1.0);
    is("bandwidth_throttled_total{direction=\"download\",scope=\"global\"}", 1.0);
    is("bandwidth_throttled_total{direction=\"download\",scope=\"peer\"}", 0.0);
    is("peerguard_denials_total{reason=\"banned\"}", 1.0);
    is("peerguard_denials_total{reason=\"open\"}", 1.0);
    is("peerguard_peers{state=\"closed\"}", 2.0);
    is("peerguard_bandwidth_available_bytes{direction=\"download\"}", 500.0);
    is("peerguard_peers_with_latency", 1.0);
    let p99 = series["peerguard_peer_latency_seconds{percentile=\"99\"}"];
    assert!((p99 - 0.0125).abs() < 0.0001, "{p99}");
    for (name, kind) in [("circuit_breaker_state", "gauge"), ("bandwidth_bytes_total", "counter")] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
    }
    for reason in Reason::ALL {
        assert!(series.contains_key(&format!("peerguard_denials_total{{reason=\"{}\"}}", reason.as_str())));
    }
}

#[test]
fn promtool_finds_no_fault_with_the_text_or_the_collector() {
    let (guard, _hand) = busy_guard();
    let exporter = Exporter::new(&Publisher::new(&guard), PeerSeries::default());
    let own = exporter.text(Format::Text);
    promtool::check_metrics(&own);
    promtool::check_metrics(&text(&PeerGuard::new(Config::default()).unwrap(), PeerSeries::All));

    let registry = prometheus::Registry::new();
    let beside = prometheus::IntCounter::new("node_blocks_total", "Blocks of the node itself.").unwrap();
    registry.register(Box::new(beside)).unwrap();
    registry.register(Box::new(exporter.collector())).unwrap();
    assert!(registry.register(Box::new(exporter.collector())).is_err(), "the same metrics twice");
    let gathered = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    promtool::check_metrics(&gathered);
    let (own, mut gathered) = (series(&own), series(&gathered));
    gathered.remove("node_blocks_total");
    assert_eq!(own.keys().collect::<Vec<_>>(), gathered.keys().collect::<Vec<_>>());
    for (name, value) in own {
        assert_eq!(value, gathered[&name], "{name}");
    }
}

#[test]
fn every_metric_is_described_to_the_registry() {
    use prometheus::core::Collector;
    let (guard, _hand) = busy_guard();
    let collector = Exporter::new(&Publisher::new(&guard), PeerSeries::All).collector();
    let described: BTreeSet<String> = collector.desc().iter().map(|desc| desc.fq_name.clone()).collect();
    let collected: BTreeSet<String> = collector.collect().iter().map(|family| family.name().to_owned()).collect();
    assert_eq!(described, collected);
}

#[test]
fn open_metrics_names_families_without_suffix_and_ends() {
    let (guard, _hand) = busy_guard();
    let text = Exporter::new(&Publisher::new(&guard), PeerSeries::All).text(Format::OpenMetrics);
    assert!(text.ends_with("\n# EOF\n"));
    assert!(text.contains("# TYPE circuit_breaker_trips counter\ncircuit_breaker_trips_total 1\n"));
    assert!(text.contains("# TYPE peerguard_build info\npeerguard_build_info{version="));
}

#[test]
fn a_listed_peer_is_in_exactly_one_state_and_goes_when_it_has_recovered() {
    let (guard, hand) = guard();
    let id = peer(1);
    let states = |guard: &PeerGuard| {
        let series = series(&text(guard, PeerSeries::default()));
        let of_peer = |name: &&String| name.starts_with("circuit_breaker_state{");
        let listed: Vec<_> = series.keys().filter(of_peer).cloned().collect();
        let active: Vec<_> = listed.iter().filter(|name| series[*name] == 1.0).collect();
        assert_eq!(listed.len(), active.len() * 3);
        active.into_iter().map(|name| name.split("state=").nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    guard.record_success(&id, None).unwrap();
    assert!(states(&guard).is_empty());
    for round in 1..=3 {
        trip(&guard, &id);
        assert_eq!(states(&guard), ["\"open\"}"]);
        hand.advance(guard.view(&id).unwrap().open_remaining.unwrap());
        assert_eq!(states(&guard), ["\"half_open\"}"]);
        for _ in 0..2 {
            assert!(guard.should_communicate(&id));
            guard.record_success(&id, None).unwrap();
        }
        assert_eq!(guard.view(&id).unwrap().state, BreakerState::Closed);
        let text = text(&guard, PeerSeries::default());
        assert!(!text.contains(&id.to_string()), "the series of a recovered peer stay");
        assert_eq!(series(&text)["circuit_breaker_trips_total"], f64::from(round));
    }
}

#[test]
fn series_of_peers_are_bounded_and_what_is_left_out_is_told() {
    let (guard, _hand) = guard();
    for n in 0..150 {
        trip(&guard, &peer(n));
    }
    for n in 150..180 {
        guard.record_success(&peer(n), None).unwrap();
    }
    guard.ban(&peer(170), None, 1).unwrap();
    let count = |choice| {
        let text = text(&guard, choice);
        let series = series(&text);
        let listed = series.keys().filter(|name| name.starts_with("peer_reputation_score{")).count();
        assert_eq!(series["peerguard_peer_series_listed"], listed as f64);
        (listed, series["peerguard_peer_series_left_out"], text.contains(&peer(170).to_string()))
    };
    assert_eq!(count(PeerSeries::default()), (100, 51.0, true));
    assert_eq!(count(PeerSeries::Worst(1)), (1, 150.0, true));
    assert_eq!(count(PeerSeries::Worst(1000)), (151, 0.0, true));
    // The banned peer is none of the best, however many are listed.
    assert_eq!(count(PeerSeries::Top(10)), (10, 169.0, false));
    assert_eq!(count(PeerSeries::Top(1000)), (179, 0.0, false));
    assert_eq!(count(PeerSeries::None), (0, 180.0, false));
    assert_eq!(count(PeerSeries::All), (180, 0.0, true));
}

/// What an attacker can cost a Prometheus by being a hundred thousand peers.
#[test]
fn a_hundred_thousand_peers_in_trouble_are_as_many_series_as_a_hundred() {
    let (guard, _hand) = guard_of(Config { max_peers: 200_000, ..Config::default() });
    let few = series(&text(&guard, PeerSeries::default())).len();
    for n in 0..100_000 {
        trip(&guard, &peer(n));
    }
    let exporter = Exporter::new(&Publisher::new(&guard), PeerSeries::default());
    let start = std::time::Instant::now();
    let text = exporter.text(Format::Text);
    let took = start.elapsed();
    let series = series(&text);
    assert_eq!(series["peerguard_peers{state=\"open\"}"], 100_000.0);
    assert_eq!(series["peerguard_peer_series_left_out"], 99_900.0);
    assert_eq!(series.len(), few + 4 * 100);
    promtool::check_metrics(&text);
    println!("{} series, {} bytes, made in {took:?}", series.len(), text.len());
}

#[test]
fn large_counts_are_printed_exactly() {
    let (guard, _hand) = guard();
    let huge = (1 << 53) + 1;
    let traffic = Traffic { sent: huge, received: 0 };
    let _ = guard.report(&peer(1), Outcome::SyncSuccess, None, traffic);
    assert!(
        text(&guard, PeerSeries::None).contains(&format!("bandwidth_bytes_total{{direction=\"upload\"}} {huge}\n"))
    );
}
