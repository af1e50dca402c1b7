//! The example node, started by the README's command.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

pub struct RunningNode {
    child: Child,
    pub address: SocketAddr,
}

impl RunningNode {
    /// Starts it, and waits until it says where it serves.
    pub fn start() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let command = "run --quiet --release --features http --example node -- --http 127.0.0.1:0";
        // Cargo builds the example if need be, and then becomes it.
        let mut child = Command::new(cargo)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(command.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("it writes text");
        let url = first.split_whitespace().next().unwrap_or_default();
        let address = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the first words are not its address: {first:?}"));
        // It writes a line each second, which somebody has to take.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Self { child, address }
    }
}

impl Drop for RunningNode {
    /// Ends it by Ctrl-C.
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself, which the test has told of.
        let _ = pid.map(|pid| kill_process(pid, Signal::INT));
        let _ = self.child.wait();
    }
}
