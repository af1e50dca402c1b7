//! The server over real sockets: what it serves, whom it refuses, and that hostile clients keep nobody from an answer.

mod queries;
mod web;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use peerguard::http::{HttpOptions, Serving, serve};
use peerguard::{Clock, Config, PeerGuard, PeerId, Publisher};
use queries::PEER;
use serde_json::{Value, json};
use web::{JSON, answer, connect, get, get_with, post_with, query};

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

#[test]
fn every_path_has_its_type_and_content() {
    let (guard, publisher, serving) = site(HttpOptions::default());
    let metrics = get(serving.address(), "/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", metrics.head);
    assert!(metrics.text().contains(&format!("circuit_breaker_state{{peer=\"{}\",state=\"open\"}} 1\n", peer(1))));
    let open = get_with(
        serving.address(),
        "/metrics",
        "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n",
    );
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text().ends_with("# EOF\n"));

    let snapshot = get(serving.address(), "/snapshot.json").json();
    assert_eq!(snapshot["peers"].as_array().unwrap().len(), 3);
    assert_eq!(snapshot["totals"]["denials"]["banned"], 0);
    let banned = snapshot["peers"].as_array().unwrap().iter().find(|it| it["id"] == peer(2).to_string()).unwrap();
    assert_eq!((&banned["ban"]["origin"], &banned["ban"]["reason"]), (&json!("operator"), &json!({"operator": 1})));
    let live = get(serving.address(), "/live.json").json();
    assert_eq!(live["worst"][0]["id"], peer(2).to_string());
    assert_eq!((&live["worst"][1]["state"], &live["totals"]["open"]), (&json!("open"), &json!(1)));
    assert_eq!(live["scores"].as_array().unwrap().iter().filter_map(Value::as_u64).sum::<u64>(), 3);

    for page in ["/", "/graphql"] {
        let page = get(serving.address(), page);
        assert!(page.status == 200 && page.head.contains("default-src 'none'") && page.head.contains("text/html"));
        let elsewhere = |text: &str| text.matches("http").count() - text.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(elsewhere(&page.text()), 0, "the page names another server");
    }
    assert_eq!(get(serving.address(), "/healthz").json()["status"], "ok");
    assert_eq!(
        (get(serving.address(), "/nothing").status, get(serving.address(), "/nothing").code()),
        (404, "NOT_FOUND".into())
    );
    let mut stream = connect(serving.address());
    write!(stream, "DELETE /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(answer(&stream).status, 405);

    // What happens later is seen after the next publication.
    guard.unban(&peer(2));
    publisher.publish_now();
    assert_eq!(get(serving.address(), "/live.json").json()["totals"]["banned"], 0);
}

#[test]
fn health_tells_of_a_stale_snapshot() {
    let (clock, hand) = Clock::manual(1 << 40);
    let publisher = Publisher::new(&PeerGuard::with_clock(Config::default(), clock).unwrap());
    let serving = serve(local(), &publisher, HttpOptions::default()).unwrap();
    let health = || get(serving.address(), "/healthz").status;
    hand.advance(HttpOptions::default().stale_after);
    assert_eq!(health(), 200);
    hand.advance(Duration::from_nanos(1));
    assert_eq!(health(), 503);
    publisher.publish_now();
    assert_eq!(health(), 200);
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
        let answer = get_with(serving.address(), path, "host: evil.example\r\nauthorization: Bearer reader\r\n");
        assert_eq!((answer.status, answer.code()), (421, "UNKNOWN_HOST".into()));
    }
    for path in ["/metrics", "/snapshot.json", "/live.json", "/nothing"] {
        let answer = get(serving.address(), path);
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHORIZED".into()));
        assert_eq!(get_with(serving.address(), path, "authorization: Bearer wrong\r\n").status, 401);
    }
    assert_eq!(query(serving.address(), "{ getBandwidthStats { totalUploaded } }").status, 401);
    assert_eq!((get(serving.address(), "/").status, get(serving.address(), "/healthz").status), (200, 200));
    let as_reader = "host: node.example\r\nauthorization: Bearer reader\r\n";
    assert_eq!(get_with(serving.address(), "/metrics", as_reader).status, 200);

    let unban = json!({ "query": format!("mutation {{ unbanPeer(peerId: \"{}\") }}", peer(2)) }).to_string();
    let reader = post_with(serving.address(), &unban, &format!("{JSON}authorization: Bearer reader\r\n"));
    assert_eq!(reader.code(), "UNAUTHORIZED");
    assert!(guard.is_banned(&peer(2)));
    let operator = post_with(serving.address(), &unban, &format!("{JSON}authorization: Bearer operator\r\n"));
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
        query(serving.address(), &format!("mutation {{ unbanPeer(peerId: \"{PEER}\") }}")).code(),
        "GRAPHQL_VALIDATION_FAILED"
    );
    let types = query(serving.address(), "{ __schema { mutationType { name } } }").json();
    assert!(types["data"]["__schema"]["mutationType"].is_null());
}

#[test]
fn malformed_requests_have_their_own_errors() {
    let (_guard, _publisher, serving) = site(HttpOptions::default());
    let body = json!({"query": "{ getBandwidthStats { totalUploaded } }"}).to_string();
    assert_eq!(post_with(serving.address(), &body, "content-type: text/plain\r\n").code(), "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(post_with(serving.address(), &body, "").code(), "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(post_with(serving.address(), "{", JSON).code(), "BAD_REQUEST");
    assert_eq!(post_with(serving.address(), &format!("[{body},{body}]"), JSON).code(), "BAD_REQUEST");
    assert_eq!(query(serving.address(), "{ getPeerReputation(peerId: \"x\") { score } }").code(), "BAD_PEER_ID");
    assert_eq!(query(serving.address(), &format!("{}a{}", "{a".repeat(50), "}".repeat(50))).code(), "QUERY_TOO_DEEP");
    let aliases: String = (0..10_000).map(|n| format!(" a{n}: getBandwidthStats {{ totalUploaded }}")).collect();
    assert_eq!(query(serving.address(), &format!("{{ {aliases} }}")).code(), "QUERY_TOO_COMPLEX");

    let mut stream = connect(serving.address());
    write!(stream, "GET / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    // The server may close before all of it has been sent.
    let _ = write!(stream, "x-long: {}\r\n\r\n", "a".repeat(100_000));
    assert_eq!(answer(&stream).status, 431);
}

#[test]
fn connections_beyond_the_bound_are_told_and_places_come_back() {
    let options = HttpOptions { max_connections: 2, timeout: Duration::from_secs(60), ..HttpOptions::default() };
    let (_guard, _publisher, serving) = site(options);
    let held = [connect(serving.address()), connect(serving.address())];
    // The server takes connections in the order in which they came.
    assert_eq!(answer(&connect(serving.address())).status, 503);
    drop(held);
    let start = Instant::now();
    loop {
        let mut stream = connect(serving.address());
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
fn events_come_as_they_happen() {
    let (guard, _publisher, serving) = site(HttpOptions::default());
    let mut stream = connect(serving.address());
    let body = json!({"query": "subscription { peerEvents { lost events { kind peerId } } }"}).to_string();
    let length = body.len();
    let head = format!("host: localhost\r\naccept: text/event-stream\r\n{JSON}content-length: {length}");
    write!(stream, "POST /graphql HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (start, mut came, mut part) = (Instant::now(), String::new(), [0; 4096]);
    let mut next = 100;
    // The subscription begins with its first poll, some time after the head: what has happened before is not told.
    while !(100..next).any(|n| came.contains(&peer(n).to_string())) {
        assert!(start.elapsed() < Duration::from_secs(30), "no event came: {came}");
        if came.contains("text/event-stream") {
            guard.ban(&peer(next), None, 0).unwrap();
            next += 1;
        }
        match stream.read(&mut part) {
            Ok(n) => {
                assert!(n != 0, "closed after {came}");
                came.push_str(std::str::from_utf8(&part[..n]).unwrap());
            }
            Err(error) => {
                let later = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
                assert!(later.contains(&error.kind()), "{error}");
            }
        }
    }
    assert!(came.contains("event: next\ndata: {") && came.contains("banned"), "{came}");
}

/// A stream of events is for who follows them: other queries are answered in their turn, however they are asked for.
#[test]
fn a_query_that_asks_for_events_is_answered_once() {
    let (_guard, _publisher, serving) = site(HttpOptions::default());
    let body = json!({"query": "{ getCircuitBreakerSummary { open } }"}).to_string();
    let ask = |accept: &str| post_with(serving.address(), &body, &format!("{JSON}accept: {accept}\r\n"));
    let event = ask("text/event-stream");
    assert!(event.head.contains("content-type: text/event-stream") && event.head.contains("content-length"));
    let text = event.text();
    assert!(text.starts_with("event: next\ndata: {\"data\":{\"getCircuitBreakerSummary\":{\"open\":1}}"), "{text}");
    assert!(text.ends_with("\n\nevent: complete\ndata:\n\n"), "{text}");
    let json = ask("application/json, text/event-stream").json();
    assert_eq!(json["data"]["getCircuitBreakerSummary"]["open"], 1);
}

#[test]
fn a_follower_without_events_hears_that_the_server_is_there() {
    // The request must come in this time, too.
    let (_guard, _publisher, serving) = site(HttpOptions { timeout: Duration::from_secs(2), ..HttpOptions::default() });
    let body = json!({"query": "subscription { peerEvents { lost } }"}).to_string();
    let head = format!("host: localhost\r\naccept: text/event-stream\r\n{JSON}content-length: {}", body.len());
    let request = format!("POST /graphql HTTP/1.1\r\n{head}\r\n\r\n{body}");
    let mut stream = connect(serving.address());
    stream.write_all(request.as_bytes()).unwrap();
    let mut came = String::new();
    while came.matches("\r\n:\n\n\r\n").count() < 2 {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} after {came}"));
        came.push(char::from(byte[0]));
    }
}

#[test]
fn followers_are_not_more_than_a_few() {
    let options = HttpOptions { operator_token: Some("operator".into()), ..HttpOptions::default() };
    let (_guard, _publisher, serving) = site(HttpOptions { max_connections: 400, ..options.clone() });
    let (_other_guard, _other_publisher, small) = site(HttpOptions { max_connections: 8, ..options });
    let body = json!({"query": "subscription { peerEvents { lost } }"}).to_string();
    let follow_at = |address, more: &str| {
        let mut stream = connect(address);
        let head =
            format!("host: localhost\r\naccept: text/event-stream\r\n{JSON}{more}content-length: {}", body.len());
        write!(stream, "POST /graphql HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        (stream, String::from_utf8_lossy(&first).into_owned())
    };
    for (address, most) in [(serving.address(), 64), (small.address(), 2)] {
        let followers: Vec<_> = (0..most).map(|_| follow_at(address, "")).collect();
        assert!(followers.iter().all(|(_, first)| first == "HTTP/1.1 200"));
        assert_eq!(follow_at(address, "").1, "HTTP/1.1 503");
        assert_eq!(query(address, "{ __typename }").status, 200);
        let operator = follow_at(address, "authorization: Bearer operator\r\n");
        assert_eq!(operator.1, "HTTP/1.1 200", "an operator has a place of its own");
    }
}

/// Bodies that are large or of no told length are few at once; an operator's have places of their own.
#[test]
fn large_bodies_are_few_at_once() {
    let options = HttpOptions {
        operator_token: Some("operator".into()),
        timeout: Duration::from_secs(60),
        ..HttpOptions::default()
    };
    let (_guard, _publisher, serving) = site(options);
    let announce = || {
        let mut stream = connect(serving.address());
        write!(stream, "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: 100000\r\n\r\n{{").unwrap();
        stream
    };
    let announced: Vec<_> = (0..16).map(|_| announce()).collect();
    let body = json!({"query": "{ __typename }", "extensions": {"x": " ".repeat(100_000)}}).to_string();
    // The server takes what comes on other connections in any order.
    let start = Instant::now();
    while post_with(serving.address(), &body, JSON).status != 503 {
        assert!(start.elapsed() < Duration::from_secs(10), "a seventeenth was taken");
    }
    assert_eq!(query(serving.address(), "{ __typename }").status, 200);
    assert_eq!(post_with(serving.address(), &body, &format!("{JSON}authorization: Bearer operator\r\n")).status, 200);
    drop(announced);
    while post_with(serving.address(), &body, JSON).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the places did not come back");
    }
    let heavy = json!({"query": "{ __typename }", "variables": {"v": vec![0; 10_000]}}).to_string();
    assert_eq!(post_with(serving.address(), &heavy, JSON).code(), "QUERY_TOO_COMPLEX");
}

/// Of the second half of the places each is for one request.
#[test]
fn kept_connections_take_half_of_the_places_at_most() {
    let (_guard, _publisher, serving) = site(HttpOptions { max_connections: 4, ..HttpOptions::default() });
    let kept = || {
        let mut stream = connect(serving.address());
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut came = Vec::new();
        while !came.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            came.push(byte[0]);
        }
        (stream, String::from_utf8_lossy(&came).to_ascii_lowercase().contains("connection: close"))
    };
    let connections: Vec<_> = (0..3).map(|_| kept()).collect();
    assert_eq!(connections.iter().map(|(_, closes)| *closes).collect::<Vec<_>>(), [false, false, true]);
}

/// Readers who are slow with large answers hold up other readers, but not an operator.
#[test]
fn an_operator_does_not_wait_for_readers() {
    let options = HttpOptions {
        operator_token: Some("operator".into()),
        timeout: Duration::from_secs(60),
        ..HttpOptions::default()
    };
    let (guard, publisher, serving) = site(options);
    for n in 0..1000 {
        guard.record_success(&peer(n), None).unwrap();
    }
    publisher.publish_now();
    let many: String = (0..28).map(|n| format!(" a{n}: peerId")).collect();
    let large = json!({"query": format!("{{ getPeerRecords(limit: 1000) {{ peers {{ {many} }} }} }}")}).to_string();
    let ask = || {
        let mut stream = connect(serving.address());
        let head = format!("host: localhost\r\n{JSON}content-length: {}", large.len());
        write!(stream, "POST /graphql HTTP/1.1\r\n{head}\r\n\r\n{large}").unwrap();
        stream
    };
    let begins = |mut stream: &TcpStream| {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    };
    let deaf = [ask(), ask()];
    deaf.iter().for_each(begins);
    let mut held_up = ask();
    let ban = json!({"query": format!("mutation {{ banPeer(peerId: \"{}\") }}", peer(7))}).to_string();
    let start = Instant::now();
    let banned = post_with(serving.address(), &ban, &format!("{JSON}authorization: Bearer operator\r\n"));
    assert_eq!(banned.json()["data"]["banPeer"], true);
    assert!(start.elapsed() < Duration::from_secs(10), "after {:?}", start.elapsed());
    assert!(guard.is_banned(&peer(7)));
    // One that is not held up has its answer in milliseconds.
    held_up.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert!(held_up.read(&mut [0]).is_err(), "a third reader is not held up");
    held_up.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    drop(deaf);
    begins(&held_up);
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
