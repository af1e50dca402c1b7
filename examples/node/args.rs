//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

pub const HELP: &str = "\
A node on loopback, guarded by peerguard.

It talks over real TCP sockets to peers that listen on sockets of their own: healthy ones, slow
ones, ones that fail 30 % of the time, ones that refuse every connection or never answer, ones that
die and come back, ones that answer garbage, and ones that try to take all the bandwidth. The node
picks whom to sync with by `sync_candidates`, asks `admit` and `admit_bytes` before every step, and
reports through the permit how it went. Watch the dead ones being cut off, the revived ones
being found again, and the bytes staying within their limits.

Usage: cargo run --release --example node -- [OPTIONS]

Options:
  --seconds N      stop after N seconds, 3 to 86400, with a progress bar (without: until Ctrl-C)
  --peers N        how many peers, 24 to 100 (default 26)
  --seed S         draws the peers' ids, failures and times of death; the order in which threads
                   run stays the machine's own (default 1)
  --download RATE  the node's limit for bytes received per second, 256K to 64M (default 8M)
  --upload RATE    the same for bytes sent (default 4M); RATE is bytes, or KiB or MiB with K or M
  --http ADDR      serve the page, /metrics, /graphql and /snapshot.json at ADDR, such as 127.0.0.1:9464,
                   while the node runs (build with --features http)
  --plain          plain lines, as when the output is not a terminal
  -h, --help       this text

It ends with a summary and exit code 0, or 1 when the summary shows a promise that was not kept;
a bad argument gives 2.
";

#[derive(Debug, PartialEq)]
pub struct Args {
    pub seconds: Option<Duration>,
    pub peers: usize,
    pub seed: u64,
    pub download: u64,
    pub upload: u64,
    pub http: Option<SocketAddr>,
    pub plain: bool,
}

#[derive(Debug, PartialEq)]
pub enum Command {
    Run(Args),
    Help,
}

/// Reads the arguments that follow the program's name; an error is one sentence for the user.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut args =
        Args { seconds: None, peers: 26, seed: 1, download: 8 << 20, upload: 4 << 20, http: None, plain: false };
    while let Some(word) = words.next() {
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || joined.clone().or_else(|| words.next()).ok_or_else(|| format!("{name} needs a value"));
        match name {
            "--seconds" => {
                let seconds = number(name, &value()?, 3, 86_400)?;
                args.seconds = Some(Duration::from_secs(seconds));
            }
            "--peers" => args.peers = number(name, &value()?, 24, 100)? as usize,
            "--seed" => args.seed = number(name, &value()?, 0, u64::MAX)?,
            "--download" => args.download = rate(name, &value()?)?,
            "--upload" => args.upload = rate(name, &value()?)?,
            "--http" => args.http = Some(address(name, &value()?)?),
            "--plain" | "-h" | "--help" if joined.is_some() => {
                return Err(format!("{name} takes no value"));
            }
            "--plain" => args.plain = true,
            "-h" | "--help" => return Ok(Command::Help),
            _ => return Err(format!("unknown argument `{word}`")),
        }
    }
    Ok(Command::Run(args))
}

fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| format!("{name} wants a whole number from {least} to {most}, not `{text}`"))
}

fn address(name: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{name} wants an address and a port, such as 127.0.0.1:9464, not `{text}`"))
}

fn rate(name: &str, text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 10),
        None => match text.strip_suffix(['M', 'm']) {
            Some(digits) => (digits, 20),
            None => (text, 0),
        },
    };
    let bytes = digits.parse().ok().and_then(|n: u64| n.checked_mul(1 << shift));
    bytes
        .filter(|bytes| (256 << 10..=64 << 20).contains(bytes))
        .ok_or_else(|| format!("{name} wants a rate from 256K to 64M, not `{text}`"))
}
