//! A headless Chromium, spoken to over a pair of pipes in the DevTools protocol.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::folder::Folder;

const PATIENCE: Duration = Duration::from_secs(60);

/// One tab of one browser; both end with this.
pub struct Tab {
    browser: Child,
    _folder: Folder,
    commands: File,
    messages: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    /// What the browser told without being asked, so far.
    pub events: Vec<Value>,
}

impl Tab {
    pub fn open(width: u32, height: u32, dark: bool) -> Self {
        let folder = Folder::new("chromium");
        let (to, from) = (folder.0.join("to"), folder.0.join("from"));
        let made = Command::new("mkfifo").arg(&to).arg(&from).status().unwrap();
        assert!(made.success());
        // The protocol's pipes are the descriptors 3 and 4. Opened for both ways, a fifo waits for nobody.
        let script = format!(
            "exec chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run \
             --disable-background-networking --disable-component-update --user-data-dir={0}/profile \
             --remote-debugging-pipe 3<>{0}/to 4<>{0}/from",
            folder.0.display()
        );
        let browser = Command::new("sh")
            .args(["-c", &format!("command -v chromium >/dev/null || exit 127; {script}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let both_ways = |path| OpenOptions::new().read(true).write(true).open(path).unwrap();
        let (commands, answers) = (both_ways(to), BufReader::new(both_ways(from)));
        let (send, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                if send.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut tab = Self { browser, _folder: folder, commands, messages, session: None, sent: 0, events: Vec::new() };
        let target = tab.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = tab.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        tab.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Network", "Runtime", "Log"] {
            tab.ask(&format!("{domain}.enable"), json!({}));
        }
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        tab.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        tab.ask("Emulation.setEmulatedMedia", json!({"features": [scheme]}));
        tab
    }

    /// Sends a command and waits for its result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut command = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(command.to_string().as_bytes()).unwrap();
        self.commands.write_all(&[0]).unwrap();
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|_| {
                let ended = self.browser.try_wait().ok().flatten();
                panic!("no answer to {method}; chromium is needed: install Debian's package `chromium` ({ended:?})")
            });
            if message["id"] == self.sent {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    pub fn go(&mut self, address: &str) {
        let answer = self.ask("Page.navigate", json!({"url": address}));
        assert!(answer["errorText"].is_null(), "{answer}");
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        self.ask("Runtime.evaluate", json!({"expression": expression, "returnByValue": true, "awaitPromise": true}))
    }

    /// The value of an expression.
    pub fn value(&mut self, expression: &str) -> Value {
        let answer = self.evaluate(expression);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression has a value. While the page is still loading it may throw.
    pub fn until(&mut self, expression: &str, value: &Value) {
        let start = Instant::now();
        loop {
            let found = self.evaluate(expression)["result"]["value"].clone();
            if found == *value {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{expression} is {found}, not {value}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the window shows, as PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        let shot = self.ask("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": false}));
        from_base64(shot["data"].as_str().unwrap())
    }

    /// The events of one kind.
    pub fn told(&self, method: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["method"] == method).map(|event| &event["params"]).collect()
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&c| c != b'=').map(value).collect();
    let group = |four: &[u8]| {
        let word = four.iter().fold(0_u32, |word, &digit| word << 6 | u32::from(digit)) << (6 * (4 - four.len()));
        word.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
