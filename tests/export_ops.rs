//! The alert rules and the dashboard agree with the metrics, and a real Prometheus scrapes them.
//!
//! Needs `prometheus` and `promtool`: Debian's package `prometheus`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use peerguard::export::prometheus::{Exporter, Format, PeerSeries};
use peerguard::http::{HttpOptions, serve};
use peerguard::{Config, Direction, PeerGuard, PeerId, Publisher};
use serde_json::{Value, json};

fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(file)
}

fn promtool(arguments: &[&str], file: &Path) {
    let output = Command::new("promtool")
        .args(arguments)
        .arg(file)
        .output()
        .expect("promtool is needed: install Debian's package `prometheus`");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("SUCCESS"), "{arguments:?}: {said}");
}

/// A folder of the test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("peerguard-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind in the temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn guard() -> PeerGuard {
    let mut config = Config::default();
    config.bandwidth.upload_limit_bps = 1000;
    let guard = PeerGuard::new(config).unwrap();
    for _ in 0..5 {
        guard.record_failure(&PeerId::new([1; 32]));
    }
    guard.record_success(&PeerId::new([2; 32]), Some(10.0)).unwrap();
    let _ = guard.admit_bytes(&PeerId::new([2; 32]), Direction::Upload, 100).map(|permit| permit.success(None));
    guard
}

/// Every metric that is exported.
fn exported() -> BTreeSet<String> {
    let text = Exporter::new(&Publisher::new(&guard()), PeerSeries::All).text(Format::Text);
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The words of a text that look like metrics of ours.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| {
        ["peerguard_", "circuit_breaker_", "bandwidth_", "peer_reputation_", "peers_banned_"]
            .iter()
            .any(|prefix| word.starts_with(prefix))
    };
    words.filter(ours).map(str::to_owned).collect()
}

/// The expressions of the dashboard's panels.
fn dashboard_expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(ops("grafana-dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap().clone());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_alert_rules_are_valid_and_pass_their_tests() {
    promtool(&["check", "rules"], &ops("alerts.yml"));
    promtool(&["test", "rules"], &ops("alerts_test.yml"));
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_exist() {
    let exported = exported();
    let alerts = mentioned(&fs::read_to_string(ops("alerts.yml")).unwrap());
    let dashboard = mentioned(&dashboard_expressions().join(" "));
    assert!(alerts.len() >= 8 && dashboard.len() >= 15);
    for name in alerts.union(&dashboard) {
        assert!(exported.contains(name), "{name} is not exported");
    }
    for name in
        ["circuit_breaker_state", "circuit_breaker_trips_total", "peer_reputation_score", "peers_banned_current"]
    {
        assert!(dashboard.contains(name), "{name} is not on the dashboard");
    }
}

#[test]
fn the_dashboards_expressions_are_valid() {
    let folder = Folder::new("expressions");
    let variables = [("$__rate_interval", "5m"), ("$job", ".*"), ("$instance", ".*")];
    let rules: Vec<Value> = dashboard_expressions()
        .into_iter()
        .enumerate()
        .map(|(n, expression)| {
            let expression = variables.iter().fold(expression, |text, (name, value)| text.replace(name, value));
            assert!(!expression.contains('$'), "{expression}");
            json!({"record": format!("panel:{n}"), "expr": expression})
        })
        .collect();
    // JSON is YAML.
    let file = folder.0.join("rules.yml");
    fs::write(&file, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    promtool(&["check", "rules"], &file);
}

/// A Prometheus that ends with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has told of.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The body of an answer, if one comes.
fn get(address: SocketAddr, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}

#[test]
fn a_real_prometheus_scrapes_and_answers() {
    let guard = guard();
    let publisher = Publisher::new(&guard);
    let _publishing = publisher.start(Duration::from_millis(200)).unwrap();
    let options = HttpOptions { token: Some("scraper".into()), ..HttpOptions::default() };
    let serving = serve("127.0.0.1:0".parse().unwrap(), &publisher, options).unwrap();

    let folder = Folder::new("prometheus");
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [ops("alerts.yml")],
        "scrape_configs": [{
            "job_name": "node",
            "authorization": {"credentials": "scraper"},
            "static_configs": [{"targets": [serving.address().to_string()]}],
        }],
    });
    let file = folder.0.join("prometheus.yml");
    fs::write(&file, config.to_string()).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.0.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus is needed: install Debian's package `prometheus`");
    let _prometheus = Prometheus(prometheus);

    let open = "/api/v1/query?query=circuit_breaker_state%20%3D%3D%201";
    let result = |path: &str| get(address, path).map(|answer| answer["data"]["result"].clone());
    let until = |what: &str, path: &str, holds: &dyn Fn(&Value) -> bool| {
        let start = Instant::now();
        loop {
            if let Some(found) = result(path).filter(|found| holds(found)) {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: {:?}", result(path));
            thread::sleep(Duration::from_millis(300));
        }
    };
    let found = until("no scrape", open, &|found| found.as_array().is_some_and(|list| list.len() == 1));
    assert_eq!(found[0]["metric"]["peer"], PeerId::new([1; 32]).to_string());
    assert_eq!(found[0]["metric"]["state"], "open");
    let trips = result("/api/v1/query?query=circuit_breaker_trips_total").unwrap();
    assert_eq!(trips[0]["value"][1], "1");
    let up = result("/api/v1/query?query=up").unwrap();
    assert_eq!(up[0]["value"][1], "1");

    // The series of a peer that has been reset go.
    assert!(guard.reset(&PeerId::new([1; 32])));
    until("the series stay", open, &|found| found.as_array().is_some_and(Vec::is_empty));
}
