//! The page in a real browser: it shows the guard's own states, follows them without a reload, and fetches nothing from
//! elsewhere. `make screenshot` runs the last test with `PEERGUARD_SCREENSHOT` set and keeps what it saw.
//!
//! Needs Debian's package `chromium`.

mod chromium;
mod folder;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chromium::Tab;
use peerguard::http::{HttpOptions, serve};
use peerguard::{Config, Direction, Outcome, PeerGuard, PeerId, Publisher, Traffic};
use serde_json::json;

/// One test at a time: a browser is much for a small machine.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn peer(n: u64) -> PeerId {
    PeerId::digest(&n.to_le_bytes())
}

/// What the page says of a state.
fn shown(state: &str) -> String {
    format!("document.querySelector('[data-state={state}] b')?.textContent")
}

/// Nothing was fetched but from `site`, and the console is empty.
fn assert_clean(tab: &Tab, site: &str) {
    let requests = tab.told("Network.requestWillBeSent");
    assert!(!requests.is_empty());
    for request in requests {
        let url = request["request"]["url"].as_str().unwrap();
        assert!(url.starts_with(site) || url.starts_with("data:"), "fetched {url}");
    }
    for complaint in ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"] {
        assert!(tab.told(complaint).is_empty(), "{complaint}: {:?}", tab.told(complaint));
    }
}

#[test]
fn a_peer_that_dies_turns_open_without_a_reload() {
    let _turn = turn();
    let mut config = Config::default();
    config.circuit_breaker.recovery_timeout = Duration::from_secs(3600);
    config.circuit_breaker.max_open_time = Duration::from_secs(3600);
    let guard = PeerGuard::new(config).unwrap();
    for n in 0..12 {
        guard.record_success(&peer(n), Some(30.0)).unwrap();
    }
    let publisher = Publisher::new(&guard);
    let _publishing = publisher.start(Duration::from_millis(100)).unwrap();
    let serving = serve("127.0.0.1:0".parse().unwrap(), &publisher, HttpOptions::default()).unwrap();
    let site = format!("http://{}/", serving.address());
    let mut tab = Tab::open(1200, 900, false);
    tab.go(&site);
    tab.until(&shown("closed"), &json!("12"));
    tab.until(&shown("open"), &json!("0"));
    tab.value("window.loadedOnce = true");

    for _ in 0..5 {
        guard.record_failure(&peer(3));
    }
    guard.ban(&peer(4), Some(Duration::from_secs(600)), 1).unwrap();
    tab.until(&shown("open"), &json!("1"));
    tab.until(&shown("closed"), &json!("11"));
    tab.until(&shown("banned"), &json!("1"));
    let first_cell = |row: usize| format!("document.querySelectorAll('#worst code')[{row}]?.title");
    tab.until(&first_cell(0), &json!(peer(4).to_string()));
    tab.until(&first_cell(1), &json!(peer(3).to_string()));
    tab.until("document.querySelector('#bans td:last-child').textContent.startsWith('9 min')", &json!(true));
    assert_eq!(tab.value("window.loadedOnce"), true, "the page was loaded again");

    tab.go(&format!("{site}graphql"));
    tab.until("document.readyState", &json!("complete"));
    tab.value("document.getElementById('form').requestSubmit()");
    let open = "JSON.parse(document.getElementById('answer').textContent || '{}').data?.getNetworkResilienceSummary.circuitBreaker.open";
    tab.until(open, &json!(1));
    assert_clean(&tab, &site);
}

#[test]
fn a_token_is_asked_for_and_taken_from_the_address() {
    let _turn = turn();
    let guard = PeerGuard::new(Config::default()).unwrap();
    guard.record_success(&peer(1), None).unwrap();
    let options = HttpOptions { token: Some("s e+cret".into()), ..HttpOptions::default() };
    let serving = serve("127.0.0.1:0".parse().unwrap(), &Publisher::new(&guard), options).unwrap();
    let site = format!("http://{}/", serving.address());
    let mut tab = Tab::open(800, 600, true);
    tab.go(&site);
    tab.until("document.getElementById('token-needed').hidden", &json!(false));
    tab.value(
        "document.getElementById('token').value = 's e+cret'; document.getElementById('token-form').requestSubmit()",
    );
    tab.until(&shown("closed"), &json!("1"));
    tab.value("sessionStorage.clear()");
    tab.go(&format!("{site}?again#token=s%20e%2Bcret"));
    tab.until(&shown("closed"), &json!("1"));
    tab.until("location.hash", &json!(""));
}

/// Two hundred peers of different worth, some seconds long.
fn lively(guard: &PeerGuard, seconds: u64) {
    let mut random = fastrand::Rng::with_seed(7);
    let start = Instant::now();
    let flood = |n: u64| if n.is_multiple_of(5) { 40_000 } else { 9_000 };
    let mut turns = 0_u64;
    while start.elapsed() < Duration::from_secs(seconds) || turns < 20_000 {
        let n = random.u64(0..200);
        let bad = if n < 12 {
            0.7
        } else if n < 30 {
            0.2
        } else {
            0.015
        };
        turns += 1;
        if turns.is_multiple_of(40) {
            let direction = if random.bool() { Direction::Upload } else { Direction::Download };
            if let Ok(permit) = guard.admit_bytes(&peer(n), direction, flood(turns / 40)) {
                let _ = permit.success(None);
            }
        }
        if let Ok(permit) = guard.admit(&peer(n)) {
            let latency = Duration::from_micros(5_000 + random.u64(0..40_000) + n * 400);
            let outcome = match random.f64() {
                x if x >= bad => Outcome::MessageSuccess,
                x if x < bad / 4.0 => Outcome::SyncFailure,
                x if x < bad / 2.0 => Outcome::Timeout,
                _ => Outcome::MessageFailure,
            };
            let _ = permit.record(outcome, Some(latency), Traffic::NONE);
        }
        if turns > 20_000 {
            thread::sleep(Duration::from_micros(400));
        }
    }
}

#[test]
fn the_page_fits_a_desk_and_a_phone_in_light_and_dark() {
    let _turn = turn();
    let keep = std::env::var_os("PEERGUARD_SCREENSHOT").map(std::path::PathBuf::from);
    let mut config = Config::default();
    config.bandwidth.upload_limit_bps = 400_000;
    config.bandwidth.download_limit_bps = 600_000;
    let guard = PeerGuard::new(config).unwrap();
    for n in 200..203 {
        guard.ban(&peer(n), Some(Duration::from_secs(n * 60)), 4).unwrap();
    }
    let publisher = Publisher::new(&guard);
    let _publishing = publisher.start(Duration::from_millis(250)).unwrap();
    let serving = serve("127.0.0.1:0".parse().unwrap(), &publisher, HttpOptions::default()).unwrap();
    let site = format!("http://{}/", serving.address());
    let mut tabs = [Tab::open(1280, 1000, false), Tab::open(1280, 1000, true), Tab::open(390, 844, true)];
    for tab in &mut tabs {
        tab.go(&site);
    }
    lively(&guard, if keep.is_some() { 60 } else { 3 });
    for (tab, name) in tabs.iter_mut().zip(["light", "dark", "phone"]) {
        tab.until("document.getElementById('status').classList.contains('live')", &json!(true));
        tab.until("document.querySelectorAll('#worst tr').length > 5", &json!(true));
        let overflow = tab.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(overflow, 0, "{name}: the page is wider than the window");
        let picture = tab.screenshot();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{name}");
        if let Some(folder) = &keep {
            std::fs::write(folder.join(format!("page-{name}.png")), picture).unwrap();
        }
        assert_clean(tab, &site);
    }
}
