//! A client of the server that keeps nothing from the tests: what is sent and what comes back, byte for byte.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Everything that comes until the server closes.
pub fn answer(mut stream: &TcpStream) -> Answer {
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

/// A connection that fails a test rather than let it wait for ever.
pub fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

pub fn get_with(at: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut stream = connect(at);
    let host = if headers.contains("host:") { String::new() } else { format!("host: {}\r\n", at) };
    write!(stream, "GET {path} HTTP/1.1\r\n{host}connection: close\r\n{headers}\r\n").unwrap();
    answer(&stream)
}

pub fn get(at: SocketAddr, path: &str) -> Answer {
    get_with(at, path, "")
}

pub fn post_with(at: SocketAddr, body: &str, headers: &str) -> Answer {
    let mut stream = connect(at);
    let length = body.len();
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    answer(&stream)
}

pub const JSON: &str = "content-type: application/json\r\n";

pub fn query(at: SocketAddr, query: &str) -> Answer {
    post_with(at, &json!({ "query": query }).to_string(), JSON)
}
