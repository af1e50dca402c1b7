//! The alert rules and the dashboard agree with the metrics, and a real Prometheus scrapes them.
//!
//! Needs `prometheus` and `promtool`, which are Debian's package `prometheus`, and Go.

mod folder;
mod promtool;
mod running_node;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use folder::Folder;
use peerguard::export::prometheus::{Exporter, Format, PeerSeries};
use peerguard::http::{HttpOptions, serve};
use peerguard::{Config, Direction, PeerGuard, PeerId, Publisher};
use running_node::RunningNode;
use serde_json::{Value, json};

fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(file)
}

/// One peer is open, and stays so.
fn guard() -> PeerGuard {
    let mut config = Config::default();
    config.circuit_breaker.recovery_timeout = Duration::from_secs(3600);
    config.circuit_breaker.max_open_time = Duration::from_secs(3600);
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

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(ops("grafana-dashboard.json")).unwrap()).unwrap()
}

fn panels() -> Vec<Value> {
    dashboard()["panels"].as_array().unwrap().clone()
}

/// The expressions of the dashboard's panels.
fn dashboard_expressions() -> Vec<String> {
    let targets = panels().into_iter().flat_map(|panel| panel["targets"].as_array().unwrap().clone());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_alert_rules_are_valid_and_pass_their_tests() {
    promtool::succeeds(&["check", "rules"], &ops("alerts.yml"));
    promtool::succeeds(&["test", "rules"], &ops("alerts_test.yml"));
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

/// Grafana's own schemas, in its foundation SDK: no field that it does not know, none that it misses, in any panel or query.
#[test]
fn the_dashboard_is_what_grafanas_schemas_say() {
    let output = Command::new("go")
        .current_dir(ops("dashboard-check"))
        .args(["run", "."])
        .arg(ops("grafana-dashboard.json"))
        .output()
        .expect("go is needed");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let checked = format!("{} panels, {} queries", panels().len(), dashboard_expressions().len());
    assert!(output.status.success() && said.contains(&checked), "{said}");
}

/// What Grafana's import wants beyond the schema: nothing that names one installation, and ids of which each is one panel's.
#[test]
fn the_dashboard_imports_unedited() {
    let dashboard = dashboard();
    assert!(dashboard["id"].is_null(), "an id is the installation's own");
    assert_eq!(dashboard["uid"], "peerguard");
    assert!(dashboard["schemaVersion"].as_u64() >= Some(38));
    let ids: BTreeSet<u64> = panels().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels().len());

    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "instance"]);
    let ours = json!({"type": "prometheus", "uid": "${datasource}"});
    assert_eq!((&variables[0]["type"], &variables[0]["query"]), (&json!("datasource"), &json!("prometheus")));
    assert_eq!([&variables[1]["datasource"], &variables[2]["datasource"]], [&ours; 2]);
    let mut taken = BTreeSet::new();
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        assert_eq!(panel["datasource"], ours, "{title}");
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{title} explains nothing");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], ours, "{title}");
        }
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && taken.insert((x, y)), "{title} lies over another panel, or outside");
            }
        }
    }
}

/// A Prometheus that ends with the test.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts it, and waits until it answers.
    fn start(folder: &Path, config: &Value) -> Self {
        let file = folder.join("prometheus.yml");
        fs::write(&file, config.to_string()).unwrap();
        let mut ended = Vec::new();
        // Another program may take the free port first; not each time.
        while ended.len() < 5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let child = Command::new("prometheus")
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg(format!("--web.listen-address={address}"))
                .stderr(Stdio::null())
                .spawn()
                .expect("prometheus is needed: install Debian's package `prometheus`");
            let mut started = Self { child, address };
            match started.end_or_answer() {
                None => return started,
                Some(end) => ended.push(end),
            }
        }
        panic!("it ends at once: {ended:?}");
    }

    /// How it ended; `None` once it answers.
    fn end_or_answer(&mut self) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(end) = self.child.try_wait().unwrap() {
                return Some(end);
            }
            if ask(self.address, "/api/v1/status/buildinfo").is_some() {
                return None;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "it does not answer");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has told of.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The data of a Prometheus' answer, if one comes.
fn ask(prometheus: SocketAddr, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(prometheus).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {prometheus}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let answer: Value = serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()?;
    (answer["status"] == "success").then(|| answer["data"].clone())
}

/// The path of an instant query.
fn instant(expression: &str) -> String {
    let escaped: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/api/v1/query?query={escaped}")
}

fn entries(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// The running example, and a server that wants a token, as two jobs of one Prometheus.
#[test]
fn a_real_prometheus_scrapes_the_running_node_and_answers_the_dashboard() {
    let node = RunningNode::start();
    let guard = guard();
    let publisher = Publisher::new(&guard);
    let _publishing = publisher.start(Duration::from_millis(200)).unwrap();
    let options = HttpOptions { token: Some("scraper".into()), ..HttpOptions::default() };
    let serving = serve("127.0.0.1:0".parse().unwrap(), &publisher, options).unwrap();

    let folder = Folder::new("prometheus");
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [ops("alerts.yml")],
        "scrape_configs": [
            {"job_name": "node", "static_configs": [{"targets": [node.address.to_string()]}]},
            {
                "job_name": "token",
                "authorization": {"credentials": "scraper"},
                "static_configs": [{"targets": [serving.address().to_string()]}],
            },
        ],
    });
    let prometheus = Prometheus::start(&folder.0, &config);
    let address = prometheus.address;
    let until = |what: &str, path: &str, holds: &dyn Fn(&Value) -> bool| {
        let start = Instant::now();
        loop {
            if let Some(found) = ask(address, path).filter(|found| holds(found)) {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(180), "{what}: {:?}", ask(address, path));
            thread::sleep(Duration::from_millis(300));
        }
    };

    // Peers that refuse or never answer are open, or half-open, for good.
    let active = "circuit_breaker_state{job=\"node\"} == 1";
    let found = until("no scrape", &instant(active), &|found| entries(&found["result"]).len() >= 3);
    let peers: BTreeSet<&str> =
        entries(&found["result"]).iter().map(|one| one["metric"]["peer"].as_str().unwrap()).collect();
    assert_eq!(peers.len(), entries(&found["result"]).len(), "a peer is in two states");
    for expression in dashboard_expressions() {
        let expression = [("$__rate_interval", "30s"), ("$job", "node"), ("$instance", ".*")]
            .iter()
            .fold(expression, |text, (name, value)| text.replace(name, value));
        assert!(!expression.contains('$'), "{expression}");
        // A rate needs two scrapes.
        until(&expression, &instant(&expression), &|found| !entries(&found["result"]).is_empty());
    }
    for (variable, value) in [("job", "node".to_owned()), ("instance", node.address.to_string())] {
        let values = format!("/api/v1/label/{variable}/values?match[]=peerguard_build_info");
        until("no value for a variable", &values, &|found| entries(found).contains(&json!(value)));
    }
    let rules = until("rules", "/api/v1/rules", &|found| !entries(&found["groups"]).is_empty());
    for rule in entries(&rules["groups"][0]["rules"]) {
        assert!(rule["health"] != "err", "{rule}");
    }

    // With the token, and of one peer that is open.
    let open = instant("circuit_breaker_state{job=\"token\"} == 1");
    let found = until("no scrape with a token", &open, &|found| entries(&found["result"]).len() == 1);
    let metric = &found["result"][0]["metric"];
    assert_eq!((&metric["peer"], &metric["state"]), (&json!(PeerId::new([1; 32]).to_string()), &json!("open")));
    let trips = instant("circuit_breaker_trips_total{job=\"token\"}");
    let trips = until("no trips", &trips, &|found| !entries(&found["result"]).is_empty());
    assert_eq!(trips["result"][0]["value"][1], "1");
    // The series of a peer that has been reset go.
    assert!(guard.reset(&PeerId::new([1; 32])));
    until("the series stay", &open, &|found| found["result"].as_array().is_some_and(Vec::is_empty));
}
