//! Clients that mean harm: slow ones, deaf ones, and requests that want to cost much. Each is cut off or refused with an
//! error of its own, while others are answered. What an answer and a refusal took is printed.

mod web;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use peerguard::http::{HttpOptions, Serving, serve};
use peerguard::{Config, PeerGuard, PeerId, Publisher};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use web::{Answer, JSON, answer, connect, get, query};

/// One test at a time: what is measured is the process' own.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server of a guard with so many peers.
fn site(peers: u64) -> Serving {
    let guard = PeerGuard::new(Config { max_peers: 2 * peers as usize, ..Config::default() }).unwrap();
    for n in 0..peers {
        guard.record_success(&PeerId::digest(&n.to_le_bytes()), Some(20.0)).unwrap();
    }
    // There is one publication.
    let options = HttpOptions { stale_after: Duration::from_secs(3600), ..HttpOptions::default() };
    serve("127.0.0.1:0".parse().unwrap(), &Publisher::new(&guard), options).unwrap()
}

/// Processor time that the server's threads have taken so far.
fn server_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let nanos = threads.filter_map(|thread| {
        // A thread may end meanwhile.
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let time = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        name.starts_with("peerguard-").then(|| time.split(' ').next()?.parse::<u64>().ok())?
    });
    Duration::from_nanos(nanos.sum())
}

/// The worst of what an attacker may send to look at `n` peers, and what each must be told.
#[test]
fn costly_requests_are_refused_with_their_own_errors_and_cost_little() {
    let _turn = turn();
    let serving = site(1000);
    let at = serving.address();
    assert_eq!(query(at, "{ getBandwidthStats { totalUploaded } }").status, 200);
    assert!(server_time() > Duration::ZERO, "the kernel tells no processor time of threads (CONFIG_SCHED_INFO)");
    let post = |text: String| move || query(at, &text);
    let aliases = |field: &str| -> String { (0..10_000).map(|n| format!(" a{n}: {field}")).collect() };
    let spread = |n: u32| format!(" fragment F{n} on Query {{ {} }}", format!("...F{} ", n + 1).repeat(4));
    let fragments: String = (0..15).map(spread).collect();
    let circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
    let announced = move || {
        let mut stream = connect(at);
        write!(stream, "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: {}\r\n\r\n", 10 << 20)
            .unwrap();
        for _ in 0..10 {
            let _ = stream.write_all(&vec![b' '; 1 << 20]);
        }
        answer(&stream)
    };
    let chunked = move || {
        let mut stream = connect(at);
        write!(stream, "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{JSON}transfer-encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..10 {
            let _ = write!(stream, "{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
        }
        answer(&stream)
    };
    type Request<'r> = Box<dyn Fn() -> Answer + 'r>;
    let requests: [(&str, u16, &str, Request<'_>); 8] = [
        ("depth 50", 200, "QUERY_TOO_DEEP", Box::new(post(format!("{}a{}", "{a".repeat(50), "}".repeat(50))))),
        ("depth 100,000", 200, "QUERY_TOO_DEEP", Box::new(post("{a".repeat(100_000)))),
        (
            "10,000 aliases",
            200,
            "QUERY_TOO_COMPLEX",
            Box::new(post(format!("{{ {} }}", aliases("getBandwidthStats { totalUploaded }")))),
        ),
        (
            "10,000 lists",
            200,
            "QUERY_TOO_COMPLEX",
            Box::new(post(format!("{{ {} }}", aliases("getTopPeersByReputation(limit: 1000) { peerId }")))),
        ),
        (
            "2^30 fields by fragments",
            200,
            "QUERY_TOO_COMPLEX",
            Box::new(post(format!("{{ ...F0 }} {fragments} fragment F15 on Query {{ __typename }}"))),
        ),
        ("fragments in a circle", 200, "QUERY_TOO_DEEP", Box::new(post(circle.to_owned()))),
        ("10 MiB, announced", 413, "TOO_LARGE", Box::new(announced)),
        ("10 MiB, chunked", 413, "TOO_LARGE", Box::new(chunked)),
    ];
    for (name, status, code, send) in &requests {
        let (before, start) = (server_time(), Instant::now());
        let answer = send();
        let took = start.elapsed();
        assert_eq!((answer.status, answer.code()), (*status, (*code).to_owned()), "{name}");
        let cost = server_time().saturating_sub(before);
        println!("{name}: {code} after {took:?}, {cost:?} of the server's processor time");
        // Without a limit most of them take minutes; how much less depends on the machine.
        assert!(cost < Duration::from_secs(2), "{name} cost {cost:?}");
    }
}

/// The most that a request may ask of 100,000 peers holds up its own kind of answer, and nothing else.
#[test]
fn the_costliest_request_that_is_allowed_holds_up_nobody() {
    let _turn = turn();
    let serving = site(100_000);
    let at = serving.address();
    let lists = |n: usize| -> String {
        let list = |n| format!(" a{n}: getPeerRecords(limit: 0, filter: {{idPrefix: \"\"}}) {{ total }}");
        format!("{{ {} }}", (0..n).map(list).collect::<String>())
    };
    let most = (1..100).rev().map(lists).find(|text| query(at, text).json()["errors"].is_null()).unwrap();
    let mut waits = Vec::new();
    thread::scope(|scope| {
        let ask = || (0..10).for_each(|_| assert!(query(at, &most).json()["errors"].is_null()));
        let askers = [(); 4].map(|()| scope.spawn(ask));
        while waits.is_empty() || !askers.iter().any(|asker| asker.is_finished()) {
            let asked = Instant::now();
            assert_eq!(get(at, "/healthz").status, 200);
            waits.push(asked.elapsed());
        }
    });
    let before = server_time();
    query(at, &most);
    println!(
        "{} lists of 100,000 peers: {:?} of processor time",
        most.matches(": get").count(),
        server_time().saturating_sub(before)
    );
    print_waits("/healthz meanwhile", waits);
}

fn print_waits(what: &str, mut waits: Vec<Duration>) {
    assert!(!waits.is_empty(), "{what}: none");
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!("{what}: {} answers, p50 {:?}, p99 {:?}, longest {:?}", waits.len(), at(0.5), at(0.99), at(1.0));
    // The server's own patience: what waits longer is refused.
    assert!(at(0.99) < HttpOptions::default().timeout, "{what}");
}

/// What a slow client does after it has connected.
#[derive(Clone, Copy, PartialEq)]
enum Slow {
    Silent,
    HalfAHead,
    HalfABody,
    /// A byte of the head from time to time.
    DripsHead,
    /// A byte of the body from time to time.
    DripsBody,
    /// Asks once, and stays.
    Idle,
    /// Asks for megabytes and reads none.
    Deaf,
    /// Asks for megabytes and reads them by the byte.
    Sips,
}

const KINDS: [Slow; 8] = [
    Slow::Silent,
    Slow::HalfAHead,
    Slow::HalfABody,
    Slow::DripsHead,
    Slow::DripsBody,
    Slow::Idle,
    Slow::Deaf,
    Slow::Sips,
];

fn begin(at: SocketAddr, slow: Slow) -> TcpStream {
    let mut stream = connect(at);
    let body = format!("POST /graphql HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: 100000\r\n\r\n{{");
    let sent = match slow {
        Slow::Silent => Ok(()),
        Slow::HalfAHead | Slow::DripsHead => write!(stream, "GET /metrics HTTP/1.1\r\nhost: localhost\r\nx: "),
        Slow::HalfABody | Slow::DripsBody => stream.write_all(body.as_bytes()),
        Slow::Idle => write!(stream, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        Slow::Deaf | Slow::Sips => write!(stream, "GET /snapshot.json HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    };
    sent.unwrap();
    stream
}

/// Goes on slowly; what the server does not take any more is lost.
fn go_on(mut stream: &TcpStream, slow: Slow) {
    let _ = match slow {
        Slow::DripsHead | Slow::DripsBody => stream.write(b" "),
        Slow::Sips => stream.read(&mut [0]),
        _ => Ok(0),
    };
}

/// Lets the process have so many descriptors.
fn need_descriptors(n: u64) {
    let most = getrlimit(Resource::Nofile).maximum;
    assert!(most.is_none_or(|most| most >= n), "{n} descriptors are needed: raise the hard limit (ulimit -Hn)");
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
}

#[test]
fn a_thousand_slow_clients_are_cut_off_within_ten_seconds_while_others_are_served() {
    let _turn = turn();
    // Two for each client, and the server takes no more than half of all.
    need_descriptors(2200);
    let serving = site(20_000);
    let at = serving.address();
    let whole = get(at, "/snapshot.json").body.len();
    let slow: Vec<(Slow, Instant, TcpStream)> =
        (0..1000).map(|n| (KINDS[n % KINDS.len()], Instant::now(), begin(at, KINDS[n % KINDS.len()]))).collect();
    for (_, _, stream) in &slow {
        stream.set_nonblocking(true).unwrap();
    }
    let cut = AtomicBool::new(false);
    let waits = thread::scope(|scope| {
        scope.spawn(|| {
            while !cut.load(Ordering::Relaxed) {
                slow.iter().for_each(|(slow, _, stream)| go_on(stream, *slow));
                thread::sleep(Duration::from_millis(100));
            }
        });
        let mut waits = Vec::new();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(4) {
            for path in ["/metrics", "/live.json", "/healthz"] {
                let asked = Instant::now();
                assert_eq!(get(at, path).status, 200);
                waits.push(asked.elapsed());
            }
            let asked = Instant::now();
            assert_eq!(query(at, "{ getBandwidthStats { totalUploaded } }").status, 200);
            waits.push(asked.elapsed());
        }
        thread::sleep(Duration::from_secs(10).saturating_sub(slow[slow.len() - 1].1.elapsed()));
        cut.store(true, Ordering::Relaxed);
        waits
    });
    print_waits("a normal request beside a thousand slow ones", waits);
    for (n, (slow, _, stream)) in slow.iter().enumerate() {
        let mut stream: &TcpStream = stream;
        let mut came = Vec::new();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        // It has been closed by now, or reset.
        let end = stream.read_to_end(&mut came).map_err(|error| error.kind());
        assert!(!matches!(end, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "client {n} is still connected");
        let text = String::from_utf8_lossy(&came[..came.len().min(4096)]);
        match slow {
            Slow::Silent | Slow::HalfAHead => assert!(text.starts_with("HTTP/1.1 408"), "client {n}: {text}"),
            // Or it was one of too many that announce a large one.
            Slow::HalfABody => assert!(text.starts_with("HTTP/1.1 408") || text.contains("BUSY"), "client {n}: {text}"),
            Slow::Idle => assert!(text.starts_with("HTTP/1.1 200"), "client {n}: {text}"),
            Slow::Deaf | Slow::Sips => assert!(came.len() < whole, "client {n} was sent all"),
            // What it went on sending may have cost it the server's last words.
            Slow::DripsHead | Slow::DripsBody => {}
        }
    }
    assert_eq!(get(at, "/live.json").status, 200);
}
