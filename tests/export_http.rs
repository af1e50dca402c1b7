//! The server over real sockets: what it serves, whom it refuses, and that hostile clients keep nobody from an answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use peerguard::http::{HttpOptions, Serving, serve};
use peerguard::{Config, PeerGuard, PeerId, Publisher};
use serde_json::{Value, json};

const PEER: &str = "04b754ba2a3da0970d72d08b8740fb2ad96e63cf8f8bef6b7f1ab84e5b09a7f8";

fn peer(n: u64) -> PeerId {
    PeerId::digest(&n.to_le_bytes())
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A guard with peers in every state but half-open, and its server.
fn site(options: HttpOptions) -> (PeerGuard, Publisher, Serving) {
    let guard = PeerGuard::new(Config::default()).unwrap();
    for _ in 0..5 {
        guard.record_failure(&peer(1));
    }
    guard.record_success(&PEER.parse().unwrap(), Some(20.0)).unwrap();
    guard.ban(&peer(2), Some(Duration::from_secs(600)), 1).unwrap();
    let publisher = Publisher::new(&guard);
    let serving = serve(local(), &publisher, options).unwrap();
    (guard, publisher, serving)
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Everything that comes until the server closes.
fn answer(mut stream: &TcpStream) -> Answer {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut all = Vec::new();
    // A reset after the answer leaves what came before it.
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no answer but {:?}", String::from_utf8_lossy(&all));
    });
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: all[end + 4..].to_vec() }
}

fn connect(serving: &Serving) -> TcpStream {
    TcpStream::connect(serving.address()).unwrap()
}

fn get_with(serving: &Serving, path: &str, headers: &str) -> Answer {
    let mut stream = connect(serving);
    let host = if headers.contains("host:") { String::new() } else { format!("host: {}\r\n", serving.address()) };
    write!(stream, "GET {path} HTTP/1.1\r\n{host}connection: close\r\n{headers}\r\n").unwrap();
    answer(&stream)
}

fn get(serving: &Serving, path: &str) -> Answer {
    get_with(serving, path, "")
}

fn post_with(serving: &Serving, body: &str, headers: &str) -> Answer {
    let mut stream = connect(serving);
    let host = serving.address();
    let length = body.len();
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    answer(&stream)
}

const JSON: &str = "content-type: application/json\r\n";

fn query(serving: &Serving, query: &str) -> Answer {
    post_with(serving, &json!({ "query": query }).to_string(), JSON)
}

#[test]
fn queries_answer_with_the_guards_own_values() {
    let (guard, _publisher, serving) = site(HttpOptions::default());
    let all = format!(
        "{{ getCircuitBreakerSummary {{ totalPeers closed open halfOpen }}
            getCircuitBreakerState(peerId: \"{PEER}\") {{ peerId state }}
            getReputationSummary {{ totalPeers bannedPeers avgScore avgReliability }}
            getPeerReputation(peerId: \"{PEER}\") {{ peerId score successfulSyncs avgLatencyMs }}
            getTopPeersByReputation(limit: 10) {{ peerId score }} getBandwidthStats {{ totalUploaded uploadLimitBps }}
            getNetworkResilienceSummary {{ circuitBreaker {{ open }} reputation {{ bannedPeers }}
              bandwidth {{ totalDownloaded }} }} }}"
    );
    let answer = query(&serving, &all);
    assert_eq!(answer.status, 200);
    let (totals, answer) = (guard.get_summary(), answer.json());
    assert!(answer["errors"].is_null(), "{answer}");
    let data = &answer["data"];
    let expected =
        json!({"totalPeers": totals.total_peers, "closed": totals.closed, "open": totals.open, "halfOpen": 0});
    assert_eq!(data["getCircuitBreakerSummary"], expected);
    assert_eq!(data["getReputationSummary"]["bannedPeers"], totals.banned);
    assert_eq!(data["getPeerReputation"]["score"], guard.view(&PEER.parse().unwrap()).unwrap().score);
    assert_eq!(data["getTopPeersByReputation"][0]["peerId"], PEER);
    assert_eq!(data["getNetworkResilienceSummary"]["circuitBreaker"]["open"], 1);
    assert!(answer["extensions"]["snapshot"]["ageMs"].as_f64().unwrap() >= 0.0);
}

#[test]
fn every_path_has_its_type_and_content() {
    let (guard, publisher, serving) = site(HttpOptions::default());
    let metrics = get(&serving, "/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", metrics.head);
    assert!(metrics.text().contains(&format!("circuit_breaker_state{{peer=\"{}\",state=\"open\"}} 1\n", peer(1))));
    let open =
        get_with(&serving, "/metrics", "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text().ends_with("# EOF\n"));

    let snapshot = get(&serving, "/snapshot.json").json();
    assert_eq!(snapshot["peers"].as_array().unwrap().len(), 3);
    assert_eq!(snapshot["totals"]["denials"]["banned"], 0);
    let banned = snapshot["peers"].as_array().unwrap().iter().find(|it| it["id"] == peer(2).to_string()).unwrap();
    assert_eq!((&banned["ban"]["origin"], &banned["ban"]["reason"]), (&json!("operator"), &json!({"operator": 1})));
    let live = get(&serving, "/live.json").json();
    assert_eq!(live["worst"][0]["id"], peer(2).to_string());
    assert_eq!((&live["worst"][1]["state"], &live["totals"]["open"]), (&json!("open"), &json!(1)));
    assert_eq!(live["scores"].as_array().unwrap().iter().filter_map(Value::as_u64).sum::<u64>(), 3);

    for page in ["/", "/graphql"] {
        let page = get(&serving, page);
        assert!(page.status == 200 && page.head.contains("default-src 'none'") && page.head.contains("text/html"));
        let elsewhere = |text: &str| text.matches("http").count() - text.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(elsewhere(&page.text()), 0, "the page names another server");
    }
    assert_eq!(get(&serving, "/healthz").json()["status"], "ok");
    assert_eq!((get(&serving, "/nothing").status, get(&serving, "/nothing").code()), (404, "NOT_FOUND".into()));
    let mut stream = connect(&serving);
    write!(stream, "DELETE /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(answer(&stream).status, 405);

    // What happens later is seen after the next publication.
    guard.unban(&peer(2));
    publisher.publish_now();
    assert_eq!(get(&serving, "/live.json").json()["totals"]["banned"], 0);
}

#[test]
fn health_tells_of_a_stale_snapshot() {
    let options = HttpOptions { stale_after: Duration::from_millis(50), ..HttpOptions::default() };
    let (_guard, publisher, serving) = site(options);
    thread::sleep(Duration::from_millis(80));
    assert_eq!(get(&serving, "/healthz").status, 503);
    publisher.publish_now();
    assert_eq!(get(&serving, "/healthz").status, 200);
}

#[test]
fn foreign_names_and_missing_tokens_are_refused() {
    let options = HttpOptions {
        token: Some("reader".into()),
        operator_token: Some("operator".into()),
        hosts: vec!["node.example".into()],
        ..HttpOptions::default()
    };
    let (guard, _publisher, serving) = site(options);
    for path in ["/", "/metrics", "/healthz"] {
        let answer = get_with(&serving, path, "host: evil.example\r\nauthorization: Bearer reader\r\n");
        assert_eq!((answer.status, answer.code()), (421, "UNKNOWN_HOST".into()));
    }
    for path in ["/metrics", "/snapshot.json", "/live.json", "/nothing"] {
        let answer = get(&serving, path);
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHORIZED".into()));
        assert_eq!(get_with(&serving, path, "authorization: Bearer wrong\r\n").status, 401);
    }
    assert_eq!(query(&serving, "{ getBandwidthStats { totalUploaded } }").status, 401);
    assert_eq!((get(&serving, "/").status, get(&serving, "/healthz").status), (200, 200));
    let as_reader = "host: node.example\r\nauthorization: Bearer reader\r\n";
    assert_eq!(get_with(&serving, "/metrics", as_reader).status, 200);

    let unban = json!({ "query": format!("mutation {{ unbanPeer(peerId: \"{}\") }}", peer(2)) }).to_string();
    let reader = post_with(&serving, &unban, &format!("{JSON}authorization: Bearer reader\r\n"));
    assert_eq!(reader.code(), "UNAUTHORIZED");
    assert!(guard.is_banned(&peer(2)));
    let operator = post_with(&serving, &unban, &format!("{JSON}authorization: Bearer operator\r\n"));
    assert_eq!(operator.json()["data"]["unbanPeer"], true);
    assert!(!guard.is_banned(&peer(2)));

    let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let publisher = Publisher::new(&guard);
    let refused = serve(everywhere, &publisher, HttpOptions::default()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    let empty = HttpOptions { token: Some(String::new()), ..HttpOptions::default() };
    assert!(serve(everywhere, &publisher, empty).is_err());
}

#[test]
fn without_an_operator_token_there_are_no_mutations() {
    let (_guard, _publisher, serving) = site(HttpOptions::default());
    assert_eq!(
        query(&serving, &format!("mutation {{ unbanPeer(peerId: \"{PEER}\") }}")).code(),
        "GRAPHQL_VALIDATION_FAILED"
    );
    let types = query(&serving, "{ __schema { mutationType { name } } }").json();
    assert!(types["data"]["__schema"]["mutationType"].is_null());
}

#[test]
fn malformed_requests_have_their_own_errors() {
    let (_guard, _publisher, serving) = site(HttpOptions::default());
    let body = json!({"query": "{ getBandwidthStats { totalUploaded } }"}).to_string();
    assert_eq!(post_with(&serving, &body, "content-type: text/plain\r\n").code(), "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(post_with(&serving, &body, "").code(), "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(post_with(&serving, "{", JSON).code(), "BAD_REQUEST");
    assert_eq!(post_with(&serving, &format!("[{body},{body}]"), JSON).code(), "BAD_REQUEST");
    assert_eq!(query(&serving, "{ getPeerReputation(peerId: \"x\") { score } }").code(), "BAD_PEER_ID");
    assert_eq!(query(&serving, &format!("{}a{}", "{a".repeat(50), "}".repeat(50))).code(), "QUERY_TOO_DEEP");
    let aliases: String = (0..10_000).map(|n| format!(" a{n}: getBandwidthStats {{ totalUploaded }}")).collect();
    assert_eq!(query(&serving, &format!("{{ {aliases} }}")).code(), "QUERY_TOO_COMPLEX");

    let mut stream = connect(&serving);
    write!(stream, "GET / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    // The server may close before all of it has been sent.
    let _ = write!(stream, "x-long: {}\r\n\r\n", "a".repeat(100_000));
    assert_eq!(answer(&stream).status, 431);
}

#[test]
fn a_body_of_ten_mebibytes_is_refused_and_the_client_learns_why() {
    let (_guard, _publisher, serving) = site(HttpOptions::default());
    let announced = |stream: &mut TcpStream| {
        write!(stream, "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: {}\r\n\r\n", 10 << 20)
            .unwrap();
        for _ in 0..10 {
            let _ = stream.write_all(&vec![b' '; 1 << 20]);
        }
    };
    let chunked = |stream: &mut TcpStream| {
        write!(stream, "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{JSON}transfer-encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..10 {
            let _ = write!(stream, "{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
        }
    };
    for send in [&announced as &dyn Fn(&mut TcpStream), &chunked] {
        let mut stream = connect(&serving);
        let start = Instant::now();
        send(&mut stream);
        let answer = answer(&stream);
        assert_eq!((answer.status, answer.code()), (413, "TOO_LARGE".into()));
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_thousand_slow_clients_are_cut_off_while_others_are_served() {
    let options = HttpOptions { timeout: Duration::from_secs(3), ..HttpOptions::default() };
    let (_guard, _publisher, serving) = site(options);
    let start = Instant::now();
    let slow: Vec<TcpStream> = (0..1000)
        .map(|n| {
            let mut stream = connect(&serving);
            match n % 3 {
                0 => {}
                1 => write!(stream, "GET /metrics HTTP/1.1\r\nhost: loc").unwrap(),
                _ => {
                    write!(stream, "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: 9\r\n\r\n{{")
                        .unwrap();
                }
            }
            stream
        })
        .collect();
    for _ in 0..5 {
        let asked = Instant::now();
        assert_eq!(get(&serving, "/live.json").status, 200);
        assert!(asked.elapsed() < Duration::from_secs(1), "a request waited for {:?}", asked.elapsed());
    }
    for (n, stream) in slow.iter().enumerate() {
        assert_eq!(answer(stream).status, 408, "client {n}");
    }
    assert!(start.elapsed() < Duration::from_secs(10), "cut off after {:?}", start.elapsed());
    assert_eq!(get(&serving, "/live.json").status, 200);
}

#[test]
fn connections_beyond_the_bound_are_told_and_places_come_back() {
    let options = HttpOptions { max_connections: 2, timeout: Duration::from_secs(1), ..HttpOptions::default() };
    let (_guard, _publisher, serving) = site(options);
    let held = [connect(&serving), connect(&serving)];
    // The server takes connections in the order in which they came.
    assert_eq!(answer(&connect(&serving)).status, 503);
    drop(held);
    let start = Instant::now();
    loop {
        let mut stream = connect(&serving);
        // A refused connection may be closed before the request is written.
        let _ = write!(stream, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let mut first = [0; 12];
        if stream.read_exact(&mut first).is_ok() && &first == b"HTTP/1.1 200" {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the places did not come back");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let config = Config { max_peers: 40_000, ..Config::default() };
    let guard = PeerGuard::new(config).unwrap();
    for n in 0..20_000 {
        guard.record_success(&peer(n), None).unwrap();
    }
    let options = HttpOptions { timeout: Duration::from_secs(1), max_connections: 1, ..HttpOptions::default() };
    let serving = serve(local(), &Publisher::new(&guard), options).unwrap();
    let mut deaf = connect(&serving);
    write!(deaf, "GET /snapshot.json HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let start = Instant::now();
    // The only place comes back although the client stays.
    loop {
        let mut stream = connect(&serving);
        let _ = write!(stream, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let mut first = [0; 12];
        if stream.read_exact(&mut first).is_ok() && &first == b"HTTP/1.1 200" {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "the deaf client keeps its place");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn events_come_as_they_happen() {
    let (guard, _publisher, serving) = site(HttpOptions::default());
    let mut stream = connect(&serving);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let body = json!({"query": "subscription { peerEvents { lost events { kind peerId } } }"}).to_string();
    let length = body.len();
    let head = format!("host: localhost\r\naccept: text/event-stream\r\n{JSON}content-length: {length}");
    write!(stream, "POST /graphql HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
    let mut came = String::new();
    let mut read_until = |text: &str| {
        let mut part = [0; 4096];
        while !came.contains(text) {
            let n = stream.read(&mut part).expect("no event came");
            assert!(n != 0, "closed after {came}");
            came.push_str(std::str::from_utf8(&part[..n]).unwrap());
        }
    };
    read_until("text/event-stream");
    // The subscription begins with its first poll, right after the head.
    thread::sleep(Duration::from_millis(500));
    guard.ban(&peer(77), None, 0).unwrap();
    read_until(&peer(77).to_string());
    assert!(came.contains("event: next\ndata: {") && came.contains("banned"));
}

#[test]
fn dropping_the_server_frees_its_address() {
    let (guard, publisher, serving) = site(HttpOptions::default());
    let address = serving.address();
    let open = TcpStream::connect(address).unwrap();
    let start = Instant::now();
    drop(serving);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(address).is_err());
    drop((open, guard, publisher));
}
